//! The least that a fork server can do: fork, end the child at once, wait for it, and again.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::wait::waitpid;

use crate::child;

pub(crate) fn run(time: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let mut forks = 0;
    while begun.elapsed() < time {
        waitpid(child(|| {})?, None)?;
        forks += 1;
    }
    println!("forks_a_second={}", f64::from(forks) / begun.elapsed().as_secs_f64());
    Ok(())
}
