use std::time::Duration;

use crate::exam::question::seen;
use crate::exam::ways::WATCHED;
use crate::exam::{Answer, Asked, Cause, Disposition, Examinee, Kind, Question, Seen};
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

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let ways = &examinee.ways;
    let lags = ways.lags.as_ref().map_err(Answer::clone)?;
    let Some(last) = lags.last() else { return Ok(Answer::cannot("no child died")) };
    if let Lag { zombie: None, went_with_next, .. } = *last {
        let which = match lags.len() {
            1 => "still a zombie".to_owned(),
            before => format!("{} reaped, the next one still a zombie", before - 1),
        };
        let next = if went_with_next { "; it goes when the next client comes" } else { "" };
        let cause = match (ways.sigchld, ways.sigchld_later) {
            (Disposition::Caught, Disposition::Default) => Some(Cause::HandlerGone),
            (Disposition::Caught, Disposition::Blocked) => Some(Cause::Blocked),
            _ if went_with_next => Some(Cause::NextClient),
            _ => None,
        };
        let evidence = format!(
            "{which} after the {} s that it was watched; {}{next}",
            WATCHED.as_secs_f32(),
            ways.sigchld_later.describe()
        );
        let seen = Seen { went_with_next, ..seen(lags.len(), 1) };
        return Ok(Answer::fails(evidence).seen(seen).because(cause));
    }
    let longest = ways.longest_lag();
    let most = format!("{} ms at most", longest.as_millis());
    let evidence = match longest <= AT_ONCE {
        true => format!("reaped at once ({most})"),
        false => format!("reaped after {most}: it looks from time to time"),
    };
    Ok(Answer::holds(evidence).seen(seen(lags.len(), 0)))
}
