//! Statements of which Python itself is the subject. They need python3.

use std::process::{Command, Stdio};

use client::ps::{self, SIGCHLD_BIT};
use harness::eventually;
use harness::hold::Hold;
use harness::server::Launch;

use crate::facts::Facts;
use crate::subject::served;

/// A python3 that has what these tests need, by its own path and not that of a wrapper.
fn python() -> Option<Launch> {
    let script = "import ctypes, socketserver, sys; print(sys.executable)";
    let output = Command::new("python3").args(["-c", script]).stdin(Stdio::null()).output();
    let Some(output) = output.ok().filter(|it| it.status.success()) else {
        harness::skip("python3, with ctypes and socketserver, isn't here");
        return None;
    };
    Some(Launch::new(String::from_utf8(output.stdout).unwrap().trim_end()).arg("-c"))
}

/// A handler must take two parameters, the signal and the stack frame.
///
/// Verdict: half-true.
#[test]
fn c13_the_kernel_calls_handlers_with_one_parameter_or_three_and_python_with_two() {
    let facts = Facts::of("handler-shapes");
    facts.are([("one", &libc::SIGUSR1.to_string()), ("three", &libc::SIGUSR2.to_string())]);
    facts.are([("sender", facts.get("me"))]); // the third parameter tells more

    let Some(python) = python() else { return };
    let facts = Facts::from_run(python.arg(
        r#"
import signal
handlers = lambda a: None, lambda a, b: None, lambda a, b, c: None
for count, handler in enumerate(handlers, start=1):
    signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
        print(f"{count}=called")
    except TypeError:
        print(f"{count}=TypeError")
"#,
    ));
    facts.are([("1", "TypeError"), ("2", "called"), ("3", "TypeError")]);
}

/// Python's signal() is a thin wrapper of the system call.
///
/// Verdict: false.
#[test]
fn c14_a_python_handler_runs_later_than_the_signal_and_without_sa_restart() {
    let Some(python) = python() else { return };
    // One thread locks a mutex of C's; the main thread waits for it, in C, and is interrupted
    // there. pthread_mutex_lock(3) goes on waiting: only Python's own code could run a handler.
    let facts = Facts::from_run(python.arg(
        r#"
import ctypes, os, signal, threading, time

SIGUSR1 = int(signal.SIGUSR1)
libc = ctypes.CDLL(None)
mutex = ctypes.create_string_buffer(128)
calls = []
signal.signal(signal.SIGUSR1, lambda signum, frame: calls.append(signum))

class Action(ctypes.Structure):
    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ubyte * 128),
                ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]
action = Action()
libc.sigaction(SIGUSR1, None, ctypes.byref(action))
print(f"restarts={action.flags & 0x10000000 != 0}")

main_thread = f"/proc/self/task/{os.getpid()}/stat"
locked = threading.Event()
def interrupt():
    libc.pthread_mutex_lock(mutex)
    locked.set()
    while ") S " not in open(main_thread).read():
        time.sleep(0.001)
    os.kill(os.getpid(), SIGUSR1)
    while SIGUSR1 in signal.sigpending():
        time.sleep(0.001)
    print(f"while_blocked={len(calls)}")
    libc.pthread_mutex_unlock(mutex)
thread = threading.Thread(target=interrupt)
thread.start()
locked.wait()
libc.pthread_mutex_lock(mutex)
print(f"afterwards={len(calls)}")
"#,
    ));
    facts.are([("while_blocked", "0"), ("afterwards", "1")]);
    // The C library's signal() asks for interrupted calls to be restarted; Python's does not.
    facts.are([("restarts", "False")]);
    Facts::of("handler-shapes").are([("restarts", "true")]);
}

/// The core of socketserver's ForkingMixIn is fork and a signal handler.
///
/// Verdict: false.
#[test]
fn c26_pythons_forking_mix_in_has_no_handler_and_polls_twice_a_second() {
    let Some(python) = python() else { return };
    let server = python.arg(
        r#"
import os, socketserver, time
waitpid = os.waitpid
def told(pid, options):
    returned = waitpid(pid, options)
    print(f"waitpid({pid}, {options}) = {returned[0]} at {time.monotonic()}", flush=True)
    return returned
os.waitpid = told
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while (message := self.request.recv(1024)) not in (b"", b"Bye"):
            self.request.sendall(message)
socketserver.ForkingTCPServer(("127.0.0.1", 0), Echo).serve_forever()
"#,
    );
    let server = server.start().unwrap();
    let caught = ps::status(server.pid()).unwrap().sigcgt;
    assert_eq!(caught & SIGCHLD_BIT, 0, "SigCgt {caught:#x}");

    // It asks for the child by its pid, with WNOHANG, although nothing has happened: right after the
    // fork, and then at each turn of its loop.
    let (client, child) = served(&server);
    let question = format!("waitpid({child}, 1) = 0 at ");
    server.log().wait_for(&question, 3);
    let log = server.log().stdout();
    let times = log.lines().filter_map(|line| line.strip_prefix(&question)?.parse().ok());
    let asked: Vec<f64> = times.collect();
    assert!(asked[2] - asked[1] > 0.45, "{asked:?}");

    // So a zombie stays until it asks again.
    let hold = Hold::still(server.pid()).unwrap();
    client.bye().unwrap();
    let dead = server.wait_for("a zombie", |family| family.zombies() == 1).unwrap();
    assert!(!dead.sigchld_pending, "nobody has asked for the signal: {dead}");
    hold.release();
    eventually("the zombie to be reaped", || ps::state(child), Option::is_none);
    server.log().wait_for(&format!("waitpid({child}, 1) = {child} at "), 1);
}
