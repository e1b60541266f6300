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

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;

use harness::exam::{Cause, QUESTIONS};
use harness::lessons::{LESSONS, Lesson, root};
use numbers::{Pairs, without_figures};
use page::{Block, Origin, Page};
use scenes::{Parts, Why};
use similar::{ChangeTag, TextDiff};

/// Two screens.
const LONGEST_LESSON: usize = 140;

/// The exercise, and what it is made from.
const EXERCISE: &str = "docs/your-server/src/main.rs";

/// The file that is all of a lesson.
fn file(lesson: &Lesson) -> String {
    format!("{}/src/main.rs", lesson.folder)
}

fn source(lesson: &Lesson) -> String {
    lesson.source().unwrap()
}

// The lessons.

/// The lines that differ between two lessons, both sides counted.
fn changed_lines(old: &Lesson, new: &Lesson) -> usize {
    let (old, new) = (source(old), source(new));
    let diff = TextDiff::from_lines(&old, &new);
    diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal).count()
}

#[test]
fn the_step_to_lesson_2_changes_at_most_sixty_lines() {
    let changed = changed_lines(&LESSONS[0], &LESSONS[1]);
    assert!((1..=60).contains(&changed), "{changed} lines differ between lessons 1 and 2");
}

#[test]
fn the_step_to_lesson_3_changes_at_most_forty_lines() {
    let changed = changed_lines(&LESSONS[1], &LESSONS[2]);
    assert!((1..=40).contains(&changed), "{changed} lines differ between lessons 2 and 3");
}

#[test]
fn every_lesson_fits_two_screens() {
    for lesson in &LESSONS {
        let lines = source(lesson).lines().count();
        let file = file(lesson);
        assert!(lines <= LONGEST_LESSON, "{file} has {lines} lines, {LONGEST_LESSON} at most");
    }
}

