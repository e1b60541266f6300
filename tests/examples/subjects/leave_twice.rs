//! A line is begun and not yet written out when the process forks. A child that leaves by exit
//! writes out its copy of the buffer, one that leaves by _exit doesn't.

use std::io;

use nix::sys::wait::waitpid;

use crate::child;

pub(crate) fn run() -> io::Result<()> {
    print!("exit=begun ");
    waitpid(child(|| std::process::exit(0))?, None)?;
    println!();
    print!("_exit=begun ");
    waitpid(child(|| {})?, None)?; // `child` leaves by _exit
    println!();
    Ok(())
}
