use std::fmt::Write as _;

use colored::Color;

use super::answer::{Answer, Cause, Outcome};
use super::questions::QUESTIONS;
use super::ways::{Disposition, Kind, Ways};
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

/// All answers of a server that sat the exam.
#[derive(Debug, Clone)]
pub struct Report {
    /// In the order of the [`QUESTIONS`].
    pub answers: Vec<Answer>,
    /// What follows from them.
    pub verdict: Verdict,
}

impl Report {
    /// Judges a server of these ways by its answers, given in the order of the [`QUESTIONS`].
    #[must_use]
    pub fn of(ways: &Ways, answers: Vec<Answer>) -> Report {
        let verdict = judge(ways, &answers);
        Report { answers, verdict }
    }

    /// The numbers of the questions that have this outcome, counted from 1.
    #[must_use]
    pub fn numbers(&self, outcome: Outcome) -> Vec<usize> {
        let answers = self.answers.iter().zip(1..).filter(|(it, _)| it.outcome == outcome);
        answers.map(|(_, number)| number).collect()
    }

    /// The answers as the objects that `--json` prints; docs/exam-reference.md describes them.
    #[must_use]
    pub fn questions(&self) -> Vec<serde_json::Value> {
        use serde_json::json;
        let objects = QUESTIONS.iter().zip(&self.answers).map(|(question, answer)| {
            json!({
                "name": question.name,
                "done": question.done,
                "outcome": answer.outcome.name(),
                "evidence": answer.evidence,
                "hint": answer.hint,
            })
        });
        objects.collect()
    }
}

impl Answer {
    /// The row of question `number`: its outcome, and under it the evidence and the hint.
    #[must_use]
    pub fn row(&self, number: usize, paint: Paint) -> String {
        let (mark, color) = match self.outcome {
            Outcome::Holds => ("holds", Color::Green),
            Outcome::Fails => ("fails", Color::Red),
            Outcome::Noted => ("note", Color::Yellow),
            Outcome::CannotBeAsked => ("-", Color::Yellow),
        };
        let mark = paint.text(color, &format!("{mark:<5}"));
        let name = QUESTIONS[number - 1].name;
        let mut row = format!("{number:>2}  {mark}  {name}\n           {}\n", self.evidence);
        if let Some(hint) = self.hint {
            let _ = writeln!(row, "           hint: {hint}");
        }
        row
    }
}

fn judge(ways: &Ways, answers: &[Answer]) -> Verdict {
    let stayed = answers.iter().map(|it| it.seen.stayed).sum::<usize>();
    let strangers = answers.iter().map(|it| it.seen.strangers).sum::<usize>();
    let counted = answers.iter().any(|it| it.seen.died > 0);
    let unseen = answers.iter().map(|it| it.seen.unseen).sum::<usize>();
    let leaks = if stayed + strangers + unseen > 0 { Some(true) } else { counted.then_some(false) };
    let held: Vec<Tally> = answers.iter().flat_map(|it| it.seen.held.clone()).collect();
    let cause = cause(ways, answers, &held);
    let caught = ways.has_handler;
    let all_stay = !held.is_empty() && held.iter().all(|it| it.zombies == it.children);
    let has_children = matches!(ways.kind, Kind::Child | Kind::OneEach);
    let lesson = match cause {
        Some(Cause::NeverWaits) if strangers == 0 => Some(1),
        // Between two clients nobody waits, and no handler is there that could.
        Some(Cause::NextClient) if strangers == 0 && all_stay && !caught => Some(1),
        Some(Cause::OnePerSignal) if strangers == 0 => Some(2),
        _ if leaks == Some(false) && has_children && !held.is_empty() => Some(3),
        _ => None,
    };
    let tallies: Vec<String> =
        held.iter().map(|it| format!("{} of {}", it.zombies, it.children)).collect();
    let tallies = tallies.join(" and ");
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
        (_, Some(true), None) => format!("it leaves zombies; {} stayed", stayed + unseen),
        (_, _, Some(cause)) => format!("it {}; {}", ways.kind.describe(), cause.describe()),
        _ => format!("it {}", ways.kind.describe()),
    };
    let mut line = match lesson {
        Some(lesson) => format!("lesson {lesson} of 3: {why}"),
        None => format!("no lesson: {why}"),
    };
    let count = |outcome| answers.iter().filter(|it| it.outcome == outcome).count();
    let asked = answers.len() - count(Outcome::CannotBeAsked);
    let _ = match count(Outcome::Fails) {
        0 if asked == 0 => write!(line, "; nothing could be asked"),
        0 => write!(line, "; {} of {asked} hold", count(Outcome::Holds)),
        fails => write!(line, "; {fails} of {asked} fail"),
    };
    if count(Outcome::Noted) > 0 {
        let _ = write!(line, ", {} noted", count(Outcome::Noted));
    }
    Verdict { leaks, lesson, cause, line }
}

/// Why a server leaves zombies, or else why it fails, where what was seen shows it.
fn cause(ways: &Ways, answers: &[Answer], held: &[Tally]) -> Option<Cause> {
    let seen = |cause| answers.iter().any(|it| it.seen.cause == Some(cause));
    let stayed = |at: usize| answers.get(at).map_or(0, |it| it.seen.stayed);
    let any = answers.iter().any(|it| it.seen.stayed > 0);
    let strangers = answers.iter().any(|it| it.seen.strangers > 0);
    let went = answers.iter().any(|it| it.seen.went_with_next);
    let all_stay = !held.is_empty() && held.iter().all(|it| it.zombies == it.children);
    let none_stays = held.iter().all(|it| it.zombies == 0);
    if any {
        for cause in [Cause::HandlerGone, Cause::Blocked] {
            if seen(cause) {
                return Some(cause);
            }
        }
        let alone_stays =
            matches!(&ways.lags, Ok(lags) if lags.len() == 1 && lags[0].zombie.is_none());
        match (alone_stays, went) {
            // A handler that collects in other bursts has missed this one.
            (true, true) if all_stay || !ways.has_handler => return Some(Cause::NextClient),
            (true, false) if all_stay && ways.sigchld == Disposition::Blocked => {
                return Some(Cause::Blocked);
            }
            (true, false) if all_stay => return Some(Cause::NeverWaits),
            _ => {}
        }
        let one_each = held.len() > 1 && held.iter().all(|it| it.reaped == 1 && it.children > 1);
        if one_each && matches!(ways.sigchld, Disposition::Caught | Disposition::Blocked) {
            return Some(Cause::OnePerSignal);
        }
        // Of the two sizes the small one is collected at one signal, the large one only in part.
        if let [few, many] = held
            && few.zombies == 0
            && (1..many.children).contains(&many.zombies)
            && !went
        {
            return Some(Cause::Bounded);
        }
        if seen(Cause::Worker) {
            return Some(Cause::Worker);
        }
        if went {
            return Some(Cause::LostWakeUp);
        }
        let only_by_signals = (0..answers.len()).all(|at| at == 5 || stayed(at) == 0);
        if only_by_signals && none_stays {
            return Some(Cause::OddStatus);
        }
        return seen(Cause::Died).then_some(Cause::Died);
    }
    if strangers {
        return seen(Cause::ServedNobody).then_some(Cause::ServedNobody);
    }
    if went {
        return Some(Cause::LostWakeUp); // of a client that nobody was seen to serve
    }
    let failing = answers.iter().filter(|it| it.outcome == Outcome::Fails);
    failing.filter_map(|it| it.seen.cause).next()
}
