//! A child is collected while its SIGCHLD is blocked. Does wait take the signal away with it?

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use procfs::process::Process;

use crate::{child, state};

pub(crate) fn run() -> io::Result<()> {
    SigSet::from(Signal::SIGCHLD).thread_block()?;
    let child = child(|| {})?;
    println!("child={child}\nreaped={}", waitpid(child, None)?.pid().expect("a death has a pid"));
    println!("after={}", state(child));
    let status = Process::myself().and_then(|me| me.status()).map_err(io::Error::other)?;
    println!("pending={:#x}", status.sigpnd | status.shdpnd);
    Ok(())
}
