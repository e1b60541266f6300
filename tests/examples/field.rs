//! Puts the exam to real servers: those of Debian's packages that fork a process for each
//! connection and can be made to echo, and a few classics in the languages that have fork.
//!
//! Packages that aren't here are skipped with a line. One that can't be installed beside another
//! is found unpacked in `target/field/PACKAGE`, where `dpkg-deb -R` puts it.

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use harness::exam::{Answer, Examinee, Outcome, QUESTIONS, Report, Terms};
use harness::lessons::{self, LESSONS};
use harness::server::{Server, own_addr};
use harness::{Error, Result, complain, print};

/// Puts the exam to the fork servers that are installed, and prints the results as Markdown
#[derive(Parser)]
struct Args {
    /// Only servers whose name contains one of these words
    names: Vec<String>,
}

/// What the table calls a server; Debian's package that it comes with, or that it is a trial of;
/// what starts it, in the foreground, as an echo server; what `{config}` holds, if the command names
/// it. What stands in braces is filled in by [`sit`].
type Candidate = [&'static str; 4];

const INETD_ECHO: &str = "{host}:echo stream tcp nowait root internal\n";
const INETD_CAT: &str = "{host}:{port} stream tcp nowait root /bin/cat cat\n";
const XINETD: &str = "socket_type = stream\n protocol = tcp\n wait = no\n user = root\n \
                      bind = {host}\n port = {port}\n cps = 1000000 1\n";

#[rustfmt::skip]
static FIELD: [Candidate; 32] = [
    // Programs that start another program, or a copy of themselves, for each connection.
    ["socat PIPE", "socat", "/usr/bin/socat TCP-LISTEN:{port},bind={host},reuseaddr,fork PIPE", ""],
    ["socat EXEC", "socat", "/usr/bin/socat TCP-LISTEN:{port},bind={host},reuseaddr,fork EXEC:cat",
        ""],
    ["ncat", "ncat", "/usr/bin/ncat -l -k -e /bin/cat {host} {port}", ""],
    ["busybox nc", "busybox", "/bin/busybox nc -ll -p {port} -e cat", ""],
    ["tcpserver", "ucspi-tcp", "/usr/bin/tcpserver -HRl0 {host} {port} cat", ""],
    ["tcpserver (ipv6)", "ucspi-tcp-ipv6", "/usr/bin/tcpserver -HRl0 {host} {port} cat", ""],
    ["tcpsvd", "ipsvd", "/usr/bin/tcpsvd -l0 {host} {port} cat", ""],
    ["mini-inetd", "tcputils", "/usr/bin/mini-inetd {host}:{port} /bin/cat cat", ""],
    ["faucet", "netpipes", "/usr/bin/faucet {port} --in --out cat", ""],
    ["systemd-socket-activate", "systemd",
        "/usr/bin/systemd-socket-activate --listen={host}:{port} --accept --inetd cat", ""],
    // Super-servers. All limit the rate of connections unless told otherwise.
    ["xinetd, own echo", "xinetd", "/usr/sbin/xinetd -dontfork -f {config} -pidfile {config}.pid",
        "service echo\n{\n type = INTERNAL UNLISTED\n id = own-echo\n {xinetd}}\n"],
    ["xinetd, cat", "xinetd", "/usr/sbin/xinetd -dontfork -f {config} -pidfile {config}.pid",
        "service cat\n{\n type = UNLISTED\n server = /bin/cat\n {xinetd}}\n"],
    ["openbsd-inetd, own echo", "openbsd-inetd", "/usr/sbin/inetd -d -R 0 {config}", INETD_ECHO],
    ["openbsd-inetd, cat", "openbsd-inetd", "/usr/sbin/inetd -d -R 0 {config}", INETD_CAT],
    ["inetutils-inetd, own echo", "inetutils-inetd",
        "/usr/sbin/inetutils-inetd -d -R 0 -p{config}.pid {config}", INETD_ECHO],
    ["inetutils-inetd, cat", "inetutils-inetd",
        "/usr/sbin/inetutils-inetd -d -R 0 -p{config}.pid {config}", INETD_CAT],
    ["rlinetd", "rlinetd", "/usr/sbin/rlinetd -d -f {config}",
        "service \"cat\" { port \"{port}\"; interface {host}; user \"root\"; \
         instances 1000; exec \"/bin/cat\"; }\n"],
    // Proxies, with lesson 3 behind them.
    ["redir", "redir", "/usr/bin/redir -n {host}:{port} {behind}", ""],
    ["simpleproxy", "simpleproxy", "/usr/bin/simpleproxy -L {host}:{port} -R {behind}", ""],
    ["6tunnel", "6tunnel", "/usr/bin/6tunnel -d -4 -l {host} {port} {behind-host} {behind-port}",
        ""],
    ["sslh", "sslh", "/usr/sbin/sslh -f -u root -p {host}:{port} --anyprot {behind}", ""],
    // Libraries that fork for their users.
    ["Python ForkingTCPServer", "python3",
        "/usr/bin/python3 {field}/forking_tcp_server.py {host} {port}", ""],
    ["Perl Net::Server::Fork", "libnet-server-perl",
        "/usr/bin/perl {field}/net_server_fork.pl {host} {port}", ""],
    ["Perl Net::Daemon", "libnet-daemon-perl", "/usr/bin/perl {field}/net_daemon.pl {host} {port}",
        ""],
    ["OCaml establish_server", "ocaml-nox",
        "/usr/bin/ocaml unix.cma {field}/establish_server.ml {host} {port}", ""],
    ["zsh ztcp", "zsh", "/bin/zsh -f {field}/ztcp.zsh {port}", ""],
    // Classics: what people write in these languages. Right or wrong, the code is ours.
    ["Perl, one wait", "perl", "/usr/bin/perl {field}/classic_one_wait.pl {host} {port}", ""],
    ["Perl, loop", "perl", "/usr/bin/perl {field}/classic_loop.pl {host} {port}", ""],
    ["Ruby, one wait", "ruby", "/usr/bin/ruby {field}/trap_one_wait.rb {host} {port}", ""],
    ["Ruby, detach", "ruby", "/usr/bin/ruby {field}/detach.rb {host} {port}", ""],
    ["PHP, loop", "php-cli", "/usr/bin/php {field}/pcntl_loop.php {host} {port}", ""],
    ["PHP, loop, EINTR", "php-cli", "/usr/bin/php {field}/pcntl_loop.php {host} {port} interrupt",
        ""],
];

fn main() -> ExitCode {
    match hold(&Args::parse().names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("field: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Examines everybody who is here, one after the other, then prints the results: a row for each
/// server, and below them what stands behind each failure.
fn hold(names: &[String]) -> Result<()> {
    let behind = Server::lesson(LESSONS[2].program()?)?;
    let numbers: Vec<String> = (1..=QUESTIONS.len()).map(|number| number.to_string()).collect();
    let (head, line) = (numbers.join(" | "), "---|".repeat(numbers.len()));
    let mut rows = format!("| server | {head} | lesson |\n|---|{line}---|\n");
    let mut evidence = String::new();
    for candidate @ [name, package, command, _] in &FIELD {
        if !names.is_empty() && !names.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let Some((version, root)) = find(package) else {
            complain(format_args!("{name}: skipped, {package} is not installed"));
            continue;
        };
        let (said, lesson, answers) = match sit(candidate, &root, &behind) {
            Ok(Report { answers, verdict }) => {
                let lesson = verdict.lesson.map_or("none".to_owned(), |lesson| lesson.to_string());
                (verdict.line, lesson, answers)
            }
            Err(error) => (error.to_string(), "–".to_owned(), Vec::new()),
        };
        complain(format_args!("{name}: {said}")); // stdout is Markdown and nothing else
        let marks = (0..QUESTIONS.len()).map(|at| answers.get(at).map_or("–", mark));
        rows += &format!("| {name} | {} | {lesson} |\n", marks.collect::<Vec<_>>().join(" | "));
        evidence += &format!("\n**{name}** ({package} {version})\n\n- `{command}`\n- {said}\n");
        for (answer, number) in answers.iter().zip(1..) {
            if matches!(answer.outcome, Outcome::Fails | Outcome::Noted) {
                let outcome = answer.outcome.name();
                evidence += &format!("- {number} {outcome}: {}\n", answer.evidence);
            }
        }
    }
    print(&(rows + &evidence));
    Ok(())
}

/// The exam for one server, on a loopback address of its own.
fn sit([_, _, command, config]: &Candidate, root: &str, behind: &Server) -> Result<Report> {
    let mut addr = own_addr()?;
    if config.contains(":echo ") {
        addr.set_port(7); // by its name; all that is free then is the loopback address
    }
    let configs = lessons::root().join("target/field/configs");
    let file = configs.join(addr.to_string());
    let fill = |text: &str| {
        text.replace("{xinetd}", XINETD)
            .replace("{host}", &addr.ip().to_string())
            .replace("{port}", &addr.port().to_string())
            .replace("{config}", &file.display().to_string())
            .replace("{field}", &lessons::root().join("tests/field").display().to_string())
            .replace("{behind}", &behind.addr().to_string())
            .replace("{behind-host}", &behind.addr().ip().to_string())
            .replace("{behind-port}", &behind.addr().port().to_string())
    };
    if !config.is_empty() {
        fs::create_dir_all(&configs)
            .and_then(|()| fs::write(&file, fill(config)))
            .map_err(Error::cannot(format!("write {}", file.display())))?;
    }
    let program = format!("{root}{command}");
    // The server behind a proxy runs in this machine's network.
    let host_network = program.contains("{behind");
    let command: Vec<_> = program.split_whitespace().map(|word| fill(word).into()).collect();
    let terms = Terms { host_network, ..Terms::default() };
    Ok(Examinee::meet(&command, &[addr.into()], &terms)?.sit(&mut |_, _| {}))
}

/// The version of a package that is here, and what its paths begin with: nothing if it is installed,
/// or the folder that it is unpacked in, beside another that it conflicts with.
fn find(package: &str) -> Option<(String, String)> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status} ${Version}", package]);
    let told = query.stdin(Stdio::null()).output().ok()?;
    if let Some(version) = String::from_utf8_lossy(&told.stdout).strip_prefix("installed ") {
        return Some((version.to_owned(), String::new()));
    }
    let folder = lessons::root().join("target/field").join(package);
    let control = fs::read_to_string(folder.join("DEBIAN/control")).ok()?;
    let version = control.lines().find_map(|line| line.strip_prefix("Version: "))?;
    Some((version.to_owned(), folder.display().to_string()))
}

fn mark(answer: &Answer) -> &'static str {
    match answer.outcome {
        Outcome::Holds => "·", // quiet, so that failures stand out
        Outcome::Fails => "✗",
        Outcome::Noted => "!",
        Outcome::CannotBeAsked => "–",
    }
}
