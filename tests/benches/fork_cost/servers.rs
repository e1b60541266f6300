//! The programs that are measured. The servers have their stdout at /dev/null, and no delay.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::{fs, thread};

use harness::lessons;
use harness::server::{Launch, Server, Stdout};
use nix::sys::wait::WaitStatus;

use super::Result;

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
            Launch::new(compiled("twin", cc.args(["-O2", "-Wall"]).arg(ours.join("twin.c")))?)
        }
        PYTHON => Launch::new("python3").arg(ours.join("forking.py")),
        // Its grandchildren are for PID 1 to wait for; here something stands in that does only that.
        "double_fork" => {
            let launch = subject("subreaper")?.arg(lessons::road(name)?);
            launch.arg("--delay").arg("0").arg(anywhere.to_string())
        }
        road if ROADS.contains(&road) => Launch::lesson(lessons::road(road)?, anywhere),
        _ => subject(name)?.arg(anywhere.to_string()),
    };
    Ok(launch.stdout(Stdout::Discarded).start()?)
}

/// A program of tests/examples/subjects.
pub(crate) fn subject(name: &str) -> Result<Launch> {
    Ok(Launch::new(lessons::example("subjects")?).arg(name))
}

/// What `compiler` makes of its arguments. Whoever builds or runs it meanwhile, in this process
/// or in another, has a file of their own.
pub(crate) fn compiled(name: &str, compiler: &mut Command) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = folder.join(format!("{name}-{}-{:?}", id(), thread::current().id()));
    let program = folder.join(name);
    let output = compiler.arg("-o").arg(&built).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot build {name}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cannot build {name}: {said}").into());
    }
    fs::rename(&built, &program)?;
    Ok(program)
}

/// What a probe prints, in lines of `name=value`.
pub(crate) type Figures = HashMap<String, f64>;

/// Runs a probe.
pub(crate) fn figures(probe: Launch) -> Result<Figures> {
    let (status, log) = probe.run()?;
    if !matches!(status, WaitStatus::Exited(_, 0)) {
        return Err(format!("a probe ended with {status:?}: {}", log.text()).into());
    }
    let text = log.stdout();
    let figures = text.lines().filter_map(|line| line.split_once('='));
    Ok(figures.filter_map(|(name, it)| Some((name.to_owned(), it.parse().ok()?))).collect())
}
