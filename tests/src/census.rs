//! Counting a server's children by state, together with its pending SIGCHLD.

use client::ps::Family;
use procfs::process::Process;

use crate::server::Server;
use crate::{Error, Result, poll};

/// Looks at `server` and its children once.
pub(crate) fn take(server: &Server) -> Result<Family> {
    match Family::of(server.pid()) {
        // A zombie of our own: it is dead, and nothing is to be expected of it.
        Ok(family) if family.parent.is_zombie() => {
            Err(Error::new(format!("the server is dead: {family}")))
        }
        Ok(mut family) => {
            family.children.retain(|child| !server.is_resident(child.pid));
            Ok(family)
        }
        Err(error) => Err(Error::new(format!("cannot look at process {}: {error}", server.pid()))),
    }
}

/// Looks at `server` until `agrees` says yes; `what` names what is waited for.
pub(crate) fn wait(
    server: &Server,
    what: &str,
    mut agrees: impl FnMut(&Family) -> bool,
) -> Result<Family> {
    let patience = server.manner().patience;
    let mut last = None;
    let found = poll::until(patience, || match take(server) {
        Ok(family) if agrees(&family) => Some(Ok(family)),
        Ok(family) => {
            last = Some(family);
            None
        }
        Err(error) => Some(Err(error)),
    });
    let seen = || last.map_or("nothing".to_owned(), |family| family.to_string());
    found.unwrap_or_else(|| {
        Err(Error::new(format!("waited {patience:?} for {what}; seen last: {}", seen())))
    })
}

/// Looks at `server` until nothing is left to happen: no live child, no SIGCHLD pending, the
/// server asleep, and all that twice in a row with the same picture. A server that only looks
/// for dead children from time to time gets the time to look.
pub(crate) fn settled(server: &Server) -> Result<Family> {
    let mut before: Option<Family> = None;
    let settled = wait(server, "the server to settle", |family| {
        let agreed = family.is_settled() && before.as_ref() == Some(family);
        before = Some(family.clone());
        agreed
    })?;
    if let (Some(pause), true) = (server.manner().looks_every, settled.zombies() > 0) {
        poll::until(pause * 3, || take(server).ok().filter(|family| family.zombies() == 0));
        return take(server);
    }
    Ok(settled)
}

/// The state of a process, or nothing when it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    Process::new(pid).and_then(|process| process.stat()).ok().map(|stat| stat.state)
}
