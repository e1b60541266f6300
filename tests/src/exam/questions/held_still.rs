use crate::exam::question::follow_up;
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Question, Seen};
use crate::experiment::held_still;

pub(super) const QUESTION: Question = Question {
    name: "five leave while it is held still: none stays a zombie",
    done: "Five clients are served; the server is stopped; all five leave and their children die; \
           the server runs on. This makes the deaths' signals fall together for certain. Then the \
           same with a hundred, or with as many as it serves at once.",
    hint: "how many deaths can stand behind one SIGCHLD? docs/lesson-02.md#five-deaths-one-bit",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let few = examinee.at_most(5);
    let many = if examinee.at_most(100) > few { examinee.at_most(100) } else { few - 1 };
    let (mut parts, mut all) = (Vec::new(), Seen::default());
    for clients in [few, many].into_iter().filter(|clients| *clients > 0) {
        let server = examinee.start()?;
        let (story, tally) = held_still(&server, clients)?;
        let mut evidence = format!("{} of {} stayed", tally.zombies, tally.children);
        if let Some(pending) = story.pending() {
            evidence += &format!("; {pending}");
        }
        if all.held.is_empty() {
            let (after, went) = follow_up(&server, tally.zombies)?;
            evidence += &after;
            all.went_with_next = went;
        }
        parts.push(evidence);
        all.died += tally.children;
        all.stayed += tally.zombies;
        all.held.push(tally);
    }
    let late = all.went_with_next.then_some(Cause::NextClient);
    Ok(Answer::when(all.stayed == 0, parts.join("; ")).seen(all).because(late))
}
