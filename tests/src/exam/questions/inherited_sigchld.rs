use super::super::answer::Answer;
use super::super::examinee::Examinee;
use super::super::question::Question;
use crate::Result;
use crate::experiment::one_after_another;
use crate::server::Inherited;

/// How many clients come each time.
const CLIENTS: usize = 3;

pub(super) const QUESTION: Question = Question {
    name: "its parent has blocked or ignored SIGCHLD: it still reaps",
    done: "The server is started with SIGCHLD blocked, and once more with SIGCHLD ignored: both \
           survive exec. Each time three clients come and leave, one after the other. That a server relies on its parent \
           is noted, and no failure.",
    hint: "what does a program inherit besides its files? docs/lesson-02.md#being-told",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if let Some(why) = examinee.childless() {
        return Ok(why);
    }
    if examinee.ways().lags.as_ref().is_ok_and(|lags| lags.iter().any(|lag| lag.zombie.is_none())) {
        return Ok(Answer::cannot("it doesn't reap every child when all is at its default"));
    }
    let mut told = Vec::new();
    let mut good = true;
    for (inherited, name) in [(Inherited::Blocked, "blocked"), (Inherited::Ignored, "ignored")] {
        let server = examinee.start_as(|launch| launch.sigchld(inherited))?;
        // One after the other: that is all that a server of lesson 2 can do when nothing is amiss.
        match one_after_another(&server, CLIENTS) {
            Ok(tally) => {
                good &= tally.zombies == 0;
                told.push(format!("{name}: {} of {} stayed", tally.zombies, tally.children));
            }
            Err(error) => {
                good = false;
                told.push(format!("{name}: {error}"));
            }
        }
    }
    Ok(match good {
        true => Answer::holds(told.join("; ")),
        false => Answer::noted(told.join("; ")).hint(QUESTION.hint),
    })
}
