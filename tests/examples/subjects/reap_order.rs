//! Five children die in the reverse order of their birth, one after the other. Whom does
//! waitpid(-1) return first?

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::wait;
use nix::unistd::{Pid, pause};

use crate::{child, see_die};

pub(crate) fn run() -> io::Result<()> {
    let born: Vec<Pid> = (0..5).map(|_| child(pause)).collect::<Result<_, _>>()?;
    let died: Vec<Pid> = born.iter().rev().copied().collect();
    for child in &died {
        kill(*child, Signal::SIGKILL)?;
        see_die(*child)?; // the next dies when this one is certainly dead
    }
    let reaped: Vec<Pid> = (0..5)
        .map(|_| Ok(wait()?.pid().expect("a death has a pid")))
        .collect::<nix::Result<_>>()?;
    for (name, order) in [("born", born), ("died", died), ("reaped", reaped)] {
        let order: Vec<String> = order.iter().map(Pid::to_string).collect();
        println!("{name}={}", order.join(" "));
    }
    Ok(())
}
