//! Processes that are killed, and what those that are left still hold.

use std::time::{Duration, Instant};

use client::{poll, ps};
use procfs::process::Process;

use crate::burst::Burst;
use crate::exam::question::{new_zombies, newcomer, seen, servant};
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Question};
use crate::server::{Server, send};

pub(super) const KILLED_CHILD: Question = Question {
    name: "a child is killed: its client sees the end, the others go on",
    done: "Of three clients, the first one's child is killed with SIGKILL; that client waits for \
           the end of its connection, the others speak again.",
    hint: "who else holds the connection of a child that dies? docs/lesson-01.md#who-closes-what",
    ask: killed_child,
};

fn killed_child(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Child, Kind::OneEach, Kind::Grandchild])?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let [bereft, others @ ..] = burst.clients() else { return Ok(Answer::cannot("no client")) };
    let child = servant(&server, bereft, "child")?;
    let start = Instant::now();
    send(child, libc::SIGKILL)?;
    if let Err(error) = bereft.hear_out()
        && error.is_silent()
    {
        let holders = server.holders(bereft)?;
        return Ok(Answer::fails(format!("{error}; {holders:?} still hold its connection")));
    }
    let milliseconds = start.elapsed().as_millis();
    let go_on = others.iter().try_for_each(|client| server.manner().talk.go_on(client));
    go_on.map_err(|error| {
        Answer::fails(format!("with child {child} another conversation ended: {error}"))
    })?;
    Ok(Answer::holds(format!("child {child}: its client sees the end in {milliseconds} ms")))
}

pub(super) const LISTENER_IN_CHILD: Question = Question {
    name: "no child holds the listening socket",
    done: "Three clients are served; the open files of every process of the server's are searched \
           for the listening socket.",
    hint: "which of its parent's files does a child need? docs/server-crashes.md#an-orphan-has-kept-the-listener",
    ask: listener_in_child,
};

fn listener_in_child(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Child, Kind::Grandchild])?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let mut serving = server.holders_of(burst.clients())?.concat();
    serving.retain(|pid| *pid != server.pid());
    let mut holders = Vec::new();
    let none = poll::until(server.manner().patience / 4, || {
        holders = server.listeners();
        let all = holders.len();
        holders.retain(|pid| serving.contains(pid));
        (all > 0 && holders.is_empty()).then_some(())
    });
    burst.close();
    Ok(match none {
        Some(()) => Answer::holds(format!("only {} holds it", server.pid())),
        None if holders.is_empty() => Answer::cannot("it can't be seen who holds it"),
        None => Answer::fails(format!("children that hold it: {holders:?}")),
    })
}

/// How long a supervisor may take to start a server again: runsv(8) lets a second go by.
const SUPERVISION: Duration = Duration::from_millis(2500);

pub(super) const KILLED_SERVER: Question = Question {
    name: "the server is killed: conversations go on, and it can start again at once",
    done: "With clients served, the processes that listen are killed with SIGKILL; the clients \
           speak again, and the command is started once more on the same port, unless a supervisor \
           starts the server again by itself.",
    hint: "what still holds the port, or a connection on it? docs/server-crashes.md#start-it-again-at-once",
    ask: killed_server,
};

fn killed_server(examinee: &Examinee) -> Asked {
    if matches!(examinee.kind(), Kind::Pool | Kind::OneEach) {
        let kind = examinee.kind().describe();
        return Ok(Answer::cannot(format!("it {kind}, who hold the listener as they must")));
    }
    let server = examinee.start()?;
    let status = Process::new(server.pid()).and_then(|process| process.status());
    if status.is_ok_and(|it| it.nspid.is_some_and(|pids| pids.len() > 1 && pids.last() == Some(&1)))
    {
        return Ok(Answer::cannot("it is PID 1 of a namespace, which ends with it"));
    }
    let burst = Burst::connect(&server, examinee.at_most(2))?;
    let pid = server.pid();
    // Who listens besides, and serves nobody: a supervisor that has opened the listener, say.
    let busy = server.holders_of(burst.clients())?.concat();
    let mut others = server.listeners();
    others.retain(|other| !busy.contains(other) && *other != pid);
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
    burst.close();
    Ok(match go_on {
        Ok(()) => Answer::when(starts, format!("conversations go on; {restart}")),
        Err(error) => Answer::fails(format!("conversations end: {error}; {restart}")),
    })
}

/// Whether the server listens again without being started, and after how many milliseconds. Where
/// nothing of the command is left but those who serve, nobody could do that.
fn started_by_its_supervisor(server: &Server, killed: i32) -> Option<u128> {
    let start = Instant::now();
    let look = || match server.command_ended() {
        Some(_) => Some(false),
        None => server.listens().then_some(true),
    };
    let again = server.command() != killed && poll::until(SUPERVISION, look) == Some(true);
    again.then(|| start.elapsed().as_millis())
}

pub(super) const KILLED_WORKER: Question = Question {
    name: "a worker of the pool is killed: it is reaped and replaced",
    done: "The worker that serves a client is killed with SIGKILL. It must be reaped, there must be \
           as many workers again, and the next client must be served.",
    hint: "who waits for a worker that dies, and who takes its place? docs/exam-reference.md#causes",
    ask: killed_worker,
};

fn killed_worker(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Pool, Kind::OneEach])?;
    let server = examinee.start()?;
    server.rest();
    let (before, _) = server.zombies_and_orphans();
    let workers = || {
        ps::children_of(server.pid()).map_or(0, |it| it.iter().filter(|it| !it.is_zombie()).count())
    };
    let size = workers();
    let burst = Burst::connect(&server, 1)?;
    let worker = servant(&server, &burst.clients()[0], "worker")?;
    send(worker, libc::SIGKILL)?;
    let _ = ps::dies(worker, server.manner().patience);
    burst.close();
    let replaced = poll::until(server.manner().patience, || (workers() >= size).then_some(()));
    let (served, others) = new_zombies(&server, &before);
    let stayed = served.len() + others.len();
    let evidence =
        format!("worker {worker} killed: {stayed} stayed, {} of {size} workers", workers());
    let seen = seen(1, stayed);
    if stayed > 0 || replaced.is_none() {
        let cause = (stayed > 0).then_some(Cause::Worker);
        return Ok(Answer::fails(evidence).seen(seen).because(cause));
    }
    let milliseconds = newcomer(&server, &evidence)?;
    Ok(Answer::holds(format!("{evidence}; next served in {milliseconds} ms")).seen(seen))
}
