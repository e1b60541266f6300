//! The pictures on the pages: they can be read everywhere and by everybody, and show what is so.

mod picture;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio, id};
use std::sync::OnceLock;

use client::ps;
use harness::burst::Burst;
use harness::lessons::{LESSONS, program, root};
use harness::server::Server;
use harness::{PATIENCE, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use picture::race::Race;
use procfs::process::{FDTarget, Process};
use roxmltree::{Document, Node};
use terminal::OnTerminal;

/// The smallest letters, in pixels: on a phone a picture shrinks to two thirds.
const SMALLEST: u32 = 14;

#[test]
fn every_picture_can_be_read_everywhere() {
    let known = ["svg", "title", "desc", "style", "g", "text", "tspan", "rect", "circle", "line"];
    for picture in picture::drawn() {
        let name = &picture.name;
        let svg = Document::parse(&picture.text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = svg.root_element();
        assert_eq!(root.attribute("role"), Some("img"), "{name}");
        for told in ["title", "desc"] {
            let node = root.children().find(|node| node.has_tag_name(told));
            let text = node.and_then(|node| node.text()).unwrap_or_default();
            assert!(!text.trim().is_empty(), "{name} has no {told}");
            let id = node.and_then(|node| node.attribute("id"));
            assert_eq!(id, Some(told), "{name}: what aria-labelledby points to");
        }
        for node in svg.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            // No script, no image, no link; and a path is an arrow's head or a cross, no letter.
            let short = tag == "path" && node.attribute("d").is_some_and(|path| path.len() < 60);
            assert!(known.contains(&tag) || short, "{name} has a <{tag}>: {node:?}");
            for attribute in node.attributes() {
                let value = attribute.value();
                let pulls = value.contains("url(") || attribute.name().ends_with("href");
                assert!(!pulls, "{name} refers to {value}");
                let styled = ["style", "fill", "stroke", "font-size", "font-family"];
                assert!(!styled.contains(&attribute.name()), "{name}: {value} is not in its style");
            }
        }
    }
}

#[test]
fn all_pictures_have_one_style() {
    for picture in picture::drawn() {
        let now = picture::restyled(&picture.text);
        picture::hold(&picture.name, &now.unwrap_or_else(|| panic!("{}: no style", picture.name)));
    }
}

#[test]
fn the_style_is_for_light_and_dark_and_for_weak_eyes() {
    let (light, dark) = picture::STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for scheme in [light, dark].map(rules) {
        for ink in ["text", "text.quiet", "text.live", "text.stop", "text.dead", "text.reap"] {
            for paper in [".card", "rect", "rect.live", "rect.stop", "rect.dead", "rect.reap"] {
                let [on, under] = [ink, paper].map(|it| luminance(scheme[&(it, "fill")]));
                let contrast = (on.max(under) + 0.05) / (on.min(under) + 0.05);
                assert!(contrast >= 4.5, "{ink} on {paper}: {contrast:.1}; WCAG asks for 4.5");
            }
        }
    }
    for ((selector, property), value) in rules(light) {
        let words: Vec<&str> = value.split(' ').collect();
        if let "font" | "font-size" = property {
            let size = words[0].trim_end_matches("px").parse::<u32>().unwrap();
            assert!(size >= SMALLEST, "{selector} has letters of {size} px");
        }
        if let "font" | "font-family" = property {
            let everywhere = ["sans-serif", "monospace"];
            assert!(everywhere.contains(words.last().unwrap()), "{selector} asks for {value}");
        }
    }
}

/// The declarations of a style sheet that has a rule a line, by selector and property.
fn rules(style: &str) -> BTreeMap<(&str, &str), &str> {
    let mut rules = BTreeMap::new();
    for line in style.lines() {
        let Some((selectors, declarations)) = line.split_once(" { ") else { continue };
        for selector in selectors.split(", ") {
            for declaration in declarations.trim_end_matches(" }").split_terminator(';') {
                let (property, value) = declaration.split_once(':').expect("property: value");
                rules.insert((selector.trim(), property.trim()), value.trim());
            }
        }
    }
    rules
}

/// How light a colour such as `#0072b2` is, from 0 to 1, as WCAG 2 computes it.
fn luminance(color: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&color[at..at + 2], 16).expect("#rrggbb");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn every_picture_is_shown_with_words_for_who_cannot_see_it() {
    let mut pages = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|it| it == "md")));
    let mut shown = BTreeSet::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for (at, _) in text.match_indices("![") {
            let Some((alt, rest)) = text[at + 2..].split_once("](") else { continue };
            let Some((target, _)) = rest.split_once(')') else { continue };
            let Some((_, name)) = target.split_once("pictures/") else { continue };
            let place = format!("{}: {target}", page.display());
            assert!(page.with_file_name("").join(target).exists(), "{place} is not there");
            assert!(alt.split_whitespace().count() >= 8, "{place} says too little: {alt:?}");
            shown.insert(name.to_owned());
        }
    }
    let all: BTreeSet<String> = picture::all().into_iter().map(|picture| picture.name).collect();
    assert_eq!(all, shown, "the pictures there are, and those that a page shows");
}

