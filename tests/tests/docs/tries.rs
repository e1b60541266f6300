//! What the pages propose to do, done in a copy of the workspace: the changes of *Something to try*
//! and the exercise.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::lessons::root;

use super::numbers::Pairs;
use super::page::{self, Block, Origin, Page, read};

/// A command of a page, the change that comes before it, and what it prints.
#[derive(Debug, Default)]
struct Try {
    /// The page and the lines.
    place: String,
    change: Option<Block>,
    command: String,
    /// What the page shows of it.
    shows: Option<String>,
    succeeds: bool,
}

/// The tries of a page. Under a change is a command to type; what it prints may follow. What a
/// command prints may also stand alone.
fn tries(page: &Page) -> Result<Vec<Try>, String> {
    let mut tries: Vec<Try> = Vec::new();
    let typed = |block: &Block| -> Option<String> {
        let is_try =
            |line: &&str| ["cargo test ", "cargo my-exam"].iter().any(|it| line.starts_with(it));
        block.text.lines().find(is_try).map(str::to_owned)
    };
    for block in &page.blocks {
        let place = block.place();
        let open = tries.last_mut().filter(|it| it.shows.is_none() && it.change.is_some());
        match &block.origin {
            Some(Origin::Change { .. }) => {
                tries.push(Try { place, change: Some(block.clone()), ..Try::default() });
            }
            None => {
                let open = open.filter(|it| it.command.is_empty());
                open.into_iter().for_each(|it| it.command = typed(block).unwrap_or_default());
            }
            Some(origin @ (Origin::Failure { command } | Origin::Success { command })) => {
                let succeeds = matches!(origin, Origin::Success { .. });
                let shows = Some(block.text.clone());
                match open.filter(|it| it.command == *command) {
                    Some(it) => (it.shows, it.succeeds) = (shows, succeeds),
                    None if page.blocks.iter().any(|it| typed(it).as_ref() == Some(command)) => {
                        let command = command.clone();
                        tries.push(Try { place, change: None, command, shows, succeeds });
                    }
                    None => return Err(format!("{place}: nobody is told to type {command:?}")),
                }
            }
            _ => {}
        }
    }
    match tries.iter().find(|it| it.command.is_empty()) {
        Some(it) => Err(format!("{}: no test is run after this change", it.place)),
        None => Ok(tries),
    }
}

impl Try {
    /// Makes the change in the copy, runs the command and takes the change back.
    fn make(&self, copy: &Path) -> Result<(), String> {
        let Some(Block { origin: Some(Origin::Change { file }), .. }) = &self.change else {
            return self.run(copy);
        };
        let source = read(file)?;
        let hunks = self.change.iter().flat_map(Block::hunks);
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
        if succeeds != self.succeeds || fails == succeeds {
            return Err(format!("{} ends with {}:\n{said}", self.command, run.status));
        }
        let Some(shows) = &self.shows else { return Ok(()) };
        let (lines, length): (Vec<&str>, _) = (said.lines().collect(), shows.lines().count());
        let agrees = |some: &[&str]| {
            let some = some.join("\n");
            Pairs::default().agree(shows, &some).is_ok()
        };
        match lines.windows(length).any(agrees) {
            true => Ok(()),
            false => Err(format!("{} prints something else:\n{said}", self.command)),
        }
    }
}

fn all() -> Vec<Try> {
    let tries = page::all().iter().map(tries).collect::<Result<Vec<_>, _>>();
    tries.unwrap_or_else(|why| panic!("{why}")).into_iter().flatten().collect()
}

#[test]
fn every_change_and_failure_on_show_has_its_command() {
    assert!(all().len() > 5);
}

/// Does each of them in a copy of the workspace: it must end as the page says. .ci/run runs it.
#[test]
#[ignore = "takes minutes: builds a copy of the workspace"]
fn every_try_on_show_ends_as_its_page_says() {
    let copy = root().join("target/tries/workspace");
    let _ = fs::remove_dir_all(&copy);
    for file in page::files("", &|folder| folder != "target" && folder != ".git") {
        let to = copy.join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(&file), to).unwrap();
    }
    let make = |it: &Try| it.make(&copy).err().map(|why| format!("{}: {why}", it.place));
    let faults: Vec<String> = all().iter().filter_map(make).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Whether a rule finds fault with what breaks it.
mod tests {
    use super::*;

    const CHANGE: &str = "<!-- change: a.rs -->\n```diff\n-a\n+b\n c\n```\n\n";

    fn of(page: &str) -> Result<Vec<Try>, String> {
        tries(&Page::parse("page.md", page.to_owned()))
    }

    #[test]
    fn a_change_has_a_command_and_perhaps_what_that_prints() {
        let rest =
            "```sh\ncargo test -p a\n```\n\n<!-- failure: cargo test -p a -->\n```text\nno\n```\n";
        let it = &of(&format!("{CHANGE}{rest}")).unwrap()[0];
        assert_eq!((it.command.as_str(), it.shows.as_deref()), ("cargo test -p a", Some("no\n")));
        let failure = "<!-- failure: cargo test -p a -->\n```text\nno\n```\n";
        assert!(of(failure).unwrap_err().contains("nobody is told to type"));
        assert!(of(&format!("{CHANGE}{CHANGE}")).unwrap_err().contains("no test is run"));
    }
}
