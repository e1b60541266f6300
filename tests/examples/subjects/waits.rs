//! What a wait finds, when it blocks, when nobody needs one, and who waits for orphans.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use client::{poll, ps};
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SaFlags, SigHandler, Signal, kill};
use nix::sys::wait::{WaitPidFlag, wait, waitpid};
use nix::unistd::{Pid, getpid, getppid, pause};

use crate::common::{dispose, wait_for};
use crate::signals::careful;
use crate::{child, end, see_die, state, wait_until};

/// A dead child is a zombie for as long as nobody waits, and gone as soon as somebody does.
pub(crate) fn late_wait() -> io::Result<()> {
    let child = child(|| {})?;
    see_die(child)?;
    println!("dead          = {}", state(child));
    kill(child, Signal::SIGKILL)?; // which succeeds, and does nothing
    println!("after SIGKILL = {}", state(child));
    waitpid(child, None)?;
    println!("after wait    = {}", state(child));
    Ok(())
}

/// Five children die in the reverse order of their birth. Whom does waitpid(-1) return first?
pub(crate) fn reap_order() -> io::Result<()> {
    let born: Vec<Pid> = (0..5).map(|_| child(pause)).collect::<Result<_, _>>()?;
    let died: Vec<Pid> = born.iter().rev().copied().collect();
    for child in &died {
        kill(*child, Signal::SIGKILL)?;
        see_die(*child)?; // the next dies when this one is certainly dead
    }
    let reaped: Vec<Pid> = (0..5).filter_map(|_| wait().ok()?.pid()).collect();
    for (name, order) in [("born", born), ("died", died), ("reaped", reaped)] {
        let order: Vec<String> = order.iter().map(Pid::to_string).collect();
        println!("{name}={}", order.join(" "));
    }
    Ok(())
}

/// When wait(2) and waitpid(2) block, when they don't, and whom they pick.
pub(crate) fn wait_or_not() -> io::Result<()> {
    println!("WNOHANG = {}", libc::WNOHANG);

    // SAFETY: a null status is allowed.
    println!("no child, wait = {}", describe(unsafe { libc::wait(std::ptr::null_mut()) }));
    println!("no child, WNOHANG = {}", describe(wait_for(-1, libc::WNOHANG)));

    let lives = child(pause)?;
    println!("one lives, WNOHANG = {}", describe(wait_for(-1, libc::WNOHANG)));
    let returned = describe(wait_for(lives.as_raw(), libc::WNOHANG));
    println!("one lives, WNOHANG and its pid = {returned}");
    let dead = child(|| {})?;
    see_die(dead)?;
    println!("one lives and one is dead, wait = {}", which(wait_for(-1, 0), dead, "the dead"));
    end(lives)?;

    // This child lives until it has seen its parent stand still.
    let witness = child(|| {
        let parent = getppid();
        let asleep = || ps::wchan(parent.as_raw()).filter(|_| state(parent) == "S");
        let place = poll::until(Duration::from_secs(10), asleep);
        println!("one lives, wait sleeps in = {}", place.unwrap_or("secret".to_owned()));
    })?;
    println!("and then returns = {}", which(wait_for(-1, 0), witness, "that one"));

    let (one, other) = (child(|| {})?, child(|| {})?);
    see_die(one)?;
    see_die(other)?;
    let picked = which(wait_for(other.as_raw(), 0), other, "the second");
    println!("two are dead, the second's pid = {picked}");
    println!("and the first is = {}", state(one));
    waitpid(one, None)?;
    Ok(())
}

/// Three ways to have children and leave no zombie without waiting. In each, a later wait finds no
/// child: nobody can learn any more how it ended.
pub(crate) fn nobody_waits() -> io::Result<()> {
    let by_default = child(|| {})?;
    see_die(by_default)?;
    println!("default, dead child = {}", state(by_default));
    let returned = wait_for(by_default.as_raw(), 0);
    println!("default, wait = {}", which(returned, by_default, "the child"));

    for (name, disposition, flags) in [
        ("SIG_IGN", SigHandler::SigIgn, SaFlags::empty()),
        ("SA_NOCLDWAIT", SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT),
    ] {
        dispose(Signal::SIGCHLD, disposition, flags)?;
        let child = child(|| {})?;
        // Returns when the last child is gone, and always with an error: waitpid(2).
        println!("{name}, wait = {}", which(wait_for(child.as_raw(), 0), child, "the child"));
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
    println!("fork twice, wait = {}", describe(wait_for(-1, 0)));
    println!("fork twice, new parent = {adopter}");
    Ok(())
}

/// What nix's `waitpid` returns when a signal without a name in nix has killed the first of three.
pub(crate) fn nix_status() -> io::Result<()> {
    const NAMELESS: libc::c_int = 35; // a real-time signal: glibc's second, musl's first
    let killed = child(pause)?;
    // SAFETY: kill takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(killed.as_raw(), NAMELESS) })?;
    for dead in [killed, child(|| {})?, child(|| {})?] {
        wait_until("its death", || (state(dead) == "Z").then_some(()))?;
    }
    let first = waitpid(None, Some(WaitPidFlag::WNOHANG));
    let still_there = state(killed) != "gone";
    println!("{first:?}; first pid {killed:?} still there: {still_there}");
    for _ in 0..2 {
        println!("{:?}", waitpid(None, Some(WaitPidFlag::WNOHANG))?);
    }
    println!("no child at all: {:?}", waitpid(None, None));
    Ok(())
}

/// What a library does all the time: it starts a program and waits for it, with std's `Command`.
/// With `ignored`, the process is executed by one that ignores SIGCHLD. With `reaps`, it has lesson
/// 3's handler, which here has been quicker than the library.
pub(crate) fn starts_a_program(ignored: bool, reaps: bool) -> io::Result<()> {
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

/// What PID 1 does, for one program: inherits its orphans, and waits for all that die.
pub(crate) fn subreaper(command: &[String]) -> io::Result<()> {
    set_child_subreaper(true)?;
    // In a process group of its own, as inits and timeout(1) do, so that signals to the group of
    // the one that waits don't reach it.
    Command::new(&command[0]).args(&command[1..]).process_group(0).spawn()?;
    // Until nobody is left: the program, its orphans, and theirs. A child that a real-time signal
    // has killed is another error of nix's.
    while wait() != Err(Errno::ECHILD) {}
    Ok(())
}

/// What the call returned: a pid, 0, or the name of the error.
fn describe(returned: libc::pid_t) -> String {
    if returned == -1 { format!("{:?}", Errno::last()) } else { returned.to_string() }
}

/// What the call returned: `name` if that is the pid of the child so called.
fn which(returned: libc::pid_t, child: Pid, name: &str) -> String {
    if returned == child.as_raw() { name.to_owned() } else { describe(returned) }
}
