//! The lessons are what the pages show, and the step from one to the next is small enough to be
//! read as a diff.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::{fs, thread};

use harness::lessons::{LESSONS, Lesson, root};
use page::links::{self, Site};
use page::scenes::{self, Parts, Why};
use page::{Block, Origin};
use similar::{ChangeTag, TextDiff};

/// Two screens.
const LONGEST_LESSON: usize = 140;

/// The file that is all of a lesson.
fn file(lesson: &Lesson) -> String {
    format!("{}/src/main.rs", lesson.folder)
}

fn source(lesson: &Lesson) -> String {
    lesson.source().unwrap()
}

/// The lines that differ between two lessons, both sides counted.
fn changed_lines(old: &Lesson, new: &Lesson) -> usize {
    let (old, new) = (source(old), source(new));
    TextDiff::from_lines(&old, &new)
        .iter_all_changes()
        .filter(|change| change.tag() != ChangeTag::Equal)
        .count()
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
        source.lines().filter_map(page::function_name).map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(second, third, "the functions of lessons 2 and 3");
    let mut known = second.clone();
    known.retain(|name| first.contains(name));
    assert_eq!(first, known, "the functions of lesson 1, and those of lesson 2 that it has too");
}

#[test]
fn every_diff_on_show_is_todays() {
    let held = page::hold_against(
        |block| block.language == "diff",
        |block| match &block.origin {
            Some(Origin::Diff { old, new }) => {
                let (before, after) = (page::read(old)?, page::read(new)?);
                let diff = TextDiff::from_lines(&before, &after);
                Ok(diff.unified_diff().header(old, new).to_string())
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
fn every_rust_excerpt_stands_in_the_file_it_names() {
    let held = page::hold_against(
        |block| block.language == "rust" || matches!(block.origin, Some(Origin::Excerpt { .. })),
        |block| match &block.origin {
            Some(Origin::Excerpt { file, function: Some(name) }) => page::function(file, name),
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
fn every_link_anchor_and_picture_leads_somewhere() {
    let (checked, faults) = Site::of_workspace().check();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let links::Checked { pages, links, anchors, pictures, elsewhere } = checked;
    page::tell(&format!(
        "{pages} pages: {links} links followed, {anchors} of them to a heading, {pictures} pictures \
         seen, {elsewhere} links elsewhere not followed"
    ));
}

#[test]
fn the_summary_lists_every_page_of_the_book_by_its_title() {
    let faults = Site::of_workspace().check_summary();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_fence_is_one_that_is_looked_at() {
    let site = Site::of_workspace();
    for page in page::pages() {
        let seen = page::blocks(&page, &page::read(&page).unwrap()).len();
        assert_eq!(
            seen,
            site.fences(&page),
            "{page} has a fence that is no line of three backticks"
        );
    }
}

#[test]
fn every_fence_says_where_it_is_from() {
    let mut faults = Vec::new();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for page in page::pages() {
        for block in page::blocks(&page, &page::read(&page).unwrap()) {
            faults.extend(block.fault());
            let kind = match block.origin {
                None => "to type",
                Some(Origin::Excerpt { .. }) => "excerpts",
                Some(Origin::Diff { .. }) => "diffs",
                Some(Origin::Change { .. }) => "changes to make",
                Some(Origin::Output { .. }) => "transcripts of scenes",
                Some(Origin::Figures { .. }) => "tables of figures",
                Some(Origin::Failure { .. }) => "failures of a test",
                Some(Origin::Told { .. }) => "transcripts that a test tells",
                Some(Origin::Measured { .. }) => "measured once",
            };
            *kinds.entry(kind).or_default() += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    page::tell(&format!("fences: {}", kinds.join(", ")));
}

#[test]
fn every_transcript_is_what_a_run_prints() {
    let scene_of = |block: &Block| match &block.origin {
        Some(Origin::Output { scene, .. } | Origin::Figures { scene }) => Some(scene.clone()),
        _ => None,
    };
    let shown =
        page::pages().into_iter().flat_map(|page| page::blocks(&page, &page::read(&page).unwrap()));
    let names: BTreeSet<String> = shown.filter_map(|block| scene_of(&block)).collect();
    let played: BTreeMap<&String, Result<Parts, Why>> = thread::scope(|scope| {
        let running: Vec<_> =
            names.iter().map(|name| (name, scope.spawn(|| scenes::play(name)))).collect();
        let end = |(name, scene): (_, thread::ScopedJoinHandle<Result<Parts, Why>>)| {
            (name, scene.join().unwrap_or_else(|_| Err(Why::Failed("it panicked".into()))))
        };
        running.into_iter().map(end).collect()
    });
    for (name, result) in &played {
        if let Err(Why::Missing(what)) = result {
            harness::skip(format!("{name}: {what}"));
        }
    }
    let held = page::hold_against(
        |block| scene_of(block).is_some(),
        |block| {
            let parts = match &played[&scene_of(block).unwrap_or_default()] {
                Ok(parts) => parts,
                Err(Why::Missing(_)) => return Ok(block.text.clone()),
                Err(Why::Failed(why)) => return Err(why.clone()),
            };
            let (same, now) = match &block.origin {
                Some(Origin::Output { scene, part }) => {
                    let now = scenes::part(parts, part.as_deref())?;
                    (scenes::same(scene, &block.text, &now), now)
                }
                _ => {
                    let now = scenes::part(parts, None)?;
                    (scenes::same_but_for_figures(&block.text, &now), now)
                }
            };
            Ok(if same { block.text.clone() } else { now })
        },
    );
    assert!(held.iter().any(|block| block.page == "README.md"), "README.md shows no tour");
    page::tell(&format!("{} transcripts held against {} runs", held.len(), played.len()));
}

/// `-p`, `--bin` and the like: what a reader is told to run is there.
#[test]
fn every_cargo_command_to_type_names_what_there_is() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata = cargo.current_dir(root()).output().unwrap().stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let mut there: BTreeSet<(String, String)> = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        there.extend(["-p", "--package"].map(|option| (option.to_owned(), name.to_owned())));
        for target in package["targets"].as_array().unwrap() {
            let name = target["name"].as_str().unwrap();
            for kind in target["kind"].as_array().unwrap() {
                there.insert((format!("--{}", kind.as_str().unwrap()), name.to_owned()));
            }
        }
    }
    let mut checked = 0;
    for page in page::pages() {
        for block in page::blocks(&page, &page::read(&page).unwrap()) {
            let commands = block.text.lines().filter(|_| block.language == "sh");
            for command in commands.filter(|line| line.contains("cargo ")) {
                let own = command.split(" -- ").next().unwrap_or_default();
                let words: Vec<&str> = own.split_whitespace().collect();
                for named in words.windows(2) {
                    let named = (named[0].to_owned(), named[1].to_owned());
                    if ["-p", "--package", "--bin", "--example", "--test", "--bench"]
                        .contains(&named.0.as_str())
                    {
                        assert!(there.contains(&named), "{}: {command}", block.place());
                        checked += 1;
                    }
                }
            }
        }
    }
    page::tell(&format!("{checked} packages and programs named in commands to type"));
}

#[test]
fn every_story_of_a_test_names_one() {
    let files = fs::read_dir(root().join("tests/tests")).unwrap();
    let files: Vec<String> = files
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".rs"))
        .map(|name| format!("tests/tests/{name}"))
        .collect();
    page::hold_against(
        |block| matches!(block.origin, Some(Origin::Told { .. })),
        |block| {
            let Some(Origin::Told { test }) = &block.origin else { return Err(String::new()) };
            let story = format!("Account::of(\"{test}\")");
            let tells = |file: &String| {
                page::function(file, test).is_ok_and(|function| function.contains(&story))
            };
            if !files.iter().any(tells) {
                return Err(format!("no test {test} tells what it sees"));
            }
            match block.text.lines().next() {
                Some(first) if first == test => Ok(block.text.clone()),
                _ => Err(format!("the story of {test} begins with its name")),
            }
        },
    );
}

#[test]
fn every_failure_on_show_has_its_change_and_its_command() {
    let tries = page::tries::all().unwrap();
    let shown = tries.iter().filter(|it| it.shows.is_some()).count();
    page::tell(&format!("{} changes to make, {shown} with the failure shown", tries.len()));
}

/// Makes each change that a page proposes, in a copy of the workspace, and runs the test that it
/// names: it must fail, and as the page says. Takes minutes; .ci/run runs it.
#[test]
#[ignore = "builds a copy of the workspace again for each change"]
fn every_change_on_show_fails_as_its_page_says() {
    let faults: Vec<String> = page::tries::all()
        .unwrap()
        .iter()
        .filter_map(|it| it.make().err().map(|why| format!("{}: {why}", it.place)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
