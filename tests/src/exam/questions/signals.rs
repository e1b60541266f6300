//! Signals that tell of no death, and a mask that its parent has left it.

use crate::burst::Burst;
use crate::exam::question::{newcomer, servant};
use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::experiment::one_after_another;
use crate::hold::Hold;
use crate::server::{Inherited, send};

pub(super) const STOPPED_CHILD: Question = Question {
    name: "a child is stopped: a newcomer is still served",
    done: "The child of a client is stopped, which sends the server a SIGCHLD although nobody \
           died; then another client comes. At last the child goes on.",
    hint: "what does a SIGCHLD tell besides a death, and what does a wait do then? \
           docs/lesson-02.md#the-other-way-to-fail",
    ask: stopped_child,
};

fn stopped_child(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    if examinee.at_most(2) < 2 {
        return Ok(Answer::cannot("it serves one client at a time"));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let client = &burst.clients()[0];
    let child = servant(&server, client, "child")?;
    let hold = Hold::still(child)?;
    let served = newcomer(&server, &format!("child {child} stopped"));
    hold.release();
    let milliseconds = served?;
    let stays = |error| Answer::fails(format!("child {child} doesn't go on: {error}"));
    server.manner().talk.go_on(client).map_err(stays)?;
    Ok(Answer::holds(format!("child {child} stopped: newcomer served in {milliseconds} ms")))
}

pub(super) const STRAY_SIGCHLD: Question = Question {
    name: "a stray SIGCHLD harms nobody",
    done: "The server is sent a SIGCHLD with `kill` when it has no child, and once more when it \
           has a live one; each time another client comes.",
    hint: "must there be a dead child when a SIGCHLD comes? docs/lesson-02.md#the-other-way-to-fail",
    ask: stray_sigchld,
};

fn stray_sigchld(examinee: &Examinee) -> Asked {
    let mut evidence = Vec::new();
    for (clients, with) in [(0, "with no client"), (1, "with a live client")] {
        if clients == 1 && examinee.kind() == Kind::OneByOne {
            break; // who serves one by one lets every newcomer wait, signal or not
        }
        let server = examinee.start()?;
        let burst = Burst::connect(&server, clients)?;
        send(server.pid(), libc::SIGCHLD)?;
        // Before it is taken, a newcomer could still slip into the accept that it interrupts.
        server
            .wait_for("the signal to be taken", |it| !it.sigchld_pending || it.sigchld_blocked)?;
        let milliseconds = newcomer(&server, with)?;
        evidence.push(format!("{with}: newcomer served in {milliseconds} ms"));
        burst.close();
    }
    Ok(Answer::holds(evidence.join("; ")))
}

pub(super) const INHERITED_SIGCHLD: Question = Question {
    name: "its parent has blocked or ignored SIGCHLD: it still reaps",
    done: "The server is started with SIGCHLD blocked, and once more with SIGCHLD ignored: both \
           survive exec. Each time three clients come and leave, one after the other. That a server relies on its parent \
           is noted, and no failure.",
    hint: "what does a program inherit besides its files? docs/lesson-02.md#being-told",
    ask: inherited_sigchld,
};

fn inherited_sigchld(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    if examinee.ways.lags.as_ref().is_ok_and(|lags| lags.iter().any(|lag| lag.zombie.is_none())) {
        return Ok(Answer::cannot("it doesn't reap every child when all is at its default"));
    }
    let (mut evidence, mut good) = (Vec::new(), true);
    for (inherited, name) in [(Inherited::Blocked, "blocked"), (Inherited::Ignored, "ignored")] {
        let server = examinee.start_as(|launch| launch.sigchld(inherited))?;
        // One after the other: that is all that a server of lesson 2 can do when nothing is amiss.
        let stayed = one_after_another(&server, 3).map(|tally| tally.zombies);
        good &= matches!(stayed, Ok(0));
        evidence.push(match stayed {
            Ok(zombies) => format!("{name}: {zombies} of 3 stayed"),
            Err(error) => format!("{name}: {error}"),
        });
    }
    let evidence = evidence.join("; ");
    Ok(if good { Answer::holds(evidence) } else { Answer::noted(evidence) })
}
