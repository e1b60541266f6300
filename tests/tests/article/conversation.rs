//! What the article takes for granted about its conversations and its log. That lesson 3 bears what
//! the article's server doesn't, `survival` says.

use client::Conversation;
use harness::burst::HELLO;
use harness::hold::Hold;
use procfs::net::TcpState;
use procfs::process::Process;

use crate::kernel::{child_of, wait_for_ends, wait_to_be};
use crate::subject::{anywhere, articles_server, lesson, part, wait_for_words};

/// One recv is one message.
///
/// Verdict: false.
#[test]
fn c29_two_messages_may_arrive_as_one_and_then_no_bye_is_heard() {
    let server = lesson("lesson-03");
    let client = server.greet().unwrap();
    let child = child_of(&server, &client);
    let hold = Hold::still(child).unwrap();
    client.send(b"hello").unwrap();
    client.bye().unwrap();
    hold.release();
    client.expect(b"helloBye").unwrap();
    client.say(HELLO).unwrap(); // the conversation goes on
    assert_eq!(child_of(&server, &client), child);
}

/// Every client says Bye before it leaves.
///
/// Verdict: false.
#[test]
fn c30_a_client_that_leaves_without_bye_keeps_the_articles_child_going_round_for_ever() {
    let server = articles_server("first", anywhere()).start().unwrap();
    let client = server.greet().unwrap();
    let child = child_of(&server, &client);
    let local = client.local_addr().unwrap();
    drop(client);
    // It reads end-of-file, sends nothing back, and reads again: each round sleeps once.
    wait_for_ends(server.addr(), local, [Some(TcpState::CloseWait), Some(TcpState::FinWait2)]);
    let before = sleeps(child);
    wait_to_be("five more rounds", &true, || sleeps(child) >= before + 5);
    wait_for_ends(server.addr(), local, [Some(TcpState::CloseWait), Some(TcpState::FinWait2)]);
}

/// How often a process has given the processor away of itself.
fn sleeps(pid: i32) -> u64 {
    let status = Process::new(pid).and_then(|process| process.status()).unwrap();
    status.voluntary_ctxt_switches.unwrap()
}

/// Every message is whole UTF-8, and no connection is cut off.
///
/// Verdict: false.
#[test]
fn c31_half_a_character_or_a_reset_sends_the_articles_child_back_to_accept() {
    let send_half = |client: Conversation| client.send(&"é".as_bytes()[..1]);
    for end in [send_half, Conversation::reset] {
        let server = articles_server("first", anywhere()).start().unwrap();
        let client = server.greet().unwrap();
        let child = child_of(&server, &client);
        end(client).unwrap();
        wait_for_words(&server, &format!("{child} cannot accept: Bad file descriptor"));
    }
}

/// A log that goes to a file tells everything once.
///
/// Verdict: false.
#[test]
fn c32_lines_still_in_the_buffer_are_written_once_by_each_child() {
    let server = articles_server("first", anywhere()).start().unwrap();
    for _ in 0..3 {
        part(&server.greet().unwrap());
    }
    let count = |line| server.log().stdout().matches(line).count();
    wait_to_be("all children's lines", &3, || count("message: Bye"));
    let banners = count("waiting for clients");
    assert_eq!(banners, 3, "written once by the server, which has not flushed it yet");
}
