use client::poll;

use super::super::answer::{Answer, Cause, Seen};
use super::super::examinee::Examinee;
use super::super::question::{Question, new_zombies, seen, strangers_told};
use super::super::ways::Kind;
use crate::Result;
use crate::burst::Burst;
use crate::story::count;

pub(super) const QUESTION: Question = Question {
    name: "two hundred leave in bursts of twenty: no zombie, no open file stays",
    done: "Ten times, twenty clients are served and leave at once; then the zombies and the \
           server's open files are counted, and compared with those after the first burst. Fewer \
           at once if it serves fewer, and fewer times if it is slow.",
    hint: "does the parent close its copy of each connection? docs/lesson-01.md#who-closes-what",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    let clients = examinee.at_most(20);
    let bursts = examinee.rounds(if clients == 1 { 25 } else { 10 });
    let server = examinee.start()?;
    let (before, _) = server.zombies_and_orphans();
    let (mut first_files, mut cannot, mut ends) = (None, None, true);
    for _ in 0..bursts {
        let burst = Burst::connect(&server, clients)?;
        burst.leave()?;
        // How it takes a goodbye is another question.
        for client in burst.clients().iter() {
            ends = ends && !client.hear_out().is_err_and(|error| error.is_silent());
        }
        server.wait_for("every child to die", |family| family.alive() == 0)?;
        server.rest();
        if first_files.is_none() {
            let files = server.open_files();
            cannot = files.as_ref().err().map(ToString::to_string);
            first_files = files.ok().map(|open| open.len());
        }
    }
    server.at_rest()?;
    let (served, strangers) = new_zombies(&server, &before);
    let (_, orphans) = server.zombies_and_orphans();
    let (stayed, died) = (served.len(), bursts * clients);
    let mut evidence = format!("{stayed} of {died} stayed");
    let hidden = examinee.kind() == Kind::Hidden;
    if hidden {
        let zombies = count(strangers.len(), "zombie");
        evidence = format!("{zombies} stayed of {died} clients; whose they are can't be seen");
    } else if !strangers.is_empty() {
        evidence += &format!("; {}", strangers_told(&strangers));
    }
    let mut files_grow = false;
    if let Some(before) = first_files {
        let mut after = before;
        // A thread is still there for a moment when its client has seen the end.
        let fewer = poll::until(server.manner().patience / 2, || {
            after = server.open_files().map_or(after, |open| open.len());
            (after <= before).then_some(())
        });
        files_grow = fewer.is_none();
        evidence += &format!("; open files: {before} before, {after} after");
    }
    evidence += &cannot.map_or(String::new(), |why| format!("; {why}"));
    if orphans.len() * 2 >= died {
        let name = &orphans[0].comm;
        evidence += &format!(
            "; its children left {} orphans ({name}), which it would have to reap itself as PID 1",
            orphans.len()
        );
    }
    let good = stayed == 0 && strangers.is_empty();
    let went_with_next =
        !served.is_empty() && Burst::one_more(&server, || Ok(server.census()?.zombies() == 0))?.1;
    evidence += if went_with_next { "; all gone when the next client came" } else { "" };
    let (strangers, unseen) = if hidden { (0, strangers.len()) } else { (strangers.len(), 0) };
    let seen = Seen { strangers, unseen, went_with_next, ..seen(died, stayed) };
    let nobody = (stayed == 0 && strangers > 0).then_some(Cause::ServedNobody);
    let answer = Answer::when(good && !files_grow, evidence).seen(seen).because(nobody);
    Ok(match stayed {
        0 => answer,
        _ => answer.hint(
            "who waits for a child that dies while others are reaped? \
             docs/lesson-02.md#five-deaths-one-bit",
        ),
    })
}
