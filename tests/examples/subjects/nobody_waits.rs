//! Three ways to have children and leave no zombie without waiting: SIGCHLD ignored, the flag
//! SA_NOCLDWAIT, and a second fork whose parent leaves at once. In each, a later wait finds no
//! child: nobody can learn any more how it ended.

use std::io::{self, Read, Write};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::wait::{wait, waitpid};
use nix::unistd::{getpid, getppid};

use crate::{child, dispose, see_die, state};

pub(crate) fn run() -> io::Result<()> {
    let by_default = child(|| {})?;
    see_die(by_default)?;
    println!("default, dead child = {}", state(by_default));
    println!("default, wait = {}", describe(waitpid(by_default, None)));

    for (name, disposition, flags) in [
        ("SIG_IGN", SigHandler::SigIgn, SaFlags::empty()),
        ("SA_NOCLDWAIT", SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT),
    ] {
        dispose(Signal::SIGCHLD, disposition, flags)?;
        let child = child(|| {})?;
        // Returns when the last child is gone, and always with an error: waitpid(2).
        println!("{name}, wait = {}", describe(waitpid(child, None)));
        println!("{name}, dead child = {}", state(child));
    }

    dispose(Signal::SIGCHLD, SigHandler::SigDfl, SaFlags::empty())?;
    let (mut reader, writer) = io::pipe()?;
    let middle = child(|| {
        let middle = getpid();
        let _ = child(|| {
            while getppid() == middle {
                std::thread::yield_now();
            }
            let _ = write!(&writer, "{}", getppid());
        });
    })?;
    drop(writer);
    waitpid(middle, None)?;
    let mut adopter = String::new();
    reader.read_to_string(&mut adopter)?; // to the end of the last copy: the grandchild's
    println!("fork twice, wait = {}", describe(wait()));
    println!("fork twice, new parent = {adopter}");
    Ok(())
}

fn describe<T>(waited: nix::Result<T>) -> String {
    waited.map_or_else(|errno: Errno| format!("{errno:?}"), |_| "the child".to_owned())
}
