//! The programs that are measured. The servers have their stdout at /dev/null, and no delay.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};

use harness::lessons;
use harness::server::{ANYWHERE, Launch, Server, Stdout};

use super::Result;

pub(crate) const LESSON: &str = "lesson-03";
pub(crate) const STATIC: &str = "lesson-03, static";
pub(crate) const TWIN: &str = "C twin";
pub(crate) const PYTHON: &str = "ForkingTCPServer";

/// The five other roads, which are examples of lesson-03.
pub(crate) const ROADS: [&str; 5] = ["ignore", "nocldwait", "double_fork", "signalfd", "pidfd"];

/// Starts the server of this name, which may have arguments. An error tells why there is none.
pub(crate) fn start(name: &str) -> Result<Server> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/fork_cost");
    let launch = match name {
        LESSON => Launch::lesson(lessons::program(name)?, ANYWHERE),
        STATIC => Launch::lesson(lessons::static_program(LESSON, "--bin", LESSON)?, ANYWHERE),
        TWIN => Launch::new(twin(&ours.join("twin.c"))?),
        PYTHON => Launch::new("python3").arg(ours.join("forking.py")),
        // Its grandchildren are for PID 1 to wait for; here something stands in that does only that.
        "double_fork" => {
            let launch = subject("subreaper")?.arg(lessons::road(name)?);
            launch.arg("--delay").arg("0").arg(ANYWHERE.to_string())
        }
        road if ROADS.contains(&road) => Launch::lesson(lessons::road(road)?, ANYWHERE),
        words => subject(words)?.arg(ANYWHERE.to_string()),
    };
    Ok(launch.stdout(Stdout::Discarded).start()?)
}

/// A program of tests/examples/subjects, with its arguments.
fn subject(words: &str) -> Result<Launch> {
    Ok(words.split(' ').fold(Launch::new(lessons::example("subjects")?), Launch::arg))
}

/// Builds twin.c. A process that builds or runs it meanwhile has a file of its own.
fn twin(source: &Path) -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twin");
    let built = program.with_extension(id().to_string());
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-o"]).args([&built, source]).stdin(Stdio::null());
    let output = cc.output().map_err(|error| format!("cannot build twin: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cannot build twin: {said}").into());
    }
    fs::rename(&built, &program)?;
    Ok(program)
}
