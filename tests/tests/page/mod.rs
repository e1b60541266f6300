//! Pages of Markdown that are held against what they show.
//!
//! A fenced block says where it comes from in a comment on the line above its fence, which no
//! reader sees:
//!
//! | comment | the block is |
//! |---|---|
//! | `<!-- excerpt: FILE -->` | lines of FILE, without a gap |
//! | `<!-- excerpt: FILE, fn NAME -->` | the whole function with its docs |
//! | `<!-- diff: OLD NEW -->` | the whole diff between two files |
//! | `<!-- change: FILE -->` | a diff for the reader to make; its old lines are in FILE |
//! | `<!-- output: SCENE -->` | all that this scene of [`scenes`] prints, pids and ports aside |
//! | `<!-- output: SCENE, PART -->` | a part of that |
//! | `<!-- figures: SCENE ARGUMENT -->` | the same, and the figures differ from run to run |
//! | `<!-- failure: COMMAND -->` | what COMMAND prints among others once the change above is made |
//! | `<!-- told: TEST -->` | what TEST tells; that test itself holds it against the page |
//! | `<!-- measured: HOW -->` | what was seen once; not checked |
//!
//! FILE is relative to the root of the workspace. Every fence needs one of these, but for those
//! that are labelled `sh` or `bash`: they are for the reader to type.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use harness::lessons::root;
use similar::TextDiff;

pub(crate) mod links;
pub(crate) mod scenes;
pub(crate) mod tries;

/// The command that writes into the pages what can be generated.
pub(crate) const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p harness --test lessons_on_show";

/// A fenced block of a page.
#[derive(Debug)]
pub(crate) struct Block {
    /// The page's file, relative to the root of the workspace.
    pub(crate) page: String,
    /// What its fence is labelled with: `rust`, `diff`, `text`, or nothing.
    pub(crate) language: String,
    /// Where it comes from, if it says so.
    pub(crate) origin: Option<Origin>,
    /// The lines between its fences.
    pub(crate) text: String,
    /// Index of its first line in the page, counted from 0.
    start: usize,
}

/// Where a block says that it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Excerpt { file: String, function: Option<String> },
    Diff { old: String, new: String },
    Change { file: String },
    Output { scene: String, part: Option<String> },
    Figures { scene: String },
    Failure { command: String },
    Told { test: String },
    Measured { how: String },
}

impl Origin {
    /// Reads `<!-- KIND: … -->`; any other line is no origin.
    fn parse(line: &str) -> Option<Origin> {
        let (kind, of) = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.split_once(": ")?;
        let (first, second) = match of.split_once(", ") {
            Some((first, second)) => (first.to_owned(), Some(second.to_owned())),
            None => (of.to_owned(), None),
        };
        match kind {
            "excerpt" => {
                let function = second.map(|name| name.trim_start_matches("fn ").to_owned());
                Some(Origin::Excerpt { file: first, function })
            }
            "diff" => {
                let (old, new) = of.split_once(' ')?;
                Some(Origin::Diff { old: old.to_owned(), new: new.to_owned() })
            }
            "change" => Some(Origin::Change { file: first }),
            "output" => Some(Origin::Output { scene: first, part: second }),
            "figures" => Some(Origin::Figures { scene: of.rsplit_once(' ')?.0.to_owned() }),
            "failure" => Some(Origin::Failure { command: of.to_owned() }),
            "told" => Some(Origin::Told { test: of.to_owned() }),
            "measured" => Some(Origin::Measured { how: of.to_owned() }),
            _ => None,
        }
    }
}

impl Block {
    /// `docs/lesson-02.md:57-60`.
    pub(crate) fn place(&self) -> String {
        let lines = self.text.lines().count();
        format!("{}:{}-{}", self.page, self.start + 1, self.start + lines)
    }

    /// What is wrong with its origin: what its label says that it is, somebody can check.
    pub(crate) fn fault(&self) -> Option<String> {
        let fits = match (self.language.as_str(), &self.origin) {
            ("sh" | "bash", origin) => origin.is_none(),
            ("rust", Some(Origin::Excerpt { .. })) => true,
            ("diff", Some(Origin::Diff { .. } | Origin::Change { .. })) => true,
            (
                "text",
                Some(Origin::Excerpt { .. } | Origin::Diff { .. } | Origin::Change { .. }),
            ) => false,
            ("text", origin) => origin.is_some(),
            _ => false,
        };
        let label = if self.language.is_empty() { "nothing" } else { &self.language };
        (!fits).then(|| match &self.origin {
            None => format!("{}: labelled {label}, and doesn't say where it is from", self.place()),
            Some(origin) => format!("{}: labelled {label}, and is {origin:?}", self.place()),
        })
    }

