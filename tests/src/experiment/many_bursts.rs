use client::poll;

use super::on_their_own;
use crate::Result;
use crate::exam::{Answer, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "two hundred leave in bursts of twenty: no zombie, no open file stays",
    done: "Ten times, twenty clients are served and leave at once; then the zombies and the \
           server's open files are counted, and compared with those after the first burst.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if examinee.kind() == Kind::OneByOne {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    const BURSTS: usize = 10;
    const CLIENTS: usize = 20;
    let server = examinee.start()?;
    let mut zombies = 0;
    let mut first_files = None;
    for _ in 0..BURSTS {
        zombies += on_their_own(&server, CLIENTS)?.zombies;
        first_files.get_or_insert(server.open_files()?.len());
    }
    let before = first_files.unwrap_or_default();
    let mut after = server.open_files()?.len();
    // A thread is still there for a moment when its client has seen the end.
    poll::until(server.manner().patience, || {
        after = server.open_files().map_or(after, |open| open.len());
        (after <= before).then_some(())
    });
    Ok(Answer::when(
        zombies == 0 && after <= before,
        format!("{zombies} of {} stayed; open files: {before}, then {after}", BURSTS * CLIENTS),
    ))
}
