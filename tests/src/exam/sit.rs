//! Asking all questions, side by side.

use std::sync::{Condvar, Mutex, PoisonError};
use std::{iter, thread};

use super::answer::{Answer, Cause, Outcome};
use super::examinee::Examinee;
use super::question::Question;
use super::questions::{LONGEST, QUESTIONS};
use super::report::Report;

/// How many questions are asked side by side, by all threads of this process.
const SEATS: usize = 6;

impl Examinee {
    /// Puts `question` to the server.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Answer {
        if let Some(time) = self.time_is_up() {
            let time = time.as_secs();
            let why = format!("time is up: it had {time} s, --time gives it more");
            return Answer { late: true, ..Answer::cannot(why) };
        }
        let answer = match (question.ask)(self) {
            Ok(answer) => answer,
            Err(error) if error.says_nothing() => Answer::cannot(error.to_string()),
            Err(error) => {
                let cause = error.is_of_death().then_some(Cause::Died);
                Answer::fails(error.to_string()).because(cause)
            }
        };
        if answer.outcome == Outcome::Fails && answer.hint.is_none() {
            let hint = answer.seen.cause.map_or(question.hint, Cause::hint);
            return answer.hint(hint);
        }
        answer
    }

    /// Asks all questions, side by side where each start has a network of its own, and tells
    /// `heard` of each answer, by the question's number, in the order of the questions.
    #[must_use]
    pub fn sit(&self, heard: &mut (dyn FnMut(usize, &Answer) + Send)) -> Report {
        let answers = Mutex::new((heard, vec![None; QUESTIONS.len()], 0));
        let others = (0..QUESTIONS.len()).filter(|at| *at != LONGEST);
        let next = Mutex::new(iter::once(LONGEST).chain(others));
        let work = || loop {
            let at = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(at) = at else { break };
            let answer = {
                // Who only waits takes nobody's place.
                let _seat = (!self.is_slow() && at != LONGEST).then(Seat::take);
                self.ask(&QUESTIONS[at])
            };
            let mut told = answers.lock().unwrap_or_else(PoisonError::into_inner);
            told.1[at] = Some(answer);
            while let Some(Some(answer)) = told.1.get(told.2).cloned() {
                told.2 += 1;
                let number = told.2;
                (told.0)(number, &answer);
            }
        };
        let side_by_side = match (self.is_alone(), self.is_slow()) {
            (true, _) => 1,
            (_, true) => QUESTIONS.len(),
            (_, false) => SEATS,
        };
        thread::scope(|scope| {
            for _ in 0..side_by_side {
                scope.spawn(work);
            }
        });
        let (_, answers, _) = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        Report::of(self.ways(), answers.into_iter().flatten().collect())
    }
}

/// A place at the table: as many questions are asked at the same time as there are.
struct Seat;

static FREE: (Mutex<usize>, Condvar) = (Mutex::new(SEATS), Condvar::new());

impl Seat {
    fn take() -> Seat {
        let free = FREE.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = FREE.1.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Seat
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *FREE.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREE.1.notify_one();
    }
}
