use std::time::{Duration, Instant};

use client::{Conversation, poll};
use nix::sys::resource::Resource;
use procfs::process::Process;

use super::state_told;
use crate::burst::HELLO;
use crate::exam::{Answer, Examinee, Kind, Question};
use crate::server::Server;
use crate::{Error, Result, limits};

/// How long the server is watched while it can't accept.
const WATCHED: Duration = Duration::from_secs(1);

/// More than this share of the time in need of a core means that it spins.
const SPINNING: f64 = 0.2;

pub(super) const QUESTION: Question = Question {
    name: "out of descriptors, it waits and comes through",
    done: "The server's limit on open files is set to what it has open (`ulimit -n`), and clients \
           connect; the server's need of a core is watched for a second; then the limit is \
           lifted, and the client that was left waiting must be served.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    let server = examinee.start()?;
    let asked = with_none_left(&server, examinee.kind());
    // Its end shows as this or that lost connection, before /proc knows it.
    let ends = || Need::of(&server).is_err().then_some(());
    if asked.is_err() && poll::until(WATCHED, ends).is_some() {
        return Ok(Answer::fails("it ended when accept was refused (EMFILE)"));
    }
    asked
}

fn with_none_left(server: &Server, kind: Kind) -> Result<Answer> {
    let patience = server.manner().patience;
    let open = server.open_files()?;
    // accept takes the lowest number that is free, and there may be one below the highest.
    let free = (0..).find(|number| !open.contains(number)).map_or(0, i32::unsigned_abs);
    let before = limits::set(server.pid(), Resource::RLIMIT_NOFILE, u64::from(free))?;
    // An accept that waits already has its descriptor set aside: the first client gets that.
    let first = Conversation::connect(server.addr(), patience)?;
    first.send(HELLO)?;
    if kind == Kind::OneByOne {
        first.reset()?; // or nobody else is ever accepted
    }
    let second = Conversation::connect(server.addr(), patience)?;
    second.send(HELLO)?;

    let (start, need) = (Instant::now(), Need::of(server)?);
    // A wait for nothing but time: spinning is a use of time. It ends early if the server does.
    poll::until(WATCHED, || Need::of(server).is_err().then_some(()));
    let share = need.share_until(&Need::of(server)?, start.elapsed());
    if !server.holders(&second)?.is_empty() {
        return Ok(Answer::cannot("the limit did not keep it from accepting"));
    }
    let lifted = Instant::now();
    limits::set(server.pid(), Resource::RLIMIT_NOFILE, before)?;
    let refused = format!("refused, it wanted a core {:.0}% of the time", share * 100.0);
    Ok(match second.expect(HELLO) {
        Err(error) => {
            let state = state_told(server.pid());
            Answer::fails(format!("{refused}; with the limit lifted, {error}; server {state}"))
        }
        Ok(()) => {
            let milliseconds = lifted.elapsed().as_millis();
            Answer::when(share < SPINNING, format!("{refused}; served {milliseconds} ms after"))
        }
    })
}

/// How long a process has run so far, or stood in line for a core.
///
/// Its time on a core alone would tell little on a busy machine, where a server that spins
/// gets only its share.
struct Need {
    /// Of all threads, on a core.
    run: Duration,
    /// Of the first thread, on a core or in line.
    first: Duration,
}

impl Need {
    fn of(server: &Server) -> Result<Need> {
        let gone = || Error::new(format!("server {} is gone", server.pid()));
        let process = Process::new(server.pid()).map_err(|_| gone())?;
        let stat = process.stat().map_err(|_| gone())?;
        if stat.state == 'Z' {
            return Err(gone());
        }
        let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        // Not every kernel keeps it.
        let first = process.schedstat().map_or(0, |it| it.sum_exec_runtime + it.run_delay);
        Ok(Need { run: Duration::from_secs_f64(ticks), first: Duration::from_nanos(first) })
    }

    /// Its part of the time `elapsed` between two looks.
    fn share_until(&self, later: &Need, elapsed: Duration) -> f64 {
        let need = (later.run.saturating_sub(self.run)).max(later.first.saturating_sub(self.first));
        need.as_secs_f64() / elapsed.as_secs_f64()
    }
}