#[test]
fn the_functions_of_all_lessons_come_in_the_same_order() {
    let [first, second, third] = LESSONS.each_ref().map(|lesson| {
        let source = source(lesson);
        source.lines().filter_map(code::function_name).map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(second, third, "the functions of lessons 2 and 3");
    let mut known = second.clone();
    known.retain(|name| first.contains(name));
    assert_eq!(first, known, "the functions of lesson 1, and those of lesson 2 that it has too");
}

/// A reader who has begun to write keeps what they have: then there is nothing to hold.
#[test]
fn the_exercise_is_lesson_1_but_for_its_todos() {
    let exercise = page::read(EXERCISE).unwrap();
    if !exercise.contains("TODO") {
        return harness::skip(format!("{EXERCISE} has no TODO left: it is your own now"));
    }
    let lesson = source(&LESSONS[0]).replace("lesson-01", "your-server");
    let diff = TextDiff::from_lines(&lesson, &exercise);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let is_own = |line: &str| {
        let line = line.trim();
        line.is_empty()
            || ["// TODO: ", "// What ", "///", "//!"].iter().any(|it| line.starts_with(it))
    };
    let others: Vec<String> = changes.map(|it| it.to_string()).filter(|it| !is_own(it)).collect();
    if others.iter().any(|line| line.contains("SIGCHLD") || line.contains("wait")) {
        return harness::skip(format!("{EXERCISE} reaps: it is your own now"));
    }
    assert_eq!(others, [""; 0], "lines of {EXERCISE} or of lesson 1 that the other hasn't");
}

// What the pages show of them.

#[test]
fn every_diff_on_show_is_todays() {
    let held = page::hold(
        |block| block.language == "diff",
        |block| match &block.origin {
            Some(Origin::Diff { old, new }) => {
                let (before, after) = (page::read(old)?, page::read(new)?);
                let diff = TextDiff::from_lines(&before, &after);
                Ok(diff.unified_diff().context_radius(1).header(old, new).to_string())
            }
            Some(Origin::Change { file }) => block.applies_to(file),
            _ => Err("a diff needs <!-- diff: OLD NEW --> or <!-- change: FILE --> above".into()),
        },
    );
    for step in LESSONS.windows(2) {
        let page = format!("docs/{}.md", step[1].name);
        let diff = Origin::Diff { old: file(&step[0]), new: file(&step[1]) };
        assert!(
            held.iter().any(|block| block.page == page && block.origin.as_ref() == Some(&diff)),
            "{page} does not show the diff to the step before"
        );
    }
}

#[test]
fn every_rust_excerpt_is_in_the_file_it_names() {
    let held = page::hold(
        |block| block.language == "rust" || matches!(block.origin, Some(Origin::Excerpt { .. })),
        |block| match &block.origin {
            Some(Origin::Excerpt { file, function: Some(name) }) => code::function(file, name),
            Some(Origin::Excerpt { file, function: None }) => block.stands_in(file),
            _ => Err("a piece of Rust needs <!-- excerpt: FILE --> above its fence".into()),
        },
    );
    for lesson in &LESSONS {
        let page = format!("docs/{}.md", lesson.name);
        assert!(held.iter().any(|block| block.page == page), "{page} shows nothing of the code");
    }
}

#[test]
fn every_fence_says_where_it_is_from() {
    let pages = page::all();
    let blocks = pages.iter().flat_map(|page| &page.blocks);
    let faults: Vec<String> = blocks.filter_map(Block::fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The scene that a block shows, and which part of it; no part, or all of it with its figures.
fn scene_of(block: &Block) -> Option<(&str, Option<&str>)> {
    match &block.origin {
        Some(Origin::Output { scene, part }) => Some((scene, part.as_deref())),
        Some(Origin::Figures { scene }) => Some((scene, None)),
        _ => None,
    }
}

#[test]
fn every_transcript_is_what_a_run_prints() {
    let pages = page::all();
    let shown: Vec<&Block> =
        pages.iter().flat_map(|page| &page.blocks).filter(|it| scene_of(it).is_some()).collect();
    let names: BTreeSet<&str> = shown.iter().filter_map(|it| Some(scene_of(it)?.0)).collect();
    let played: BTreeMap<&str, Result<Parts, Why>> = thread::scope(|scope| {
        let running: Vec<_> =
            names.iter().map(|name| (*name, scope.spawn(|| scenes::play(name)))).collect();
        let end = |(name, scene): (_, thread::ScopedJoinHandle<Result<Parts, Why>>)| {
            (name, scene.join().unwrap_or_else(|_| Err(Why::Failed("it panicked".into()))))
        };
        running.into_iter().map(end).collect()
    });
    let today = |block: &Block| {
        let (scene, part) = scene_of(block).unwrap_or_default();
        match &played[scene] {
            Ok(parts) => scenes::part(parts, part),
            Err(Why::Missing(_)) => Ok(block.text.clone()),
            Err(Why::Failed(why)) => Err(why.clone()),
        }
    };
    // A scene has the same pids in all its parts: so they are right together, or all written again.
    let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
    for (name, scene) in &played {
        if let Err(Why::Missing(what)) = scene {
            harness::skip(format!("{name}: {what}"));
        }
        let blocks: Vec<(&&Block, String)> = shown
            .iter()
            .filter(|it| scene_of(it).is_some_and(|(scene, _)| scene == *name))
            .filter_map(|it| Some((it, today(it).ok()?)))
            .collect();
        let mut pairs = Pairs::default();
        for (block, now) in &blocks {
            let same = match block.origin {
                Some(Origin::Figures { .. }) => {
                    let same = without_figures(&block.text) == without_figures(now);
                    if same { Ok(()) } else { Err("has other words or columns".to_owned()) }
                }
                _ => pairs.agree(&block.text, now),
            };
            if let Err(why) = same {
                wrong.entry(name).or_insert(format!("{}: {why}", block.place()));
            }
        }
    }
    let held = page::hold(
        |block| scene_of(block).is_some(),
        |block| {
            let now = today(block)?;
            match wrong.get(scene_of(block).unwrap_or_default().0) {
                None => Ok(block.text.clone()),
                Some(why) if !page::updates() => Err(why.clone()),
                Some(_) => Ok(now),
            }
        },
    );
    assert!(held.iter().any(|block| block.page == "README.md"), "README.md shows no tour");
}

/// Small numbers, as the pages spell them.
const SPELT: [&str; 7] = ["None", "One", "Two", "Three", "Four", "Five", "Six"];

/// The answers to *Predict* are what the transcripts show, which are held against a run.
#[test]
fn the_answers_are_what_the_transcripts_show() {
    let pages = LESSONS.each_ref().map(|lesson| Page::of(&format!("docs/{}.md", lesson.name)));
    let shown = |lesson: usize, scene: &str, part: Option<&str>| -> &str {
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

    let listed = shown(1, "one client of lesson-01", Some("client"));
    let (_, listed) = listed.split_once("$ kill -9").unwrap();
    assert_eq!(count(listed, " Z"), 1, "it is still there");
    let rows = count(listed, "lesson-01");
    answers(1, &[format!("1. {}: the server, and a zombie.", SPELT[rows]), "2. Nothing.".into()]);

    let race = shown(2, "cargo run --bin tour -- --race", None);
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

    let calls = shown(3, "lesson-03 under strace", None);
    let runs = ["Never", "Once", "Twice"][count(calls, "rt_sigreturn")];
    let (waits, failed) = (count(calls, "wait4"), count(calls, "ECHILD"));
    let reaped = SPELT[waits - failed].to_lowercase();
    answers(3, &[format!("1. {runs}."), format!("2. {} times: {reaped}", SPELT[waits])]);
}

/// In a transcript, or in the words about it.
#[test]
fn every_pid_to_type_is_on_the_page_besides() {
    for page in LESSONS.each_ref().map(|lesson| Page::of(&format!("docs/{}.md", lesson.name))) {
        let typed: Vec<_> = page.blocks.iter().filter(|block| block.language == "sh").collect();
        let in_blocks = |pid: &str| typed.iter().map(|it| it.text.matches(pid).count()).sum();
        for block in &typed {
            for word in block.text.split(|c: char| !c.is_ascii_alphanumeric()) {
                let is_pid = word.len() == 5 && word.bytes().all(|it| it.is_ascii_digit());
                let shown = page.text.matches(word).count() > in_blocks(word);
                assert!(!is_pid || shown, "{}: {word}", block.place());
            }
        }
    }
}

/// `-p`, `--bin` and the like: what a reader is told to run is there, takes these arguments, and a
/// test's name finds some.
#[test]
fn every_cargo_command_to_type_names_what_there_is() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata = cargo.current_dir(root()).output().unwrap().stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let mut there: BTreeSet<(String, String)> = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        there.extend(["-p", "-qp", "--package"].map(|it| (it.to_owned(), name.to_owned())));
        for target in package["targets"].as_array().unwrap() {
            let name = target["name"].as_str().unwrap();
            for kind in target["kind"].as_array().unwrap() {
                there.insert((format!("--{}", kind.as_str().unwrap()), name.to_owned()));
            }
        }
    }
    let tests = code::tests();
    let options = ["-p", "-qp", "--package", "--bin", "--example", "--test", "--bench"];
    for page in page::all() {
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            for command in block.text.lines().filter(|line| line.contains("cargo ")) {
                let (own, rest) = command.split_once(" -- ").unwrap_or((command, ""));
                let words: Vec<&str> = own.split_whitespace().collect();
                if words.starts_with(&["cargo", "test"]) {
                    let value = |at: usize| at > 2 && options.contains(&words[at - 1]);
                    let filter = (2..words.len()).filter(|at| !value(*at)).map(|at| words[at]);
                    for filter in filter.chain(rest.split_whitespace()) {
                        let finds = tests.iter().any(|(name, _)| name.contains(filter));
                        let of_lesson = filter.starts_with("lesson_0"); // made by survival's claims
                        let is_option = filter.starts_with('-');
                        assert!(is_option || finds || of_lesson, "{}: {filter}", block.place());
                    }
                }
                let program = |name: &str| words.windows(2).any(|it| it[1] == name);
                if let Some(name) = ["client", "tour"].iter().find(|name| program(name)) {
                    let program = harness::lessons::program(name).unwrap();
                    let args = rest.split_whitespace().filter(|word| *word != "&");
                    let known = Command::new(program).args(args).arg("--help").output().unwrap();
                    assert!(known.status.success(), "{}: {command}", block.place());
                }
                for named in words.windows(2).filter(|named| options.contains(&named[0])) {
                    let named = (named[0].to_owned(), named[1].to_owned());
                    assert!(there.contains(&named), "{}: {command}", block.place());
                }
            }
        }
    }
}

// The tests that the pages name.

#[test]
fn every_story_of_a_test_begins_with_its_name() {
    let tests = code::tests();
    page::hold(
        |block| matches!(block.origin, Some(Origin::Told { .. })),
        |block| match &block.origin {
            Some(Origin::Told { test }) if !tests.contains_key(test) => {
                Err(format!("there is no test {test}"))
            }
            Some(Origin::Told { test }) if block.text.lines().next() == Some(test) => {
                Ok(block.text.clone())
            }
            _ => Err("the story of a test begins with its name".to_owned()),
        },
    );
}

// The exam's pages.

#[test]
fn the_exams_pages_list_its_questions_and_causes() {
    let rows = Page::of("docs/exam.md").rows;
    let numbered = rows.iter().filter_map(|row| row[0].parse().ok().map(|n: usize| (n, &row[1])));
    let listed: Vec<(usize, &String)> = numbered.collect();
    assert_eq!(listed.len(), QUESTIONS.len());
    for ((number, name), question) in listed.into_iter().zip(&QUESTIONS) {
        assert!(question.name.starts_with(&**name), "question {number} is {:?}", question.name);
    }
    let page = Page::of("docs/exam-reference.md");
    let causes = page.rows.iter().map(|row| row[0].trim_matches('`')).take(Cause::ALL.len());
    assert_eq!(causes.collect::<Vec<_>>(), Cause::ALL.map(|(cause, ..)| cause.name()));
    let hints =
        QUESTIONS.iter().map(|it| it.hint).chain(Cause::ALL.map(|(cause, ..)| cause.hint()));
    for hint in hints {
        assert!(hint.contains("? docs/") && hint.len() < 160, "a line that asks: {hint}");
    }
}
