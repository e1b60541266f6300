use std::time::Duration;

use super::super::answer::{Answer, Cause};
use super::super::examinee::Examinee;
use super::super::question::{Question, seen};
use super::super::ways::{Disposition, WATCHED};
use crate::Result;
use crate::experiment::Lag;

/// A zombie that is gone after this counts as reaped at once.
const AT_ONCE: Duration = Duration::from_millis(100);

pub(super) const QUESTION: Question = Question {
    name: "a client leaves: its child is reaped",
    done: "One client after the other comes, is served and leaves; the time from the child's \
           death to its end as a zombie is taken.",
    hint: "who waits for a child once it is dead? docs/lesson-01.md#the-zombie",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if let Some(why) = examinee.childless() {
        return Ok(why);
    }
    let ways = examinee.ways();
    let lags = match &ways.lags {
        Ok(lags) => lags,
        Err((error, cause)) => return Ok(Answer::fails(error).because(*cause)),
    };
    let (Some(last), longest) = (lags.last(), lags.iter().filter_map(|it| it.zombie).max()) else {
        return Ok(Answer::cannot("no child died"));
    };
    let longest = longest.unwrap_or_default();
    if let Lag { zombie: None, went_with_next, .. } = last {
        let which = match lags.len() {
            1 => "still a zombie".to_owned(),
            before => format!("{} reaped, the next one still a zombie", before - 1),
        };
        let next = if *went_with_next { "; it goes when the next client comes" } else { "" };
        let cause = match (ways.sigchld, ways.sigchld_later) {
            (Disposition::Caught, Disposition::Default) => Some(Cause::HandlerGone),
            (Disposition::Caught, Disposition::Blocked) => Some(Cause::Blocked),
            _ if *went_with_next => Some(Cause::NextClient),
            _ => None,
        };
        let told = format!(
            "{which} after the {} s that it was watched; {}{next}",
            WATCHED.as_secs_f32(),
            ways.sigchld_later.describe()
        );
        let mut seen = seen(lags.len(), 1);
        seen.went_with_next = *went_with_next;
        return Ok(Answer::fails(told).seen(seen).because(cause));
    }
    let milliseconds = longest.as_millis();
    Ok(Answer::holds(if longest <= AT_ONCE {
        format!("reaped at once ({milliseconds} ms at most)")
    } else {
        format!("reaped after {milliseconds} ms at most: it looks from time to time")
    })
    .seen(seen(lags.len(), 0)))
}
