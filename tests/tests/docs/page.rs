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
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use harness::lessons::root;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use similar::TextDiff;

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
    pub(crate) headings: Vec<Heading>,
    pub(crate) links: Vec<Link>,
    pub(crate) blocks: Vec<Block>,
    /// The rows of its tables, heads aside, as cells of Markdown.
    pub(crate) rows: Vec<Vec<String>>,
    /// What a page may not have, with its line.
    pub(crate) faults: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) text: String,
    /// Its id, on a forge and in the book.
    pub(crate) anchor: String,
}

#[derive(Debug)]
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
    /// The page's file.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Excerpt { file: String, function: Option<String> },
    Diff { old: String, new: String },
    Change { file: String },
    Output { scene: String, part: Option<String> },
    Figures { scene: String },
    Failure { command: String },
    Success { command: String },
    Told { test: String },
    Measured,
}

impl Origin {
    /// Reads `<!-- KIND: … -->`; any other line is no origin.
    fn parse(line: &str) -> Option<Origin> {
        let (kind, of) = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?.split_once(": ")?;
        let (first, second) = match of.split_once(", ") {
            Some((first, second)) => (first.to_owned(), Some(second.to_owned())),
            None => (of.to_owned(), None),
        };
        let of = of.to_owned();
        Some(match kind {
            "excerpt" => {
                let function = second.map(|name| name.trim_start_matches("fn ").to_owned());
                Origin::Excerpt { file: first, function }
            }
            "diff" => {
                let (old, new) = of.split_once(' ')?;
                Origin::Diff { old: old.to_owned(), new: new.to_owned() }
            }
            "change" => Origin::Change { file: first },
            "output" => Origin::Output { scene: first, part: second },
            "figures" => Origin::Figures { scene: of.rsplit_once(' ')?.0.to_owned() },
            "failure" => Origin::Failure { command: of },
            "success" => Origin::Success { command: of },
            "told" => Origin::Told { test: of },
            "measured" => Origin::Measured,
            _ => return None,
        })
    }
}

