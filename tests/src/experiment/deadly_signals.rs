use procfs::process::Process;

use crate::burst::Burst;
use crate::exam::{Answer, Examinee, Question};
use crate::server::{HARMLESS, send};
use crate::{Error, Result};

/// How many children die at once.
const AT_ONCE: usize = 20;

pub(super) const QUESTION: Question = Question {
    name: "children die of every deadly signal, twenty at once: all are reaped",
    done: "Twenty clients are served, the server is stopped, each of their children is killed by \
           another signal, the server runs on; again until every deadly signal had its turn, the \
           real-time ones first.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if let Some(why) = examinee.childless() {
        return Ok(why);
    }
    // 1 to 31 are the standard signals, 32 to 64 the real-time ones, of which libc uses two.
    let deadly: Vec<i32> =
        (32..=64).chain(1..=31).filter(|signal| !HARMLESS.contains(signal)).collect();
    let server = examinee.start()?;
    let mut spared = Vec::new();
    let mut killed = Vec::new();
    for signals in deadly.chunks(AT_ONCE) {
        let burst = Burst::connect(&server, signals.len())?;
        let hold = server.hold()?;
        let connections = server.connections()?;
        let mut served = Vec::new();
        for (client, signal) in burst.clients().iter().zip(signals) {
            let holders = client.local_addr().ok().and_then(|local| connections.get(&local));
            let child = holders.and_then(|pids| pids.iter().find(|pid| **pid != server.pid()));
            let Some(&child) = child else {
                return Ok(Answer::cannot("no child holds a client's connection"));
            };
            if survives(child, *signal)? {
                spared.push(signal.to_string());
                served.push(client);
            } else {
                send(child, *signal)?;
                killed.push((child, *signal));
            }
        }
        // Not the others: a client that closes after its child has leaves a TIME_WAIT on the
        // server's port.
        served.iter().try_for_each(|client| server.manner().goodbye.say(client))?;
        server.wait_for("every child to die", |family| family.alive() == 0)?;
        burst.close();
        hold.release();
        server.settled()?;
    }
    let left = server.census()?.children;
    let stayed: Vec<String> = killed
        .iter()
        .filter(|(child, _)| left.iter().any(|it| it.pid == *child))
        .map(|(_, signal)| signal.to_string())
        .collect();
    let mut evidence = format!("{} of {} stayed", stayed.len(), killed.len());
    if !stayed.is_empty() {
        evidence += &format!(", killed by {}", stayed.join(" "));
    }
    if !spared.is_empty() {
        evidence += &format!("; its children don't die of signals {}", spared.join(" "));
    }
    Ok(Answer::when(stayed.is_empty(), evidence))
}

/// Whether the process catches, ignores or blocks the signal.
fn survives(pid: i32, signal: i32) -> Result<bool> {
    let status = Process::new(pid)
        .and_then(|process| process.status())
        .map_err(|error| Error::new(format!("cannot read the signal masks of {pid}: {error}")))?;
    let masks = status.sigcgt | status.sigign | status.sigblk;
    Ok(masks & (1 << (signal - 1)) != 0)
}
