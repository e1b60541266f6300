//! The article on trial: what it says about fork servers, zombies, signals and sockets, put to
//! the kernel one statement at a time.
//!
//! A test is named after what *holds*, its documentation says the article's statement in one
//! sentence and then the verdict: true, half-true, false, opinion (with a figure), or answered
//! (what the article only asks). docs/article-on-trial.md says the same; `docs/article.rs` in
//! the folder above keeps the two together.

mod conversation;
mod cost;
mod crash;
#[path = "../facts/mod.rs"]
mod facts;
mod python;
mod signals;
mod sockets;
mod subject;
mod zombies;
