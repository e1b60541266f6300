//! The gallery of wrong fixes on trial, and on show: what each of its servers leaves, whether it
//! hangs or spins, and all that the exam says of it. What is to be seen says the table in
//! docs/wrong-fixes.md; a server has a section there, and a section a server.
//!
//! `cargo test -p harness --test wrong_fixes -- spin` tries those whose claims have the word.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::time::Duration;

use client::{Conversation, poll, ps};
use harness::burst::{Burst, HELLO};
use harness::exam::Disposition::{self, Blocked, Default, Ignored};
use harness::exam::Kind::{self, Child, Grandchild, Itself, OneByOne};
use harness::exam::{Cause, Examinee, Outcome, QUESTIONS, Terms, condition};
use harness::experiment::held_still;
use harness::lessons::{example, program, root};
use harness::server::{ANYWHERE, Launch, Server, Stdout, own_addr, send};
use harness::story::Paint;
use harness::{PATIENCE, Result, or_skip, syscall};

/// The page that shows the gallery.
const PAGE: &str = "docs/wrong-fixes.md";

/// Those of which the exam comes out differently each time: no test of them.
const BY_CHANCE: [&str; 2] = ["prints-in-handler", "mutex-in-handler"];

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).unwrap()
}

/// The page's row of a server: zombies, hangs, spins, lesson, and the questions that it fails.
fn row(name: &str) -> [String; 5] {
    let head = format!("| [{name}](#{name}) | ");
    let row = page().lines().find_map(|line| Some(line.strip_prefix(&head)?.to_owned()));
    let row = row.unwrap_or_else(|| panic!("{PAGE} has no row of {name}"));
    let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").map(str::to_owned).collect();
    cells.try_into().unwrap()
}

fn cell(number: Option<impl Display>) -> String {
    number.map_or("–".to_owned(), |number| number.to_string())
}

macro_rules! gallery {
    ($($claim:ident: $name:literal $(, hint $hint:literal)? $(, evidence $evidence:literal)?
       $(, is $kind:ident $sigchld:ident)?;)+) => {
        /// The servers of the gallery, in the order of the page.
        const GALLERY: &[&str] = &[$($name),+];
        $(
            #[test]
            fn $claim() {
                try_out($name, concat!($($hint)?), concat!($($evidence)?), &[$(($kind, $sigchld))?]);
            }
        )+
    };
}