    /// The block's text if it stands in `file`, without a gap; else the line that doesn't.
    pub(crate) fn stands_in(&self, file: &str) -> Result<String, String> {
        self.lines_stand(&self.text, file).map(|()| self.text.clone())
    }

    /// The block's text if the lines that this diff keeps or takes away stand in `file`.
    pub(crate) fn applies_to(&self, file: &str) -> Result<String, String> {
        let old: String = self
            .text
            .split_inclusive('\n')
            .filter(|line| !line.starts_with('+'))
            .map(|line| line.get(1..).unwrap_or(line))
            .collect();
        self.lines_stand(&old, file).map(|()| self.text.clone())
    }

    fn lines_stand(&self, lines: &str, file: &str) -> Result<(), String> {
        let source = format!("\n{}", read(file)?);
        let mut run = "\n".to_owned();
        for line in lines.split_inclusive('\n') {
            run += line;
            if !source.contains(&run) {
                return Err(format!("not in {file}, or not there: {}", line.trim()));
            }
        }
        if run == "\n" { Err(format!("shows nothing of {file}")) } else { Ok(()) }
    }
}

/// A file of the workspace as text.
pub(crate) fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|error| format!("cannot read {file}: {error}"))
}

/// The name of the function that begins on this line, if one does.
pub(crate) fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_item = before
        .split_whitespace()
        .all(|word| matches!(word, "pub" | "pub(crate)" | "const" | "unsafe" | "extern" | "\"C\""));
    let name = after.split(['(', '<']).next()?;
    (is_item && !name.is_empty() && name != after).then_some(name)
}

/// A function of a file with the docs and attributes above it.
pub(crate) fn function(file: &str, name: &str) -> Result<String, String> {
    let source = read(file)?;
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    let missing = || format!("there is no function {name} in {file}");
    let at = lines.iter().position(|line| function_name(line) == Some(name)).ok_or_else(missing)?;
    let belongs = |line: &&&str| line.trim_start().starts_with("///") || line.contains("#[");
    let start = at - lines[..at].iter().rev().take_while(belongs).count();
    let indent = lines[at].len() - lines[at].trim_start().len();
    let close = format!("{}}}\n", " ".repeat(indent));
    let length = lines[at..].iter().position(|line| **line == close).ok_or_else(missing)?;
    Ok(lines[start..=at + length].concat())
}

/// Holds the blocks that `concerns` picks, on every page, against `today`: it returns the text
/// that belongs there, or says why it can't tell. Returns the blocks it has held.
///
/// With `UPDATE_DOCS=1` in the environment a text that differs is written into its page.
///
/// # Panics
/// When a block isn't what it ought to be, with all such blocks' pages and lines.
#[track_caller]
pub(crate) fn hold_against(
    concerns: impl Fn(&Block) -> bool,
    today: impl Fn(&Block) -> Result<String, String>,
) -> Vec<Block> {
    static WRITING: Mutex<()> = Mutex::new(()); // the tests of one program write the same pages
    let update = env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1");
    let mut held = Vec::new();
    let mut wrong = Vec::new();
    let writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    for page in pages() {
        let text = read(&page).unwrap_or_else(|error| panic!("{error}"));
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut rewritten = String::new();
        let mut at = 0;
        for block in blocks(&page, &text).into_iter().filter(&concerns) {
            rewritten += &lines[at..block.start].concat();
            at = block.start + block.text.lines().count();
            let now = today(&block).unwrap_or_else(|why| {
                wrong.push(format!("{}: {why}\n", block.place()));
                block.text.clone()
            });
            if now != block.text && !update {
                wrong.push(format!("{} has changed:\n{}", block.place(), changes(&block, &now)));
            }
            rewritten += &now;
            held.push(block);
        }
        rewritten += &lines[at..].concat();
        if update && rewritten != text {
            fs::write(root().join(&page), rewritten)
                .unwrap_or_else(|error| panic!("cannot write {page}: {error}"));
        }
    }
    drop(writing);
    assert!(
        wrong.is_empty(),
        "the pages don't show what is there\n\n{}\nWhat can be generated is rewritten by: {UPDATE}\n",
        wrong.join("\n")
    );
    held
}

/// Says on stderr how much was checked, past the test runner's capture.
pub(crate) fn tell(what: &str) {
    let _ = io::stderr().write_all(format!("{what}\n").as_bytes());
}

