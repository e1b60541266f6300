//! How much is measured, and how far it has come.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How much to measure. Progress is shown on stderr when that is a terminal.
pub(crate) struct Plan {
    /// How often each subject is measured.
    pub(crate) rounds: usize,
    /// Whether a minute has to do for everything.
    pub(crate) quick: bool,
    /// The most children that a server gets.
    pub(crate) children: u64,
    window: Duration,
    bar: ProgressBar,
}

impl Plan {
    /// The plan of a whole run, or of a quick one.
    pub(crate) fn new(quick: bool) -> Plan {
        let bar = ProgressBar::new(0);
        bar.set_style(
            ProgressStyle::with_template("{bar:30} {pos}/{len}, {elapsed}, {msg}")
                .expect("the template is well formed"),
        );
        let window = Duration::from_millis(if quick { 100 } else { 300 });
        let (rounds, children) = if quick { (3, 1_000) } else { (5, 10_000) };
        Plan { rounds, quick, children, window, bar }
    }

    /// The least that can be planned: whether it works, and not how well.
    #[allow(dead_code)] // only tests have no more time than this
    pub(crate) fn taste() -> Plan {
        Plan { rounds: 1, children: 100, window: Duration::from_millis(20), ..Plan::new(true) }
    }

    /// How long to count at one place: a whole run takes longer than a quick one.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Says what goes on, without a step of its own.
    pub(crate) fn tell(&self, what: &'static str) {
        self.bar.set_message(what);
        self.bar.tick();
    }

    /// Says that `count` steps more are to come.
    pub(crate) fn expect(&self, count: usize) {
        self.bar.inc_length(count as u64);
    }

    /// Says that a step begins: "rate: lesson-03, 8 clients".
    pub(crate) fn step(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
        self.bar.inc(1);
    }

    /// Prints on stdout, past the progress.
    pub(crate) fn print(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stdout(), "{text}");
        });
    }

    /// Takes the progress off the screen.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
