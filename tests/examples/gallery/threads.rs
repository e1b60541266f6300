//! Serves each client in its own thread, without a fork.
//!
//! Wrong where a fork server is wanted: a crash ends all conversations, none can be killed alone.

use std::net::TcpListener;
use std::thread;

use crate::common::{Never, accept, complain, echo};

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        let connection = accept(&listener);
        if let Err(error) = thread::Builder::new().spawn(move || echo(connection)) {
            complain("cannot start a thread", error);
        }
    }
}
