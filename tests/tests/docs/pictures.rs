//! The pictures on the pages: they can be read everywhere and by everybody, and show what is so.
//!
//! They are written by hand, and have one style: style.css, which `UPDATE_DOCS=1` writes into each.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio, id};
use std::sync::OnceLock;

use client::ps;
use harness::burst::Burst;
use harness::lessons::{LESSONS, Lesson, program, root};
use harness::server::Server;
use harness::{PATIENCE, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{FDTarget, Process};
use roxmltree::{Document, Node};

use super::page::{self, Page};
use super::scenes::{self, Why};

const STYLE: &str = include_str!("style.css");

/// The smallest letters, in pixels of a phone that is 350 wide.
const SMALLEST: u32 = 10;

/// All pictures: name and text.
fn all() -> Vec<(String, String)> {
    let files = page::files("docs/pictures");
    files.into_iter().map(|file| (file.clone(), page::read(&file).unwrap())).collect()
}

fn read(name: &str) -> String {
    page::read(&format!("docs/pictures/{name}.svg")).unwrap()
}

#[test]
fn every_picture_can_be_read_everywhere() {
    let known = ["svg", "title", "desc", "style", "g", "text", "tspan", "rect", "circle", "line"];
    let smallest = rules(STYLE)
        .into_iter()
        .filter(|((_, property), _)| ["font", "font-size"].contains(property))
        .map(|((selector, _), value)| {
            let words: Vec<&str> = value.split(' ').collect();
            let everywhere = words.len() == 1 || ["sans-serif", "monospace"].contains(&words[1]);
            assert!(everywhere, "{selector} asks for {value}");
            words[0].trim_end_matches("px").parse::<u32>().unwrap()
        })
        .min()
        .unwrap();
    for (name, text) in all() {
        let svg = Document::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = svg.root_element();
        assert_eq!(root.attribute("role"), Some("img"), "{name}");
        let width: u32 = root.attribute("width").unwrap().parse().unwrap();
        assert!(smallest * 350 / width >= SMALLEST, "{name}: {smallest} px at {width} on a phone");
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
    for (name, text) in all() {
        let (before, rest) = text.split_once("  <style>\n").unwrap();
        let (_, after) = rest.split_once("  </style>\n").unwrap();
        let now = format!("{before}  <style>\n{STYLE}  </style>\n{after}");
        if now != text {
            assert!(page::updates(), "{name} has another style; rewritten by: {}", page::UPDATE);
            fs::write(root().join(&name), now).unwrap();
        }
    }
}

#[test]
fn the_style_is_for_light_and_dark_and_for_weak_eyes() {
    let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for scheme in [light, dark].map(rules) {
        for ink in ["text", "text.quiet", "text.live", "text.stop", "text.dead", "text.reap"] {
            for paper in [".card", "rect", "rect.live", "rect.stop", "rect.dead", "rect.reap"] {
                let [on, under] = [ink, paper].map(|it| luminance(scheme[&(it, "fill")]));
                let contrast = (on.max(under) + 0.05) / (on.min(under) + 0.05);
                assert!(contrast >= 4.5, "{ink} on {paper}: {contrast:.1}; WCAG asks for 4.5");
            }
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

/// What the tour prints of a lesson: the server's state, its children's and the bit after each
/// step, and the number of zombies that stay. Run once.
fn tour(lesson: &Lesson) -> (Vec<(char, Vec<char>, bool)>, usize) {
    static PRINTED: OnceLock<String> = OnceLock::new();
    let printed = PRINTED.get_or_init(|| {
        let tour = Command::new(env!("CARGO_BIN_EXE_tour")).env("NO_COLOR", "1").output().unwrap();
        assert!(tour.status.success(), "{}", String::from_utf8_lossy(&tour.stderr));
        String::from_utf8(tour.stdout).unwrap()
    });
    let story = printed.split("\n\n").find(|story| story.starts_with(lesson.name)).unwrap();
    let lines: Vec<&str> = story.lines().collect();
    let column = lines[2].find("server").unwrap() + "serv".len();
    let mut steps = Vec::new();
    for line in &lines[3..] {
        match line.split_at_checked(column) {
            Some((_, states)) if !line.contains("pending") && !line.contains("reaped") => {
                let mut states = states.chars().filter(char::is_ascii_uppercase);
                steps.push((states.next().unwrap(), states.collect(), false));
            }
            _ if line.contains("SIGCHLD pending") => steps.last_mut().unwrap().2 = true,
            _ => break,
        }
    }
    assert_eq!(steps.len(), 4, "{story}");
    (steps, lesson.zombies_when_held_still(5))
}

#[test]
fn the_time_line_is_the_tours() {
    const COLUMNS: [u32; 4] = [132, 224, 316, 408];
    let svg = read("five-deaths-one-bit");
    let svg = Document::parse(&svg).unwrap();
    for lesson in &LESSONS {
        let (steps, left) = tour(lesson);
        let mut rows = vec![vec!["server".to_owned()]];
        rows.extend((1..=5).map(|child| vec![format!("child {child}")]));
        rows.push(vec!["SIGCHLD bit".to_owned()]);
        for (server, children, bit) in steps {
            rows[0].push(server.to_string());
            // Which one it was that the server reaped, no letter tells.
            let reaped = vec!["reaped".to_owned(); 5 - children.len()];
            let states = reaped.into_iter().chain(children.iter().map(char::to_string));
            rows[1..6].iter_mut().zip(states).for_each(|(row, state)| row.push(state));
            rows[6].push(u8::from(bit).to_string());
        }
        let panel = group(&svg, lesson.name);
        let drawn = table(panel);
        assert_eq!(drawn[1..8], rows, "{}: the picture, and the tour", lesson.name);
        assert_eq!(drawn[0].last(), Some(&format!("{left} zombies")), "{}", lesson.name);

        // One rule: what a step does is at its column, and only deaths are between two.
        let number = |node: Node, of| node.attribute(of).unwrap().parse::<u32>().unwrap();
        for line in panel.children().filter(|node| node.has_tag_name("line")) {
            for x in [number(line, "x1"), number(line, "x2")] {
                let death = (COLUMNS[1] + 1..COLUMNS[2]).contains(&x);
                assert!(COLUMNS.contains(&x) || death, "{}: a change at {x}", lesson.name);
            }
        }
        for reap in panel.children().filter(|node| node.has_tag_name("circle")) {
            assert_eq!(number(reap, "cx"), COLUMNS[3], "{}: reaped at SIGCONT", lesson.name);
        }
    }
    let above: Vec<String> = svg.root_element().children().filter(is_label).map(words).collect();
    let above = above.join(" ");
    for step in ["5 clients served", "SIGSTOP", "all said Bye", "SIGCONT"] {
        assert!(above.contains(step), "the picture has no step {step}: {above}");
    }
}

/// Each cell of the picture is a pile of layers, `t3` on top from its third moment on.
#[test]
fn the_tour_in_motion_goes_as_the_tour_does() {
    let svg = read("tour-in-motion");
    let svg = Document::parse(&svg).unwrap();
    let moment = |layer: Node| -> usize {
        let class = layer.attribute("class").unwrap_or("t t0");
        class.strip_prefix("t t").unwrap().parse().unwrap()
    };
    let shows = |cell: &str, at: usize| {
        let mut layers = group(&svg, cell).children().filter(Node::is_element);
        layers.rfind(|layer| moment(*layer) <= at).map(words).unwrap_or_default()
    };
    // The moments at which the steps are done: the deaths are 2 to 6, the waits 8 to 12.
    let moments = [("5 clients served", 0), ("SIGSTOP", 1), ("all said Bye", 6), ("SIGCONT", 12)];
    for lesson in &LESSONS {
        let cell = |cell: &str, at| shows(&format!("{}-{cell}", lesson.name), at).trim().to_owned();
        let (steps, left) = tour(lesson);
        for ((done, at), (server, states, bit)) in moments.into_iter().zip(steps) {
            let step = format!("{}, {done}", lesson.name);
            assert!(shows("steps", at).contains(done), "{step}");
            assert_eq!(cell("server", at), server.to_string(), "{step}");
            assert_eq!(cell("bit", at), u8::from(bit).to_string(), "{step}");
            let drawn: String = (1..=5).map(|child| cell(&format!("child-{child}"), at)).collect();
            assert_eq!(drawn, states.iter().collect::<String>(), "{step}");
        }
        let zombies = group(&svg, &format!("{}-zombies", lesson.name));
        assert_eq!((words(zombies).trim(), moment(zombies)), (&*left.to_string(), 13));
    }
    let left = LESSONS.each_ref().map(|lesson| lesson.zombies_when_held_still(5).to_string());
    let ends = format!("{}, {} and {} zombies stay", left[0], left[1], left[2]);
    for page in ["README.md", "docs/README.md"] {
        let links = Page::of(page).links;
        assert!(links.iter().any(|it| it.is_picture && it.text.ends_with(&ends)), "{page}: {ends}");
    }
    let of_layers = svg.descendants().filter(|node| node.attribute("class") == Some("t t13"));
    assert_eq!(of_layers.count(), 3);
    let durations =
        (1..=13).map(|n| rules(STYLE)[&(&*format!(".t{n}").leak(), "animation-duration")]);
    let seconds = durations.map(|it| it.trim_end_matches('s').parse::<f32>().unwrap());
    assert!(seconds.is_sorted(), "a later moment comes later");
}

#[test]
fn the_two_lines_are_those_of_the_lessons() {
    let svg = read("two-lines");
    let svg = Document::parse(&svg).unwrap();
    for lesson in &LESSONS[1..] {
        let source =
            lesson.source().unwrap().replace("libc::", "").replace("std::ptr::null_mut()", "null");
        let labels: Vec<String> =
            group(&svg, lesson.name).children().filter(is_label).map(words).collect();
        let [_, keyword, rest, call, ..] = &labels[..] else { panic!("{labels:?}") };
        for code in [format!("{keyword} {rest}"), call.clone()] {
            assert!(source.contains(&code), "{} has no {code}", lesson.name);
        }
        let left = lesson.zombies_when_held_still(5);
        let reaped = 5 - left;
        assert!(labels.contains(&format!("{left} zombies")), "{labels:?}");
        // A loop waits once more than it reaps.
        let waits = if left == 0 { format!("{} waits", reaped + 1) } else { "1 wait".to_owned() };
        assert!(labels.contains(&format!("{waits}, {reaped} reaped")), "{labels:?}");
    }
}

/// That the bit is set while the first run lasts, the scene has seen.
#[test]
fn a_death_while_the_handler_runs_is_collected_by_a_second_run() {
    let calls = match scenes::a_death_while_the_handler_runs() {
        Err(Why::Missing(what)) => return harness::skip(what),
        calls => calls.unwrap(),
    };
    let returned = |line: &str| match line.split(" = ").nth(1) {
        Some(pid) if line.starts_with("wait4") => ["0", "-1"]
            .iter()
            .find(|it| pid.split(' ').next() == Some(**it))
            .unwrap_or(&"a child")
            .to_string(),
        _ => line.split(['(', ' ']).find(|word| !word.starts_with('-')).unwrap().to_owned(),
    };
    let calls: Vec<String> = calls.lines().filter(|it| !it.is_empty()).map(returned).collect();
    let first = ["SIGCHLD", "a child", "0", "rt_sigreturn"];
    assert_eq!(calls, [first, ["SIGCHLD", "a child", "-1", "rt_sigreturn"]].concat());

    let svg = read("death-in-handler");
    let svg = Document::parse(&svg).unwrap();
    let says = words(svg.root_element());
    for told in ["returns child 1, then 0", "Child 2 dies before the handler returns", "second run"]
    {
        assert!(says.contains(told), "{told}: {says}");
    }
}

#[test]
fn each_of_the_other_roads_has_its_row() {
    let svg = read("five-roads");
    let svg = Document::parse(&svg).unwrap();
    let rows = svg.descendants().filter(|node| node.has_tag_name("g"));
    let mut rows: Vec<String> = rows.map(|row| table(row)[0][0].clone()).collect();
    rows.sort();
    let examples = page::files("lesson-03-waitpid-loop/examples");
    let name = |file: &String| file.rsplit(['/', '.']).nth(1).unwrap().to_owned();
    assert_eq!(rows, examples.iter().map(name).collect::<Vec<_>>());
}

/// That the story is true, its own test says.
#[test]
fn the_cut_cable_has_the_timers_of_the_story() {
    let svg = read("cut-cable");
    let svg = Document::parse(&svg).unwrap();
    let page = Page::of("docs/network-breaks.md");
    let test = "c35_a_broken_link_tells_neither_side";
    let story = page.blocks.iter().find(|block| block.text.starts_with(test)).unwrap();
    for talk in ["idle", "echo", "word"] {
        let timer = |end: &str| {
            let line = story.text.lines().find(|line| line.contains(&format!("{talk}: {end}")));
            let waits = line.unwrap().contains("next try");
            if waits { "sends it again" } else { "no timer" }.to_owned()
        };
        let row = [talk.to_owned(), timer("client's end"), timer("child's end")];
        assert_eq!(table(group(&svg, talk)), [row]);
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

    let svg = read("sockets-across-fork");
    let svg = Document::parse(&svg).unwrap();
    let page = page::read("docs/lesson-01.md").unwrap();
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
    let svg = read("life-of-a-child");
    let svg = Document::parse(&svg).unwrap();
    let drawn =
        |id| -> Vec<String> { group(&svg, id).children().filter(is_label).map(words).collect() };
    let letter = |state: char| state.to_string();

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap(); // accepts nobody: so the client sleeps
    let mut client = Command::new(program("client").unwrap());
    client.arg(nobody.local_addr().unwrap().to_string()).stdin(Stdio::null());
    let mut child = Mortal(client.spawn().unwrap());
    let pid = child.0.id().cast_signed();
    let stat = || ps::stat(pid).expect("it is not reaped");
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
