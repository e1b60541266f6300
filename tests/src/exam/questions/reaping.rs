//! Whether the dead are reaped, however they die.

use std::thread::sleep;
use std::time::Duration;

use client::signals::bit;

use crate::burst::Burst;
use crate::exam::question::{files_since, follow_up, new_zombies, seen, strangers_told, went_told};
use crate::exam::ways::{WATCHED, signal_masks};
use crate::exam::{Answer, Asked, Cause, Disposition, Examinee, Kind, Question, Seen};
use crate::experiment::{self, Lag};
use crate::server::{HARMLESS, send};
use crate::story::{Tally, count};

pub(super) const ONE_LEAVES: Question = Question {
    name: "a client leaves: its child is reaped",
    done: "One client after the other comes, is served and leaves; the time from the child's \
           death to its end as a zombie is taken.",
    hint: "who waits for a child once it is dead? docs/lesson-01.md#the-zombie",
    ask: one_leaves,
};

fn one_leaves(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let ways = &examinee.ways;
    let lags = ways.lags.as_ref().map_err(Answer::clone)?;
    let Some(last) = lags.last() else { return Ok(Answer::cannot("no child died")) };
    if let Lag { zombie: None, went_with_next, .. } = *last {
        let which = match lags.len() {
            1 => "still a zombie".to_owned(),
            before => format!("{} reaped, the next one still a zombie", before - 1),
        };
        let next = if went_with_next { "; it goes when the next client comes" } else { "" };
        let cause = match (ways.sigchld, ways.sigchld_later) {
            (Disposition::Caught, Disposition::Default) => Some(Cause::HandlerGone),
            (Disposition::Caught, Disposition::Blocked) => Some(Cause::Blocked),
            _ if went_with_next => Some(Cause::NextClient),
            _ => None,
        };
        let evidence = format!(
            "{which} after the {} s that it was watched; {}{next}",
            WATCHED.as_secs_f32(),
            ways.sigchld_later.describe()
        );
        let seen = Seen { went_with_next, ..seen(lags.len(), 1) };
        return Ok(Answer::fails(evidence).seen(seen).because(cause));
    }
    let longest = ways.longest_lag();
    let most = format!("{} ms at most", longest.as_millis());
    let evidence = match longest <= Duration::from_millis(100) {
        true => format!("reaped at once ({most})"),
        false => format!("reaped after {most}: it looks from time to time"),
    };
    Ok(Answer::holds(evidence).seen(seen(lags.len(), 0)))
}

pub(super) const ON_THEIR_OWN: Question = Question {
    name: "five leave together: none stays a zombie",
    done: "Five clients are served and leave at once, while the server runs on. For a server that \
           waits once per signal the outcome is chance.",
    hint: "what if a second child dies while the first is reaped? \
           docs/lesson-02.md#five-deaths-one-bit",
    ask: on_their_own,
};

fn on_their_own(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let server = examinee.start()?;
    let Tally { children, zombies, .. } = experiment::on_their_own(&server, examinee.at_most(5))?;
    let (after, went_with_next) = follow_up(&server, zombies)?;
    let seen = Seen { went_with_next, ..seen(children, zombies) };
    Ok(Answer::when(zombies == 0, format!("{zombies} of {children} stayed{after}")).seen(seen))
}

pub(super) const HELD_STILL: Question = Question {
    name: "five leave while it is held still: none stays a zombie",
    done: "Five clients are served; the server is stopped; all five leave and their children die; \
           the server runs on. This makes the deaths' signals fall together for certain. Then the \
           same with a hundred, or with as many as it serves at once.",
    hint: "how many deaths can stand behind one SIGCHLD? docs/lesson-02.md#five-deaths-one-bit",
    ask: held_still,
};

fn held_still(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let few = examinee.at_most(5);
    let many = if examinee.at_most(100) > few { examinee.at_most(100) } else { few - 1 };
    let (mut parts, mut all) = (Vec::new(), Seen::default());
    for clients in [few, many].into_iter().filter(|clients| *clients > 0) {
        let server = examinee.start()?;
        let (story, tally) = experiment::held_still(&server, clients)?;
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
    all.cause = all.went_with_next.then_some(Cause::NextClient);
    Ok(Answer::when(all.stayed == 0, parts.join("; ")).seen(all))
}

pub(super) const MANY_BURSTS: Question = Question {
    name: "two hundred leave in bursts of twenty: no zombie, no open file stays",
    done: "Ten times, twenty clients are served and leave at once; then the zombies and the \
           server's open files are counted, and compared with those after the first burst. Fewer \
           at once if it serves fewer, and fewer times if it is slow.",
    hint: "does the parent close its copy of each connection? docs/lesson-01.md#who-closes-what",
    ask: many_bursts,
};

fn many_bursts(examinee: &Examinee) -> Asked {
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
        evidence += &format!("; {}", strangers_told(&strangers));
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
    evidence += went_told(went_with_next);
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

pub(super) const DEADLY_SIGNALS: Question = Question {
    name: "children die of every deadly signal, twenty at once: all are reaped",
    done: "Twenty clients are served, the server is stopped, each of their children is killed by \
           another signal, the server runs on; again until every deadly signal had its turn, the \
           real-time ones first.",
    hint: "if question 4 holds: which status does the loop take for its end? \
           docs/lesson-03.md#what-a-status-can-be-and-why-nobody-looks",
    ask: deadly_signals,
};

fn deadly_signals(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    // 1 to 31 are the standard signals, 32 to 64 the real-time ones, of which libc uses two.
    let deadly: Vec<i32> =
        (32..=64).chain(1..=31).filter(|signal| !HARMLESS.contains(signal)).collect();
    let server = examinee.start()?;
    let at_once = examinee.at_most(20);
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
        // Not the others: a client that closes after its child has leaves a TIME_WAIT on the
        // server's port.
        served.into_iter().try_for_each(|client| server.manner().goodbye.say(client))?;
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

/// How long the server is left alone.
const ALONE: Duration = Duration::from_millis(3200);

pub(super) const LEFT_ALONE: Question = Question {
    name: "left alone, no zombie comes",
    done: "Nobody connects for some seconds; then the zombies of all of its processes are counted.",
    hint: "who starts these, and who waits for them? docs/exam-reference.md#causes",
    ask: left_alone,
};

fn left_alone(examinee: &Examinee) -> Asked {
    let server = examinee.start()?;
    sleep(ALONE); // time is what is asked about
    let (_, strangers) = new_zombies(&server, &[]);
    let seconds = ALONE.as_secs_f32();
    let Some(first) = strangers.first() else {
        return Ok(Answer::holds(format!("none in {seconds} s")));
    };
    let zombies = strangers_told(&strangers);
    let evidence = format!("in {seconds} s {zombies}, children of {}", first.ppid);
    let seen = Seen { strangers: strangers.len(), ..Seen::default() };
    Ok(Answer::fails(evidence).seen(seen).because(Some(Cause::ServedNobody)))
}