gallery! {
    // too few waits
    one_waitpid_per_signal_is_lesson_2_but_never_hangs:
        "one-waitpid", hint "docs/lesson-02.md#five-deaths-one-bit";
    the_articles_while_that_returns_is_lesson_2:
        "while-return", hint "docs/lesson-02.md#five-deaths-one-bit";
    who_counts_signals_counts_one_for_five_deaths: "counts-signals";
    a_thread_that_waits_once_per_sigwait_is_lesson_2:
        "sigwait-thread", is Child Blocked;
    a_handler_that_ends_on_echild_is_ended_by_a_stray_signal: "exit-on-echild";
    a_loop_that_stops_at_an_odd_status_leaves_those_behind_it:
        "stops-at-odd-status", hint "docs/lesson-03.md#what-a-status-can-be-and-why-nobody-looks";
    who_reaps_before_each_accept_keeps_zombies_until_the_next_client:
        "reap-before-accept", hint "docs/wrong-fixes.md#reap-before-accept",
        evidence "when the next client comes";
    a_poll_reaps_late_but_all:
        "poll", evidence "it looks from time to time", is Child Default;
    sigkill_rids_nobody_of_a_zombie: "kills-zombies";
    // a handler that doesn't come back
    a_loop_without_wnohang_hangs_while_a_child_lives:
        "blocking-loop", hint "docs/lesson-03.md#why-wnohang";
    a_loop_until_an_error_spins_while_a_child_lives:
        "spinning-loop", hint "docs/wrong-fixes.md#spinning-loop";
    a_println_in_the_handler_goes_well_until_a_death_falls_into_a_print: "prints-in-handler";
    a_lock_in_the_handler_goes_well_until_a_death_finds_it_held: "mutex-in-handler";
    who_takes_eintr_for_an_end_does_not_survive_the_first_death: "dies-of-eintr";
    // waiting in the wrong place
    who_waits_after_each_fork_serves_one_by_one:
        "wait-after-fork", is OneByOne Default;
    who_ignores_sigchld_and_waits_all_the_same_serves_one_by_one:
        "ignore-and-wait", hint "docs/wrong-fixes.md#wait-after-fork", is OneByOne Ignored;
    // others are to reap
    whoever_ignores_sigchld_has_no_zombies_either:
        "ignore", is Child Ignored;
    a_double_fork_hands_its_children_on:
        "double-fork", is Grandchild Default;
    a_double_fork_whose_middle_is_forgotten_leaves_a_zombie_for_each_client:
        "forgotten-middle", is Grandchild Default;
    // closing too little
    a_parent_that_keeps_the_connection_withholds_end_of_file:
        "parent-keeps-connection", hint "docs/lesson-01.md#who-closes-what";
    a_child_that_keeps_the_listener_is_in_the_way_of_a_restart:
        "child-keeps-listener", hint "docs/server-crashes.md#an-orphan-has-kept-the-listener";
    a_child_that_does_not_know_end_of_file_stays_behind: "ignores-end-of-file";
    // no fork at all
    an_iterative_server_serves_one_by_one:
        "iterative", is OneByOne Default;
    threads_are_no_children:
        "threads", is Itself Default;
}

/// Has a server sit the whole exam, and looks at what the exam doesn't ask. `hint` is the page that
/// a failure leads its author to, `evidence` what is seen of a client that leaves; `is` says who
/// serves, and what becomes of SIGCHLD.
#[track_caller]
fn try_out(name: &str, hint: &str, evidence: &str, is: &[(Kind, Disposition)]) {
    let [zombies, hang, spin, lesson, fails] = row(name);
    if BY_CHANCE.contains(&name) {
        // No death does it harm while it sleeps in accept.
        let server = gallery(name).start().unwrap();
        let (_, tally) = held_still(&server, 5).unwrap();
        assert_eq!(tally.zombies.to_string(), zombies, "zombies of five children");
        return drop(server.greet().unwrap());
    }
    let (certain, chance) = fails.split_once("; by chance ").unwrap_or((&fails, ""));
    let chance: Vec<usize> = chance.split(", ").flat_map(str::parse).collect();
    let by_scheduler = |number| [3, 7, 15].contains(number);
    assert!(chance.iter().all(by_scheduler), "in all others it isn't chance: {chance:?}");

    let addr = own_addr().unwrap();
    let program = example("gallery").unwrap();
    let command = [program.into(), name.into(), addr.to_string().into()];
    let examinee = Examinee::meet(&command, &[addr.into()], &Terms::default()).unwrap();
    let report = examinee.sit(&mut |number, answer| {
        print!("{}", answer.row(number, QUESTIONS[number - 1].name, Paint::Plain));
    });
    println!("{}", report.verdict.line);
    let mut fails = report.numbers(Outcome::Fails);
    fails.retain(|number| !chance.contains(number));
    let fails: Vec<String> = fails.iter().map(usize::to_string).collect();
    let fails = if fails.is_empty() { "none".to_owned() } else { fails.join(", ") };
    assert_eq!(fails, certain, "the questions that it fails");
    assert_eq!(cell(report.verdict.lesson), lesson, "{}", report.verdict.line);

    let held = report.answers[3].seen.held.first().map(|tally| tally.zombies);
    let left = held.or_else(|| left_of_five(&examinee).unwrap());
    assert_eq!(cell(left), zombies, "zombies of five children");
    assert_eq!(hangs(&examinee).unwrap(), hang, "when it hangs");
    assert_eq!(spins(&examinee).unwrap(), spin, "who spins");

    let seen = &report.answers[1].evidence;
    assert!(seen.contains(evidence), "{seen}");
    let hints: Vec<_> = report.answers.iter().filter_map(|answer| answer.hint).collect();
    let hinted = hint.is_empty() || hints.iter().any(|it| it.ends_with(hint));
    assert!(hinted, "{hints:#?}");
    for is in is {
        assert_eq!((examinee.kind(), examinee.ways.sigchld), *is);
    }
}