/// The tour as it is on a terminal, run once.
fn tour() -> &'static str {
    static SCREEN: OnceLock<String> = OnceLock::new();
    SCREEN.get_or_init(|| {
        let mut tour = Command::new(env!("CARGO_BIN_EXE_tour"));
        // Only the tour's own lines.
        tour.envs([("CARGO_TERM_QUIET", "true"), ("CARGO_TERM_VERBOSE", "false")]);
        tour.env_remove("NO_COLOR");
        let (status, screen) = OnTerminal::start(tour).end();
        assert!(status.success(), "the tour failed: {status}: {screen}");
        screen
    })
}

#[test]
fn the_tours_picture_is_what_a_terminal_shows_now() {
    picture::hold("tour.svg", &picture::tour::picture(tour()));
    let svg = picture::read("tour.svg");
    let svg = Document::parse(&svg).unwrap();
    let lines = svg.descendants().filter(|node| node.has_tag_name("tspan"));
    let lines = lines.filter(|node| node.has_attribute("x"));
    let text: String = lines.map(|line| format!("{}\n", words(line).trim_end())).collect();
    assert_eq!(text, picture::tour::transcript(), "the picture and the text below it");
}

#[test]
fn the_time_line_is_the_tours() {
    let svg = picture::read("five-deaths-one-bit.svg");
    let svg = Document::parse(&svg).unwrap();
    let screen = without_colours(tour());
    for lesson in &LESSONS {
        let story = screen.split("\n\n").find(|story| story.starts_with(lesson.name)).unwrap();
        let lines: Vec<&str> = story.lines().skip(1).collect();
        let (verdict, steps) = lines.split_last().unwrap();
        let left = lesson.zombies_when_held_still(5);
        assert!(verdict.contains(&format!("{left} zombie")), "{verdict}");

        // Rows as the picture has them, from what the tour says step by step.
        let mut server = vec!["server".to_owned()];
        let mut children: Vec<_> = (1..=5).map(|child| vec![format!("child {child}")]).collect();
        let mut bit = vec!["SIGCHLD bit".to_owned()];
        for step in steps {
            let (_, seen) = step.split_once("  server ").unwrap();
            let (state, seen) = seen.split_once("  children: ").unwrap();
            server.push(state.to_owned());
            let seen = seen.strip_prefix("none").unwrap_or(seen);
            bit.push(u8::from(seen.contains("SIGCHLD pending")).to_string());
            let states: Vec<&str> =
                seen.split_whitespace().filter(|word| word.len() == 1).collect();
            // Which one it was that the server reaped, no letter tells.
            let reaped = children.len() - states[..states.len().min(5)].len();
            let reaped = vec!["reaped"; reaped];
            for (child, state) in children.iter_mut().zip(reaped.iter().chain(&states)) {
                child.push((*state).to_owned());
            }
        }
        let mut rows = vec![server];
        rows.extend(children);
        rows.push(bit);

        let panel = group(&svg, lesson.name);
        let drawn = table(panel);
        assert_eq!(drawn[1..8], rows, "{}: the picture, and the tour", lesson.name);
        assert_eq!(drawn[0].last(), Some(&format!("{left} zombies")), "{}", lesson.name);
    }
    let above: Vec<String> = svg.root_element().children().filter(is_label).map(words).collect();
    let above = above.join(" ");
    for step in ["5 clients served", "SIGSTOP", "all said Bye", "SIGCONT"] {
        assert!(above.contains(step), "the picture has no step {step}: {above}");
    }
}

