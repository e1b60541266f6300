//! Reaps correctly, but the children read on until the client says `Bye`, like the article's.
//!
//! Wrong: when a client crashes, read(2) returns 0 for ever, and no reaper helps.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use crate::common::{Never, log, reap_all, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(reap_all, listener, echo_until_bye)
}

fn echo_until_bye(mut connection: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(length) = connection.read(&mut buffer) {
        let message = &buffer[..length];
        log(&format!("received {:?}", String::from_utf8_lossy(message)));
        if message == b"Bye" || connection.write_all(message).is_err() {
            break;
        }
        if message.is_empty() {
            sleep(Duration::from_millis(100)); // only to spare your machine
        }
    }
}
