//! The pictures on the pages: they can be read everywhere and by everybody, and show what is so.
//!
//! They are written by hand, and have one style: style.css, which `UPDATE_DOCS=1` writes into each.

use std::collections::BTreeMap;
use std::fs;

use client::ps::Family;
use harness::experiment;
use harness::lessons::{LESSONS, Lesson, root};
use harness::server::Server;
use roxmltree::{Document, Node};

use super::page::{self, Page};
use super::scenes::{self, Why};

const STYLE: &str = include_str!("style.css");

/// The smallest letters, in pixels of a phone that is 350 wide.
const SMALLEST: u32 = 10;

/// All pictures: name and text.
fn all() -> Vec<(String, String)> {
    let files = ["docs/pictures", "docs/zh/pictures"].map(page::files).concat();
    files.into_iter().map(|file| (file.clone(), page::read(&file).unwrap())).collect()
}

fn picture(name: &str) -> Document<'static> {
    let text = page::read(&format!("docs/pictures/{name}.svg")).unwrap();
    Document::parse(text.leak()).unwrap()
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
            // The id is what aria-labelledby points to.
            let is_it = |it: &Node| it.has_tag_name(told) && it.attribute("id") == Some(told);
            let text = root.children().find(is_it).and_then(|node| node.text());
            assert!(text.is_some_and(|text| !text.trim().is_empty()), "{name} has no {told}");
        }
        for node in svg.descendants().filter(Node::is_element) {
            let tag = node.tag_name().name();
            // No script, no image, no link; and a path is an arrow's head or a cross, no letter.
            let short = tag == "path" && node.attribute("d").is_some_and(|path| path.len() < 60);
            assert!(known.contains(&tag) || short, "{name} has a <{tag}>: {node:?}");
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                let pulls = value.contains("url(") || key.ends_with("href");
                assert!(!pulls, "{name} refers to {value}");
                let styled = ["style", "fill", "stroke", "font-size", "font-family"];
                assert!(!styled.contains(&key), "{name}: {value} is not in its style");
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

/// What the tour sees of a lesson at each step, and the number of zombies that stay.
fn tour(lesson: &Lesson) -> (Vec<Family>, usize) {
    let server = Server::lesson(lesson.program().unwrap()).unwrap();
    let (story, tally) = experiment::held_still(&server, 5).unwrap();
    (story.seen().cloned().collect(), tally.zombies)
}

#[test]
fn the_time_line_is_the_tours() {
    const COLUMNS: [u32; 4] = [132, 224, 316, 408];
    let svg = picture("five-deaths-one-bit");
    let names = ["server", "child 1", "child 2", "child 3", "child 4", "child 5", "SIGCHLD bit"];
    for lesson in &LESSONS {
        let (steps, left) = tour(lesson);
        let mut rows = names.map(|name| vec![name.to_owned()]);
        for Family { parent, children, sigchld_pending, .. } in steps {
            let mut column = vec![parent.state.to_string()];
            // Which one it was that the server reaped, no letter tells.
            column.resize(6 - children.len(), "reaped".to_owned());
            column.extend(children.iter().map(|it| it.state.to_string()));
            column.push(u8::from(sigchld_pending).to_string());
            rows.iter_mut().zip(column).for_each(|(row, state)| row.push(state));
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
    let svg = picture("tour-in-motion");
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
        for ((done, at), seen) in moments.into_iter().zip(steps) {
            let step = format!("{}, {done}", lesson.name);
            assert!(shows("steps", at).contains(done), "{step}");
            assert_eq!(cell("server", at), seen.parent.state.to_string(), "{step}");
            assert_eq!(cell("bit", at), u8::from(seen.sigchld_pending).to_string(), "{step}");
            let drawn: String = (1..=5).map(|child| cell(&format!("child-{child}"), at)).collect();
            let states: String = seen.children.iter().map(|child| child.state).collect();
            assert_eq!(drawn, states, "{step}");
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
    let rules = rules(STYLE);
    let seconds = (1..=13).map(|moment| {
        let duration = rules[&(&*format!(".t{moment}"), "animation-duration")];
        duration.trim_end_matches('s').parse::<f32>().unwrap()
    });
    assert!(seconds.is_sorted(), "a later moment comes later");
}

#[test]
fn the_two_lines_are_those_of_the_lessons() {
    let svg = picture("two-lines");
    for lesson in &LESSONS[1..] {
        let source =
            lesson.source().unwrap().replace("libc::", "").replace("std::ptr::null_mut()", "null");
        let labels = labels(&svg, lesson.name);
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
    let kind = |line: &str| match line.rsplit_once(" = ") {
        _ if line.starts_with("--- SIGCHLD") => "SIGCHLD",
        _ if line.starts_with("rt_sigreturn") => "return",
        Some((_, "0")) => "nobody yet",
        Some((_, result)) if result.starts_with("-1 ECHILD") => "nobody left",
        _ => "a child",
    };
    let calls: Vec<&str> = calls.lines().filter(|it| !it.is_empty()).map(kind).collect();
    let first = ["SIGCHLD", "a child", "nobody yet", "return"];
    assert_eq!(calls, [first, ["SIGCHLD", "a child", "nobody left", "return"]].concat());

    let svg = picture("death-in-handler");
    let says = words(svg.root_element());
    let told = ["returns child 1, then 0", "Child 2 dies before the handler returns", "second run"];
    for told in told {
        assert!(says.contains(told), "{told}: {says}");
    }
}

#[test]
fn each_of_the_other_roads_has_its_row() {
    let svg = picture("five-roads");
    let rows = svg.descendants().filter(|node| node.has_tag_name("g"));
    let mut rows: Vec<String> = rows.map(|row| table(row)[0][0].clone()).collect();
    rows.sort();
    let examples = page::files("lesson-03-waitpid-loop/examples");
    let names = examples.iter().filter_map(|file| file.rsplit(['/', '.']).nth(1));
    assert_eq!(rows, names.collect::<Vec<_>>());
}

/// That the story is true, its own test says.
#[test]
fn the_cut_cable_has_the_timers_of_the_story() {
    let svg = picture("cut-cable");
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

/// The page's numbers are those of a run, as all of its transcripts.
#[test]
fn the_descriptors_of_parent_and_child_are_those_of_the_page() {
    let svg = picture("sockets-across-fork");
    let page = page::read("docs/lesson-01.md").unwrap();
    for (pid, fd) in [("12701", 3), ("12969", 4)] {
        assert!(page.contains(&format!("pid={pid},fd={fd}")), "the page has other numbers");
    }
    for (panel, parent, child, references) in [
        ("before", "3 listener 4 connection", "no child yet", 1),
        ("forked", "3 listener 4 connection", "child, pid 12969 3 listener 4 connection", 2),
        ("closed", "3 listener 4 closed", "child, pid 12969 3 closed 4 connection", 1),
    ] {
        let labels = labels(&svg, panel);
        let drawn = format!("parent, pid 12701 {parent} {child}");
        assert!(labels[1..].join(" ").starts_with(&drawn), "{panel}: {labels:?}");
        for told in labels.iter().filter(|label| label.contains("reference")) {
            assert!(told.starts_with(&format!("{references} reference")), "{panel}: {told}");
        }
    }
}

/// The states of one that is stopped, goes on and dies are the tour's. What is left of a zombie, and
/// what isn't, `c08_a_zombie_has_a_pid_and_a_state_and_nothing_else_left_to_kill` has seen.
#[test]
fn a_childs_life_has_its_states() {
    let svg = picture("life-of-a-child");
    for (place, told) in [
        ("alive", "R running S sleeping"),
        ("stopped", "stopped T"),
        ("zombie", "Z zombie"),
        ("zombie", "left one entry"),
        ("zombie", "pid, name, exit status, usage"),
        ("zombie", "gone memory, open files"),
        ("reaped", "its entry is gone"),
    ] {
        let drawn = labels(&svg, place).join(" ");
        assert!(drawn.contains(told), "{place}: no {told:?} in {drawn:?}");
    }
}

/// The group with this id.
fn group<'a>(svg: &'a Document, id: &str) -> Node<'a, 'a> {
    let found = svg.descendants().find(|node| node.attribute("id") == Some(id));
    found.unwrap_or_else(|| panic!("no group {id}"))
}

/// The labels of a group.
fn labels(svg: &Document, group: &str) -> Vec<String> {
    self::group(svg, group).children().filter(is_label).map(words).collect()
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