#[test]
fn the_descriptors_of_parent_and_child_are_those_in_the_picture() {
    let program = LESSONS[0].program().unwrap();
    let server = Server::lesson(program).unwrap();
    let burst = Burst::connect(&server, 1).unwrap();
    let child = server.census().unwrap().children[0].pid;
    let alone = || {
        let (parent, child) = (sockets(server.pid()), sockets(child));
        (parent.len() == 1 && child.len() == 1).then_some([parent, child])
    };
    let [parent, child] = poll::until(PATIENCE, alone).expect("each keeps one socket");
    assert_eq!([&*parent, &*child], [[3], [4]], "after the closes");
    drop(burst);

    let svg = picture::read("sockets-across-fork.svg");
    let svg = Document::parse(&svg).unwrap();
    let page = fs::read_to_string(root().join("docs/lesson-01.md")).unwrap();
    for (pid, fd) in [("12701", 3), ("12969", 4)] {
        assert!(page.contains(&format!("pid={pid},fd={fd}")), "the page has other numbers");
    }
    let both = ["parent, pid 12701", "3", "listener", "4", "connection"];
    let as_child = ["child, pid 12969", "3", "listener", "4", "connection"];
    let closed = ["parent, pid 12701", "3", "listener", "4 closed"];
    let of_child = ["child, pid 12969", "3 closed", "4", "connection"];
    for (panel, processes, references) in [
        ("before", [&both[..], &["no child yet"]].concat(), 1),
        ("forked", [both, as_child].concat(), 2),
        ("closed", [closed, of_child].concat(), 1),
    ] {
        let labels: Vec<String> =
            group(&svg, panel).children().filter(is_label).map(words).collect();
        assert_eq!(labels[1..=processes.len()], processes, "{panel}");
        let told = labels.iter().filter(|label| label.contains("reference"));
        for told in told.collect::<Vec<_>>() {
            assert!(told.starts_with(&format!("{references} reference")), "{panel}: {told}");
        }
    }
}

/// The descriptors by which a process holds sockets that are not ours too.
fn sockets(pid: i32) -> Vec<i32> {
    let open = |pid| -> Vec<_> {
        let files = Process::new(pid).and_then(|process| process.fd());
        let files = files.into_iter().flatten().flatten();
        let socket = |target| if let FDTarget::Socket(inode) = target { Some(inode) } else { None };
        files.filter_map(|file| Some((file.fd, socket(file.target)?))).collect()
    };
    let ours = open(id().cast_signed());
    let mut sockets = open(pid);
    sockets.retain(|(_, inode)| ours.iter().all(|(_, other)| other != inode));
    sockets.sort_unstable();
    sockets.into_iter().map(|(fd, _)| fd).collect()
}

/// A child that doesn't outlive its test, however that ends.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may be dead and reaped
        let _ = self.0.wait();
    }
}

