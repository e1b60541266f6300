//! Holds the article's conversation with a server, then looks at the server as its author did
//! with ps: which children does it have, and how many of them are zombies?

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use client::ps::{self, Family, Process};
use client::ss::{self, Listener};
use client::{Conversation, Error};
use colored::Colorize;

/// How long a server may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the server's children get to die and be reaped before we look at them.
const SETTLING: Duration = Duration::from_secs(2);
/// Where every server and client of this workspace meets unless told otherwise.
const DEFAULT_ADDR: &str = "127.0.0.1:5555";

/// Talks to an echo server, says Bye, and shows what became of the server's children
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How many clients connect before any of them speaks; all say Bye at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// How many messages each client sends before it says Bye
    #[arg(long, value_name = "M", default_value_t = 10)]
    messages: u32,
    /// Address of the server, as IP:PORT
    #[arg(default_value = DEFAULT_ADDR)]
    addr: SocketAddr,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        colored::control::set_override(false); // CLICOLOR_FORCE or not
    }
    if let Err(error) = converse(&args) {
        let hint = if error.is_refused() { start_a_lesson(args.addr) } else { String::new() };
        let _ = writeln!(io::stderr(), "client: {error}{hint}");
        return ExitCode::FAILURE;
    }
    look_at_server(args.addr);
    ExitCode::SUCCESS
}

/// All connect, all send each message before any waits for its echo, all say `Bye`, all hear the
/// end: what the server does for one, it has to do for all at the same time.
fn converse(args: &Args) -> Result<(), Error> {
    let clients: Vec<Conversation> = (0..args.clients)
        .map(|_| Conversation::connect(args.addr, PATIENCE))
        .collect::<Result<_, _>>()?;
    for count in 1..=args.messages {
        let message = format!("message {count}");
        clients.iter().try_for_each(|client| client.send(message.as_bytes()))?;
        for (client, number) in clients.iter().zip(1..) {
            client.expect(message.as_bytes())?;
            print(match args.clients {
                1 => message.clone(),
                _ => format!("client {number}: {message}"),
            });
        }
    }
    clients.iter().try_for_each(Conversation::bye)?;
    clients.iter().try_for_each(Conversation::hear_end)
}

/// The table of the server's children. That it can't be drawn is worth a line, but no error.
fn look_at_server(addr: SocketAddr) {
    let family = match ss::listener(addr) {
        Ok(Listener::Held(holders)) => Family::settled(holders[0], SETTLING),
        Ok(Listener::Hidden) => {
            return print(format!(
                "may not look into the process that listens on {addr}: another user's? Its zombies are not counted"
            ));
        }
        Ok(Listener::Elsewhere) => {
            return print(format!(
                "no process on this machine listens on {addr}: its zombies are not counted"
            ));
        }
        Err(error) => Err(error),
    };
    let family = match family {
        Ok(family) => family,
        Err(error) => return print(format!("cannot look at the server's children: {error}")),
    };
    let Process { name, pid, .. } = &family.parent;
    if family.children.is_empty() {
        print(format!("{name} (pid {pid}) listens on {addr} and has no children"));
    } else {
        print(format!("{name} (pid {pid}) listens on {addr}; its children:"));
        print(format!("{:>8}  STATE", "PID").bold());
    }
    for child in &family.children {
        let state = format!("{}  {}", child.state, ps::state_name(child.state));
        let state = if child.is_zombie() { state.red() } else { state.green() };
        print(format!("{:>8}  {state}", child.pid));
    }
    let zombies = match family.zombies() {
        1 => "1 zombie".to_owned(),
        count => format!("{count} zombies"),
    };
    print(if family.zombies() == 0 { zombies.green() } else { zombies.red().bold() });
}

fn start_a_lesson(addr: SocketAddr) -> String {
    let addr = addr.to_string();
    let argument = if addr == DEFAULT_ADDR { String::new() } else { format!(" -- {addr}") };
    format!("; start a lesson there with: cargo run -p lesson-01{argument}")
}

/// Prints a line; that stdout is closed (`client | head`) must not end the conversation.
fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}
