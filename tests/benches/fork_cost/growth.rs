//! What becomes of the rate when the server has many children that live: each holds a connection
//! on which nothing happens, while clients come and go beside it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use harness::server::Server;
use harness::{Error, PATIENCE, Result};
use nix::sys::socket::{setsockopt, sockopt};

use super::load::drive;
use super::plan::Plan;
use super::report::{Measure, Part};
use super::{limits, servers};

/// Who is measured.
const SUBJECTS: [&str; 7] =
    ["lesson-03", "ignore", "nocldwait", "double_fork", "signalfd", "pidfd", COPIES_PIDFDS];

/// The one whose fork copies its pidfds.
const COPIES_PIDFDS: &str = "pidfd, copied";

/// How many clients come and go.
const CLIENTS: usize = 8;

/// How many idle clients may be on their way to a server at once: its queue has 128 places.
const AT_ONCE: usize = 64;

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::new("growth", "The rate beside children that live", "living children");
    let mut steps = vec![0, 100, 1_000, 4_000, 10_000];
    steps.retain(|step| *step <= plan.children);
    plan.tell("growth: building the servers");
    let room = limits::children()?;
    if let Some(beyond) = steps.iter().position(|step| *step > room.children) {
        part.notes.push(format!("Stopped before {} children: {}", steps[beyond], room.limit));
        steps.truncate(beyond);
    }
    let rounds = plan.rounds.min(if plan.quick { 2 } else { 3 });
    let mut rate = Measure::new("rate", "connections a second", "lesson-03");
    plan.expect(rounds * SUBJECTS.len() * steps.len());
    for _ in 0..rounds {
        for subject in SUBJECTS {
            let server = if subject == COPIES_PIDFDS {
                servers::plain("pidfd-copied")?
            } else {
                servers::lesson_or_road(subject)?
            };
            let mut idle = Vec::new();
            for step in &steps {
                plan.step(format!("growth: {subject}, {step} children"));
                if let Err(why) = grow(&mut idle, *step as usize, server.addr()) {
                    let said = server.log().stderr();
                    let said = said.lines().next().map_or(String::new(), |it| format!("; {it}"));
                    let note = format!(
                        "{subject} stopped at {} children on the way to {step}: {why}{said}",
                        idle.len()
                    );
                    part.notes.push(note);
                    break;
                }
                // Whoever else looks through thousands of processes takes long, too.
                let window = plan.window() * if *step < 4_000 { 1 } else { 2 };
                rate.add(subject, *step, measure(&server, window)?);
            }
            drop(server); // first: the children die of this, and not of their clients' leaving
        }
    }
    let kept = of_its_own(&rate);
    part.measures = vec![rate, kept];
    part.notes.push(format!("{CLIENTS} clients at once come and go beside the living children"));
    Ok(part)
}

/// Lets idle clients come until there are `count` that have heard an echo: so many children live.
fn grow(idle: &mut Vec<TcpStream>, count: usize, addr: SocketAddr) -> io::Result<()> {
    while idle.len() < count {
        let batch = AT_ONCE.min(count - idle.len());
        let connect = || {
            let mut client = TcpStream::connect(addr)?;
            setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
            client.set_read_timeout(Some(PATIENCE))?;
            client.write_all(b"I stay")?;
            Ok(client)
        };
        let clients: io::Result<Vec<TcpStream>> = (0..batch).map(|_| connect()).collect();
        for mut client in clients? {
            client.read_exact(&mut [0; b"I stay".len()])?;
            idle.push(client);
        }
    }
    Ok(())
}

fn measure(server: &Server, window: Duration) -> Result<f64> {
    drive(server.addr(), CLIENTS, window)
        .map(|served| served.rate())
        .map_err(|error| Error::new(format!("beside living children: {error}")))
}

/// What is left of each subject's own rate without living children.
fn of_its_own(rate: &Measure) -> Measure {
    let mut kept = Measure::new("rate left", "of its own without living children", "");
    for figure in &rate.figures {
        let alone = rate.figure(&figure.subject, 0).map_or(&[][..], |it| &it.rounds);
        for (now, alone) in figure.rounds.iter().zip(alone) {
            kept.add(&figure.subject, figure.at, now / alone);
        }
    }
    kept
}
