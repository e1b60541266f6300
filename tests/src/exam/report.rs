use colored::Color;

use super::{Answer, Cause, Disposition, Kind, Outcome, Seen, Ways};
use crate::story::{Paint, Tally};

/// What is to be said of a server, by what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it leaves zombies; `None` where that couldn't be asked.
    pub leaks: Option<bool>,
    /// The lesson that it is like: 1, 2, 3 or none of them.
    pub lesson: Option<u8>,
    /// Why it leaves zombies or fails, where that was seen.
    pub cause: Option<Cause>,
    /// The same in a line.
    pub line: String,
}

/// All answers of one who sat the exam.
#[derive(Debug, Clone)]
pub struct Report<V = Verdict> {
    /// In the order of the questions.
    pub answers: Vec<Answer>,
    /// What follows from them.
    pub verdict: V,
}

impl<V> Report<V> {
    /// The numbers of the questions that have this outcome, counted from 1.
    #[must_use]
    pub fn numbers(&self, outcome: Outcome) -> Vec<usize> {
        (1..).zip(&self.answers).filter(|(_, it)| it.outcome == outcome).map(|(at, _)| at).collect()
    }
}

impl Answer {
    /// The row of question `number`, `name`: its outcome, and under it the evidence and the hint.
    #[must_use]
    pub fn row(&self, number: usize, name: &str, paint: Paint) -> String {
        let (mark, color) = match self.outcome {
            Outcome::Holds => ("holds", Color::Green),
            Outcome::Fails => ("fails", Color::Red),
            Outcome::Noted => ("note", Color::Yellow),
            Outcome::CannotBeAsked => ("-", Color::Yellow),
        };
        let mark = paint.text(color, &format!("{mark:<5}"));
        let hint = self.hint.map_or(String::new(), |hint| format!("           hint: {hint}\n"));
        format!("{number:>2}  {mark}  {name}\n           {}\n{hint}", self.evidence)
    }
}

pub(super) fn judge(ways: &Ways, answers: &[Answer]) -> Verdict {
    let all = total(answers);
    let leaks = match all.stayed + all.strangers + all.unseen {
        0 => (all.died > 0).then_some(false),
        _ => Some(true),
    };
    let cause = cause(ways, answers, &all);
    let caught = ways.has_handler;
    let has_children = Kind::WITH_CHILDREN.contains(&ways.kind);
    let lesson = match cause {
        Some(Cause::NeverWaits) if all.strangers == 0 => Some(1),
        // Between two clients nobody waits, and no handler is there that could.
        Some(Cause::NextClient) if all.strangers == 0 && all_stay(&all.held) && !caught => Some(1),
        Some(Cause::OnePerSignal) if all.strangers == 0 => Some(2),
        _ if leaks == Some(false) && has_children && !all.held.is_empty() => Some(3),
        _ => None,
    };
    let tallies = all.held.iter().map(|it| format!("{} of {}", it.zombies, it.children));
    let tallies = tallies.collect::<Vec<_>>().join(" and ");
    let why = match (lesson, leaks, cause) {
        (Some(3), _, None) => "no zombie stayed in any question".to_owned(),
        (Some(3), _, Some(cause)) => {
            let shows = |it: &Answer| it.outcome == Outcome::Fails && it.seen.cause == Some(cause);
            let number = answers.iter().position(shows).map_or(0, |at| at + 1);
            let cause = cause.describe();
            format!("no zombie stayed in any question, but {cause} (question {number})")
        }
        (Some(2), ..) => {
            format!("one wait per signal; {tallies} stayed when their SIGCHLDs coalesced")
        }
        (Some(1), _, Some(Cause::NeverWaits)) if caught => {
            format!("its handler runs and collects nobody; {tallies} stayed")
        }
        (Some(_), _, Some(cause)) => format!("{}; {tallies} stayed", cause.describe()),
        (_, Some(true), Some(cause)) => format!("it leaves zombies: {}", cause.describe()),
        (_, Some(true), None) => format!("it leaves zombies; {} stayed", all.stayed + all.unseen),
        (_, _, Some(cause)) => format!("it {}; {}", ways.kind.describe(), cause.describe()),
        _ => format!("it {}", ways.kind.describe()),
    };
    let reached = lesson.map_or("no lesson".to_owned(), |it| format!("lesson {it} of 3"));
    let line = format!("{reached}: {why}; {}", counts(answers));
    Verdict { leaks, lesson, cause, line }
}

