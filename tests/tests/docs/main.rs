//! The pages show what is so: lessons, transcripts, pictures, links and the tests that they name.
//!
//! What can be generated, `UPDATE_DOCS=1 cargo test -p harness --test docs` writes.

mod article;
mod code;
mod links;
mod numbers;
mod page;
mod pictures;
mod scenes;
mod tries;
mod twins;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;

use harness::exam::{Cause, QUESTIONS, pid1};
use harness::lessons::{LESSONS, Lesson, root};
use numbers::{Pairs, without_figures};
use page::{Block, Page};
use scenes::{Parts, Why};
use similar::{ChangeTag, TextDiff};

/// The exercise, and what it is made from.
const EXERCISE: &str = "docs/your-server/src/main.rs";

fn page_of(lesson: &Lesson) -> Page {
    Page::of(&format!("docs/{}.md", lesson.name))
}

/// The lines of which one text has more than the other.
fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    changes.map(|change| change.to_string()).collect()
}

// The lessons.

#[test]
fn every_lesson_fits_two_screens_and_every_step_is_small() {
    let sources = LESSONS.each_ref().map(|lesson| lesson.source().unwrap());
    for (lesson, source) in LESSONS.iter().zip(&sources) {
        let lines = source.lines().count();
        assert!(lines <= 140, "{} has {lines} lines", lesson.name);
    }
    // Too few for a function to change its place.
    for (step, most) in sources.windows(2).zip([60, 30]) {
        let changed = changed_lines(&step[0], &step[1]).len();
        assert!((1..=most).contains(&changed), "{changed} lines differ, {most} at most");
    }
}

/// A reader who has begun to write keeps what they have: then there is nothing to hold.
#[test]
fn the_exercise_is_lesson_1_but_for_its_todos() {
    let exercise = page::read(EXERCISE).unwrap();
    if !exercise.contains("TODO") {
        return harness::skip(format!("{EXERCISE} has no TODO left: it is your own now"));
    }
    let lesson = LESSONS[0].source().unwrap().replace("lesson-01", "your-server");
    let mut others = changed_lines(&lesson, &exercise);
    others.retain(|line| {
        let may_differ = ["// TODO: ", "// What ", "///", "//!"];
        !line.trim().is_empty() && !may_differ.iter().any(|it| line.trim().starts_with(it))
    });
    if others.iter().any(|line| line.contains("SIGCHLD") || line.contains("wait")) {
        return harness::skip(format!("{EXERCISE} reaps: it is your own now"));
    }
    assert_eq!(others, [""; 0], "lines of {EXERCISE} or of lesson 1 that the other hasn't");
}

// What the pages show of them.

#[test]
fn every_lesson_shows_its_code_and_its_step() {
    let shows = |lesson: &Lesson, kind: &str, of: &str| {
        let page = page_of(lesson);
        let found = page.blocks.iter().any(|it| it.kind == kind && it.of.contains(of));
        assert!(found, "{} shows no {kind} of {of}", page.name);
    };
    LESSONS.iter().for_each(|lesson| shows(lesson, "excerpt", ""));
    for step in LESSONS.windows(2) {
        let [old, new] = [&step[0], &step[1]].map(|it| format!("{}/src/main.rs", it.folder));
        shows(&step[1], "diff", &format!("{old} {new}"));
    }
}

/// The scene that a block shows, and which part of it.
fn scene_of(block: &Block) -> Option<(&str, &str)> {
    match block.kind.as_str() {
        "output" => block.of.split_once(", ").or(Some((&block.of, scenes::ALL))),
        "figures" => Some((block.of.rsplit_once(' ')?.0, scenes::ALL)),
        _ => None,
    }
}

/// Whether the blocks that show this scene show what it printed. It has the same pids in all its
/// parts: so they are right together, or all written again.
fn agree(scene: &str, parts: &Parts, pages: &[Page]) -> Result<(), String> {
    let mut pairs = Pairs::default();
    for block in pages.iter().flat_map(|page| &page.blocks) {
        let Some((_, part)) = scene_of(block).filter(|it| it.0 == scene) else { continue };
        let now = parts.get(part).ok_or_else(|| format!("there is no part {part:?}"))?;
        let same = match block.kind.as_str() {
            "figures" if without_figures(&block.text) == without_figures(now) => Ok(()),
            "figures" => Err("has other words or columns".to_owned()),
            _ => pairs.agree(&block.text, now),
        };
        same.map_err(|why| format!("{}: {why}", block.place()))?;
    }
    Ok(())
}

