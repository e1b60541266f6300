//! The servers that are measured: all with their stdout at /dev/null, all without delay.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::sync::{Mutex, PoisonError};

use client::{Conversation, ps};
use harness::burst::HELLO;
use harness::server::{Launch, Server, Stdout};
use harness::{Error, PATIENCE, Result, lessons, poll};
use nix::errno::Errno;

pub(crate) const LESSON: &str = "lesson-03";
pub(crate) const STATIC: &str = "lesson-03, static";
pub(crate) const TWIN: &str = "C twin";
pub(crate) const PYTHON: &str = "ForkingTCPServer";

/// The five other roads, which are examples of lesson-03.
pub(crate) const ROADS: [&str; 5] = ["ignore", "nocldwait", "double_fork", "signalfd", "pidfd"];

/// Starts the server of this name. An error tells why there is none.
pub(crate) fn start(name: &str) -> Result<Server> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fork_cost");
    let launch = match name {
        LESSON => Launch::lesson(lessons::program(name)?, anywhere),
        STATIC => Launch::lesson(lessons::static_program(LESSON)?, anywhere),
        TWIN => {
            let mut cc = Command::new("cc");
            let twin = compiled("twin", cc.args(["-O2", "-Wall"]).arg(ours.join("twin.c")))?;
            Launch::new(twin)
        }
        PYTHON => {
            let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
            python.map_err(|error| Error::new(format!("cannot run python3: {error}")))?;
            Launch::new("python3").arg(ours.join("forking.py"))
        }
        // Its grandchildren are for PID 1 to wait for; here something stands in that does only that.
        "double_fork" => {
            let launch = subject("subreaper")?.arg(lessons::road(name)?);
            launch.arg("--delay").arg("0").arg(anywhere.to_string())
        }
        road if ROADS.contains(&road) => Launch::lesson(lessons::road(road)?, anywhere),
        _ => subject(name)?.arg(anywhere.to_string()),
    };
    launch.stdout(Stdout::Discarded).start()
}

/// Starts so many processes that wait for clients, one client each at a time.
pub(crate) fn prefork(workers: u64) -> Result<Server> {
    let launch = subject("prefork")?.arg(workers.to_string()).arg("127.0.0.1:0");
    let server = launch.stdout(Stdout::Discarded).start()?;
    wait_for_children(&server, workers)?;
    Ok(server)
}

/// A program of tests/examples/subjects.
pub(crate) fn subject(name: &str) -> Result<Launch> {
    Ok(Launch::new(lessons::example("subjects")?).arg(name))
}

/// What `compiler` makes of its arguments. Whoever runs an older one meanwhile, here or in
/// another process, keeps it.
pub(crate) fn compiled(name: &str, compiler: &mut Command) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = |why: &dyn std::fmt::Display| Error::new(format!("cannot build {name}: {why}"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (program, built) = (folder.join(name), folder.join(format!("{name}-{}", id())));
    let output = compiler.arg("-o").arg(&built).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    fs::rename(&built, &program).map_err(|error| failed(&error))?;
    Ok(program)
}

/// Lets clients come until there are `count` that have heard an echo and now say nothing.
pub(crate) fn sit(idle: &mut Vec<Conversation>, count: usize, addr: SocketAddr) -> Result<()> {
    while idle.len() < count {
        let client = Conversation::connect(addr, PATIENCE)?;
        client.say(HELLO)?;
        idle.push(client);
    }
    Ok(())
}

/// Has a client say `Bye`; returns once the server has closed.
pub(crate) fn leave(client: Conversation) -> Result<()> {
    client.bye()?;
    client.hear_end()?;
    Ok(client.reset()?)
}

/// Waits until a server has so many children, whether or not they serve anybody.
pub(crate) fn wait_for_children(server: &Server, count: u64) -> Result<()> {
    let children = || ps::children_of(server.pid()).map_or(0, |it| it.len() as u64);
    let agreed = poll::until(PATIENCE, || (children() == count).then_some(()));
    agreed.ok_or_else(|| Error::new(format!("{} children in place of {count}", children())))
}

/// A pidfd of any process.
pub(crate) fn pidfd(pid: i32) -> Result<OwnedFd> {
    client::ps::pidfd_open(pid).map_err(|errno| refused("watch process", pid, errno))
}

pub(crate) fn refused(what: &str, pid: i32, errno: Errno) -> Error {
    Error::new(format!("cannot {what} {pid}: {}", errno.desc().to_lowercase()))
}
