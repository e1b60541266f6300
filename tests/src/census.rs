//! Counting a server's children by state, together with its pending SIGCHLD.

use std::time::{Duration, Instant};

use client::ps::{Family, Process};
use procfs::ProcResult;

use crate::server::{Children, Server};
use crate::{Error, PATIENCE, Result, poll};

/// How long a server that is examined may take to come to rest, if it ever does.
const REST: Duration = Duration::from_secs(2);

impl Server {
    /// Looks at it and its children once; its manner says which those are.
    ///
    /// # Errors
    /// When it is gone.
    pub fn census(&self) -> Result<Family> {
        let family = match self.manner().children {
            Children::All => Family::of(self.pid()),
            _ => {
                let children = self.servants().into_iter().map(Process::from).collect();
                Family::with(self.pid(), children)
            }
        };
        let why = match family {
            // A zombie of our own: it is dead, and nothing is to be expected of it.
            Ok(family) if family.parent.is_zombie() => format!("the server is dead: {family}"),
            Ok(family) => return Ok(family),
            Err(error) => format!("cannot look at process {}: {error}", self.pid()),
        };
        Err(Error::of_death(why + &self.log().said()))
    }

    /// Looks at it until `agrees` says yes; `what` names what is waited for.
    ///
    /// # Errors
    /// When it is gone, or patience is over: then with what was seen last.
    pub fn wait_for(&self, what: &str, agrees: impl FnMut(&Family) -> bool) -> Result<Family> {
        self.wait(self.manner().patience, what, agrees)
    }

    fn wait(
        &self,
        patience: Duration,
        what: &str,
        mut agrees: impl FnMut(&Family) -> bool,
    ) -> Result<Family> {
        let mut last = String::new();
        let found = poll::until(patience, || match self.census() {
            Ok(family) if !agrees(&family) => {
                last = family.to_string();
                None
            }
            seen => Some(seen),
        });
        found.unwrap_or_else(|| {
            Err(Error::new(format!("waited {patience:?} for {what}; seen last: {last}")))
        })
    }

    /// Waits until it sleeps: it may still reap, say, when a client has heard its echo already. One
    /// that never rests is left to itself.
    pub fn rest(&self) {
        let examined = self.manner().children != Children::All;
        let patience = self.manner().patience.min(if examined { REST } else { PATIENCE });
        let _ = self.wait(patience, "the server to rest", |family| family.parent.state == 'S');
    }

    /// Looks at it and its children until they are settled, twice in a row with the same picture.
    pub(crate) fn at_rest(&self) -> Result<Family> {
        let mut before: Option<Family> = None;
        let agrees = |family: &Family| {
            let agreed = family.is_settled() && before.as_ref() == Some(family);
            before = Some(family.clone());
            agreed
        };
        if self.manner().children == Children::All {
            return self.wait_for("the server to settle", agrees);
        }
        self.wait_for("every child to die", |family| family.alive() == 0)?;
        // It may be one that never sleeps: then it has had its time.
        self.wait(REST, "the server to settle", agrees).or_else(|_| self.census())
    }

    /// Looks until nothing is left to happen; zombies that are still there then get the grace that
    /// the server's manner allows, and once more as long as they become fewer.
    ///
    /// # Errors
    /// When it is gone, or doesn't come to rest.
    pub fn settled(&self) -> Result<Family> {
        let mut last = self.at_rest()?;
        let start = Instant::now();
        while last.zombies() > 0 && start.elapsed() <= PATIENCE {
            let grace = self.manner().grace;
            let fewer = |now: Family| (now.zombies() < last.zombies()).then_some(now);
            match poll::until(grace, || self.census().map(fewer).transpose()) {
                Some(now) => last = now?,
                None => return self.census(),
            }
        }
        Ok(last)
    }
}

/// The memory of some processes, in KiB: what they have in it, their share of that where what is
/// shared is divided among all who share it, and the kernel's tables that map it.
///
/// # Errors
/// When one of them is gone.
pub fn memory(pids: impl IntoIterator<Item = i32>) -> ProcResult<[u64; 3]> {
    let mut sums = [0; 3];
    for pid in pids {
        let process = procfs::process::Process::new(pid)?;
        let rollup = process.smaps_rollup()?.memory_map_rollup;
        let [resident, share] = ["Rss", "Pss"].map(|name| rollup.0[0].extension.map[name] / 1024);
        let tables = process.status()?.vmpte.unwrap_or(0);
        sums = [sums[0] + resident, sums[1] + share, sums[2] + tables];
    }
    Ok(sums)
}
