//! The exam: the lessons' questions, put to any fork server.
//!
//! [`Examinee::meet`] starts the server and learns its ways. [`Examinee::sit`] asks all
//! [`QUESTIONS`], which restart it, in a network of its own if they can, and gives a [`Report`].

mod answer;
mod examinee;
mod learn;
mod need;
pub mod pid1;
mod question;
mod questions;
mod report;
mod sit;
mod ways;

use answer::Asked;
pub use answer::{Answer, Cause, Outcome, Seen};
pub use examinee::{Examinee, Terms};
pub use question::{Question, condition};
pub use questions::QUESTIONS;
pub use report::{Report, Verdict};
pub use ways::{Disposition, Kind, Ways};
