//! Two machines and the cable between them, for the question what happens when a network breaks.
//!
//! A *machine* is a network namespace (network_namespaces(7)): interfaces, addresses, routes and
//! sockets of its own. The *cable* is a veth(4) pair with an end in each of them; to unplug it is
//! to take an end down. Root isn't needed where anybody may make a user namespace.
//!
//! Nothing has a name in the file system: all goes with the descriptors here and who is inside.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use client::Conversation;
use nix::sys::socket::{SockaddrLike, SockaddrStorage, connect, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

mod namespace;
mod netlink;
mod sockets;

pub(crate) use namespace::{Namespace, clone, forked, in_child};
pub use sockets::{Socket, Timer, sockets};

use crate::{Error, PATIENCE, Result};

/// Two machines and the cable between them.
#[derive(Debug)]
pub struct Lan {
    /// 10.0.0.1.
    pub server: Machine,
    /// 10.0.0.2.
    pub client: Machine,
}

impl Lan {
    /// Makes the machines and plugs the cable in.
    ///
    /// # Errors
    /// When this process may not do that here, or the kernel can't.
    pub fn new() -> Result<Lan> {
        let [server, client] = namespace::make().map_err(|errno| {
            let why = Error::refused("make network namespaces")(errno);
            let takes = "it takes root, or a kernel that lets anybody make user namespaces";
            Error::new(format!("{why}; {takes}"))
        })?;
        let server = Machine { ip: Ipv4Addr::new(10, 0, 0, 1), namespace: server };
        let client = Machine { ip: Ipv4Addr::new(10, 0, 0, 2), namespace: client };
        netlink::add_cable(&server.namespace.control, &client.namespace.net)
            .and_then(|()| netlink::set_up(&server.namespace.control, server.ip))
            .and_then(|()| netlink::set_up(&client.namespace.control, client.ip))
            .map_err(Error::refused("join two network namespaces by a veth pair"))?;
        Ok(Lan { server, client })
    }
}

impl Drop for Lan {
    /// Plugs the cable in: for a connection's last word a kernel keeps the namespace for minutes.
    fn drop(&mut self) {
        let _ = self.server.plug_in().and_then(|()| self.client.plug_in());
    }
}

impl Namespace {
    /// A network namespace that is nobody's yet, with a loopback interface that is up.
    pub(crate) fn new() -> nix::Result<Arc<Namespace>> {
        let [namespace] = namespace::make()?;
        netlink::set_link(&namespace.control, netlink::LOOPBACK, true)?;
        Ok(namespace)
    }

    /// Opens a conversation from inside; that, and each later read and write, may take `patience`.
    pub(crate) fn connect(&self, server: SocketAddr, patience: Duration) -> Result<Conversation> {
        let to = SockaddrStorage::from(server);
        let family = to.family().expect("IPv4 or IPv6");
        let connected = self.tcp_socket(family).and_then(|socket| {
            // Without a timeout a lost cable would have us wait for two minutes.
            let limit = TimeVal::milliseconds(patience.as_millis() as i64);
            setsockopt(&socket, sockopt::SendTimeout, &limit)?;
            connect(socket.as_raw_fd(), &to)?;
            Ok(TcpStream::from(socket))
        });
        let stream = connected.map_err(Error::refused(format!("connect to {server}")))?;
        Ok(Conversation::over(stream, server, patience)?)
    }
}

/// A machine of a [`Lan`].
#[derive(Debug)]
pub struct Machine {
    ip: Ipv4Addr,
    pub(crate) namespace: Arc<Namespace>,
}

impl Machine {
    /// This machine's address with port 0, which stands for any free one.
    #[must_use]
    pub fn any_port(&self) -> SocketAddr {
        SocketAddr::from((self.ip, 0))
    }

    /// Takes this machine's end of the cable down: it has no route out, and the other no carrier.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unplug(&self) -> Result<()> {
        self.set_link(false)
    }

    /// Takes this machine's end of the cable up.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn plug_in(&self) -> Result<()> {
        self.set_link(true)
    }

    /// Sets one of its network's parameters, `net.ipv4.NAME` of sysctl(8).
    ///
    /// # Errors
    /// When this may not be done here: in some containers /proc/sys is for reading only.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let set = self.namespace.set(name, value);
        set.map_err(Error::refused(format!("set {name} of {}", self.ip)))
    }

    fn set_link(&self, up: bool) -> Result<()> {
        netlink::set_link(&self.namespace.control, netlink::CABLE, up)
            .map_err(Error::refused(format!("set the link of {}", self.ip)))
    }

    /// Opens a conversation from this machine.
    ///
    /// # Errors
    /// When the connection can't be made.
    pub fn connect(&self, server: SocketAddr) -> Result<Conversation> {
        self.namespace.connect(server, PATIENCE)
    }

    /// Its TCP sockets, as its /proc/net/tcp lists them.
    ///
    /// # Errors
    /// When that can't be read.
    pub fn sockets(&self) -> Result<Vec<Socket>> {
        // Opened once more through /proc/self/fd, it is read from the beginning.
        sockets::read(&format!("/proc/self/fd/{}", self.namespace.tcp.as_raw_fd()))
    }
}
