//! "Something to try": the changes that the pages propose, made in a copy of the workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::lessons::root;

use super::scenes::squeezed;
use super::{Block, Origin, blocks, pages, read};

/// A change, the test that fails once it is made, and what that prints.
#[derive(Debug)]
pub(crate) struct Try {
    /// The page and the lines of the change.
    pub(crate) place: String,
    file: String,
    /// The lines that are there, and those that come in their place.
    old: String,
    new: String,
    command: String,
    /// What the page shows of the failure.
    pub(crate) shows: Option<String>,
}

/// All changes on the pages. Under each is a `cargo test` to type; what fails may follow.
pub(crate) fn all() -> Result<Vec<Try>, String> {
    let mut tries: Vec<Try> = Vec::new();
    for page in pages() {
        let mut open: Option<Try> = None;
        for block in blocks(&page, &read(&page)?) {
            take(&mut tries, &mut open, &block)?;
        }
        match open {
            Some(it) if it.command.is_empty() => {
                return Err(format!("{}: no test is run after this change", it.place));
            }
            open => tries.extend(open),
        }
    }
    Ok(tries)
}

fn take(tries: &mut Vec<Try>, open: &mut Option<Try>, block: &Block) -> Result<(), String> {
    match (&block.origin, open.as_mut()) {
        (Some(Origin::Change { file }), before) => {
            if before.is_some_and(|it| it.command.is_empty()) {
                return Err(format!("{}: no test is run before this change", block.place()));
            }
            let side = |other: char| {
                let lines = block.text.split_inclusive('\n').filter(|it| !it.starts_with(other));
                lines.map(|line| line.get(1..).unwrap_or(line)).collect::<String>()
            };
            let next = Try {
                place: block.place(),
                file: file.clone(),
                old: side('+'),
                new: side('-'),
                command: String::new(),
                shows: None,
            };
            tries.extend(open.replace(next));
        }
        (None, Some(it)) if it.command.is_empty() => {
            let test = block.text.lines().find(|line| line.starts_with("cargo test "));
            it.command = test.unwrap_or_default().to_owned();
        }
        (Some(Origin::Failure { command }), Some(it)) => {
            if *command != it.command {
                let place = block.place();
                return Err(format!("{place}: the page says to type {:?}", it.command));
            }
            it.shows = Some(block.text.clone());
        }
        (Some(Origin::Failure { .. }), None) => {
            return Err(format!("{}: a failure, and no change above", block.place()));
        }
        _ => {}
    }
    Ok(())
}

impl Try {
    /// Makes the change in a copy of the workspace and runs the test.
    pub(crate) fn make(&self) -> Result<(), String> {
        let folder = root().join("target/tries");
        let copy = folder.join("workspace");
        let _ = fs::remove_dir_all(&copy);
        copy_folder(root(), &copy).map_err(|error| format!("cannot copy: {error}"))?;
        let source = read(&self.file)?;
        let changed = source.replacen(&self.old, &self.new, 1);
        if changed == source {
            return Err(format!("the change doesn't apply to {}", self.file));
        }
        fs::write(copy.join(&self.file), changed).map_err(|error| error.to_string())?;

        let mut words = self.command.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&copy).stdin(Stdio::null());
        command.env("CARGO_TARGET_DIR", folder.join("target"));
        let run = command.output().map_err(|error| format!("{}: {error}", self.command))?;
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        if run.status.success() {
            return Err(format!("{} passes after this change", self.command));
        }
        if !said.contains("test result: FAILED") {
            return Err(format!("{} could not be run:\n{said}", self.command));
        }
        match &self.shows {
            Some(shows) if !squeezed(&said).contains(&squeezed(shows)) => {
                Err(format!("{} fails otherwise than the page shows:\n{said}", self.command))
            }
            _ => Ok(()),
        }
    }
}

/// Copies what is in a workspace, its target folder and repository aside.
fn copy_folder(from: &Path, to: &PathBuf) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// Whether a rule finds fault with what breaks it.
mod teeth {
    use super::*;

    fn tries(page: &str) -> Result<Vec<Try>, String> {
        let (mut tries, mut open) = (Vec::new(), None);
        for block in blocks("page.md", page) {
            take(&mut tries, &mut open, &block)?;
        }
        tries.extend(open);
        Ok(tries)
    }

    const CHANGE: &str = "<!-- change: a.rs -->\n```diff\n-a\n+b\n c\n```\n\n";

    #[test]
    fn a_change_has_a_test_and_perhaps_a_failure() {
        let rest =
            "```sh\ncargo test -p a\n```\n\n<!-- failure: cargo test -p a -->\n```text\nno\n```\n";
        let it = &tries(&format!("{CHANGE}{rest}")).unwrap()[0];
        assert_eq!((it.old.as_str(), it.new.as_str()), ("a\nc\n", "b\nc\n"));
        assert_eq!((it.command.as_str(), it.shows.as_deref()), ("cargo test -p a", Some("no\n")));
    }

    #[test]
    fn a_failure_without_its_change_or_of_another_command_is_a_fault() {
        let failure = "<!-- failure: cargo test -p a -->\n```text\nno\n```\n";
        assert!(tries(failure).unwrap_err().contains("no change above"));
        let other = format!("{CHANGE}```sh\ncargo test -p b\n```\n\n{failure}");
        assert!(tries(&other).unwrap_err().contains("says to type \"cargo test -p b\""));
        assert!(tries(&format!("{CHANGE}{CHANGE}")).unwrap_err().contains("no test is run"));
    }
}
