//! The library's conversation with servers that behave, and with those that don't. Each server
//! is a thread of its test, on a port of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client::{BYE, Conversation, Error, poll};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

/// Longer than anything here takes, on a machine that is busy with something else too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that serves one client as `serve` says, and returns what that returns.
fn server<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    (addr, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

/// Says something to a server that answers it as `serve` says, which is not as it should.
fn say_to(serve: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, Error) {
    let (addr, server) = server(serve);
    let error = Conversation::connect(addr, PATIENCE).unwrap().say(b"hello").unwrap_err();
    server.join().unwrap();
    (addr, error)
}

#[test]
fn an_echo_is_heard_and_then_the_end() {
    let (addr, server) = server(|mut stream| {
        let message = read(&mut stream);
        // In two pieces: TCP has no message boundaries, so the client may not rely on any.
        stream.write_all(&message[..2]).unwrap();
        stream.write_all(&message[2..]).unwrap();
        read(&mut stream)
    });
    let client = Conversation::connect(addr, PATIENCE).unwrap();
    client.say(b"half \xc3 a character").unwrap();
    client.bye().unwrap();
    client.hear_end().unwrap();
    assert_eq!(server.join().unwrap(), BYE);
}

#[test]
fn an_early_end_is_told_with_how_much_was_heard() {
    let (addr, error) = say_to(|mut stream| {
        read(&mut stream);
        stream.write_all(b"he").unwrap();
    });
    assert_eq!(error.to_string(), format!("{addr} closed after 2 of 5 bytes of the echo"));
    assert!(error.is_end_of_file() && !error.is_silent() && !error.is_refused());
}

#[test]
fn other_bytes_are_no_echo() {
    let (addr, error) = say_to(|mut stream| {
        read(&mut stream);
        stream.write_all(b"HELLO").unwrap();
    });
    assert_eq!(error.to_string(), format!("{addr} sent back other bytes than it was sent"));
    assert!(!error.is_end_of_file());
}

#[test]
fn a_reset_is_no_end_of_file() {
    let (addr, error) = say_to(|mut stream| {
        read(&mut stream);
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&stream, sockopt::Linger, &at_once).unwrap();
    });
    let error_text = error.to_string();
    assert!(error_text.starts_with(&format!("lost the connection to {addr}: ")), "{error}");
    assert!(!error.is_end_of_file());
}

#[test]
fn words_after_bye_are_told() {
    let (addr, server) = server(|mut stream| {
        read(&mut stream);
        stream.write_all(b"wait, one more thing").unwrap();
    });
    let client = Conversation::connect(addr, PATIENCE).unwrap();
    client.bye().unwrap();
    let error = client.hear_end().unwrap_err().to_string();
    assert_eq!(error, format!("{addr} sent more where end-of-file was due"));
    server.join().unwrap();
}

#[test]
fn silence_is_borne_as_long_as_patience_lasts() {
    let (addr, server) = server(|mut stream| {
        read(&mut stream);
        read(&mut stream) // the client's end, once it has lost patience
    });
    let client = Conversation::connect(addr, Duration::from_millis(50)).unwrap();
    let start = Instant::now();
    let error = client.say(b"hello").unwrap_err();
    assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
    assert_eq!(error.to_string(), format!("{addr} did not answer for 0.05 s"));
    assert!(error.is_silent());
    drop(client);
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn a_server_that_does_not_read_is_silent_too() {
    let (addr, server) = server(|stream| stream);
    let client = Conversation::connect(addr, Duration::from_millis(50)).unwrap();
    let _unread = server.join().unwrap();
    // More than the buffers of both ends may grow to: net.ipv4.tcp_wmem and tcp_rmem, tcp(7).
    let error = client.send(&vec![0; 64 << 20]).unwrap_err();
    assert!(error.is_silent(), "{error}");
}

#[test]
fn nobody_there_is_refused() {
    // A port that is not listened on any more but still taken, so that nobody else gets it.
    let (addr, server) = server(|stream| stream);
    let _taken = (TcpStream::connect(addr).unwrap(), server.join().unwrap());
    let error = Conversation::connect(addr, PATIENCE).unwrap_err();
    assert!(error.is_refused());
    assert!(error.to_string().starts_with(&format!("nobody listens on {addr}: ")), "{error}");
}

#[test]
fn a_half_closed_client_still_hears() {
    let (addr, server) = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    let client = Conversation::connect(addr, PATIENCE).unwrap();
    client.send(b"hello").unwrap();
    client.close_half().unwrap();
    client.expect(b"hello").unwrap();
    client.hear_end().unwrap();
    server.join().unwrap();
}

#[test]
fn a_client_that_resets_says_no_goodbye() {
    let (addr, server) = server(|mut stream| stream.read(&mut [0]).unwrap_err().kind());
    Conversation::connect(addr, PATIENCE).unwrap().reset().unwrap();
    assert_eq!(server.join().unwrap(), ErrorKind::ConnectionReset);
}

#[test]
fn polling_looks_at_least_once() {
    assert_eq!(poll::until(Duration::ZERO, || Some("seen")), Some("seen"));
    let mut looks = 0;
    assert_eq!(
        poll::until(Duration::ZERO, || -> Option<()> {
            looks += 1;
            None
        }),
        None
    );
    assert_eq!(looks, 1);
}

#[test]
fn polling_lasts_until_something_is_seen() {
    let mut looks = 0;
    let seen = poll::until(PATIENCE, || {
        looks += 1;
        (looks == 5).then_some(looks)
    });
    assert_eq!(seen, Some(5));
}

#[test]
fn polling_ends_with_patience_and_keeps_no_core_busy() {
    let patience = Duration::from_millis(100);
    let start = Instant::now();
    let mut looks = 0;
    assert_eq!(
        poll::until(patience, || -> Option<()> {
            looks += 1;
            None
        }),
        None
    );
    assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
    // A quarter of a millisecond, doubled up to ten: seven pauses, then eight or nine of ten.
    assert!((2..=20).contains(&looks), "{looks} looks");
}

#[test]
fn a_connection_that_cannot_be_made_is_told_with_the_kernels_reason() {
    // 255.255.255.255 is everybody, and TCP talks to one: connect(2) fails before a packet leaves.
    let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    let error = Conversation::connect(everybody, PATIENCE).unwrap_err();
    let told = error.to_string();
    assert!(!error.is_refused(), "{told}");
    assert!(told.starts_with("cannot connect to 255.255.255.255:9: "), "{told}");
    assert!(!told.contains("ulimit"), "{told}");
    assert_eq!(format!("{error:?}"), told);
}
