//! What the pages propose to do, done in a copy of the workspace: the changes of *Something to try*
//! and the exercise.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::lessons::root;

use super::numbers::Pairs;
use super::page::{self, Block, Page, read};
use super::twins;

/// A command of a page, and what comes of it.
pub(crate) struct Try<'a> {
    command: &'a str,
    /// The change that comes before it.
    change: Option<&'a Block>,
    /// What the page shows of it. It fails if the page shows nothing.
    shows: Option<&'a Block>,
}

/// The command that a block has a reader type.
fn typed(block: &Block) -> Option<&str> {
    let is_try = |line: &&str| line.starts_with("cargo test ") || line.starts_with("cargo my-exam");
    block.text.lines().find(is_try).filter(|_| block.kind.is_empty())
}

/// The tries of a page. Under a change is a command to type; what it prints may follow. What a
/// command prints may also stand alone.
pub(crate) fn tries(page: &Page) -> Result<Vec<Try<'_>>, String> {
    let mut tries: Vec<Try> = Vec::new();
    let mut open: Option<&Block> = None;
    for block in &page.blocks {
        match block.kind.as_str() {
            "change" if open.is_some() => break,
            "change" => open = Some(block),
            "" => {
                if let (Some(_), Some(command)) = (open, typed(block)) {
                    tries.push(Try { command, change: open.take(), shows: None });
                }
            }
            "failure" | "success" => {
                let command = block.of.as_str();
                if !page.blocks.iter().any(|it| typed(it) == Some(command)) {
                    return Err(format!("{}: nobody is told to type {command:?}", block.place()));
                }
                let is_its = |it: &&mut Try| it.shows.is_none() && it.command == command;
                match tries.last_mut().filter(is_its) {
                    Some(it) => it.shows = Some(block),
                    None => tries.push(Try { command, change: None, shows: Some(block) }),
                }
            }
            _ => {}
        }
    }
    match open {
        Some(change) => Err(format!("{}: no test is run after this change", change.place())),
        None => Ok(tries),
    }
}

impl Try<'_> {
    /// Makes the change in the copy, runs the command and takes the change back.
    fn make(&self, copy: &Path) -> Result<(), String> {
        let Some(change) = self.change else { return self.run(copy) };
        let (file, source) = (&change.of, read(&change.of)?);
        let hunks = change.hunks().into_iter();
        let changed = hunks.fold(source.clone(), |text, (old, new)| text.replacen(&old, &new, 1));
        if changed == source {
            return Err(format!("the change doesn't apply to {file}"));
        }
        let write = |text| fs::write(copy.join(file), text).map_err(|error| error.to_string());
        write(changed)?;
        let done = self.run(copy);
        write(source)?;
        done
    }

    fn run(&self, copy: &Path) -> Result<(), String> {
        let mut words = self.command.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(copy).stdin(Stdio::null());
        command.env("CARGO_TARGET_DIR", root().join("target/tries/target"));
        let run = command.output().map_err(|error| format!("{}: {error}", self.command))?;
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        let succeeds = run.status.success();
        let fails = said.contains("test result: FAILED") || said.contains("  fails  ");
        if succeeds != self.shows.is_some_and(|it| it.kind == "success") || fails == succeeds {
            return Err(format!("{} ends with {}:\n{said}", self.command, run.status));
        }
        let Some(Block { text, .. }) = self.shows else { return Ok(()) };
        let lines: Vec<&str> = said.lines().collect();
        let agrees = |some: &[&str]| Pairs::default().agree(text, &some.join("\n")).is_ok();
        match lines.windows(text.lines().count()).any(agrees) {
            true => Ok(()),
            false => Err(format!("{} prints something else:\n{said}", self.command)),
        }
    }
}

/// Does each of them in a copy of the workspace: it must end as the page says. .ci/run runs it.
#[test]
#[ignore = "takes minutes: builds a copy of the workspace"]
fn every_try_on_show_ends_as_its_page_says() {
    let copy = root().join("target/tries/workspace");
    let _ = fs::remove_dir_all(&copy);
    for file in page::files("") {
        let to = copy.join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(&file), to).unwrap();
    }
    let mut faults = Vec::new();
    for page in page::all().iter().filter(|it| twins::english(&it.name).is_none()) {
        let made = tries(page).unwrap().into_iter().filter_map(|it| it.make(&copy).err());
        faults.extend(made.map(|why| format!("{}: {why}", page.name)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
