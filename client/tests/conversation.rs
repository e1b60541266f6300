//! What the library does with servers that don't answer, which would keep the program half a
//! minute; and how it waits.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use client::{Conversation, poll};

#[test]
fn silence_is_borne_as_long_as_patience_lasts() {
    const PATIENCE: Duration = Duration::from_millis(50);
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(); // accepts nobody
    let addr = nobody.local_addr().unwrap();
    let client = Conversation::connect(addr, PATIENCE).unwrap();
    let start = Instant::now();
    let error = client.say(b"hello").unwrap_err();
    assert!(start.elapsed() >= PATIENCE, "{:?}", start.elapsed());
    assert_eq!(error.to_string(), format!("{addr} did not answer for 0.05 s"));
    assert!(error.is_silent());
    // More than the buffers of both ends may grow to: net.ipv4.tcp_wmem and tcp_rmem, tcp(7).
    let error = client.send(&vec![0; 64 << 20]).unwrap_err();
    assert!(error.is_silent(), "it does not read: {error}");
}

#[test]
fn a_connection_that_cannot_be_made_is_told_with_the_kernels_reason() {
    // 255.255.255.255 is everybody, and TCP talks to one: connect(2) fails before a packet leaves.
    let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    let error = Conversation::connect(everybody, Duration::from_secs(30)).unwrap_err();
    let line = error.to_string();
    assert!(!error.is_refused(), "{line}");
    assert!(line.starts_with("cannot connect to 255.255.255.255:9: "), "{line}");
    assert!(!line.contains("ulimit"), "{line}");
    assert_eq!(format!("{error:?}"), line);
}

#[test]
fn polling_looks_at_least_once_and_keeps_no_core_busy() {
    // A quarter of a millisecond, doubled up to twenty: seven pauses, then four of twenty.
    for (millis, expected) in [(0, 1..=1), (100, 2..=20)] {
        let patience = Duration::from_millis(millis);
        let (start, mut looks) = (Instant::now(), 0);
        let seen: Option<()> = poll::until(patience, || {
            looks += 1;
            None
        });
        assert_eq!(seen, None);
        assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
        assert!(expected.contains(&looks), "{looks} looks in {patience:?}");
    }
}
