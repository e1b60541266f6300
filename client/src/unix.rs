//! The same for sockets that have a path, unix(7): who listens on it, and who serves whom.
//!
//! /proc/net/unix doesn't tell which two sockets are the ends of one connection. The kernel does,
//! when asked over netlink: sock_diag(7), as `ss -x` does.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use procfs::net::{UnixNetEntry, UnixState, unix};
use procfs::{ProcError, ProcResult};

use crate::ss;

// linux/sock_diag.h and linux/unix_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const UDIAG_SHOW_PEER: u32 = 0x4;
const UNIX_DIAG_PEER: u16 = 2;

/// The processes that hold the socket which listens on `path`, parents before their children.
///
/// # Errors
/// When /proc can't be read.
pub fn listeners(path: &Path) -> ProcResult<Vec<i32>> {
    // The ends of connections there have the same path, but they are connected.
    let listens =
        |it: &UnixNetEntry| it.path.as_deref() == Some(path) && it.state == UnixState::UNCONNECTED;
    ss::holders_of_any(unix()?.into_iter().filter(listens).map(|it| it.inode))
}

/// For each of `clients`, open sockets of this network namespace by their inodes, the processes
/// that hold the other end of its connection, parents before their children.
///
/// # Errors
/// When the kernel doesn't tell the ends of connections, or /proc can't be read.
pub fn connections(clients: &[u64]) -> ProcResult<HashMap<u64, Vec<i32>>> {
    let peers = || {
        let (family, kernel) = (AddressFamily::Netlink, SockProtocol::NetlinkSockDiag);
        let kernel = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, kernel)?;
        clients.iter().map(|client| Ok((peer(&kernel, *client)?, *client))).collect()
    };
    let peers: nix::Result<_> = peers();
    let peers = peers.map_err(|errno| ProcError::Other(format!("sock_diag: {errno}")))?;
    ss::holders_by_client(&peers, |_| true)
}

/// The inode of the socket at the other end of this one's connection: 0 if there is none, or it
/// waits to be accepted.
fn peer(kernel: &OwnedFd, inode: u64) -> nix::Result<u64> {
    // struct nlmsghdr: length, type and flags, sequence number and sender, for which one question
    // at a time has no need.
    let mut request = 40_u32.to_ne_bytes().to_vec();
    let kind = [SOCK_DIAG_BY_FAMILY, libc::NLM_F_REQUEST as u16];
    request.extend(kind.map(u16::to_ne_bytes).concat());
    request.extend([0; 8]);
    // struct unix_diag_req: family, protocol, padding; states, inode, what to show, any cookie.
    request.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    let words = [u32::MAX, inode as u32, UDIAG_SHOW_PEER, u32::MAX, u32::MAX];
    request.extend(words.map(u32::to_ne_bytes).concat());
    send(kernel.as_raw_fd(), &request, MsgFlags::empty())?;

    // After the header a struct unix_diag_msg and its attributes: length, kind, inode. Or an errno.
    let mut answer = [0; 1024];
    recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let half = |at: usize| u16::from_ne_bytes([answer[at], answer[at + 1]]);
    let word = |at: usize| u32::from_ne_bytes(*answer[at..].first_chunk().expect("it is longer"));
    match i32::from(half(4)) {
        libc::NLMSG_ERROR => Err(Errno::from_raw(word(16).cast_signed().wrapping_neg())),
        _ if half(34) == UNIX_DIAG_PEER => Ok(word(36).into()),
        _ => Ok(0),
    }
}