/// The lines that differ, with their numbers in the page: what it shows and what belongs there.
fn changes(block: &Block, now: &str) -> String {
    TextDiff::from_lines(block.text.as_str(), now)
        .iter_all_changes()
        .filter_map(|change| {
            let line = change.value().trim_end_matches('\n');
            match (change.old_index(), change.new_index()) {
                (Some(_), Some(_)) => None,
                (Some(at), None) => Some(format!("{:>6}  shows  {line}\n", block.start + at + 1)),
                (None, _) => Some(format!("        today  {line}\n")),
            }
        })
        .collect()
}

/// Every Markdown file of the workspace, relative to its root: a build's output and dot-folders
/// aside.
pub(crate) fn pages() -> Vec<String> {
    fn walk(folder: &str, found: &mut Vec<String>) {
        let entries = fs::read_dir(root().join(folder)).expect("a folder of the workspace is read");
        for entry in entries {
            let entry = entry.expect("a folder of the workspace is read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if name != "target" && !name.starts_with('.') {
                    walk(&path, found);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk("", &mut found);
    found.sort();
    found
}

/// The fenced blocks of a page, from top to bottom.
///
/// # Panics
/// When one can't be held against anything: it is indented, or its origin makes no sense.
pub(crate) fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut above = "";
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let (language, origin) = (language.to_owned(), Origin::parse(above));
            let clear = origin.is_some() || !above.starts_with("<!--");
            assert!(clear, "{page}:{at}: says nothing that a test understands: {above}");
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text = inside.map(|line| format!("{line}\n")).collect();
            blocks.push(Block { page: page.to_owned(), language, origin, text, start: at + 1 });
        }
        let indented = line.starts_with(' ') && line.trim_start().starts_with("```");
        assert!(!indented, "{page}:{}: a fence in a list or quote isn't checked", at + 1);
        above = line;
    }
    blocks
}

/// Whether a rule finds fault with what breaks it.
mod teeth {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        blocks("page.md", text).iter().filter_map(Block::fault).collect()
    }

    #[test]
    fn a_fence_without_an_origin_is_a_fault() {
        assert_eq!(
            faults("# Page\n\n```rust\nlet a = 1;\n```\n"),
            ["page.md:4-4: labelled rust, and doesn't say where it is from"]
        );
        for label in ["diff", "text", "console", "c", ""] {
            assert_eq!(faults(&format!("```{label}\na\n```\n")).len(), 1, "{label}");
        }
        assert_eq!(faults("```sh\nls\n```\n\n```bash\nls\n```\n").len(), 0);
    }

    #[test]
    fn an_origin_that_is_not_checked_for_its_label_is_a_fault() {
        let fault = "<!-- measured: once -->\n```rust\nlet a = 1;\n```\n";
        assert!(faults(fault)[0].contains("is Measured"), "{:?}", faults(fault));
        assert_eq!(faults("<!-- excerpt: a.rs -->\n```text\na\n```\n").len(), 1);
        assert_eq!(faults("<!-- measured: once -->\n```text\na\n```\n").len(), 0);
    }

    #[test]
    #[should_panic(expected = "says nothing that a test understands: <!-- exerpt: a.rs -->")]
    fn an_origin_of_no_kind_is_a_fault() {
        blocks("page.md", "<!-- exerpt: a.rs -->\n```rust\n```\n");
    }

    #[test]
    #[should_panic(expected = "page.md:3: a fence in a list or quote isn't checked")]
    fn a_fence_in_a_list_is_a_fault() {
        blocks("page.md", "- a\n\n  ```rust\n  ```\n");
    }

    #[test]
    fn an_excerpt_that_does_not_stand_in_its_file_is_a_fault() {
        let block = |text: &str| Block {
            page: "page.md".into(),
            language: "rust".into(),
            origin: None,
            text: text.into(),
            start: 0,
        };
        let file = "lesson-03-waitpid-loop/src/main.rs";
        let there = "    while let child @ 1.. = collect() {\n        log_reaped(child);\n";
        assert_eq!(block(there).stands_in(file), Ok(there.into()));
        let gap = "    while let child @ 1.. = collect() {\n    }\n";
        assert!(block(gap).stands_in(file).is_err());
        assert!(block("").stands_in(file).is_err());
        assert!(block("-    let gone = 1;\n+    let new = 2;\n").applies_to(file).is_err());
        assert!(function(file, "gone").is_err());
        assert!(read("lesson-04/src/main.rs").is_err());
    }
}
