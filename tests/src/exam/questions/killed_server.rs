use std::time::{Duration, Instant};

use client::{poll, ps};

use crate::burst::Burst;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::server::{Server, send};

/// How long a supervisor may take to start a server again: runsv(8) lets a second go by.
const SUPERVISION: Duration = Duration::from_millis(2500);

pub(super) const QUESTION: Question = Question {
    name: "the server is killed: conversations go on, and it can start again at once",
    done: "With clients served, the processes that listen are killed with SIGKILL; the clients \
           speak again, and the command is started once more on the same port, unless a supervisor \
           starts the server again by itself.",
    hint: "what still holds the port, or a connection on it? docs/server-crashes.md#start-it-again-at-once",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    if matches!(examinee.kind(), Kind::Pool | Kind::OneEach) {
        let kind = examinee.kind().describe();
        return Ok(Answer::cannot(format!("it {kind}, who hold the listener as they must")));
    }
    let server = examinee.start()?;
    let pids = ps::status(server.pid()).ok().and_then(|it| it.nspid).unwrap_or_default();
    if pids.len() > 1 && pids.last() == Some(&1) {
        return Ok(Answer::cannot("it is PID 1 of a namespace, which ends with it"));
    }
    let burst = Burst::connect(&server, examinee.at_most(2))?;
    let pid = server.pid();
    // Who else listens and serves nobody: a supervisor that has opened the listener, say.
    let busy = server.holders_of(burst.clients())?.concat();
    let mut others = server.listeners();
    others.retain(|it| !busy.contains(it) && *it != pid);
    server.kill()?;
    for other in others {
        let _ = send(other, libc::SIGKILL); // it may have gone with the first
    }
    let talk = &server.manner().talk;
    let go_on = burst.clients().iter().try_for_each(|client| talk.go_on(client));
    if go_on.is_err() && server.command() != pid {
        let ended = || server.command_ended();
        if poll::until(Duration::from_secs(1), ended).is_some() {
            return Ok(Answer::cannot("the command ends with the server, and ends its children"));
        }
    }
    let (starts, restart) = match started_by_its_supervisor(&server, pid) {
        Some(after) => (true, format!("its supervisor has started it again after {after} ms")),
        None => match examinee.start_again(&server) {
            Ok(_again) => (true, "it starts again at once".to_owned()),
            Err(error) => (false, format!("it can't start again: {error}")),
        },
    };
    Ok(match go_on {
        Ok(()) => Answer::when(starts, format!("conversations go on; {restart}")),
        Err(error) => Answer::fails(format!("conversations end: {error}; {restart}")),
    })
}

/// Whether the server listens again without being started, and after how many milliseconds. Where
/// nothing of the command is left but those who serve, nobody could do that.
fn started_by_its_supervisor(server: &Server, killed: i32) -> Option<u128> {
    let start = Instant::now();
    if server.command() == killed {
        return None;
    }
    let again = || match server.command_ended() {
        Some(_) => Some(None),
        None => server.listens().then(|| Some(start.elapsed().as_millis())),
    };
    poll::until(SUPERVISION, again).flatten()
}
