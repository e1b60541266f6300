//! Which process of a server's listens, and how a process ended.

use std::net::SocketAddr;

use client::{ps, ss, unix};
use nix::sys::wait::WaitStatus;
use procfs::net::TcpState;
use procfs::process::Process;

use super::address::Address;
use super::session::Session;

/// How a process ended, for a sentence: `with exit status 1`, `by SIGKILL`.
pub(super) fn how_it_ended(ended: nix::Result<WaitStatus>) -> String {
    match ended {
        Ok(WaitStatus::Exited(_, status)) => format!("with exit status {status}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => format!("by {}", signal.as_str()),
        _ => "by a real-time signal".to_owned(),
    }
}

/// The process of the session that listens on one of `places`, or on any address, and where. Of
/// several it is the parent: a worker has its parent's listener, and now and then a lower pid.
pub(super) fn find_listener(session: &Session, places: &[Address]) -> Option<(i32, Address)> {
    let members = session.members();
    let mut listening: Vec<(i32, Address)> = Vec::new();
    for place in places {
        if let Address::Unix(path) = place {
            let holders = unix::listeners(path).unwrap_or_default().into_iter();
            let ours = holders.filter(|pid| members.contains(pid));
            listening.extend(ours.map(|pid| (pid, place.clone())));
        }
    }
    for &pid in &members {
        let Some(bound) = ss::listening_on(pid).or_else(|| listening_hidden(pid)) else { continue };
        let reaches =
            |place: &&Address| matches!(place, Address::Tcp(addr) if ss::covers(bound, *addr));
        if let Some(place) = places.iter().find(reaches) {
            listening.push((pid, place.clone()));
        } else if places.is_empty() {
            listening.push((pid, Address::Tcp(bound)));
        }
    }
    let parent = |pid| ps::stat(pid).map_or(0, |stat| stat.ppid);
    let is_worker = |pid| listening.iter().any(|(other, _)| *other == parent(pid));
    listening.iter().find(|(pid, _)| !is_worker(*pid)).cloned()
}

/// The address that a process listens on whose open files are hidden, as those of another user
/// are even from root in most containers: of every socket the kernel tells whose it is.
fn listening_hidden(pid: i32) -> Option<SocketAddr> {
    if !ps::is_hidden(pid) {
        return None;
    }
    let process = Process::new(pid).ok()?;
    let user = process.status().ok()?.euid;
    let mut sockets = process.tcp().ok()?.into_iter();
    Some(sockets.find(|it| it.uid == user && it.state == TcpState::Listen)?.local_address)
}
