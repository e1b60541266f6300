//! What PID 1 does, for one program: inherits its orphans, and waits for whoever dies.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;

pub(crate) fn run(command: &[String]) -> io::Result<()> {
    set_child_subreaper(true)?;
    // In a process group of its own, as inits and timeout(1) do, so that signals to the group of
    // whoever waits don't reach it.
    Command::new(&command[0]).args(&command[1..]).process_group(0).spawn()?;
    // Until nobody is left: the program, its orphans, and theirs. nix's wait would end at a child
    // that a real-time signal has killed.
    loop {
        // SAFETY: a null status is allowed.
        let waited = Errno::result(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) });
        if waited == Err(Errno::ECHILD) {
            return Ok(());
        }
    }
}
