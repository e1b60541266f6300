use crate::burst::Burst;
use crate::exam::question::{describe_going, describe_strangers, files_since, new_zombies, seen};
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Question, Seen};
use crate::story::count;

pub(super) const QUESTION: Question = Question {
    name: "two hundred leave in bursts of twenty: no zombie, no open file stays",
    done: "Ten times, twenty clients are served and leave at once; then the zombies and the \
           server's open files are counted, and compared with those after the first burst. Fewer \
           at once if it serves fewer, and fewer times if it is slow.",
    hint: "does the parent close its copy of each connection? docs/lesson-01.md#who-closes-what",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    let clients = examinee.at_most(20);
    let bursts = examinee.rounds(if clients == 1 { 25 } else { 10 });
    let server = examinee.start()?;
    let (before, _) = server.zombies_and_orphans();
    let (mut files, mut ends) = (None, true);
    for _ in 0..bursts {
        let burst = Burst::connect(&server, clients)?;
        burst.leave()?;
        // How it takes a goodbye is another question.
        for client in burst.clients() {
            ends = ends && !client.hear_out().is_err_and(|error| error.is_silent());
        }
        server.wait_for("every child to die", |family| family.alive() == 0)?;
        server.rest();
        files.get_or_insert_with(|| server.open_files().map(|open| open.len()));
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
        evidence += &format!("; {}", describe_strangers(&strangers));
    }
    let mut good = stayed == 0 && strangers.is_empty();
    match files.unwrap_or(Ok(0)) {
        Ok(before) => {
            let (closed, files) = files_since(&server, before);
            good &= closed;
            evidence += &files;
        }
        Err(why) => evidence += &format!("; {why}"),
    }
    if orphans.len() * 2 >= died {
        let name = &orphans[0].comm;
        evidence += &format!(
            "; its children left {} orphans ({name}), which it would have to reap itself as PID 1",
            orphans.len()
        );
    }
    let went_with_next =
        !served.is_empty() && Burst::one_more(&server, || Ok(server.census()?.zombies() == 0))?.1;
    evidence += describe_going(went_with_next);
    let (strangers, unseen) = if hidden { (0, strangers.len()) } else { (strangers.len(), 0) };
    let seen = Seen { strangers, unseen, went_with_next, ..seen(died, stayed) };
    let nobody = (stayed == 0 && strangers > 0).then_some(Cause::ServedNobody);
    let answer = Answer::when(good, evidence).seen(seen).because(nobody);
    Ok(match stayed {
        0 => answer,
        _ => answer.hint(
            "who waits for a child that dies while others are reaped? \
             docs/lesson-02.md#five-deaths-one-bit",
        ),
    })
}