/// A server of the gallery, not started yet.
fn gallery(name: &str) -> Launch {
    Launch::new(example("gallery").unwrap()).arg(name).arg("127.0.0.1:0")
}

/// The zombies that are left where the exam can't ask, because those who serve are no children of
/// the server's: five clients come, the server is held still, they leave. `None` where five can't
/// be served, or where nobody is left to count.
fn left_of_five(examinee: &Examinee) -> Result<Option<usize>> {
    if examinee.kind() == OneByOne || examinee.kind() == Child {
        return Ok(None);
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 5)?;
    let hold = server.hold()?;
    burst.leave()?;
    hold.release();
    burst.clients().iter().try_for_each(Conversation::hear_end)?;
    server.settled()?;
    Ok(Some(server.zombies_and_orphans().0.len()))
}

/// When a newcomer isn't served: one client stays, another leaves, a third one comes.
fn hangs(examinee: &Examinee) -> Result<&'static str> {
    if examinee.kind() == OneByOne {
        return Ok("while a client stays"); // which is how the exam has found out
    }
    let server = examinee.start()?;
    let stays = server.greet()?;
    let leaves = server.greet()?;
    let child = server.serving(&leaves)?.first().copied();
    server.manner().goodbye.say(&leaves)?;
    child.map(|pid| ps::dies(pid, PATIENCE));
    // Before the signal is taken, a newcomer could slip into the accept that it interrupts.
    if server.wait_for("the signal to be taken", |it| !it.sigchld_pending).is_err() {
        return Ok("it ends");
    }
    let newcomer = server.connect();
    match newcomer.as_ref().map(|newcomer| newcomer.say(HELLO)) {
        Ok(Ok(())) => return Ok("no"),
        Ok(Err(error)) if error.is_silent() => {}
        // A process that ends closes its sockets first, and is dead a moment later.
        _ if ps::dies(server.pid(), PATIENCE) => return Ok("it ends"),
        _ => return Ok("the newcomer is turned away"),
    }
    server.manner().goodbye.say(&stays)?;
    let late = newcomer?.expect(HELLO).is_ok();
    Ok(if late { "while a child lives" } else { "for good" })
}

/// Which process doesn't come to rest when one client stays and another breaks off without a word.
fn spins(examinee: &Examinee) -> Result<&'static str> {
    let server = examinee.start()?;
    let stays = (examinee.kind() != OneByOne).then(|| server.greet()).transpose()?;
    let rude = server.greet()?;
    let child = server.serving(&rude)?.first().copied();
    drop(rude);
    if let Some(child) = child {
        // An empty message after the end: it has read the end more than once.
        let reads_on = || server.log().stdout().matches("received \"\"").count() > 3;
        if poll::until(PATIENCE, || (reads_on() || !ps::lives(child)).then(reads_on)) != Some(false)
        {
            return Ok("a child");
        }
    }
    // Once it spins it never rests; others may still be about to when they are looked at.
    let spins = (0..5).all(|_| condition(&server).1 == Some(Cause::Spins));
    drop(stays);
    Ok(if spins { "the server" } else { "no" })
}

// What the exam can't see: a death in the middle of what the handler does, too. The server's
// stdout is a pipe that nobody reads; once that is full, the server stands still in a print.

