//! The program, with servers that are threads of the test: what it prints, and how it fails.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use client::poll;
use client::ss::{self, Listener};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

client::reset_signals_at_start!();

/// Longer than anything here takes, on a machine that is busy with something else too.
const PATIENCE: Duration = Duration::from_secs(30);

fn client(args: &[&str], addr: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client"));
    command.args(args).arg(addr.to_string()).stdin(Stdio::null());
    command
}

/// A server that takes `clients` clients and no more, serves them as `serve` says, and returns
/// what that returns.
fn server<T: Send + 'static>(
    clients: usize,
    serve: impl FnOnce(Vec<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let accepted = (0..clients).map(|_| listener.accept().unwrap().0);
        let streams: Vec<TcpStream> = accepted.collect();
        drop(listener);
        // A program that another test is starting has a copy of it from fork until exec.
        let gone = || matches!(ss::listener(addr), Ok(Listener::Elsewhere)).then_some(());
        poll::until(PATIENCE, gone).expect("the listener to be closed by all");
        for stream in &streams {
            // A client that waits for us as we wait for it: the test is to fail, not to hang.
            stream.set_read_timeout(Some(PATIENCE / 3)).unwrap();
        }
        serve(streams)
    });
    (addr, serving)
}

fn read(stream: &mut impl Read) -> String {
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Hears a message and sends it back.
fn echo(stream: &mut TcpStream) {
    let message = read(stream);
    stream.write_all(message.as_bytes()).unwrap();
}

/// What a program prints that ends with this status, on stdout and on stderr.
#[track_caller]
fn run(command: &mut Command, status: i32) -> (String, String) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// What a program prints that meets no error.
#[track_caller]
fn success(command: &mut Command) -> String {
    let (stdout, stderr) = run(command, 0);
    assert_eq!(stderr, "", "{stdout}");
    stdout
}

/// What a program prints before it fails, and its one line on stderr.
#[track_caller]
fn failure(command: &mut Command) -> (String, String) {
    let (stdout, stderr) = run(command, 1);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    (stdout, stderr.trim_end().to_owned())
}

#[test]
fn ten_messages_are_printed_when_they_are_echoed_and_then_bye() {
    let (addr, server) = server(1, |mut streams| {
        let mut heard = Vec::new();
        loop {
            heard.push(read(&mut streams[0]));
            if heard.last().unwrap() == "Bye" {
                return heard;
            }
            // In two pieces: TCP has no message boundaries, so the client may not rely on any.
            let (start, rest) = heard.last().unwrap().as_bytes().split_at(2);
            streams[0].write_all(start).unwrap();
            streams[0].write_all(rest).unwrap();
        }
    });
    let stdout = success(&mut client(&[], addr));
    let messages: Vec<String> = (1..=10).map(|count| format!("message {count}")).collect();
    let heard = server.join().unwrap();
    assert_eq!(heard[..10], messages);
    assert_eq!(heard[10..], ["Bye"]);
    let (printed, rest) = stdout.split_at(stdout.find("no process").expect(&stdout));
    assert_eq!(printed.lines().collect::<Vec<_>>(), messages);
    // The server takes nobody after its one client, so by now it is not to be found. No error.
    let elsewhere = "no process on this machine listens on";
    assert_eq!(rest, format!("{elsewhere} {addr}: its zombies are not counted\n"));
}

#[test]
fn five_clients_all_send_before_any_is_answered_and_all_say_bye_before_any_is_let_go() {
    let (addr, server) = server(5, |mut streams| {
        for message in ["message 1", "message 2"] {
            streams.iter_mut().for_each(|it| assert_eq!(read(it), message));
            streams.iter_mut().for_each(|it| it.write_all(message.as_bytes()).unwrap());
        }
        streams.iter_mut().for_each(|it| assert_eq!(read(it), "Bye"));
    });
    let stdout = success(&mut client(&["--clients", "5", "--messages", "2"], addr));
    server.join().unwrap();
    let lines = |message| (1..=5).map(move |number| format!("client {number}: {message}"));
    let expected: Vec<String> = ["message 1", "message 2"].into_iter().flat_map(lines).collect();
    assert_eq!(stdout.lines().take(10).collect::<Vec<_>>(), expected);
}

#[test]
fn no_client_speaks_before_the_last_one_is_connected() {
    // The fifth finds no descriptor left; so whatever is sent before the fifth shows.
    let (addr, server) =
        server(4, |mut streams| -> Vec<String> { streams.iter_mut().map(read).collect() });
    // Whatever else this test was started with counts too, but for the client it is closed.
    let limited = "exec 3<&- 4<&- 5<&- 6<&-; ulimit -n 7; exec \"$0\" --clients 5 \"$1\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", limited, env!("CARGO_BIN_EXE_client"), &addr.to_string()]);
    let (_, line) = failure(&mut shell);
    let way_out = "ask for fewer clients, or raise the limit (ulimit -n)";
    let why = format!("cannot connect to {addr}: no more than 7 files may be open; {way_out}");
    assert_eq!(line, format!("client: {why}"));
    assert_eq!(server.join().unwrap(), ["", "", "", ""], "all four left without a word");
}

