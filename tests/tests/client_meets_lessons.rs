//! The client's program and the servers that it is meant for, the lessons; and what the article's
//! own client, in Python, hears from them.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use harness::lessons::{LESSONS, program};
use harness::server::{Launch, Server};
use harness::{Error, or_skip, skip};
use nix::unistd::geteuid;
use terminal::OnTerminal;

mod terminal;

fn lesson(name: &str) -> Server {
    Server::lesson(program(name).unwrap()).unwrap()
}

fn client(args: &[&str], addr: SocketAddr) -> Command {
    let mut command = Command::new(program("client").unwrap());
    command.args(args).arg(addr.to_string()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("CLICOLOR");
    command
}

/// What a client that met no error has printed.
#[track_caller]
fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn lesson_03_keeps_none_and_a_child_of_another_client_is_listed_alive() {
    let server = lesson("lesson-03");
    let text = stdout(&client(&["--clients", "5"], server.addr()).output().unwrap());
    let (pid, addr) = (server.pid(), server.addr());
    let end = format!("lesson-03 (pid {pid}) listens on {addr} and has no children\n0 zombies\n");
    assert!(text.ends_with(&end), "{text}");

    let _other = server.greet().unwrap();
    let alive = server.census().unwrap().children[0].pid;
    let text = stdout(&client(&[], addr).output().unwrap());
    assert!(text.ends_with(&format!("{alive:>8}  S  sleeping\n0 zombies\n")), "{text}");
}

#[test]
fn a_terminal_gets_a_coloured_table_unless_no_color_is_set() {
    let server = lesson("lesson-01");
    let (status, screen) = OnTerminal::start(client(&[], server.addr())).end();
    assert!(status.success(), "{screen}");
    assert!(screen.contains("  \x1b[31mZ  zombie\x1b[0m\n"), "{screen:?}");
    assert!(screen.ends_with("\x1b[1;31m1 zombie\x1b[0m\n"), "{screen:?}");

    let mut command = client(&[], server.addr());
    command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1");
    let (status, screen) = OnTerminal::start(command).end();
    assert!(status.success(), "{screen}");
    assert!(screen.ends_with("  Z  zombie\n2 zombies\n"), "{screen:?}");
    assert!(!screen.contains('\x1b'), "{screen:?}");
}

/// Needs root, and a path to the program that others may take.
#[test]
fn a_server_that_it_may_not_look_into_is_no_error() {
    if !geteuid().is_root() {
        return skip("only root can run the client as somebody else than the server's user");
    }
    let server = lesson("lesson-01");
    let mut command = client(&["--messages", "1"], server.addr());
    // The overflow id: nobody, on every Linux. exec must be allowed to reach the program.
    let output = command.uid(65534).gid(65534).output();
    let output = output.map_err(Error::cannot("run the client as nobody here"));
    let Some(output) = or_skip(output) else { return };
    let text = stdout(&output);
    let expected = format!(
        "message 1\nmay not look into the process that listens on {}: another user's? Its zombies \
         are not counted\n",
        server.addr()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_listener_is_found_on_every_kind_of_address() {
    let no_v6 = TcpListener::bind("[::1]:0").is_err();
    if no_v6 {
        skip("there is no IPv6 here");
    }
    for (listen, connect) in [
        ("127.0.0.1:0", &["127.0.0.1"][..]),
        ("0.0.0.0:0", &["127.0.0.1"]),
        ("[::1]:0", &["::1"]),
        ("[::]:0", &["127.0.0.1", "::1"]), // both, as long as net.ipv6.bindv6only is 0
    ] {
        if no_v6 && listen.starts_with('[') {
            continue;
        }
        let launch = Launch::lesson(program("lesson-01").unwrap(), listen.parse().unwrap());
        let server = launch.start().unwrap();
        for (ip, zombies) in connect.iter().zip(1..) {
            let addr = SocketAddr::new(ip.parse().unwrap(), server.addr().port());
            let text = stdout(&client(&["--messages", "1"], addr).output().unwrap());
            let title = format!("lesson-01 (pid {}) listens on {addr};", server.pid());
            assert!(text.contains(&title), "{listen}: {text}");
            assert_eq!(text.matches("  Z  zombie\n").count(), zombies, "{listen}: {text}");
        }
    }
}

/// The article's protocol as its client speaks it: say, hear at most 1024 bytes, and at last
/// hear nothing to `Bye`.
const PYTHON_CLIENT: &str = "
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as line:
    for word in ['第一条', 'second', '3', 'Bye']:
        line.send(word.encode('utf-8'))
        print(line.recv(1024).decode('utf-8'))
";

#[test]
fn a_python_client_talks_to_every_lesson() {
    if Command::new("python3").arg("--version").output().is_err() {
        return skip("there is no python3 here");
    }
    for name in LESSONS.each_ref().map(|lesson| lesson.name) {
        let server = lesson(name);
        let addr = server.addr();
        let mut python = Command::new("python3");
        python.args(["-c", PYTHON_CLIENT]).arg(addr.ip().to_string()).arg(addr.port().to_string());
        let output = python.env("PYTHONUTF8", "1").stdin(Stdio::null()).output().unwrap();
        assert_eq!(stdout(&output), "第一条\nsecond\n3\n\n", "{name}");
    }
}
