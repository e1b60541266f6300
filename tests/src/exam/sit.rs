//! Asking all questions, side by side.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::questions::LONGEST;
use super::report::judge;
use super::{Answer, Cause, Examinee, Outcome, QUESTIONS, Question, Report};
use crate::lock;

/// How many questions are asked side by side, by all threads of this process.
pub(super) const SEATS: usize = 6;

impl Examinee {
    /// Puts `question` to the server.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Answer {
        let time = self.terms.time;
        // A question that begins now is to be over by then.
        if self.met.elapsed() > time.mul_f64(0.75) {
            let why = format!("time is up: it had {} s, --time gives it more", time.as_secs());
            return Answer { late: true, ..Answer::cannot(why) };
        }
        let (Ok(answer) | Err(answer)) = (question.ask)(self);
        if answer.outcome == Outcome::Fails && answer.hint.is_none() {
            let hint = answer.seen.cause.and_then(Cause::hint);
            return answer.hint(hint.unwrap_or(question.hint));
        }
        answer
    }

    /// Asks all [`QUESTIONS`], and tells `heard` of each answer in order, with its number.
    #[must_use]
    pub fn sit(&self, heard: &mut dyn FnMut(usize, &Answer)) -> Report {
        let mut order: Vec<usize> = (0..QUESTIONS.len()).collect();
        order[..=LONGEST].rotate_right(1);
        let ask = |at| {
            // Who only waits takes nobody's place.
            let _seat = (!self.is_slow() && at != LONGEST).then(Seat::take);
            self.ask(&QUESTIONS[at])
        };
        let at_once = match self.is_slow() {
            _ if self.terms.host_network || self.ways.alone => 1,
            true => QUESTIONS.len(),
            false => SEATS,
        };
        let answers = side_by_side(order, at_once, &ask, heard);
        Report { verdict: judge(&self.ways, &answers), answers }
    }
}

/// Asks the questions of these numbers in this order, and tells `heard` of each answer in the order
/// of the numbers, counted from 1.
pub(super) fn side_by_side(
    order: Vec<usize>,
    at_once: usize,
    ask: &(impl Fn(usize) -> Answer + Sync),
    heard: &mut dyn FnMut(usize, &Answer),
) -> Vec<Answer> {
    let (mut answers, mut shown) = (vec![None; order.len()], 0);
    let next = Mutex::new(order.into_iter());
    let work = |answered: Sender<(usize, Answer)>| loop {
        let Some(at) = lock(&next).next() else { break };
        let _ = answered.send((at, ask(at))); // the receiver waits for all
    };
    thread::scope(|scope| {
        let (answered, all) = channel();
        for answered in vec![answered; at_once] {
            scope.spawn(|| work(answered));
        }
        for (at, answer) in all {
            answers[at] = Some(answer);
            while let Some(Some(answer)) = answers.get(shown) {
                shown += 1;
                heard(shown, answer);
            }
        }
    });
    answers.into_iter().flatten().collect()
}

/// A place at the table: as many questions are asked at the same time as there are.
struct Seat;

static FREE: (Mutex<usize>, Condvar) = (Mutex::new(SEATS), Condvar::new());

impl Seat {
    fn take() -> Seat {
        let free = FREE.1.wait_while(lock(&FREE.0), |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Seat
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *lock(&FREE.0) += 1;
        FREE.1.notify_one();
    }
}
