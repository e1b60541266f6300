//! Pages of Markdown, read once by [`Page::of`], and held against what they show.
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
//! | `<!-- output: SCENE -->` | all that this scene of `scenes` prints, by the rules of `numbers` |
//! | `<!-- output: SCENE, PART -->` | a part of that |
//! | `<!-- figures: SCENE ARGUMENT -->` | the same, and the figures differ from run to run |
//! | `<!-- failure: COMMAND -->` | a part of what COMMAND prints when it fails after the change above |
//! | `<!-- success: COMMAND -->` | the same, of a COMMAND that succeeds |
//! | `<!-- told: TEST -->` | what TEST tells; that test itself holds it against the page |
//! | `<!-- measured: HOW -->` | what was seen once; not checked |
//!
//! FILE is relative to the root of the workspace. Every fence needs one of these, except those
//! that are labelled `sh` or `bash`: they are for the reader to type.

use std::collections::HashMap;
use std::ops::Range;
use std::{env, fs, slice};

use harness::lessons::root;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use similar::TextDiff;

use super::{code, links};

/// The command that writes into the pages and pictures what can be generated.
pub(crate) const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p harness --test docs";

/// Whether the tests are to write what can be generated.
pub(crate) fn updates() -> bool {
    env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
}

/// What a page says of itself and of others.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Its file, relative to the root of the workspace.
    pub(crate) name: String,
    pub(crate) text: String,
    /// Its first heading.
    pub(crate) title: String,
    pub(crate) headings: Vec<Heading>,
    pub(crate) links: Vec<Link>,
    pub(crate) blocks: Vec<Block>,
    /// Its words of code, with their lines.
    pub(crate) codes: Vec<(usize, String)>,
    /// What its prose is made of, with its lines.
    pub(crate) parts: Vec<(usize, &'static str)>,
    /// The rows of its tables, heads aside, as cells of Markdown.
    pub(crate) rows: Vec<Vec<String>>,
    /// What a page may not have, with its line.
    pub(crate) faults: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) line: usize,
    pub(crate) level: usize,
    /// Its id, on a forge and in the book.
    pub(crate) anchor: String,
}

#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) to: String,
    /// The words that are linked, or a picture's alt text.
    pub(crate) text: String,
    pub(crate) is_picture: bool,
}

/// A fenced block of a page.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) page: String,
    /// What its fence is labelled with: `rust`, `diff`, `text`, or nothing.
    pub(crate) label: String,
    /// The first word of the comment above it; nothing without a comment.
    pub(crate) kind: String,
    /// The rest of that comment.
    pub(crate) of: String,
    /// The lines between its fences.
    pub(crate) text: String,
    /// The number of the first of them in the page.
    pub(crate) line: usize,
    /// Where in the page's text they begin.
    start: usize,
}

