//! The servers that are measured: all with their stdout at /dev/null, all without delay.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use harness::server::{Launch, Server, Stdout};
use harness::{Error, Result, lessons};

/// The five other roads, which are examples of lesson-03.
pub(crate) const ROADS: [&str; 5] = ["ignore", "nocldwait", "double_fork", "signalfd", "pidfd"];

/// Where this bench's own few lines in other languages are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fork_cost")
}

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Starts lesson-03 or one of the other roads.
pub(crate) fn lesson_or_road(name: &str) -> Result<Server> {
    let program = if name == "lesson-03" { lessons::program(name)? } else { lessons::road(name)? };
    if name != "double_fork" {
        return start(Launch::lesson(program, anywhere()));
    }
    // Its grandchildren are for PID 1 to wait for; here something stands in that does only that.
    let launch = subject("subreaper").map(|it| it.arg(program))?;
    start(launch.arg("--delay").arg("0").arg(anywhere().to_string()))
}

/// Starts lesson-03 as a static program. An error tells why there is none.
pub(crate) fn static_lesson() -> Result<Server> {
    start(Launch::lesson(lessons::static_program("lesson-03")?, anywhere()))
}

/// Starts a server of tests/examples/subjects that takes nothing but an address.
pub(crate) fn plain(name: &str) -> Result<Server> {
    start(subject(name)?.arg(anywhere().to_string()))
}

/// A program of tests/examples/subjects.
pub(crate) fn subject(name: &str) -> Result<Launch> {
    Ok(Launch::new(lessons::example("subjects")?).arg(name))
}

/// Starts the same server as lesson-03, written in C. An error tells why there is none.
pub(crate) fn twin() -> Result<Server> {
    let twin = compiled("twin", |program| {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-o"]).arg(program).arg(folder().join("twin.c"));
        let status = cc.stdin(Stdio::null()).status();
        let status = status.map_err(|error| Error::new(format!("cannot run cc: {error}")))?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::new(format!("cc could not build twin.c: {status}")))
        }
    })?;
    start(Launch::lesson(twin, anywhere()))
}

/// A program of this name that `compile` has put where it was told to. Whoever runs an older one
/// meanwhile, here or in another process, keeps it.
pub(crate) fn compiled(name: &str, compile: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (program, built) = (folder.join(name), folder.join(format!("{name}-{}", id())));
    compile(&built)?;
    fs::rename(&built, &program)
        .map_err(|error| Error::new(format!("cannot move {}: {error}", built.display())))?;
    Ok(program)
}

/// Starts CPython's ForkingTCPServer. An error tells why there is none.
pub(crate) fn forking_tcp_server() -> Result<Server> {
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    python.map_err(|error| Error::new(format!("cannot run python3: {error}")))?;
    let launch = Launch::new("python3").arg(folder().join("forking.py"));
    start(launch.arg("127.0.0.1").arg("0"))
}

fn start(launch: Launch) -> Result<Server> {
    launch.stdout(Stdout::Discarded).start()
}
