use std::thread::sleep;
use std::time::Duration;

use super::super::answer::{Answer, Cause, Seen};
use super::super::examinee::Examinee;
use super::super::question::{Question, new_zombies, strangers_told};
use crate::Result;

/// How long the server is left alone.
const ALONE: Duration = Duration::from_millis(3200);

pub(super) const QUESTION: Question = Question {
    name: "left alone, no zombie comes",
    done: "Nobody connects for some seconds; then the zombies of all of its processes are counted.",
    hint: "who starts these, and who waits for them? docs/exam-reference.md#causes",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    let server = examinee.start()?;
    sleep(ALONE); // time is what is asked about
    let (_, strangers) = new_zombies(&server, &[]);
    if strangers.is_empty() {
        return Ok(Answer::holds(format!("none in {} s", ALONE.as_secs_f32())));
    }
    let parent = strangers[0].ppid;
    let told = format!(
        "in {} s {}, children of {parent}",
        ALONE.as_secs_f32(),
        strangers_told(&strangers)
    );
    let seen = Seen { strangers: strangers.len(), ..Seen::default() };
    Ok(Answer::fails(told).seen(seen).because(Some(Cause::ServedNobody)))
}