#[test]
fn a_child_lives_as_in_the_picture() {
    let svg = picture::read("life-of-a-child.svg");
    let svg = Document::parse(&svg).unwrap();
    let drawn =
        |id| -> Vec<String> { group(&svg, id).children().filter(is_label).map(words).collect() };
    let letter = |state: char| state.to_string();

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap(); // accepts nobody: so the client sleeps
    let mut client = Command::new(program("client").unwrap());
    client.arg(nobody.local_addr().unwrap().to_string()).stdin(Stdio::null());
    let mut child = Mortal(client.spawn().unwrap());
    let pid = child.0.id().cast_signed();
    let stat = || Process::new(pid).and_then(|process| process.stat()).expect("it is not reaped");
    let becomes = |state| {
        let seen = poll::until(PATIENCE, || (stat().state == state).then_some(()));
        assert!(seen.is_some(), "{} and not {state}", stat().state);
    };
    becomes('S');
    assert!(drawn("alive").contains(&letter('S')) && drawn("alive").contains(&letter('R')));
    for (signal, state, place) in [
        (Signal::SIGSTOP, 'T', "stopped"),
        (Signal::SIGCONT, 'S', "alive"),
        (Signal::SIGSTOP, 'T', "stopped"),
        (Signal::SIGKILL, 'Z', "zombie"),
    ] {
        kill(Pid::from_raw(pid), signal).unwrap();
        becomes(state);
        assert!(drawn(place).contains(&letter(state)), "{place} has no {state}");
    }

    // What is left of it, and what is gone.
    let left = stat();
    assert_eq!((left.pid, &*left.comm, left.exit_code), (pid, "client", Some(libc::SIGKILL)));
    assert_eq!(left.vsize, 0, "memory");
    assert_eq!(Process::new(pid).and_then(|it| it.fd()).into_iter().flatten().count(), 0);
    let zombie = drawn("zombie").join(" ");
    for told in ["left one entry", "pid, name, exit status, usage", "gone memory, open files"] {
        assert!(zombie.contains(told), "{told}: {zombie}");
    }
    child.0.wait().unwrap();
    assert!(Process::new(pid).is_err(), "its entry is gone");
    assert!(drawn("reaped").contains(&"its entry is gone".to_owned()));
    assert!(ps::find(|stat| stat.pid == pid).unwrap().is_empty(), "nor does ps find it");
}

#[test]
fn the_races_picture_has_the_pages_figures() {
    let race = Race::on_page();
    picture::hold("race-histogram.svg", &race.picture());
    let Race { rounds, histograms } = race;
    for histogram in histograms {
        assert_eq!(histogram.iter().sum::<usize>(), rounds, "{histogram:?}");
    }
    assert_eq!(histograms[0][5], rounds, "lesson 1 always leaves five");
    assert_eq!(histograms[1][5], 0, "lesson 2 always reaps one at least");
    assert_eq!(histograms[2][0], rounds, "lesson 3 never leaves one");
}

/// Each race has other figures, so a new one is run only when somebody asks for it.
#[test]
#[ignore = "runs two hundred rounds and writes their figures into docs/lesson-02.md"]
fn run_a_new_race_for_the_page_and_its_picture() {
    let mut tour = Command::new(env!("CARGO_BIN_EXE_tour"));
    tour.args(["--race", "200"]).env("NO_COLOR", "1");
    let run = tour.output().expect("the tour starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let printed = String::from_utf8(run.stdout).expect("the tour prints text");
    let race = Race::read(&printed).expect("the tour prints a race");
    Race::put_on_page(&printed);
    picture::write("race-histogram.svg", &race.picture());
}

/// The group with this id.
fn group<'a>(svg: &'a Document, id: &str) -> Node<'a, 'a> {
    let found = svg.descendants().find(|node| node.attribute("id") == Some(id));
    found.unwrap_or_else(|| panic!("no group {id}"))
}

fn is_label(node: &Node) -> bool {
    node.has_tag_name("text")
}

/// All the words of a label.
fn words(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

/// The labels of a group as rows from top to bottom, and each from left to right.
fn table(group: Node) -> Vec<Vec<String>> {
    let mut rows: BTreeMap<u32, BTreeMap<u32, String>> = BTreeMap::new();
    for label in group.children().filter(is_label) {
        let [x, y] = ["x", "y"].map(|at| label.attribute(at).unwrap().parse().unwrap());
        rows.entry(y).or_default().insert(x, words(label));
    }
    rows.into_values().map(|row| row.into_values().collect()).collect()
}

/// The text without the escape sequences that colour it.
fn without_colours(screen: &str) -> String {
    let mut plain = String::new();
    for piece in screen.split("\x1b[") {
        let coloured = piece.split_once('m').filter(|(number, _)| number.parse::<u8>().is_ok());
        plain += coloured.map_or(piece, |(_, text)| text);
    }
    plain
}
