//! Serves one client after the other, without a fork.
//!
//! Wrong where clients take their time: the second one hears nothing until the first has left.

use std::net::TcpListener;

use crate::common::{Never, accept, echo};

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        echo(accept(&listener));
    }
}
