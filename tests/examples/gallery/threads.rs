//! Serves each client in a thread of its own; there is no fork.
//!
//! It looks right because it is: clients are served side by side, and threads leave no zombies.
//!
//! Wrong, where a fork server is wanted: the conversations share one process. A fault in one
//! ends all, they share one limit of open files, and none can be killed by itself.

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
