//! Waiting for the kernel without guessing how long it takes.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Calls `look` until it returns something or `patience` is over, and returns what it saw.
///
/// The pauses grow from a fraction of a millisecond to twenty, so a quick answer comes quickly and
/// a slow one doesn't keep a core busy. `look` runs at least once, however short the patience.
pub fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(250);
    loop {
        let late = start.elapsed() >= patience;
        if let Some(seen) = look() {
            return Some(seen);
        }
        if late {
            return None;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
