use crate::story::Tally;
use crate::{About, Error};

/// What an experiment found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server does what a fork server should.
    Holds,
    /// It does not.
    Fails,
    /// Something that one should know of, and no failure.
    Noted,
    /// The question makes no sense for this server, or can't be put here; the evidence says why.
    CannotBeAsked,
}

impl Outcome {
    /// `holds`, `fails`, `noted` or `can't be asked`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Fails => "fails",
            Outcome::Noted => "noted",
            Outcome::CannotBeAsked => "can't be asked",
        }
    }
}

/// Why a server leaves zombies or fails, as far as it was seen. In the order of [`Cause::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No wait follows a death.
    NeverWaits,
    /// Zombies lie until the next client comes.
    NextClient,
    /// One wait per signal.
    OnePerSignal,
    /// A loop that stops after so many.
    Bounded,
    /// SIGCHLD was caught before the first death, and is at its default after it.
    HandlerGone,
    /// SIGCHLD is blocked and pending, and nobody reads it.
    Blocked,
    /// All are reaped in most bursts, and in some a few stay until something else happens.
    LostWakeUp,
    /// Those stay that were killed by certain signals.
    OddStatus,
    /// The zombies served nobody.
    ServedNobody,
    /// A dead worker of the pool stays.
    Worker,
    /// It is stuck in a wait for a child that lives.
    Stuck,
    /// It is stuck at a lock.
    Lock,
    /// It uses a whole core and does nothing.
    Spins,
    /// It died.
    Died,
}

impl Cause {
    /// All of them: with the word for programs, and the same in words, for a verdict.
    pub const ALL: [(Cause, &str, &str); 14] = [
        (Cause::NeverWaits, "never waits", "no wait follows a death"),
        (Cause::NextClient, "next client", "no wait follows a death until the next client comes"),
        (Cause::OnePerSignal, "one per signal", "one wait per signal"),
        (Cause::Bounded, "bounded loop", "it collects so many per signal and no more"),
        (Cause::HandlerGone, "handler gone", "its handler is gone after the first death"),
        (Cause::Blocked, "blocked", "SIGCHLD stays blocked, and is pending"),
        (
            Cause::LostWakeUp,
            "lost wake-up",
            "now and then it misses a death until something else happens",
        ),
        (Cause::OddStatus, "odd status", "children stay that certain signals have killed"),
        (Cause::ServedNobody, "served nobody", "zombies that served nobody stay"),
        (Cause::Worker, "worker", "a worker that dies stays a zombie"),
        (Cause::Stuck, "stuck", "it is stuck in a wait for a child that lives"),
        (Cause::Lock, "lock", "it is stuck at a lock"),
        (Cause::Spins, "spins", "it uses a whole core for nothing"),
        (Cause::Died, "died", "it died"),
    ];

    /// The word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        Cause::ALL[self as usize].1
    }

    /// The same in words, for a verdict.
    pub(super) fn describe(self) -> &'static str {
        Cause::ALL[self as usize].2
    }

    /// What to ask next, and the page to ask it of, if the question that fails has no better hint.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Cause::NextClient => {
                "what wakes the parent when a child dies and no client comes? \
                 docs/wrong-fixes.md#reap-before-accept"
            }
            Cause::HandlerGone => {
                "is its bit still in SigCgt after the first death? docs/exam-reference.md#causes"
            }
            Cause::Blocked => {
                "its bit is in SigBlk: who unblocks SIGCHLD, or reads it? \
                 docs/exam-reference.md#causes"
            }
            Cause::ServedNobody => {
                "who starts these, and who waits for them? docs/exam-reference.md#causes"
            }
            Cause::Stuck => {
                "it waits for a child that lives; what would let it ask without waiting? \
                 docs/lesson-03.md#why-wnohang"
            }
            Cause::Lock => {
                "who holds the lock when a signal interrupts its holder? \
                 docs/wrong-fixes.md#mutex-in-handler"
            }
            Cause::Spins => {
                "what does its wait return while a child lives, and does the loop go on then? \
                 docs/wrong-fixes.md#spinning-loop"
            }
            Cause::Died => {
                "which call failed, or which signal came, and did the server have to end for it? \
                 docs/wrong-fixes.md#dies-of-eintr"
            }
            _ => return None,
        })
    }
}

/// What a question saw that concerns the verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What became of bursts that died while the server was held still.
    pub held: Vec<Tally>,
    /// How many children of clients stayed zombies.
    pub stayed: usize,
    /// How many children of clients died, where that was counted.
    pub died: usize,
    /// How many zombies stayed that had served nobody.
    pub strangers: usize,
    /// How many zombies stayed of which it couldn't be seen whether they had served a client.
    pub unseen: usize,
    /// Whether those that stayed went when the next client came.
    pub went_with_next: bool,
    /// What it was, where the question itself shows it.
    pub cause: Option<Cause>,
}

/// The answer to one question: what was found, and what was seen that shows it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was found.
    pub outcome: Outcome,
    /// Pids, states, the pending bit, milliseconds; or why the question can't be asked.
    pub evidence: String,
    /// What to ask next, and the page to ask it of: with each failure.
    pub hint: Option<&'static str>,
    /// What the verdict is made of.
    pub seen: Seen,
    /// Whether it couldn't be asked because time was up.
    pub late: bool,
}

/// What a question comes to. Either is an answer: `?` returns the one that a step has found.
pub(super) type Asked<T = Answer> = std::result::Result<T, Answer>;

impl From<Error> for Answer {
    /// The server did something that no step expects, unless the error says nothing of it.
    fn from(error: Error) -> Answer {
        let why = error.to_string();
        match error.about {
            About::Failure => Answer::fails(why),
            About::Death => Answer::fails(why).because(Some(Cause::Died)),
            About::Limit => Answer::cannot(why),
        }
    }
}

impl Answer {
    fn new(outcome: Outcome, evidence: impl Into<String>) -> Answer {
        let (evidence, seen) = (evidence.into(), Seen::default());
        Answer { outcome, evidence, hint: None, seen, late: false }
    }

    pub(super) fn holds(evidence: impl Into<String>) -> Answer {
        Answer::new(Outcome::Holds, evidence)
    }

    pub(super) fn fails(evidence: impl Into<String>) -> Answer {
        Answer::new(Outcome::Fails, evidence)
    }

    pub(super) fn noted(evidence: impl Into<String>) -> Answer {
        Answer::new(Outcome::Noted, evidence)
    }

    pub(super) fn when(good: bool, evidence: impl Into<String>) -> Answer {
        if good { Answer::holds(evidence) } else { Answer::fails(evidence) }
    }

    /// The question can't be asked, and why.
    pub(super) fn cannot(why: impl Into<String>) -> Answer {
        Answer::new(Outcome::CannotBeAsked, why)
    }

    pub(super) fn seen(self, seen: Seen) -> Answer {
        Answer { seen, ..self }
    }

    pub(super) fn hint(self, hint: &'static str) -> Answer {
        Answer { hint: Some(hint), ..self }
    }

    pub(super) fn because(mut self, cause: Option<Cause>) -> Answer {
        self.seen.cause = cause;
        self
    }
}
