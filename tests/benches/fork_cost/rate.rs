//! How many connections a second a server gets through, when each of them costs it a fork.

use harness::{Error, Result};

use super::Plan;
use super::load::{BYE_ALONE, drive};
use super::report::{Measure, Part, Table};
use super::servers::{self, LESSON, PYTHON, ROADS, STATIC, TWIN};

/// How many clients there are at once.
const CLIENTS: [u64; 2] = [1, 8];

/// What every connection must cost at least: fork, _exit and waitpid, one after the other.
const FLOOR: &str = "fork alone";

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    plan.step("rate: building and starting the servers");
    let mut running = Vec::new();
    for name in [LESSON, STATIC, TWIN, PYTHON].into_iter().chain(ROADS) {
        match servers::start(name) {
            Ok(server) => running.push((name, server)),
            Err(why) if [STATIC, TWIN, PYTHON].contains(&name) => {
                part.notes.push(format!("No {name}: {why}"));
            }
            Err(why) => return Err(why),
        }
    }
    let mut rate = Measure::default();
    // All ratios here are to one floor, and a floor that came out by chance spoils a whole round.
    let rounds = if plan.rounds > 1 { 2 * plan.rounds } else { 1 };
    for _ in 0..rounds {
        for clients in CLIENTS {
            plan.step("rate: fork alone");
            rate.add(FLOOR, clients, forks_a_second(plan)?);
            for (name, server) in &running {
                plan.step(&format!("rate: {name}, {clients} clients"));
                let served = drive(BYE_ALONE, server.addr(), clients as usize, plan.window)
                    .map_err(|error| Error::new(format!("{name}: {error}")))?;
                rate.add(name, clients, served.rate);
            }
        }
    }
    let ratio = rate.relative(|figure| rate.figure(FLOOR, figure.at));
    let table = Table::new("rate", "connections a second")
        .column("1 client", &rate, 1)
        .column("8 clients", &rate, 8)
        .column("8 clients, as a multiple of fork alone", &ratio, 8);
    part.tables.push(table);
    Ok(part)
}

/// Asks tests/examples/subjects how often a small process can fork, when that is all it does.
fn forks_a_second(plan: &Plan) -> Result<f64> {
    let milliseconds = plan.window.as_millis().to_string();
    let (status, log) = servers::subject("bare-fork")?.arg(milliseconds).run()?;
    let told = log.stdout();
    let rate = told.lines().find_map(|line| line.strip_prefix("forks_a_second=")?.parse().ok());
    rate.ok_or_else(|| Error::new(format!("bare-fork ended with {status:?}: {}", log.text())))
}
