//! The tour in colour: what it writes on a terminal, as a picture.

use anstyle_svg::Term;
use harness::lessons::root;

use super::{card, label};

const TITLE: &str = "The tour";
const DESC: &str = "What cargo run --bin tour prints on a terminal, in colour. For each of the \
    three lessons: five clients are served; SIGSTOP stops the server, which turns from S to T; \
    all clients say Bye and the five children turn from S to Z, with one SIGCHLD pending in \
    lessons 2 and 3; after SIGCONT lesson 1 has 5 zombies, lesson 2 has 4 and lesson 3 has none.";

/// How far the terminal's text is moved to make room for the command above it.
const ABOVE: usize = 34;

/// A picture of `screen`, in which the pids are those of the README's transcript: today's would
/// be others every day.
pub(crate) fn picture(screen: &str) -> String {
    let screen = with_pids(screen, &pids(&transcript()));
    let lines = screen.trim_end().lines().count();
    // The classes `fg-red` and so on; which colours they are is the card's to say.
    let svg = Term::new().render_svg(screen.trim_end());
    let (_, text) = svg.split_once("<text ").expect("it has text");
    let (text, _) = text.split_once("</text>").expect("its text ends");
    let text = text.replacen("class=\"container fg\"", "class=\"pre\"", 1);
    let mut body = String::new();
    label(&mut body, (20, 34), "small code bold", "$ cargo run --bin tour");
    body += &format!("  <g transform=\"translate(10 {ABOVE})\">\n  <text {text}</text>\n  </g>\n");
    card(TITLE, DESC, (748, ABOVE + lines * 18 + 34), &body)
}

/// The tour as README.md shows it in plain text.
pub(crate) fn transcript() -> String {
    let page = std::fs::read_to_string(root().join("README.md")).expect("README.md is read");
    let (_, shown) = page.split_once("```text\nlesson-01, pid ").expect("README.md shows the tour");
    let (shown, _) = shown.split_once("```").expect("a fence ends");
    format!("lesson-01, pid {shown}")
}

/// Where the pids are in a line of a story.
fn places(line: &str) -> Vec<std::ops::Range<usize>> {
    let start = match (line.find(", pid "), line.rfind(": ")) {
        (Some(title), _) => title + ", pid ".len(),
        (None, Some(list)) if line.contains(" reaped, ") => list + ": ".len(),
        _ => return Vec::new(),
    };
    let mut places = Vec::new();
    let mut at = start;
    for word in line[start..].split(' ') {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        places.push(at..at + digits);
        if digits < word.len() {
            break; // `14886:` ends what a title says of pids
        }
        at += word.len() + 1;
    }
    places
}

/// The pids in a story, from top to bottom.
fn pids(story: &str) -> Vec<&str> {
    story.lines().flat_map(|line| places(line).into_iter().map(|place| &line[place])).collect()
}

/// The story with these pids in place of its own.
fn with_pids(story: &str, pids: &[&str]) -> String {
    let mut pids = pids.iter();
    let mut told = String::new();
    for line in story.lines() {
        let mut at = 0;
        for place in places(line) {
            told += &line[at..place.start];
            told += pids.next().expect("README.md names as many pids as the tour");
            at = place.end;
        }
        told += &line[at..];
        told.push('\n');
    }
    assert_eq!(pids.next(), None, "README.md names more pids than the tour: {story}");
    told
}
