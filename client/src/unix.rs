//! The same for sockets that have a path, unix(7): who listens on it, and who serves whom.
//!
//! /proc/net/unix doesn't tell which two sockets are the ends of one connection. The kernel does,
//! when asked over netlink: sock_diag(7), as `ss -x` does.

use std::collections::HashMap;
use std::mem::size_of;
use std::os::fd::AsRawFd;
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
    let inodes = unix()?.into_iter().filter(listens).map(|it| it.inode).collect();
    Ok(ss::holders(&inodes, |_| true)?.into_iter().map(|(pid, _)| pid).collect())
}

/// For each of `clients`, sockets of this network namespace by their inodes, the processes that
/// hold the other end of its connection, parents before their children.
///
/// # Errors
/// When the kernel doesn't tell the ends of connections, or /proc can't be read.
pub fn connections(clients: &[u64]) -> ProcResult<HashMap<u64, Vec<i32>>> {
    let mut peers = peers().map_err(|errno| ProcError::Other(format!("sock_diag: {errno}")))?;
    peers.retain(|(_, client)| clients.contains(client));
    ss::holders_by_client(&peers.into_iter().collect(), |_| true)
}

/// The two inodes of each connection, seen from each of its ends that is here: the other end's,
/// and its own.
fn peers() -> nix::Result<Vec<(u64, u64)>> {
    const HEADER: usize = 16;
    let control = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    // struct nlmsghdr, then struct unix_diag_req: family, protocol, padding, states, inode, what to
    // show, cookie.
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let mut request = ((HEADER + 24) as u32).to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.resize(HEADER, 0);
    request.extend([libc::AF_UNIX as u8, 0, 0, 0]);
    for word in [u32::MAX, 0, UDIAG_SHOW_PEER, 0, 0] {
        request.extend(word.to_ne_bytes());
    }
    send(control.as_raw_fd(), &request, MsgFlags::empty())?;

    let word = |bytes: &[u8], at: usize| {
        let word = bytes.get(at..at + size_of::<u32>()).and_then(|it| it.try_into().ok());
        word.map_or(0, u32::from_ne_bytes)
    };
    let mut peers = Vec::new();
    let mut answer = vec![0; 64 * 1024];
    loop {
        let length = recv(control.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let mut rest = &answer[..length];
        while rest.len() >= HEADER {
            let (size, kind) = (word(rest, 0) as usize, word(rest, 4) as u16);
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(peers),
                libc::NLMSG_ERROR => {
                    return Err(Errno::from_raw((word(rest, HEADER) as i32).wrapping_neg()));
                }
                _ => {}
            }
            // struct unix_diag_msg: four bytes, inode, cookie; then attributes.
            let message = &rest[..size.clamp(HEADER, rest.len())];
            let mut at = HEADER + 16;
            while at + 4 <= message.len() {
                let attribute = word(message, at);
                if (attribute >> 16) as u16 == UNIX_DIAG_PEER {
                    peers.push((word(message, at + 4).into(), word(message, HEADER + 4).into()));
                }
                at += ((attribute & 0xffff).max(4) as usize).next_multiple_of(4);
            }
            rest = &rest[size.max(HEADER).next_multiple_of(4).min(rest.len())..];
        }
    }
}