/// How many of those that were asked fail, or hold: `6 of 17 fail`.
pub(super) fn counts(answers: &[Answer]) -> String {
    let count = |outcome| answers.iter().filter(|it| it.outcome == outcome).count();
    let asked = answers.len() - count(Outcome::CannotBeAsked);
    let result = match count(Outcome::Fails) {
        0 if asked == 0 => "nothing could be asked".to_owned(),
        0 => format!("{} of {asked} hold", count(Outcome::Holds)),
        fails => format!("{fails} of {asked} fail"),
    };
    match count(Outcome::Noted) {
        0 => result,
        noted => format!("{result}, {noted} noted"),
    }
}

/// All that was seen, added up, but for the causes.
pub(super) fn total(answers: &[Answer]) -> Seen {
    let mut all = Seen::default();
    for seen in answers.iter().map(|it| &it.seen) {
        all.held.extend(&seen.held);
        all.stayed += seen.stayed;
        all.died += seen.died;
        all.strangers += seen.strangers;
        all.unseen += seen.unseen;
        all.went_with_next |= seen.went_with_next;
    }
    all
}

fn all_stay(held: &[Tally]) -> bool {
    !held.is_empty() && held.iter().all(|it| it.zombies == it.children)
}

/// Why a server leaves zombies, or else why it fails, where what was seen shows it.
fn cause(ways: &Ways, answers: &[Answer], all: &Seen) -> Option<Cause> {
    let seen = |cause| answers.iter().any(|it| it.seen.cause == Some(cause));
    let Seen { held, went_with_next: went, .. } = all;
    if all.stayed > 0 {
        if let Some(cause) = [Cause::HandlerGone, Cause::Blocked].into_iter().find(|it| seen(*it)) {
            return Some(cause);
        }
        let alone_stays =
            matches!(&ways.lags, Ok(lags) if lags.len() == 1 && lags[0].zombie.is_none());
        match (alone_stays, went) {
            // A handler that collects in other bursts has missed this one.
            (true, true) if all_stay(held) || !ways.has_handler => return Some(Cause::NextClient),
            (true, false) if all_stay(held) => {
                let blocked = ways.sigchld == Disposition::Blocked;
                return Some(if blocked { Cause::Blocked } else { Cause::NeverWaits });
            }
            _ => {}
        }
        let one_each = held.len() > 1 && held.iter().all(|it| it.reaped == 1 && it.children > 1);
        if one_each && matches!(ways.sigchld, Disposition::Caught | Disposition::Blocked) {
            return Some(Cause::OnePerSignal);
        }
        // Of the two sizes the small one is collected at one signal, the large one only in part.
        if let [few, many] = &held[..]
            && few.zombies == 0
            && (1..many.children).contains(&many.zombies)
            && !went
        {
            return Some(Cause::Bounded);
        }
        if seen(Cause::Worker) {
            return Some(Cause::Worker);
        }
        if *went {
            return Some(Cause::LostWakeUp);
        }
        let only_by_signals = answers.get(5).is_some_and(|it| it.seen.stayed == all.stayed);
        if only_by_signals && held.iter().all(|it| it.zombies == 0) {
            return Some(Cause::OddStatus);
        }
        return seen(Cause::Died).then_some(Cause::Died);
    }
    if all.strangers > 0 {
        return seen(Cause::ServedNobody).then_some(Cause::ServedNobody);
    }
    if *went {
        return Some(Cause::LostWakeUp); // of a client that nobody was seen to serve
    }
    let failing = answers.iter().filter(|it| it.outcome == Outcome::Fails);
    failing.filter_map(|it| it.seen.cause).next()
}
