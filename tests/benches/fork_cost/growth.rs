//! What becomes of the rate when the server has many children that live: each holds a connection
//! on which nothing happens, while clients come and go beside it.

use client::Conversation;

use super::load::{BYE_ALONE, drive};
use super::report::{Part, Table};
use super::servers::{self, LESSON, ROADS};
use super::{Plan, Result, machine};

/// The road of pidfds without its care: each fork copies all of them.
const COPIES_PIDFDS: &str = "pidfd-copied";
/// How many children live, and what is above their columns.
const STEPS: [u64; 5] = [0, 100, 1_000, 4_000, 10_000];
const HEADS: [&str; 6] =
    ["", "alone, a second", "beside 100", "beside 1,000", "beside 4,000", "beside 10,000"];
/// How many clients come and go.
const CLIENTS: usize = 8;

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let mut steps = STEPS.to_vec();
    steps.retain(|step| *step <= plan.children);
    let (room, limit) = machine::room();
    if let Some(beyond) = steps.iter().position(|step| *step > room) {
        part.note(format!("Stopped before {} children: {limit}", steps[beyond]));
        steps.truncate(beyond);
    }
    let mut table = Table::new("growth", &HEADS).ratios_from(1);
    for _ in 0..plan.rounds.min(3) {
        for subject in [&[LESSON], &ROADS[..], &[COPIES_PIDFDS]].concat() {
            let server = servers::start(subject)?;
            let mut idle = Vec::new();
            let mut alone = None;
            for (column, &step) in steps.iter().enumerate() {
                // Any other program that looks through thousands of processes takes long, too.
                let window = plan.window * if step < 4_000 { 1 } else { 2 };
                let served = plan.step(&format!("growth: {subject}, {step} children"), || {
                    for _ in idle.len() as u64..step {
                        idle.push(server.greet()?);
                    }
                    drive(&server, BYE_ALONE, CLIENTS, window)
                })?;
                table.add(subject, column, alone.map_or(served.rate, |alone| served.rate / alone));
                alone = alone.or(Some(served.rate));
            }
            drop(server); // first: the children die of this, and not of their clients' leaving
            idle.into_iter().try_for_each(Conversation::reset)?; // leaves no TIME_WAIT
        }
    }
    part.tables.push(table);
    Ok(part)
}
