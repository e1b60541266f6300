//! The four things that ip(8) would be needed for, said to the kernel in its own words,
//! rtnetlink(7). A request is a header, a fixed body and attributes (length, kind, value).

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

/// Number of the loopback interface, in every namespace.
pub(super) const LOOPBACK: u32 = 1;
/// Number of either end of the cable: above tunnels that a kernel puts into each new namespace.
pub(super) const CABLE: u32 = 100;

const VETH_INFO_PEER: u16 = 1; // linux/veth.h

/// `ip link add eth0 type veth peer name eth0 netns PEER`
pub(super) fn add_cable(control: &OwnedFd, peer: &OwnedFd) -> nix::Result<()> {
    let end = [link(CABLE, 0, 0), attribute(libc::IFLA_IFNAME, b"eth0\0")].concat();
    let other_end =
        [end.clone(), attribute(libc::IFLA_NET_NS_FD, &peer.as_raw_fd().to_ne_bytes())].concat();
    let veth = [
        attribute(libc::IFLA_INFO_KIND, b"veth\0"),
        attribute(libc::IFLA_INFO_DATA, &attribute(VETH_INFO_PEER, &other_end)),
    ];
    let body = [end, attribute(libc::IFLA_LINKINFO, &veth.concat())].concat();
    ask(control, libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body)
}

/// `ip link set lo up; ip address add IP/24 dev eth0; ip link set eth0 up`
pub(super) fn set_up(control: &OwnedFd, ip: Ipv4Addr) -> nix::Result<()> {
    set_link(control, LOOPBACK, true)?;
    // struct ifaddrmsg: family, length of the prefix, flags, scope, interface.
    let mut body = vec![libc::AF_INET as u8, 24, 0, 0];
    body.extend(CABLE.to_ne_bytes());
    body.extend(attribute(libc::IFA_LOCAL, &ip.octets()));
    ask(control, libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body)?;
    set_link(control, CABLE, true)
}

/// `ip link set INTERFACE up`, or `down`
pub(super) fn set_link(control: &OwnedFd, interface: u32, up: bool) -> nix::Result<()> {
    let mask = libc::IFF_UP as u32;
    ask(control, libc::RTM_NEWLINK, 0, &link(interface, if up { mask } else { 0 }, mask))
}

/// A struct ifinfomsg: family and type, interface, flags and which of them to change.
fn link(interface: u32, flags: u32, change: u32) -> Vec<u8> {
    [0, interface, flags, change].map(u32::to_ne_bytes).concat()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = [4 + value.len() as u16, kind].map(u16::to_ne_bytes).concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Sends a request and reads the kernel's answer to it, which is there when send(2) returns.
fn ask(control: &OwnedFd, kind: u16, flags: libc::c_int, body: &[u8]) -> nix::Result<()> {
    const HEADER: usize = 16;
    let flags = (flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut request = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    request.extend([kind, flags].map(u16::to_ne_bytes).concat());
    request.resize(HEADER, 0); // sequence number and sender: one question at a time needs none
    request.extend(body);
    send(control.as_raw_fd(), &request, MsgFlags::empty())?;

    // struct nlmsgerr after a header: 0 or a negative errno, then the request again.
    let mut answer = [0; 1024];
    recv(control.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
    match i32::from_ne_bytes(*answer[HEADER..].first_chunk().expect("it has room for both")) {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}
