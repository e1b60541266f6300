//! What becomes of the rate when the server has many children that live: each holds a connection
//! on which nothing happens, while clients come and go beside it.

use harness::{Error, Result};

use super::Plan;
use super::load::{BYE_ALONE, drive};
use super::report::{Measure, Part, Table, number};
use super::servers::{self, LESSON};
use super::{limits, servers::ROADS};

/// The road of pidfds without its care: each fork copies all of them.
const COPIES_PIDFDS: &str = "pidfd-copied";
/// How many children live.
const STEPS: [u64; 5] = [0, 100, 1_000, 4_000, 10_000];
/// How many clients come and go.
const CLIENTS: usize = 8;

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let mut steps = STEPS.to_vec();
    steps.retain(|step| *step <= plan.children);
    let (room, limit) = limits::children()?;
    if let Some(beyond) = steps.iter().position(|step| *step > room) {
        part.notes.push(format!("Stopped before {} children: {limit}", steps[beyond]));
        steps.truncate(beyond);
    }
    let subjects = [&[LESSON], &ROADS[..], &[COPIES_PIDFDS]].concat();
    let rounds = plan.rounds.min(if plan.quick { 2 } else { 3 });
    let mut rate = Measure::default();
    for _ in 0..rounds {
        for subject in &subjects {
            let server = servers::start(subject)?;
            let mut idle = Vec::new();
            for step in &steps {
                plan.step(&format!("growth: {subject}, {step} children"));
                servers::sit(&mut idle, *step as usize, server.addr())?;
                // Whoever else looks through thousands of processes takes long, too.
                let window = plan.window * if *step < 4_000 { 1 } else { 2 };
                let served = drive(BYE_ALONE, server.addr(), CLIENTS, window)
                    .map_err(|error| Error::new(format!("{subject}, {step} children: {error}")))?;
                rate.add(subject, *step, served.rate);
            }
            drop(server); // first: the children die of this, and not of their clients' leaving
            idle.into_iter().try_for_each(client::Conversation::reset)?; // leaves no TIME_WAIT
        }
    }
    let left = rate.relative(|figure| rate.figure(&figure.subject, 0));
    let table = Table::new("growth", "").column("alone, a second", &rate, 0);
    let table = STEPS[1..].iter().fold(table, |table, step| {
        table.column(&format!("beside {}", number(*step as f64)), &left, *step)
    });
    part.tables.push(table);
    Ok(part)
}