#[test]
fn nobody_there_is_told_with_the_command_that_starts_a_lesson() {
    // A port that is not listened on any more but still taken, so that nobody else gets it.
    let (addr, server) = server(1, |streams| streams);
    let _taken = (TcpStream::connect(addr).unwrap(), server.join().unwrap());
    let (_, line) = failure(&mut client(&[], addr));
    assert!(line.starts_with(&format!("client: nobody listens on {addr}: ")), "{line}");
    let way_out = format!("; start a lesson there with: cargo run -p lesson-01 -- {addr}");
    assert!(line.ends_with(&way_out), "{line}");
}

#[test]
fn each_misbehaviour_has_its_own_line_and_nothing_is_printed_before_it_is_echoed() {
    let complains = |complaint: &str, printed: usize, misbehave: fn(&mut TcpStream)| {
        let (addr, server) = server(1, move |mut streams| misbehave(&mut streams[0]));
        let (stdout, line) = failure(&mut client(&[], addr));
        server.join().unwrap();
        assert_eq!(stdout.lines().count(), printed, "{stdout}");
        assert_eq!(line.replace(&addr.to_string(), "ADDR"), format!("client: {complaint}"));
    };
    complains("ADDR closed after 4 of 9 bytes of the echo", 0, |stream| {
        read(stream);
        stream.write_all(b"mess").unwrap();
    });
    complains("ADDR sent back other bytes than it was sent", 0, |stream| {
        let message = read(stream).to_uppercase();
        stream.write_all(message.as_bytes()).unwrap();
    });
    let reset = io::Error::from_raw_os_error(libc::ECONNRESET);
    complains(&format!("lost the connection to ADDR: {reset}"), 0, |stream| {
        read(stream);
        let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(stream, sockopt::Linger, &at_once).unwrap();
    });
    let even_the_bye = |stream: &mut TcpStream| (0..11).for_each(|_| echo(stream));
    complains("ADDR sent more where end-of-file was due", 10, even_the_bye);
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let client = || Command::new(env!("CARGO_BIN_EXE_client"));
    for args in [&["--clients", "0"][..], &["--clients", "1001"], &["--messages", "x"], &["here"]] {
        run(client().args(args), 2);
    }
    let help = success(client().arg("--help"));
    assert!(help.contains("127.0.0.1:5555"), "{help}");
}

#[test]
fn a_closed_stdout_ends_no_conversation() {
    let (addr, server) = server(1, |mut streams| {
        (0..10).for_each(|_| echo(&mut streams[0]));
        read(&mut streams[0])
    });
    let (reader, writer) = io::pipe().unwrap();
    drop(reader); // as head(1) does when it has seen enough
    success(client(&[], addr).stdout(writer).stderr(Stdio::piped()));
    assert_eq!(server.join().unwrap(), "Bye");
}