impl Page {
    /// A page of the workspace.
    pub(crate) fn of(name: &str) -> Page {
        Page::parse(name, read(name).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Reads what a forge and the book have in common.
    pub(crate) fn parse(name: &str, text: String) -> Page {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut page = Page { name: name.to_owned(), ..Page::default() };
        // All words so far, and where among them the heading or the link begins that is open.
        let (mut words, mut heading, mut link) = (String::new(), 0, 0);
        let (mut used, mut folds) = (HashMap::new(), 0);
        for (event, at) in Parser::new_ext(&text, options).into_offset_iter() {
            let line = text[..at.start].matches('\n').count() + 1;
            let mut fault = |what: &str| page.faults.push(format!("{line}: {what}"));
            match event {
                Event::Text(some) => words += &some,
                Event::Code(some) => {
                    words += &some;
                    page.codes.push((line, some.to_string()));
                }
                Event::SoftBreak | Event::HardBreak => words.push(' '),
                Event::Start(Tag::Heading { .. }) => heading = words.len(),
                Event::Start(Tag::Paragraph) => page.parts.push((line, "a paragraph")),
                Event::Start(Tag::Item) => page.parts.push((line, "an item of a list")),
                Event::End(TagEnd::Heading(level)) => {
                    let anchor = anchor(&words[heading..], &mut used);
                    if anchor.is_empty() {
                        fault("a heading without a word has no anchor");
                    }
                    if page.headings.is_empty() {
                        page.title = words[heading..].to_owned();
                    }
                    page.headings.push(Heading { line, level: level as usize, anchor });
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    link = words.len();
                    page.links.push(Link { line, to: dest_url.to_string(), ..Link::default() });
                }
                Event::End(end @ (TagEnd::Link | TagEnd::Image)) => {
                    let it = page.links.last_mut().expect("it has begun");
                    it.text = words[link..].to_owned();
                    it.is_picture |= end == TagEnd::Image;
                }
                Event::Start(Tag::TableHead | Tag::TableRow) => {
                    page.rows.push(Vec::new());
                    page.parts.push((line, "a row of a table"));
                }
                Event::End(TagEnd::TableHead) => drop(page.rows.pop()),
                Event::End(TagEnd::TableCell) => {
                    let cell = text[at].trim_matches(['|', ' ']).to_owned();
                    page.rows.last_mut().expect("a cell is in a row").push(cell);
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(label))) => {
                    match Block::of(name, &text, at, &label) {
                        Ok(block) => page.blocks.push(block),
                        Err(why) => fault(why),
                    }
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                    fault("code without a fence says no origin");
                }
                Event::Html(html) | Event::InlineHtml(html) => match html.trim() {
                    "<details>" => {
                        folds += 1;
                        page.parts.push((line, "a fold"));
                    }
                    "</details>" => {
                        folds -= 1;
                        page.parts.push((line, "the end of a fold"));
                    }
                    it if it.starts_with("<summary>") && it.ends_with("</summary>") => {}
                    it if it.starts_with("<!--") => {}
                    it => fault(&format!("{it}: HTML isn't plain Markdown")),
                },
                _ => {}
            }
        }
        if folds != 0 {
            page.faults.push("a <details> has no end, or an end no beginning".to_owned());
        }
        Page { text, ..page }
    }
}

/// The id of a heading: letters, digits, `-` and `_` stay, in lower case; a blank is a `-`. The
/// second of a name is name-1, and so on.
fn anchor(heading: &str, used: &mut HashMap<String, usize>) -> String {
    let stays = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
        _ if c.is_whitespace() => Some('-'),
        _ => None,
    };
    let anchor: String = heading.trim().to_lowercase().chars().filter_map(stays).collect();
    let before = used.entry(anchor.clone()).or_default();
    *before += 1;
    if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
}

impl Block {
    /// The block that is there in a page's text, its fences included.
    fn of(page: &str, text: &str, at: Range<usize>, label: &str) -> Result<Block, &'static str> {
        let (before, block) = (&text[..at.start], &text[at.clone()]);
        if !(before.is_empty() || before.ends_with('\n')) {
            return Err("a fence in a list or quote isn't checked");
        }
        let lines: Vec<&str> = block.split_inclusive('\n').collect();
        let [fence, inside @ .., "```" | "```\n"] = &lines[..] else {
            return Err("a fence that is no line of three backticks");
        };
        let above = before.lines().next_back().unwrap_or_default();
        let comment = above.strip_prefix("<!-- ").and_then(|it| it.strip_suffix(" -->"));
        let (kind, of) = comment.map_or(("", ""), |it| it.split_once(": ").unwrap_or((it, "")));
        Ok(Block {
            page: page.to_owned(),
            label: label.to_owned(),
            kind: kind.to_owned(),
            of: of.to_owned(),
            text: inside.concat(),
            line: before.matches('\n').count() + 2,
            start: at.start + fence.len(),
        })
    }

    /// `docs/lesson-02.md:57-60`.
    pub(crate) fn place(&self) -> String {
        let last = self.line + self.text.lines().count() - 1;
        format!("{}:{}-{last}", self.page, self.line)
    }

    /// The hunks of a change: the lines that are there, and those that come in their place.
    pub(crate) fn hunks(&self) -> Vec<(String, String)> {
        let side = |hunk: &[&str], other: char| -> String {
            let lines = hunk.iter().filter(|line| !line.starts_with(other));
            lines.map(|line| line.get(1..).unwrap_or(line)).collect()
        };
        let lines: Vec<&str> = self.text.split_inclusive('\n').collect();
        let hunks = lines.split(|line| line.starts_with("@@")).filter(|hunk| !hunk.is_empty());
        hunks.map(|hunk| (side(hunk, '+'), side(hunk, '-'))).collect()
    }
}

/// A file of the workspace as text.
pub(crate) fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|error| format!("cannot read {file}: {error}"))
}

