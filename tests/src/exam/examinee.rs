use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::time::{Duration, Instant};

use client::ss::{self, Listener};
use client::unix;
use procfs::net::TcpState;

use super::learn::learn;
use super::{Kind, Ways};
use crate::burst::Burst;
use crate::server::{Address, Goodbye, Launch, Manner, Server, Talk};
use crate::{Error, Result, complain, poll};

/// How long a server of unknown make may take to listen: a `cargo run` may have to build first.
pub(super) const STARTING: Duration = Duration::from_secs(20);

/// How long a connection may stay in TIME_WAIT, and a moment: the kernel's TCP_TIMEWAIT_LEN is 60 s.
const TIME_WAIT: Duration = Duration::from_secs(65);

/// What a server is told, and what the exam is told of it.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What its clients say and hear.
    pub talk: Talk,
    /// How they leave, if that isn't to be found out.
    pub goodbye: Option<Goodbye>,
    /// Whether it is to run in this machine's own network.
    pub host_network: bool,
    /// When this is over, nothing more is asked.
    pub time: Duration,
}

impl Default for Terms {
    /// An echo server that needs nothing of its host, and time enough for a busy machine.
    fn default() -> Terms {
        let time = Duration::from_secs(600);
        Terms { talk: Talk::default(), goodbye: None, host_network: false, time }
    }
}

/// A server that sits the exam, and what is known of its ways.
#[derive(Debug)]
pub struct Examinee {
    launch: Launch,
    pub(super) terms: Terms,
    /// What is known of it.
    pub ways: Ways,
    /// Why it runs in this machine's own network, although it was not asked to.
    pub no_network: Option<String>,
    pub(super) met: Instant,
}

impl Examinee {
    /// Starts `command`, which must listen on one of `places`, and gets to know it.
    ///
    /// # Errors
    /// When it can't be started, doesn't listen there, or doesn't answer.
    pub fn meet(command: &[OsString], places: &[Address], terms: &Terms) -> Result<Examinee> {
        let met = Instant::now();
        let launch = Launch::command(command)?.listening_on(places, STARTING);
        let tcp = places.iter().all(|place| matches!(place, Address::Tcp(_)));
        let wanted = (tcp && !terms.host_network).then(|| launch.clone().in_own_network());
        let host = !matches!(wanted, Some(Ok(_)));
        let no_network = wanted.and_then(Result::err).map(|error| error.to_string());
        if host {
            places.iter().try_for_each(nobody_listens)?;
        }
        let starts = |manner: &Manner| start(launch.clone().manner(manner.clone()), host);
        let learned = learn(starts, &terms.talk, terms.goodbye.clone(), host);
        let (manner, ways) = learned.map_err(|error| {
            if host || error.to_string().starts_with("cannot start") {
                return error;
            }
            Error::new(format!(
                "{error} (it ran in a network of its own; --host-network runs it in this machine's)"
            ))
        })?;
        let terms = Terms { host_network: host, ..terms.clone() };
        Ok(Examinee { launch: launch.manner(manner), terms, ways, no_network, met })
    }

    /// Starts the server once more.
    ///
    /// # Errors
    /// When it can't be started, or doesn't listen on its address.
    pub fn start(&self) -> Result<Server> {
        self.start_as(|launch| launch)
    }

    /// The same, and changes something about the start.
    pub(super) fn start_as(&self, change: impl FnOnce(Launch) -> Launch) -> Result<Server> {
        let server = start(change(self.launch.clone()), self.terms.host_network)?;
        if self.ways.worker {
            // Which of its processes forks shows when a client has come.
            Burst::connect(&server, 1)?.leave()?;
            server.settled()?;
        }
        Ok(server)
    }

    /// Starts the server where `other`, which is dead, has run, and as it was started.
    pub(super) fn start_again(&self, other: &Server) -> Result<Server> {
        let mut launch = self.launch.clone();
        launch.namespace.clone_from(&other.namespace);
        launch.start()
    }

    /// Who serves a client.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.ways.kind
    }

    /// `clients`, or as many of them as it serves at once.
    pub(super) fn at_most(&self, clients: usize) -> usize {
        clients.min(self.ways.at_once)
    }

    /// How often a client may come and go in about half a minute: twice at least, `rounds` at most.
    pub(super) fn rounds(&self, rounds: usize) -> usize {
        let fit = 30.0 / self.ways.pace.as_secs_f64().max(0.001);
        (fit as usize).clamp(2, rounds.max(2))
    }

    /// Whether it mostly waits, so that asking everything at once costs little.
    pub(super) fn is_slow(&self) -> bool {
        self.ways.pace > Duration::from_secs(1)
    }

    /// Says what it is instead, if it is none of these.
    pub(super) fn must_be(&self, kinds: &[Kind]) -> Result<()> {
        if kinds.contains(&self.kind()) {
            return Ok(());
        }
        Err(Error::cannot_ask(format!("it {}", self.kind().describe())))
    }
}

fn start(launch: Launch, host_network: bool) -> Result<Server> {
    if !host_network {
        return launch.in_own_network()?.start();
    }
    let places = launch.places.clone();
    for place in &places {
        if let Address::Unix(path) = place
            && fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
            && unix::listeners(path).is_ok_and(|it| it.is_empty())
        {
            let _ = fs::remove_file(path); // of a server that is gone
        }
    }
    launch.clone().start().or_else(|error| {
        if !places.iter().any(in_time_wait) {
            return Err(error);
        }
        let last = format!("the last conversation on {}", places[0]);
        complain(format_args!("exam: waits until {last} is out of TIME_WAIT"));
        poll::until(TIME_WAIT, || (!places.iter().any(in_time_wait)).then_some(()));
        launch.start()
    })
}

/// Whether a connection of an earlier server is in the way of one without SO_REUSEADDR.
fn in_time_wait(place: &Address) -> bool {
    let Address::Tcp(addr) = place else { return false };
    let sockets = ss::tcp_sockets(ss::HERE).unwrap_or_default();
    sockets.iter().any(|it| it.local_address == *addr && it.state == TcpState::TimeWait)
}

fn nobody_listens(place: &Address) -> Result<()> {
    let nobody = match place {
        Address::Tcp(addr) => matches!(ss::listener(*addr), Ok(Listener::Elsewhere) | Err(_)),
        Address::Unix(path) => unix::listeners(path).is_ok_and(|it| it.is_empty()),
    };
    let somebody = format!("somebody listens on {place} already; end it, or choose another --addr");
    if nobody { Ok(()) } else { Err(Error::new(somebody)) }
}
