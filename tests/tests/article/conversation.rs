//! What the article takes for granted about its conversations and its log. That lesson 3 bears what
//! the article's server doesn't, `survival` says.

use client::{Conversation, ps};
use harness::eventually;
use harness::hold::Hold;
use harness::server::{ANYWHERE, HELLO};
use procfs::net::TcpState;

use crate::subject::{articles_server, lesson, served, wait_for_ends};

/// One recv is one message.
///
/// Verdict: false.
#[test]
fn c29_two_messages_may_arrive_as_one_and_then_no_bye_is_heard() {
    let server = lesson("lesson-03");
    let (client, child) = served(&server);
    let hold = Hold::still(child).unwrap();
    client.send(b"hello").unwrap();
    client.bye().unwrap();
    hold.release();
    client.expect(b"helloBye").unwrap();
    client.say(HELLO).unwrap(); // the conversation goes on
}

/// Every client says Bye before it leaves.
///
/// Verdict: false.
#[test]
fn c30_a_client_that_leaves_without_bye_keeps_the_articles_child_going_round_for_ever() {
    let server = articles_server("first", ANYWHERE).start().unwrap();
    let (client, child) = served(&server);
    let local = client.local_addr().unwrap();
    drop(client);
    // It reads end-of-file, sends nothing back, and reads again: each round sleeps once.
    let sleeps = || ps::status(child).unwrap().voluntary_ctxt_switches.unwrap();
    let enough = sleeps() + 5;
    eventually("five more rounds", sleeps, |it| *it >= enough);
    wait_for_ends(server.addr(), local, [Some(TcpState::CloseWait), Some(TcpState::FinWait2)]);
}

/// Every message is whole UTF-8, and no connection is cut off.
///
/// Verdict: false.
#[test]
fn c31_half_a_character_or_a_reset_sends_the_articles_child_back_to_accept() {
    let send_half = |client: Conversation| client.send(&"é".as_bytes()[..1]);
    for end in [send_half, Conversation::reset] {
        let server = articles_server("first", ANYWHERE).start().unwrap();
        let (client, child) = served(&server);
        end(client).unwrap();
        server.log().wait_for(&format!("{child} cannot accept: Bad file descriptor"), 1);
    }
}

/// A log that goes to a file tells everything once.
///
/// Verdict: false.
#[test]
fn c32_lines_still_in_the_buffer_are_written_once_by_each_child() {
    let server = articles_server("first", ANYWHERE).start().unwrap();
    (0..3).for_each(|_| server.greet().unwrap().part().unwrap());
    server.log().wait_for("message: Bye", 3);
    let banners = server.log().stdout().matches("waiting for clients").count();
    assert_eq!(banners, 3, "written once by the server, which has not flushed it yet");
}
