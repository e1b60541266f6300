use std::time::{Duration, Instant};

use client::poll;

use crate::Result;
use crate::burst::Burst;
use crate::exam::{Answer, Question};
use crate::server::Server;

/// A zombie that is gone after this counts as reaped at once.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A zombie that is still there after this counts as never reaped.
const NEVER: Duration = Duration::from_secs(4);

/// How many clients leave, one after the other: a server that looks for dead children from time
/// to time may look at once by chance.
const ROUNDS: usize = 4;

pub(super) const QUESTION: Question = Question {
    name: "a client leaves: its child is reaped",
    done: "One client after the other comes, is served and leaves; the time from the child's \
           death to its end as a zombie is taken.",
    ask: |examinee| Ok(examinee.childless().unwrap_or_else(|| examinee.first_zombie().clone())),
};

/// Watches the children of a few clients die; returns the answer and, for a server that doesn't
/// reap at once, the longest that a zombie has lain.
pub(crate) fn watch(server: &Server) -> Result<(Answer, Option<Duration>)> {
    let mut longest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let burst = Burst::connect(server, 1)?;
        burst.leave()?;
        server.wait_for("the child to die", |family| family.alive() == 0)?;
        let start = Instant::now();
        let reaped = poll::until(NEVER, || {
            server.census().map(|family| family.children.is_empty().then_some(family)).transpose()
        });
        let Some(family) = reaped else {
            let left = server.census()?;
            burst.close();
            let next = Burst::connect(server, 1)?;
            let after = server.wait_for("the next client's child", |now| now.alive() > 0)?;
            next.close();
            let late =
                if after.zombies() == 0 { "; it goes when the next client comes" } else { "" };
            let never = format!("never: still a zombie after {NEVER:?}: {left}{late}");
            return Ok((Answer::fails(never), None));
        };
        family?;
        burst.close();
        longest = longest.max(start.elapsed());
    }
    let milliseconds = longest.as_millis();
    Ok(if longest <= AT_ONCE {
        (Answer::holds(format!("reaped at once ({milliseconds} ms at most)")), None)
    } else {
        (
            Answer::holds(format!(
                "reaped after {milliseconds} ms at most: it looks from time to time"
            )),
            Some(longest),
        )
    })
}