#[test]
fn every_block_is_what_the_comment_above_it_says() {
    let pages = page::all();
    let blocks = || pages.iter().flat_map(|page| &page.blocks);
    let names: BTreeSet<&str> = blocks().filter_map(|it| Some(scene_of(it)?.0)).collect();
    let played: BTreeMap<&str, Result<Parts, Why>> = thread::scope(|scope| {
        let play = |name| (name, scope.spawn(move || scenes::play(name)));
        let running: Vec<_> = names.into_iter().map(play).collect();
        running.into_iter().map(|(name, scene)| (name, scene.join().unwrap())).collect()
    });
    for (name, scene) in &played {
        if let Err(Why::Missing(what)) = scene {
            harness::skip(format!("{name}: {what}"));
        }
    }
    page::hold(|block| {
        let today = code::today(block);
        let Some((scene, part)) = scene_of(block) else { return today };
        match &played[scene] {
            Err(Why::Missing(_)) => today,
            Err(Why::Failed(why)) => Err(why.clone()),
            Ok(parts) => match agree(scene, parts, &pages) {
                Err(why) if page::updates() => parts.get(part).cloned().ok_or(why),
                agreed => agreed.and(today),
            },
        }
    });
    let tour = blocks().any(|it| it.page == "README.md" && scene_of(it).is_some());
    assert!(tour, "README.md shows no tour");
}

/// Small numbers, as the pages spell them.
const SPELT: [&str; 7] = ["None", "One", "Two", "Three", "Four", "Five", "Six"];

/// The answers to *Predict* are what the transcripts show, which are held against a run.
#[test]
fn the_answers_are_what_the_transcripts_show() {
    let pages = LESSONS.each_ref().map(page_of);
    let shown = |lesson: usize, scene: &str, part: &str| -> &str {
        let mut blocks = pages[lesson - 1].blocks.iter();
        let block = blocks.find(|it| scene_of(it) == Some((scene, part)));
        &block.unwrap_or_else(|| panic!("lesson {lesson} shows no {scene}")).text
    };
    let answers = |lesson: usize, expected: &[String]| {
        let (_, fold) =
            pages[lesson - 1].text.split_once("<summary>The answers</summary>").unwrap();
        let fold = fold.split_once("</details>").unwrap().0.replace('\n', " ");
        for answer in expected {
            assert!(fold.contains(answer), "lesson {lesson} doesn't answer {answer:?}: {fold}");
        }
    };
    let count = |text: &str, what: &str| text.lines().filter(|line| line.contains(what)).count();

    let listed = shown(1, "one client of lesson-01", "client");
    let (_, listed) = listed.split_once("$ kill -9").unwrap();
    assert_eq!(count(listed, " Z"), 1, "it is still there");
    let rows = count(listed, "lesson-01");
    answers(1, &[format!("1. {}: the server, and a zombie.", SPELT[rows]), "2. Nothing.".into()]);

    let race = shown(2, "cargo run --bin tour -- --race", scenes::ALL);
    let rows = race.split("lesson-0").nth(2).unwrap().lines().skip(1);
    let number = |word: Option<&str>| word.unwrap().parse::<usize>().unwrap();
    let rows: Vec<(usize, usize)> = rows
        .map(|row| (number(row.split_whitespace().next()), number(row.split_whitespace().last())))
        .collect();
    let (least, most) = (rows[0].0, rows.last().unwrap().0);
    let stay = LESSONS[1].zombies_when_held_still(5);
    assert!(most <= stay && rows.iter().map(|row| row.1).sum::<usize>() == 200, "{rows:?}");
    assert!(pages[1].text.contains(&format!("In {} of the 200 rounds above no", rows[0].1)));
    let lucky = format!("{least} to {most}");
    answers(2, &[format!("2. {} when all die", SPELT[stay]), format!("anything from {lucky}.")]);
    let readme = page::read("README.md").unwrap();
    assert!(readme.contains(&format!("| {stay} held still, {lucky} on its own |")));

    let calls = shown(3, "lesson-03 under strace", scenes::ALL);
    let runs = ["Never", "Once", "Twice"][count(calls, "rt_sigreturn")];
    let (waits, failed) = (count(calls, "wait4"), count(calls, "ECHILD"));
    let reaped = SPELT[waits - failed].to_lowercase();
    answers(3, &[format!("1. {runs}."), format!("2. {} times: {reaped}", SPELT[waits])]);
}

