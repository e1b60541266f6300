//! What becomes of the rate when the server has many children that live: each holds a connection
//! on which nothing happens, while clients come and go beside it.

use client::Conversation;

use super::load;
use super::report::Table;
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

pub(crate) fn run(plan: &Plan) -> Result<Vec<Table>> {
    let mut table = Table::new("growth", &HEADS, Some(1));
    let (room, limit) = machine::room()?;
    let asked = STEPS.into_iter().filter(|step| *step <= plan.children);
    let (steps, beyond): (Vec<u64>, Vec<u64>) = asked.partition(|step| *step <= room);
    table.notes.extend(beyond.first().map(|it| format!("Stopped before {it} children: {limit}")));
    for _ in 0..plan.rounds.min(3) {
        for subject in [&[LESSON], &ROADS[..], &[COPIES_PIDFDS]].concat() {
            let server = servers::start(subject)?;
            let (mut idle, mut alone) = (Vec::new(), None);
            for (column, &step) in steps.iter().enumerate() {
                // Any other program that looks through thousands of processes takes long, too.
                let window = plan.window * if step < 4_000 { 1 } else { 2 };
                let rate = plan.step(&format!("growth: {subject}, {step} children"), || {
                    for _ in idle.len() as u64..step {
                        idle.push(server.greet()?);
                    }
                    load::rate(&server, CLIENTS, window)
                })?;
                table.add(subject, column, alone.map_or(rate, |alone| rate / alone));
                alone = alone.or(Some(rate));
            }
            drop(server); // first: the children die of this, and not of their clients' leaving
            idle.into_iter().try_for_each(Conversation::reset)?; // leaves no TIME_WAIT
        }
    }
    Ok(vec![table])
}
