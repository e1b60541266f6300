use client::signals::bit;

use crate::Error;
use crate::burst::Burst;
use crate::exam::question::seen;
use crate::exam::ways::signal_masks;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::server::{HARMLESS, send};

const AT_ONCE: usize = 20;

pub(super) const QUESTION: Question = Question {
    name: "children die of every deadly signal, twenty at once: all are reaped",
    done: "Twenty clients are served, the server is stopped, each of their children is killed by \
           another signal, the server runs on; again until every deadly signal had its turn, the \
           real-time ones first.",
    hint: "if question 4 holds: which status does the loop take for its end? \
           docs/lesson-03.md#what-a-status-can-be-and-why-nobody-looks",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    // 1 to 31 are the standard signals, 32 to 64 the real-time ones, of which libc uses two.
    let deadly: Vec<i32> =
        (32..=64).chain(1..=31).filter(|signal| !HARMLESS.contains(signal)).collect();
    let server = examinee.start()?;
    let at_once = examinee.at_most(AT_ONCE);
    let (mut spared, mut killed) = (Vec::new(), Vec::new());
    for signals in deadly.chunks(at_once).take(examinee.rounds(deadly.len())) {
        let burst = Burst::connect(&server, signals.len())?;
        let hold = server.hold()?;
        let connections = server.holders_of(burst.clients())?;
        let mut served = Vec::new();
        for ((client, holders), signal) in burst.clients().iter().zip(connections).zip(signals) {
            let Some(&child) = holders.iter().find(|pid| **pid != server.pid()) else {
                return Ok(Answer::cannot("no child holds a client's connection"));
            };
            let status = signal_masks(child)?;
            if (status.sigcgt | status.sigign | status.sigblk) & bit(*signal) != 0 {
                spared.push(signal.to_string());
                served.push(client);
            } else {
                send(child, *signal)?;
                killed.push((child, *signal));
            }
        }
        // Not the others: who closes after its child has leaves a TIME_WAIT on the server's port.
        let say = |client| server.manner().goodbye.say(client);
        served.into_iter().try_for_each(say).map_err(Error::from)?;
        server.wait_for("every child to die", |family| family.alive() == 0)?;
        burst.close();
        hold.release();
        server.at_rest()?;
    }
    let left = server.settled()?.children;
    let stays = |child: &i32| left.iter().any(|it| it.pid == *child);
    let stayed: Vec<_> = killed.iter().filter(|(child, _)| stays(child)).collect();
    let mut evidence = format!("{} of {} stayed", stayed.len(), killed.len());
    if let Some((_, first)) = stayed.first() {
        evidence += &format!(", the first killed by signal {first}");
    }
    if !spared.is_empty() {
        evidence += &format!("; its children don't die of signals {}", spared.join(" "));
    }
    Ok(Answer::when(stayed.is_empty(), evidence).seen(seen(killed.len(), stayed.len())))
}
