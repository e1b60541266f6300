//! How many connections a second a server gets through, when each of them costs it a fork.

use harness::server::Server;
use harness::{Error, Result};

use super::load::drive;
use super::plan::Plan;
use super::report::{Measure, Part};
use super::servers;

/// How many clients there are at once.
const CLIENTS: [u64; 3] = [1, 8, 64];

/// What every connection must cost at least: fork, _exit and waitpid, one after the other.
const FLOOR: &str = "fork alone";

/// Starts a server, if what it takes is there.
type Start = fn() -> Result<Server>;

/// Whose rate is told as a multiple of the others', too.
const LESSON: &str = "lesson-03";
const STATIC: &str = "lesson-03, static";

/// What lesson-03 is to be held against.
const OTHERS: [(&str, Start); 3] = [
    (STATIC, servers::static_lesson),
    ("C twin", servers::twin),
    ("ForkingTCPServer", servers::forking_tcp_server),
];

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::new("rate", "A fork for each connection", "clients at once");
    plan.tell("rate: building and starting the servers");
    let mut running = vec![(LESSON, servers::lesson_or_road(LESSON)?)];
    for (name, start) in OTHERS {
        match start() {
            Ok(server) => running.push((name, server)),
            Err(why) => part.notes.push(format!("No {name}: {why}")),
        }
    }
    for road in servers::ROADS {
        running.push((road, servers::lesson_or_road(road)?));
    }

    let mut rate = Measure::new("rate", "connections a second", FLOOR);
    let mut syns_again = 0;
    // All ratios here are to one floor, and a floor that came out by chance spoils a whole round.
    let rounds = if plan.rounds > 1 { 2 * plan.rounds } else { 1 };
    plan.expect(rounds * CLIENTS.len() * (1 + running.len()));
    for _ in 0..rounds {
        for clients in CLIENTS {
            plan.step("rate: fork alone");
            rate.add(FLOOR, clients, forks_a_second(plan)?);
            for (name, server) in &running {
                plan.step(format!("rate: {name}, {clients} clients"));
                let served = drive(server.addr(), clients as usize, plan.window())
                    .map_err(|error| Error::new(format!("{name}: {error}")))?;
                rate.add(name, clients, served.rate());
                syns_again += served.syns_again;
            }
        }
    }
    if syns_again > 0 {
        part.notes.push(format!(
            "{syns_again} SYNs were sent again on this machine meanwhile; one that a full queue \
             drops costs its client a second"
        ));
    }
    let versus = [LESSON, STATIC].map(|own| against_others(own, &rate));
    part.measures = vec![rate];
    part.measures.extend(versus.into_iter().filter(|it| !it.figures.is_empty()));
    Ok(part)
}

/// Asks tests/examples/subjects how often a small process can fork, when that is all it does.
fn forks_a_second(plan: &Plan) -> Result<f64> {
    let milliseconds = plan.window().as_millis().to_string();
    let (status, log) = servers::subject("bare-fork")?.arg(milliseconds).run()?;
    let told = log.stdout();
    let rate = told.lines().find_map(|line| line.strip_prefix("forks_a_second=")?.parse().ok());
    rate.ok_or_else(|| Error::new(format!("bare-fork ended with {status:?}: {}", log.text())))
}

/// The rate of `own` as a multiple of the others' in the same round.
fn against_others(own: &str, rate: &Measure) -> Measure {
    let name = if own == LESSON { "rate of lesson-03" } else { "rate of lesson-03, static" };
    let mut versus = Measure::new(name, "as a multiple of the other's", "");
    for other in [FLOOR, LESSON].into_iter().chain(OTHERS.map(|(name, _)| name)) {
        for clients in CLIENTS.into_iter().filter(|_| other != own) {
            let figures = (rate.figure(own, clients), rate.figure(other, clients));
            let (Some(own), Some(others)) = figures else { continue };
            for (own, others) in own.rounds.iter().zip(&others.rounds) {
                versus.add(other, clients, own / others);
            }
        }
    }
    versus
}
