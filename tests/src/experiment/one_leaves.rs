use std::time::{Duration, Instant};

use client::poll;

use crate::Result;
use crate::burst::Burst;
use crate::server::Server;

/// What became of a child once its client had left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// How long it was a zombie; `None` if it still was after the time it was watched.
    pub zombie: Option<Duration>,
    /// Whether it went when the next client came, if it was still a zombie then.
    pub went_with_next: bool,
}

/// Has one client come, be served and leave; its child dies, and is watched for `watched`.
pub(crate) fn one_leaves(server: &Server, watched: Duration) -> Result<Lag> {
    let burst = Burst::connect(server, 1)?;
    burst.leave()?;
    server.wait_for("the child to die", |family| family.alive() == 0)?;
    let died = Instant::now();
    let reaped = || server.census().map(|it| (it.zombies() == 0).then_some(())).transpose();
    if poll::until(watched, reaped).transpose()?.is_some() {
        return Ok(Lag { zombie: Some(died.elapsed()), went_with_next: false });
    }
    burst.close();
    let (_next, went_with_next) = Burst::one_more(server, || Ok(server.census()?.zombies() == 0))?;
    Ok(Lag { zombie: None, went_with_next })
}
