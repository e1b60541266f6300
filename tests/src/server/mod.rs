//! A server that is watched from outside: started, spoken to, signalled, ended with all its own.

mod address;
mod clients;
mod launch;
mod log;
mod manner;
mod pid1;
mod running;
mod session;

pub use address::{ANYWHERE, Address, own_addr};
pub use launch::{Inherited, Launch, Stdout};
pub use log::Log;
pub use manner::{Children, Goodbye, HELLO, Manner, Talk};
pub use pid1::{Role, can_be_inside};
pub use running::{HARMLESS, Server, send};
pub use session::at_interrupt;
