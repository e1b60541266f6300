//! A parent that waits late: its dead child is a zombie for as long as nobody waits, and gone
//! as soon as somebody does. The parent lives on all the time.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use crate::{child, see_die, state};

pub(crate) fn run() -> io::Result<()> {
    let child = child(|| {})?;
    see_die(child)?;
    println!("dead          = {}", state(child));
    kill(child, Signal::SIGKILL)?; // which succeeds, and does nothing
    println!("after SIGKILL = {}", state(child));
    waitpid(child, None)?;
    println!("after wait    = {}", state(child));
    Ok(())
}