/// In a transcript, or in the words about it.
#[test]
fn every_pid_to_type_is_on_the_page_besides() {
    for page in LESSONS.each_ref().map(page_of) {
        let typed: Vec<_> = page.blocks.iter().filter(|block| block.label == "sh").collect();
        let besides = typed.iter().fold(page.text.clone(), |text, it| text.replace(&it.text, ""));
        for block in &typed {
            for word in block.text.split(|c: char| !c.is_ascii_alphanumeric()) {
                let is_pid = word.len() == 5 && word.bytes().all(|it| it.is_ascii_digit());
                assert!(!is_pid || besides.contains(word), "{}: {word}", block.place());
            }
        }
    }
}

/// The packages and targets of the workspace, as cargo's options name them: `--bin tour`.
fn targets() -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata = cargo.current_dir(root()).output().unwrap().stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let mut targets = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        targets.extend([format!("-p {name}"), format!("-qp {name}")]);
        for target in package["targets"].as_array().unwrap() {
            let [kind, name] = [&target["kind"][0], &target["name"]].map(|it| it.as_str().unwrap());
            targets.insert(format!("--{kind} {name}"));
        }
    }
    targets
}

/// What a reader is told to run is there, takes these arguments, and a test's name finds some.
#[test]
fn every_cargo_command_to_type_names_what_there_is() {
    let (targets, tests, pages) = (targets(), code::tests(), page::all());
    for block in pages.iter().flat_map(|page| &page.blocks).filter(|it| it.label == "sh") {
        for command in block.text.lines().filter(|line| line.contains("cargo ")) {
            let (own, rest) = command.split_once(" -- ").unwrap_or((command, ""));
            let words: Vec<&str> = own.split_whitespace().collect();
            let is_test = words.starts_with(&["cargo", "test"]);
            let mut filters: Vec<&str> = rest.split_whitespace().collect();
            for pair in words.windows(2) {
                match pair {
                    ["-p" | "-qp" | "--bin" | "--example" | "--test" | "--bench", _] => {
                        assert!(targets.contains(&pair.join(" ")), "{}: {command}", block.place());
                    }
                    ["cargo", _] => {}
                    [_, filter] => filters.push(filter),
                    _ => {}
                }
            }
            filters.retain(|filter| is_test && !filter.starts_with('-'));
            for filter in filters {
                // The tests of a lesson in `survival` are made by its list of claims.
                let finds = tests.keys().any(|name| name.contains(filter));
                assert!(finds || filter.starts_with("lesson_0"), "{}: {filter}", block.place());
            }
            if let Some(name) = ["client", "tour"].iter().find(|name| words.contains(name)) {
                let program = harness::lessons::program(name).unwrap();
                let args = rest.split_whitespace().filter(|word| *word != "&");
                let known = Command::new(program).args(args).arg("--help").output().unwrap();
                assert!(known.status.success(), "{}: {command}", block.place());
            }
        }
    }
}

// The exam's pages.

#[test]
fn the_exams_pages_list_its_questions_and_causes() {
    let servers: Vec<_> = QUESTIONS.iter().map(|it| (it.name, it.hint)).collect();
    let pid1: Vec<_> = pid1::QUESTIONS.iter().map(|it| (it.name, it.hint)).collect();
    for (page, questions) in [("docs/exam.md", &servers), ("docs/pid1.md", &pid1)] {
        let mut rows = Page::of(page).rows;
        rows.retain(|row| row[0].parse::<usize>().is_ok());
        assert_eq!(rows.len(), questions.len());
        for (row, (name, _)) in rows.iter().zip(questions) {
            assert!(name.starts_with(&row[1]), "question {} is {name:?}", row[0]);
        }
    }
    let page = Page::of("docs/exam-reference.md");
    let causes = page.rows.iter().map(|row| row[0].trim_matches('`')).take(Cause::ALL.len());
    assert_eq!(causes.collect::<Vec<_>>(), Cause::ALL.map(|(cause, ..)| cause.name()));
    let hints = servers.into_iter().chain(pid1).map(|(_, hint)| hint);
    for hint in hints.chain(Cause::ALL.iter().filter_map(|(cause, ..)| cause.hint())) {
        assert!(hint.contains("? docs/") && hint.len() < 160, "a line that asks: {hint}");
    }
}
