//! What a library does all the time: it starts a program and waits for it, with std's `Command`.
//! Whether that works is up to what the rest of the process does about SIGCHLD.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::{env, io};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::unistd::Pid;

use crate::handlers::careful;
use crate::{dispose, state, wait_until};

/// With `ignored`, the process is executed by one that ignores SIGCHLD. With `reaps`, it has lesson
/// 3's handler, which here has been quicker than the library.
pub(crate) fn run(ignored: bool, reaps: bool) -> io::Result<()> {
    let myself = env::current_exe()?;
    if ignored {
        dispose(Signal::SIGCHLD, SigHandler::SigIgn, SaFlags::empty())?;
        return Err(Command::new(myself).arg("starts-a-program").exec());
    }
    if reaps {
        dispose(Signal::SIGCHLD, SigHandler::Handler(careful), SaFlags::SA_RESTART)?;
    }
    let mut program = Command::new(myself).arg("--version").stdout(Stdio::null()).spawn()?;
    if reaps {
        let child = Pid::from_raw(program.id().cast_signed());
        wait_until("the program to be collected", || (state(child) == "gone").then_some(()))?;
    }
    match program.wait() {
        Ok(status) => println!("wait={status}"),
        Err(error) => println!("wait={:?}", Errno::from_raw(error.raw_os_error().unwrap_or(0))),
    }
    Ok(())
}
