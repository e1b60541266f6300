use std::thread::sleep;
use std::time::Duration;

use crate::exam::question::{describe_strangers, new_zombies};
use crate::exam::{Answer, Asked, Cause, Examinee, Question, Seen};

const ALONE: Duration = Duration::from_millis(3200);

pub(super) const QUESTION: Question = Question {
    name: "left alone, no zombie comes",
    done: "Nobody connects for some seconds; then the zombies of all of its processes are counted.",
    hint: "who starts these, and who waits for them? docs/exam-reference.md#causes",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    let server = examinee.start()?;
    sleep(ALONE); // time is what is asked about
    let (_, strangers) = new_zombies(&server, &[]);
    let seconds = ALONE.as_secs_f32();
    let Some(first) = strangers.first() else {
        return Ok(Answer::holds(format!("none in {seconds} s")));
    };
    let zombies = describe_strangers(&strangers);
    let evidence = format!("in {seconds} s {zombies}, children of {}", first.ppid);
    let seen = Seen { strangers: strangers.len(), ..Seen::default() };
    Ok(Answer::fails(evidence).seen(seen).because(Some(Cause::ServedNobody)))
}
