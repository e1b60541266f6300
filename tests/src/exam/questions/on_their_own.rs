use crate::exam::question::{follow_up, seen};
use crate::exam::{Answer, Asked, Examinee, Kind, Question, Seen};
use crate::experiment::on_their_own;
use crate::story::Tally;

pub(super) const QUESTION: Question = Question {
    name: "five leave together: none stays a zombie",
    done: "Five clients are served and leave at once, while the server runs on. For a server that \
           waits once per signal the outcome is chance.",
    hint: "what if a second child dies while the first is reaped? \
           docs/lesson-02.md#five-deaths-one-bit",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let server = examinee.start()?;
    let Tally { children, zombies, .. } = on_their_own(&server, examinee.at_most(5))?;
    let (after, went_with_next) = follow_up(&server, zombies)?;
    let seen = Seen { went_with_next, ..seen(children, zombies) };
    Ok(Answer::when(zombies == 0, format!("{zombies} of {children} stayed{after}")).seen(seen))
}
