//! How they talk: children that do not echo, or say more than the echo.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::common::{converse, echo};

pub(crate) fn farewell(connection: TcpStream) {
    let Ok(mut copy) = connection.try_clone() else { return };
    echo(connection);
    let _ = copy.write_all(b"Goodbye\n"); // who is gone doesn't hear it
}

/// What is left without an end of line when the client has closed its side is echoed as it is.
pub(crate) fn echo_lines(connection: TcpStream) {
    let mut line = Vec::new();
    let mut lines = BufReader::new(&connection);
    while let Ok(1..) = lines.read_until(b'\n', &mut line) {
        if (&connection).write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
}

pub(crate) fn prefix(connection: TcpStream) {
    converse(connection, |message| [b"you: ", message].concat());
}

/// As SMTP and FTP do: a code before each line, and the server speaks first.
pub(crate) fn banner(connection: TcpStream) {
    let mut lines = BufReader::new(&connection);
    let mut answer = b"220 ready\r\n".to_vec();
    let mut line = Vec::new();
    while (&connection).write_all(&answer).is_ok() && line.trim_ascii_end() != b"QUIT" {
        line.clear();
        let Ok(1..) = lines.read_until(b'\n', &mut line) else { break };
        answer = match line.trim_ascii_end() {
            b"QUIT" => b"221 bye\r\n".to_vec(),
            _ => [b"250 ", &line[..]].concat(),
        };
    }
}

/// As HTTP/1.0 does, all too briefly: a request ends with an empty line, the answer with the
/// connection.
pub(crate) fn one_answer(connection: TcpStream) {
    let mut lines = BufReader::new(&connection);
    let mut line = Vec::new();
    let mut first = true;
    while let Ok(1..) = lines.read_until(b'\n', &mut line) {
        let text = line.trim_ascii_end();
        if first && !text.ends_with(b"HTTP/1.0") && !text.ends_with(b"HTTP/1.1") {
            let _ = (&connection).write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
            break;
        }
        if text.is_empty() {
            let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
            let _ = (&connection).write_all(answer);
            break;
        }
        first = false;
        line.clear();
    }
}