/// All pages of the workspace.
pub(crate) fn all() -> Vec<Page> {
    let mut files = files("");
    files.retain(|file| file.ends_with(".md"));
    files.iter().map(|file| Page::of(file)).collect()
}

/// The files below a folder of the workspace, by name: a build's output is none of them, nor is what
/// is in others' dot-folders.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder of the workspace is read") {
        let entry = entry.expect("a folder of the workspace is read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_ours = !name.starts_with('.') || [".cargo", ".github"].contains(&&*name);
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(path);
        } else if is_ours && name != "target" {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

/// Holds the blocks of all pages against `today`: it returns the text that belongs there, or says
/// why it can't tell. With `UPDATE_DOCS=1` a text that differs is written into its page.
#[track_caller]
pub(crate) fn hold(today: impl Fn(&Block) -> Result<String, String>) {
    let mut wrong = Vec::new();
    for page in all() {
        let mut text = page.text.clone();
        // From the end: so the beginnings of the others stay where they are.
        for block in page.blocks.iter().rev() {
            match today(block) {
                Err(why) => wrong.push(format!("{}: {why}\n", block.place())),
                Ok(now) if now == block.text => {}
                Ok(now) if updates() => {
                    text.replace_range(block.start..block.start + block.text.len(), &now);
                }
                Ok(now) => {
                    let diff = TextDiff::from_lines(&block.text, &now);
                    let diff = diff.unified_diff().context_radius(0).to_string();
                    wrong.push(format!("{} shows -, and today it is +:\n{diff}", block.place()));
                }
            }
        }
        if text != page.text {
            fs::write(root().join(&page.name), text)
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", page.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "the pages don't show what is there\n\n{}\nWhat can be generated is rewritten by: {UPDATE}\n",
        wrong.join("\n")
    );
}

/// Whether a page that isn't what it should be is found out; that the others pass, all pages show.
#[test]
fn every_fault_of_a_page_is_found() {
    let faults = |text: &str| {
        let page = Page::parse("docs/new.md", text.to_owned());
        let mut faults = links::faults(&page, slice::from_ref(&page));
        faults.extend(page.blocks.iter().filter_map(|block| code::today(block).err()));
        faults.join("\n")
    };
    const FILE: &str = "<!-- excerpt: lesson-03-waitpid-loop/src/main.rs -->\n```rust";
    const GAP: &str = "    while let child @ 1.. = collect() {\n    }";
    const CHANGE: &str =
        "<!-- change: lesson-03-waitpid-loop/src/main.rs -->\n```diff\n-}\n```\n\n";
    for (page, fault) in [
        ("# Page\n\n```rust\nlet a = 1;\n```\n", "labelled \"rust\", and from \"\""),
        ("<!-- measured: once -->\n```sh\na\n```\n", "from \"measured\""),
        ("<!-- excerpt: a.rs -->\n```sh\na\n```\n", "from \"excerpt\""),
        ("<!-- told: gone -->\n```text\ngone\n```\n", "there is no test gone"),
        ("<!-- change: a.rs -->\n```diff\n-a\n+b\n```\n", "cannot read a.rs"),
        (&format!("{FILE}\n{GAP}\n```\n"), "not in lesson-03"),
        (&format!("{FILE}\n```\n"), "not in lesson-03"),
        ("- a\n\n  ```rust\n  ```\n", "3: a fence in a list or quote"),
        ("````sh\n````\n", "1: a fence that is no line of three backticks"),
        ("<details>\n\nb\n", "has no end"),
        ("a <b>b</b>", "1: <b>: HTML isn't plain"),
        ("text\n\n    indented\n", "3: code without a fence"),
        ("# ?\n", "a heading without a word"),
        ("\n[x](gone.md)\n", "docs/new.md:2: gone.md: there is no such file"),
        ("[x](../..)", "leads out of the workspace"),
        ("[x](http://man7.org)", "not https"),
        ("[x](../client)", "no page for a folder"),
        ("# New\n[x](#old)", "docs/new.md has only these: new"),
        ("[x](../client/src/main.rs#L3)", "a line's number drifts"),
        ("![Words](pictures/five-roads.svg)", "says too little"),
        ("<!-- failure: cargo test -->\n```text\nno\n```\n", "nobody is told to type"),
        (&(CHANGE.repeat(2) + "```sh\ncargo test\n```\n"), "no test is run"),
    ] {
        assert!(faults(page).contains(fault), "{page}: {}", faults(page));
    }
}