impl Page {
    /// A page of the workspace.
    ///
    /// # Panics
    /// When it can't be read.
    pub(crate) fn of(name: &str) -> Page {
        Page::parse(name, read(name).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Reads what a forge and the book have in common.
    pub(crate) fn parse(name: &str, text: String) -> Page {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut page = Page { name: name.to_owned(), ..Page::default() };
        let (mut heading, mut link, mut used) = (None, None, HashMap::new());
        let (mut above, mut folds) = (0..0, 0);
        for (event, at) in Parser::new_ext(&text, options).into_offset_iter() {
            let index = text[..at.start].matches('\n').count();
            let mut fault = |what: &str| page.faults.push(format!("{}: {what}", index + 1));
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let text = heading.take().unwrap_or_default();
                    let anchor = anchor(&text, &mut used);
                    if anchor.is_empty() {
                        fault("a heading without a word has no anchor");
                    }
                    page.headings.push(Heading { text, anchor });
                }
                Event::Start(
                    ref tag @ (Tag::Link { ref dest_url, .. } | Tag::Image { ref dest_url, .. }),
                ) => {
                    let is_picture = matches!(tag, Tag::Image { .. });
                    let (line, to) = (index + 1, dest_url.to_string());
                    link = Some(Link { line, to, text: String::new(), is_picture });
                }
                Event::End(TagEnd::Link | TagEnd::Image) => page.links.extend(link.take()),
                Event::Text(words) | Event::Code(words) => {
                    heading.iter_mut().for_each(|it| it.push_str(&words));
                    link.iter_mut().for_each(|it| it.text.push_str(&words));
                }
                Event::SoftBreak | Event::HardBreak => {
                    heading.iter_mut().for_each(|it| it.push(' '));
                    link.iter_mut().for_each(|it| it.text.push(' '));
                }
                Event::Start(Tag::TableHead | Tag::TableRow) => page.rows.push(Vec::new()),
                Event::End(TagEnd::TableHead) => drop(page.rows.pop()),
                Event::End(TagEnd::TableCell) => {
                    let cell = text[at].trim_matches(['|', ' ']).to_owned();
                    page.rows.last_mut().into_iter().for_each(|row| row.push(cell.clone()));
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(label))) => {
                    match block(name, &text, at.clone(), &text[above.clone()], &label) {
                        Ok(block) => page.blocks.push(block),
                        Err(why) => fault(&why),
                    }
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                    fault("code without a fence says no origin");
                }
                Event::Html(html) | Event::InlineHtml(html) => match html.trim() {
                    "<details>" => folds += 1,
                    "</details>" => folds -= 1,
                    it if it.starts_with("<summary>") && it.ends_with("</summary>") => {}
                    it if it.starts_with("<!--") => above = at.clone(),
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

    /// Its first heading.
    pub(crate) fn title(&self) -> &str {
        self.headings.first().map_or("", |heading| &heading.text)
    }
}

/// The fenced block that is there in a page, which begins with the line of its fence.
fn block(
    page: &str,
    text: &str,
    at: Range<usize>,
    above: &str,
    label: &str,
) -> Result<Block, String> {
    if !(at.start == 0 || text[..at.start].ends_with('\n')) {
        return Err("a fence in a list or quote isn't checked".to_owned());
    }
    let comment = text[..at.start].lines().next_back().unwrap_or_default();
    let comment = if above.trim() == comment { comment } else { "" };
    let origin = Origin::parse(comment);
    if origin.is_none() && !comment.is_empty() {
        return Err(format!("says nothing that a test understands: {comment}"));
    }
    let start = text[..at.start].matches('\n').count() + 1;
    let inside: Vec<&str> = text[at].split_inclusive('\n').skip(1).collect();
    let [inside @ .., "```" | "```\n"] = &inside[..] else {
        return Err("a fence that is no line of three backticks".to_owned());
    };
    let (page, language) = (page.to_owned(), label.to_owned());
    Ok(Block { page, language, origin, text: inside.concat(), start })
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
    /// `docs/lesson-02.md:57-60`.
    pub(crate) fn place(&self) -> String {
        let lines = self.text.lines().count();
        format!("{}:{}-{}", self.page, self.start + 1, self.start + lines)
    }

    /// What is wrong with its origin: what its label says that it is, somebody can check.
    pub(crate) fn fault(&self) -> Option<String> {
        use Origin::{Change, Diff, Excerpt};
        let fits = match (self.language.as_str(), &self.origin) {
            ("sh" | "bash", origin) => origin.is_none(),
            ("rust", Some(Excerpt { .. })) => true,
            ("diff", Some(Diff { .. } | Change { .. })) => true,
            ("text", Some(Excerpt { .. } | Diff { .. } | Change { .. })) => false,
            ("text", origin) => origin.is_some(),
            _ => false,
        };
        let Block { language, origin, .. } = self;
        (!fits).then(|| format!("{}: labelled {language:?}, and from {origin:?}", self.place()))
    }

    /// The block's text if it is in `file`, without a gap; else the line that isn't.
    pub(crate) fn stands_in(&self, file: &str) -> Result<String, String> {
        is_in(&self.text, file).map(|()| self.text.clone())
    }

    /// The block's text if the lines that this diff keeps or takes away are in `file`.
    pub(crate) fn applies_to(&self, file: &str) -> Result<String, String> {
        let hunks = self.hunks();
        hunks.iter().try_for_each(|(old, _)| is_in(old, file)).map(|()| self.text.clone())
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

fn is_in(lines: &str, file: &str) -> Result<(), String> {
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

/// A file of the workspace as text.
pub(crate) fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(root().join(file)).map_err(|error| format!("cannot read {file}: {error}"))
}

/// All pages of the workspace: a build's output and dot-folders aside, but not the forge's.
pub(crate) fn all() -> Vec<Page> {
    files("", &|folder| folder != "target" && (!folder.starts_with('.') || folder == ".github"))
        .iter()
        .filter(|file| file.ends_with(".md"))
        .map(|file| Page::of(file))
        .collect()
}

/// The files below a folder of the workspace, by name.
pub(crate) fn files(folder: &str, enters: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).expect("a folder of the workspace is read") {
        let entry = entry.expect("a folder of the workspace is read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(path);
        } else if enters(&name) {
            found.extend(files(&path, enters));
        }
    }
    found.sort();
    found
}

/// Holds the blocks that `concerns` picks, on every page, against `today`: it returns the text
/// that belongs there, or says why it can't tell. Returns the blocks it has held.
///
/// With `UPDATE_DOCS=1` in the environment a text that differs is written into its page.
///
/// # Panics
/// When a block isn't what it ought to be, with all such blocks' pages and lines.
#[track_caller]
pub(crate) fn hold(
    concerns: impl Fn(&Block) -> bool,
    today: impl Fn(&Block) -> Result<String, String>,
) -> Vec<Block> {
    static WRITING: Mutex<()> = Mutex::new(()); // the tests of one program write the same pages
    let (mut held, mut wrong) = (Vec::new(), Vec::new());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    for page in all() {
        let mut lines: Vec<&str> = page.text.split_inclusive('\n').collect();
        let blocks: Vec<Block> = page.blocks.into_iter().filter(&concerns).collect();
        let now = blocks.iter().map(|block| {
            today(block).unwrap_or_else(|why| {
                wrong.push(format!("{}: {why}\n", block.place()));
                block.text.clone()
            })
        });
        let now: Vec<String> = now.collect();
        for (block, now) in blocks.iter().zip(&now).rev() {
            if *now != block.text && !updates() {
                wrong.push(format!("{} has changed:\n{}", block.place(), changes(block, now)));
            }
            let inside = block.start..block.start + block.text.lines().count();
            lines.splice(inside, [now.as_str()]);
        }
        let rewritten = lines.concat();
        if updates() && rewritten != page.text {
            fs::write(root().join(&page.name), rewritten)
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", page.name));
        }
        held.extend(blocks);
    }
    assert!(
        wrong.is_empty(),
        "the pages don't show what is there\n\n{}\nWhat can be generated is rewritten by: {UPDATE}\n",
        wrong.join("\n")
    );
    held
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

/// Whether a page that isn't what it should be is found out.
mod tests {
    use super::*;

    fn faults(text: &str) -> String {
        let page = Page::parse("page.md", text.to_owned());
        let of_blocks = page.blocks.iter().filter_map(Block::fault);
        page.faults.into_iter().chain(of_blocks).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_fence_says_where_it_is_from() {
        assert!(
            faults("# Page\n\n```rust\nlet a = 1;\n```\n").starts_with("page.md:4-4: labelled")
        );
        for label in ["diff", "text", "console", "c", ""] {
            assert!(faults(&format!("```{label}\na\n```\n")).contains("from None"), "{label}");
        }
        assert_eq!(faults("```sh\nls\n```\n\n```bash\nls\n```\n"), "");
        assert!(faults("<!-- measured: once -->\n```rust\na\n```\n").contains("Measured"));
        assert!(faults("<!-- excerpt: a.rs -->\n```text\na\n```\n").contains("Excerpt"));
        assert_eq!(faults("<!-- measured: once -->\n```text\na\n```\n"), "");
        let comment = "says nothing that a test understands: <!-- exerpt: a.rs -->";
        assert!(faults("<!-- exerpt: a.rs -->\n```rust\n```\n").contains(comment));
        assert!(faults("- a\n\n  ```rust\n  ```\n").contains("3: a fence in a list or quote"));
    }

    #[test]
    fn what_is_not_plain_markdown_is_a_fault() {
        assert_eq!(faults("<details>\n<summary>A</summary>\n\nb\n\n</details>\n"), "");
        assert!(faults("<details>\n\nb\n").contains("has no end"));
        assert!(faults("a <b>b</b>").contains("1: <b>: HTML isn't plain"));
        assert!(faults("text\n\n    indented\n").contains("3: code without a fence"));
        assert!(faults("# ?\n").contains("a heading without a word"));
    }

    #[test]
    fn an_excerpt_or_change_that_is_not_in_its_file_is_a_fault() {
        let block = |text: &str| {
            let page = format!("<!-- change: a.rs -->\n```diff\n{text}```\n");
            Page::parse("page.md", page).blocks.remove(0)
        };
        let file = "lesson-03-waitpid-loop/src/main.rs";
        let there = "    while let child @ 1.. = collect() {\n        log_reaped(child);\n";
        assert_eq!(block(there).stands_in(file), Ok(there.into()));
        let gap = "    while let child @ 1.. = collect() {\n    }\n";
        assert!(block(gap).stands_in(file).is_err());
        assert!(block("").stands_in(file).is_err());
        assert!(block("-    let gone = 1;\n+    let new = 2;\n").applies_to(file).is_err());
        let hunks = block(" a\n-b\n+c\n@@\n d\n+e\n").hunks();
        let own = |(old, new): (&str, &str)| (old.to_owned(), new.to_owned());
        assert_eq!(hunks, [("a\nb\n", "a\nc\n"), ("d\n", "d\ne\n")].map(own));
    }
}