/// Starts a server, whose first child dies while it stands still in the line that tells of the
/// second: the first one's words have filled the pipe.
fn bereft_in_a_print(launch: Launch) -> Option<Server> {
    let server = launch.stdout(Stdout::Unread).start().unwrap();
    or_skip(syscall::readable(server.pid()))?;
    let talker = Conversation::connect(server.addr(), Duration::from_secs(1)).unwrap();
    talker.say(b"xxxx").unwrap();
    let child = server.census().unwrap().children[0].pid;
    // Each word is a line in the pipe, shorter than the server's own, until there is no room.
    for _word in 0..10_000 {
        if talker.say(b"xxxx").is_err() && syscall::sleeps_in(child) == Some(libc::SYS_write) {
            break;
        }
    }
    std::mem::forget(talker); // its end would wake the child
    let newcomer = server.connect().unwrap();
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_write).unwrap();
    std::mem::forget(newcomer);
    send(child, libc::SIGKILL).unwrap();
    Some(server)
}

#[test]
fn a_death_in_the_middle_of_a_print_aborts_who_prints_in_the_handler() {
    let told = ["0", "it ends, by chance", "no", "3", "by chance any"];
    assert_eq!(row("prints-in-handler"), told);
    let Some(server) = bereft_in_a_print(gallery("prints-in-handler")) else { return };
    assert!(ps::dies(server.pid(), PATIENCE), "state {:?}", ps::state(server.pid()));
    server.log().wait_for("already borrowed", 1);
    assert_eq!(condition(&server).1, Some(Cause::Died), "what the exam hints at");
}

#[test]
fn a_death_while_the_lock_is_held_hangs_who_locks_in_the_handler() {
    let told = ["0", "for good, by chance", "no", "3", "by chance any"];
    assert_eq!(row("mutex-in-handler"), told);
    let Some(server) = bereft_in_a_print(gallery("mutex-in-handler")) else { return };
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_futex).unwrap();
    server.wait_for("the dead child to be reaped", |family| family.children.len() == 1).unwrap();
    assert_eq!(ps::state(server.pid()), Some('S'));
    // Not every kernel tells where it stands.
    let (state, cause) = condition(&server);
    assert!(state == "S" || cause == Some(Cause::Lock), "what the exam hints at: {state}");
}

/// The control: the handler of lesson 3 calls nothing that could mind.
#[test]
fn lesson_3_bears_a_death_in_the_middle_of_a_print() {
    let launch = Launch::lesson(program("lesson-03").unwrap(), ANYWHERE);
    let Some(server) = bereft_in_a_print(launch) else { return };
    server.wait_for("the dead child to be reaped", |family| family.children.len() == 1).unwrap();
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_write).unwrap();
}

// The page.

#[test]
fn the_page_shows_the_gallery_and_nothing_else() {
    let page = page();
    let file = |name: &str| format!("{}.rs", name.replace('-', "_"));
    let files = fs::read_dir(root().join("tests/examples/gallery")).unwrap();
    let files: BTreeSet<_> =
        files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    let tried = GALLERY.iter().copied().chain(["main"]).map(file);
    assert_eq!(files, tried.collect(), "the gallery's programs, and those that are tried here");

    let rows = page.lines().filter_map(|line| line.strip_prefix("| [")?.split_once(']'));
    let titles: Vec<&str> = rows.map(|(name, _)| name).collect();
    assert_eq!(titles, GALLERY, "the table of {PAGE}");

    let sections: Vec<&str> = page.split("\n### ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().map(|it| it.lines().next().unwrap()).collect();
    assert_eq!(titles, GALLERY, "the sections of {PAGE}");
    for (section, name) in sections.iter().zip(GALLERY) {
        let file = format!("tests/examples/gallery/{}", file(name));
        assert!(section.contains(&format!("(../{file})")), "{name}: no link to {file}");
        assert!(section.contains(&format!("<!-- excerpt: {file}")), "{name}: no excerpt");
    }
}
