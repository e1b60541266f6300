//! A terminal of its own for a program under test, and somebody who reads it: pty(7).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use harness::{PATIENCE, poll};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::setsid;

/// A program on its terminal.
pub(crate) struct OnTerminal {
    pub(crate) process: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    /// Starts `command` as somebody at a terminal would: it controls the program, and stdin,
    /// stdout and stderr lead there.
    pub(crate) fn start(mut command: Command) -> OnTerminal {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let master = options.open("/dev/ptmx").expect("a terminal can be opened");
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: both take an open terminal and numbers, and touch no memory.
        let slave = unsafe {
            libc::unlockpt(master.as_raw_fd());
            libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags)
        };
        let slave = Errno::result(slave).expect("the terminal has another end");
        // SAFETY: the descriptor was opened right now, and nobody else owns it.
        let slave = unsafe { OwnedFd::from_raw_fd(slave) };
        let streams = [(); 3].map(|()| slave.try_clone().expect("a descriptor is left"));
        let [stdin, stdout, stderr] = streams;
        command.stdin(stdin).stdout(stdout).stderr(stderr).env("TERM", "xterm");
        let control = || {
            setsid()?;
            for signal in [Signal::SIGINT, Signal::SIGTERM] {
                // This test may be run in the background, where shells ignore SIGINT.
                // SAFETY: the default disposition runs no code of ours.
                unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
            }
            // SAFETY: this ioctl takes a number and touches no memory.
            Errno::result(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) })?;
            Ok(())
        };
        // SAFETY: `control` makes system calls only.
        unsafe { command.pre_exec(control) };
        let process = command.spawn().expect("it can be started");
        drop((command, slave)); // with the last of these the screen goes dark: read fails
        let mut screen = master.try_clone().expect("a descriptor is left");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = seen.clone();
        let reader = thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut some) {
                shown.lock().expect("nobody panics with it").extend(&some[..length]);
            } // EIO, after all has been read
        });
        OnTerminal { process, keyboard: master, seen, reader }
    }

    /// What is on the screen so far.
    fn screen(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        String::from_utf8_lossy(&seen).replace("\r\n", "\n")
    }

    /// Waits until the screen ends with `text`.
    #[allow(dead_code, reason = "not every test that needs a terminal is asked something")]
    pub(crate) fn wait_for(&self, text: &str) {
        let shows = poll::until(PATIENCE, || self.screen().ends_with(text).then_some(()));
        assert!(shows.is_some(), "no {text:?} at the end of {:?}", self.screen());
    }

    /// Presses a key.
    #[allow(dead_code, reason = "not every test that needs a terminal types")]
    pub(crate) fn press(&mut self, key: u8) {
        self.keyboard.write_all(&[key]).expect("the terminal takes it");
    }

    /// Waits for the program's end; returns how it ended and all that was on the screen.
    pub(crate) fn end(mut self) -> (std::process::ExitStatus, String) {
        let status = self.process.wait().expect("it is ours");
        let seen = self.seen.clone();
        self.reader.join().expect("the reader does not panic");
        let seen = seen.lock().expect("nobody panics with it");
        (status, String::from_utf8_lossy(&seen).replace("\r\n", "\n"))
    }
}
