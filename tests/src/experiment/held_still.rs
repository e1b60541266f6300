use crate::Result;
use crate::burst::Burst;
use crate::server::Server;
use crate::story::{Story, Tally, count};

/// Has `clients` clients leave while the server is held still, so that all of its children are
/// dead before it can answer a single SIGCHLD; then lets it run and counts.
///
/// This makes exact what is a race otherwise: the deaths share one pending bit (signal(7):
/// standard signals do not queue), so a handler that waits once reaps exactly one.
///
/// # Errors
/// When a client isn't served, or a step isn't seen to happen in time.
pub fn held_still(server: &Server, clients: usize) -> Result<(Story, Tally)> {
    held_still_until(server, clients, |_| Ok(()))
}

/// The same; `then` is called with the story so far before the server runs on.
///
/// # Errors
/// As for [`held_still`], and those of `then`.
pub fn held_still_until(
    server: &Server,
    clients: usize,
    then: impl FnOnce(&Story) -> Result<()>,
) -> Result<(Story, Tally)> {
    let before = server.census()?;
    let leave = if clients == 1 { "leaves" } else { "leave" };
    let who = count(clients, "client");
    let mut story = Story::new(format!("{who} {leave} while it is held still"));

    let burst = Burst::connect(server, clients)?;
    server.rest();
    let served = server.wait_for("every client's child to sleep", |family| {
        let new =
            family.children.iter().filter(|it| before.children.iter().all(|old| old.pid != it.pid));
        new.clone().count() == clients && new.clone().all(|child| "SZ".contains(child.state))
    })?;
    story.step(format!("{who} served"), &served, 0);

    let hold = server.hold()?;
    story.step("SIGSTOP", &server.census()?, 0);

    burst.leave()?;
    let dead = server.wait_for("every child to die", |family| family.alive() == 0)?;
    story.step(server.manner().goodbye.describe(), &dead, clients);
    burst.close();
    then(&story)?;

    hold.release();
    let left = server.settled()?;
    story.step("SIGCONT", &left, clients);

    let tally = Tally::of(clients, &before, &left);
    story.end = Some(tally);
    Ok((story, tally))
}
