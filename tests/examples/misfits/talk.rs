//! How they talk: children that do not echo, or say more than the echo.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::common::{answer, echo};

pub(crate) fn farewell(connection: TcpStream) {
    let Ok(mut copy) = connection.try_clone() else { return };
    echo(connection);
    let _ = copy.write_all(b"Goodbye\n"); // who is gone doesn't hear it
}

fn lines(connection: &TcpStream) -> impl Iterator<Item = Vec<u8>> {
    BufReader::new(connection).split(b'\n').map_while(Result::ok)
}

pub(crate) fn echo_lines(connection: TcpStream) {
    let _ = lines(&connection)
        .try_for_each(|line| (&connection).write_all(&[&line[..], b"\n"].concat()));
}

pub(crate) fn prefix(connection: TcpStream) {
    let _ = answer(connection, |message| [b"you: ", message].concat());
}

/// As SMTP and FTP do: a code before each line, and the server speaks first.
pub(crate) fn banner(connection: TcpStream) {
    let mut lines = lines(&connection);
    let mut answer = b"220 ready\r\n".to_vec();
    while (&connection).write_all(&answer).is_ok() && !answer.starts_with(b"221") {
        let Some(line) = lines.next() else { break };
        answer = match line.trim_ascii_end() {
            b"QUIT" => b"221 bye\r\n".to_vec(),
            line => [b"250 ", line, b"\r\n"].concat(),
        };
    }
}

/// As HTTP/1.0 does, all too briefly: a request ends with an empty line, the answer with the
/// connection.
pub(crate) fn one_answer(connection: TcpStream) {
    let mut lines = lines(&connection);
    let answer: &[u8] = match lines.next() {
        Some(first) if !first.trim_ascii_end().ends_with(b"HTTP/1.0") => {
            b"HTTP/1.0 400 Bad Request\r\n\r\n"
        }
        _ if lines.any(|line| line.trim_ascii().is_empty()) => {
            b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
        }
        _ => return,
    };
    let _ = (&connection).write_all(answer);
}
