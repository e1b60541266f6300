//! A terminal of its own for a program under test, and somebody who reads it: pty(7).
#![allow(dead_code, reason = "not every test that needs a terminal types or is asked something")]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use harness::PATIENCE;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};

/// A program on its terminal.
pub(crate) struct OnTerminal {
    pub(crate) process: Child,
    master: File,
    seen: Vec<u8>,
}

impl OnTerminal {
    /// Starts `command` as somebody at a terminal would: it controls the program, and stdin,
    /// stdout and stderr lead there.
    pub(crate) fn start(mut command: Command) -> OnTerminal {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let master = options.open("/dev/ptmx").expect("a terminal can be opened");
        resize(&master, 80);
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: both take an open terminal and numbers, and touch no memory.
        let slave = unsafe {
            libc::unlockpt(master.as_raw_fd());
            libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)
        };
        let slave = Errno::result(slave).expect("the terminal has another end");
        // SAFETY: the descriptor was opened right now, and nobody else owns it.
        let slave = unsafe { OwnedFd::from_raw_fd(slave) };
        let control = move || {
            for name in [Signal::SIGINT, Signal::SIGTERM] {
                // This test may be run in the background, where shells ignore SIGINT.
                // SAFETY: the default disposition runs no code of ours.
                unsafe { signal(name, SigHandler::SigDfl) }?;
            }
            // SAFETY: it takes the number of an open descriptor, whose copy here nobody else uses.
            Ok(Errno::result(unsafe { libc::login_tty(slave.as_raw_fd()) }).map(drop)?)
        };
        // SAFETY: `control` makes system calls only.
        unsafe { command.pre_exec(control) };
        let process = command.env("TERM", "xterm").spawn().expect("it can be started");
        OnTerminal { process, master, seen: Vec::new() }
    }

    /// What has been read of the screen.
    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace("\r\n", "\n")
    }

    /// Reads on; returns whether something came in time.
    fn read(&mut self) -> bool {
        let mut some = [0; 4096];
        let mut screen = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(PATIENCE).expect("it is short enough");
        if poll(&mut screen, timeout) != Ok(1) {
            return false;
        }
        let length = self.master.read(&mut some).unwrap_or(0); // EIO, once nobody can write
        self.seen.extend(&some[..length]);
        length > 0
    }

    /// Waits until `text` is printed; returns and forgets what came before.
    pub(crate) fn wait_past(&mut self, text: &str) -> String {
        let start = Instant::now();
        while !self.screen().contains(text) {
            let in_time = self.read() && start.elapsed() < PATIENCE;
            assert!(in_time, "no {text:?} in {:?}", self.screen());
        }
        let seen = self.screen();
        self.seen.clear();
        seen
    }

    /// Makes it so many columns wide.
    pub(crate) fn resize(&self, columns: u16) {
        resize(&self.master, columns);
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: u8) {
        self.master.write_all(&[key]).expect("the terminal takes it");
    }

    /// Takes the terminal away, and waits for the program's end.
    pub(crate) fn close(mut self) -> ExitStatus {
        drop(self.master);
        self.process.wait().expect("it is ours")
    }

    /// Waits for the program's end; returns how it ended and all that was on the screen.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        while self.read() {}
        (self.process.wait().expect("it is ours"), self.screen())
    }
}

fn resize(terminal: &File, columns: u16) {
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel only reads `size`.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Errno::result(done).expect("a terminal has a size");
}
