//! Serves one client after the other; there is no fork.
//!
//! It looks right with one client at a time, and it leaves no zombie.
//!
//! Wrong, where clients take their time: the second connects, for the kernel sees to that, and
//! hears nothing until the first has left.

use std::net::TcpListener;

use crate::common::{Never, accept, echo};

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        echo(accept(&listener));
    }
}
