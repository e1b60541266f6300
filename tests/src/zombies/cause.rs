//! Why zombies stay: only what two looks have shown.

use std::cmp::Ordering;

use client::ps;
use procfs::process::Stat;

use super::Parent;
use crate::exam::Disposition;

const END_THE_TRACER: &str = "end the tracer, or let it detach. docs/zombies.md#traced";

/// Why a parent's zombies stay.
#[derive(Debug, Default)]
pub(super) struct Cause {
    /// The word for programs; docs/zombies.md lists them.
    pub(super) name: &'static str,
    /// What was seen that shows it.
    pub(super) diagnosis: String,
    /// What to ask next, and the page.
    pub(super) hint: &'static str,
}

impl Cause {
    /// Some of its zombies, or all, have gone while they were watched.
    pub(super) fn late(what: impl Into<String>) -> Cause {
        let diagnosis = format!("it does wait: {}", what.into());
        Cause { name: "late", diagnosis, hint: "no harm, if they are few. docs/zombies.md#late" }
    }
}

impl Parent {
    pub(super) fn sigchld(&self) -> String {
        match (self.sigchld, self.blocked_in) {
            (Disposition::Ignored, _) => "SIGCHLD is ignored".to_owned(),
            (Disposition::Caught, Some((some, all))) => {
                format!("SIGCHLD is caught, and blocked in {some} of {all} threads")
            }
            (_, Some((some, all))) => format!("SIGCHLD is blocked in {some} of {all} threads"),
            (sigchld, None) => sigchld.describe().to_owned(),
        }
    }

    /// Compares with an earlier look, unless it had no zombies then, and says why they stay.
    pub(super) fn judge(&mut self, earlier: Option<&Parent>) {
        self.trend = match self.zombies.len().cmp(&earlier.map_or(0, |it| it.zombies.len())) {
            Ordering::Greater => "growing",
            Ordering::Equal => "constant",
            Ordering::Less => "going",
        };
        self.cause = self.why(earlier);
        let open = ["never waits", "one per signal", "stuck", "unknown"];
        if self.pid1 && open.contains(&self.cause.name) {
            self.cause.diagnosis += "; they may be orphans, which PID 1 inherits";
            self.cause.hint = "does it reap orphans? docs/zombies.md#inherited";
        }
    }

    fn why(&self, earlier: Option<&Parent>) -> Cause {
        let cause = |name, diagnosis: String, hint| Cause { name, diagnosis, hint };
        if self.zombies.is_empty() {
            let why = "no zombie: its first thread has left, and the others run on".to_owned();
            let hint = "nothing has to be done. docs/zombies.md#a-first-thread-that-has-left";
            return cause("thread left", why, hint);
        }
        // Of ten thousand the first tells, as a rule, that nobody traces them.
        let tracers = self.zombies.iter().map(|it| ps::status(it.pid).map_or(0, |it| it.tracerpid));
        let tracers: Vec<i32> = tracers.take_while(|it| *it > 0).collect();
        if tracers.len() == self.zombies.len() {
            let why = format!("their tracer, process {}, has to collect them first", tracers[0]);
            return cause("traced", why, END_THE_TRACER);
        }
        let Some(before) = earlier else {
            let why = "they came between two looks".to_owned();
            return cause("unknown", why, "look again. docs/zombies.md#unknown");
        };
        let states = (before.family.parent.state, self.family.parent.state);
        if states == ('t', 't') {
            let why = format!("its tracer, process {}, has stopped it", self.tracer);
            return cause("traced", why, END_THE_TRACER);
        }
        if states == ('T', 'T') {
            let why = "it is stopped, so it can't wait, nor run a handler".to_owned();
            let hint = "who stopped it? SIGCONT lets it go on. docs/zombies.md#stopped";
            return cause("stopped", why, hint);
        }
        let same = |it: &Stat, old: &Stat| (old.pid, old.starttime) == (it.pid, it.starttime);
        if !self.zombies.iter().any(|it| before.zombies.iter().any(|old| same(it, old))) {
            return Cause::late("those seen first are gone, and others have come");
        }
        if self.orphans {
            let who = if self.pid1 { "PID 1" } else { "a subreaper" };
            let waited = if self.waited > 0 { "" } else { "; it has never waited for anybody" };
            let why = format!("orphans that it inherited as {who}, not its own children{waited}");
            let hint = "does it reap orphans? docs/zombies.md#inherited";
            return cause("inherited", why, hint);
        }
        let sleep = self.wchan.as_ref().filter(|it| before.wchan.as_ref() == Some(it));
        let waits = self.waited != before.waited;
        if sleep.is_some_and(|it| it == "do_wait") && self.family.alive() > 0 && !waits {
            let why = "it sleeps in a wait (do_wait) for a child that lives, and not for these";
            let hint = "why does it wait for one child, and not for any? docs/zombies.md#stuck";
            return cause("stuck", why.to_owned(), hint);
        }
        let sleeps = sleep.map_or(String::new(), |it| format!("; it sleeps in {it}"));
        let pending = self.family.sigchld_pending && before.family.sigchld_pending;
        if self.sigchld == Disposition::Blocked && pending && !waits {
            let why = format!("SIGCHLD is blocked and pending, and nobody reads it{sleeps}");
            let hint = "who was to unblock SIGCHLD, or to read it? docs/zombies.md#blocked";
            return cause("blocked", why, hint);
        }
        let sigchld = self.sigchld();
        if self.waited == 0 {
            let why = format!("it has never waited for any child, and {sigchld}{sleeps}");
            let hint = "where does it wait for its children? docs/lesson-01.md#the-zombie";
            return cause("never waits", why, hint);
        }
        let stayed = format!("it has waited (maybe before exec), but not for these; {sigchld}");
        if self.sigchld == Disposition::Caught && self.trend != "going" {
            let why = format!("{stayed}: one wait per signal, waits by pid, or late waits{sleeps}");
            let hint = "does its handler loop until nobody dead is left? \
                        docs/lesson-02.md#five-deaths-one-bit";
            return cause("one per signal", why, hint);
        }
        let hint = "does it wait for each child by its pid, and when? docs/zombies.md#unknown";
        cause("unknown", stayed + &sleeps, hint)
    }
}
