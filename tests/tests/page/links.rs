//! What holds the pages together: links, the anchors they lead to, pictures, and the summary.

use std::collections::{BTreeMap, HashMap};

use harness::lessons::root;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{pages, read};

/// The folder whose pages make the book.
const BOOK: &str = "docs/";
/// The page that lists all others.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";

/// Pages and the files that they may link to.
pub(crate) struct Site {
    pages: BTreeMap<String, Page>,
    there: Look,
}

/// Says what is at a path, if anything.
type Look = Box<dyn Fn(&str) -> Option<Kind>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// What a page says of itself and of others.
#[derive(Debug, Default)]
struct Page {
    title: String,
    /// Its headings' ids.
    anchors: Vec<String>,
    links: Vec<Link>,
    /// Fenced blocks, wherever they are.
    fences: usize,
    /// What a page may not have, with its line.
    faults: Vec<String>,
}

#[derive(Debug)]
struct Link {
    line: usize,
    to: String,
    /// The words that are linked, or a picture's alt text.
    text: String,
    is_picture: bool,
}

/// How much was checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) pages: usize,
    pub(crate) links: usize,
    pub(crate) anchors: usize,
    pub(crate) pictures: usize,
    pub(crate) elsewhere: usize,
}

impl Site {
    /// The pages of this workspace and its files.
    pub(crate) fn of_workspace() -> Site {
        let text = |page: String| {
            let text = read(&page).unwrap_or_else(|error| panic!("{error}"));
            (page, text)
        };
        let there = |path: &str| match root().join(path).metadata() {
            Ok(it) if it.is_dir() => Some(Kind::Folder),
            Ok(_) => Some(Kind::File),
            Err(_) => None,
        };
        Site::new(pages().into_iter().map(text), there)
    }

    fn new(
        pages: impl IntoIterator<Item = (String, String)>,
        there: impl Fn(&str) -> Option<Kind> + 'static,
    ) -> Site {
        let pages = pages.into_iter().map(|(name, text)| (name, Page::parse(&text))).collect();
        Site { pages, there: Box::new(there) }
    }

    /// How many fenced blocks a page has by the rules of Markdown.
    pub(crate) fn fences(&self, page: &str) -> usize {
        self.pages[page].fences
    }

    /// Follows every link and looks at every picture.
    pub(crate) fn check(&self) -> (Checked, Vec<String>) {
        let mut checked = Checked { pages: self.pages.len(), ..Checked::default() };
        let mut faults = Vec::new();
        for (name, page) in &self.pages {
            faults.extend(page.faults.iter().map(|fault| format!("{name}:{fault}")));
            for link in &page.links {
                if let Err(why) = self.follow(name, link, &mut checked) {
                    faults.push(format!("{name}:{}: {}: {why}", link.line, link.to));
                }
            }
        }
        (checked, faults)
    }

    fn follow(&self, page: &str, link: &Link, checked: &mut Checked) -> Result<(), String> {
        if link.is_picture {
            checked.pictures += 1;
            if link.text.trim().is_empty() {
                return Err("a picture needs an alt text that tells what it shows".into());
            }
        }
        if link.to.contains("://") && !link.is_picture {
            checked.elsewhere += 1;
            return if link.to.starts_with("https://") { Ok(()) } else { Err("not https".into()) };
        }
        checked.links += usize::from(!link.is_picture);
        let (path, anchor) = match link.to.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (link.to.as_str(), None),
        };
        let target = if path.is_empty() { page.to_owned() } else { resolve(page, path)? };
        match (self.there)(&target) {
            Some(Kind::File) => {}
            None => return Err("there is no such file".into()),
            Some(Kind::Folder) if page.starts_with(BOOK) || link.is_picture => {
                return Err("the book has no page for a folder; link to a file in it".into());
            }
            Some(Kind::Folder) => {}
        }
        let Some(anchor) = anchor else { return Ok(()) };
        checked.anchors += 1;
        match self.pages.get(&target) {
            Some(page) if page.anchors.iter().any(|it| it == anchor) => Ok(()),
            Some(page) => Err(format!("{target} has only these: {}", page.anchors.join(" "))),
            None => Err("only pages have anchors; a line's number drifts".into()),
        }
    }

    /// Holds the summary against the pages of the book: each is in it once, by its own title.
    pub(crate) fn check_summary(&self) -> Vec<String> {
        let Some(summary) = self.pages.get(SUMMARY) else {
            return vec![format!("there is no {SUMMARY}")];
        };
        let mut listed: HashMap<String, usize> = HashMap::new();
        let mut faults = Vec::new();
        for link in &summary.links {
            let page = format!("{BOOK}{}", link.to);
            *listed.entry(page.clone()).or_default() += 1;
            match self.pages.get(&page) {
                None => faults.push(format!("{SUMMARY}:{}: there is no {page}", link.line)),
                Some(it) if it.title != link.text => faults.push(format!(
                    "{SUMMARY}:{}: {page} is called {:?} here and {:?} there",
                    link.line, link.text, it.title
                )),
                Some(_) => {}
            }
        }
        for page in self.pages.keys().filter(|it| it.starts_with(BOOK) && *it != SUMMARY) {
            match listed.get(page) {
                Some(1) => {}
                count => {
                    let count = count.unwrap_or(&0);
                    faults.push(format!("{page} is in {SUMMARY} {count} times"));
                }
            }
        }
        faults
    }
}

impl Page {
    fn parse(text: &str) -> Page {
        // What a forge and the book have in common.
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut page = Page::default();
        let (mut heading, mut link, mut used) = (None, None, HashMap::new());
        for (event, at) in Parser::new_ext(text, options).into_offset_iter() {
            let line = text[..at.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let heading = heading.take().unwrap_or_default();
                    let anchor = anchor(&heading);
                    if anchor.is_empty() {
                        page.faults.push(format!("{line}: a heading without a word has no anchor"));
                    }
                    // The second of a name is name-1, and so on.
                    let before: &mut usize = used.entry(anchor.clone()).or_default();
                    page.anchors.push(match *before {
                        0 => anchor,
                        again => format!("{anchor}-{again}"),
                    });
                    *before += 1;
                    if page.title.is_empty() {
                        page.title = heading;
                    }
                }
                Event::Start(
                    ref tag @ (Tag::Link { ref dest_url, .. } | Tag::Image { ref dest_url, .. }),
                ) => {
                    let is_picture = matches!(tag, Tag::Image { .. });
                    let to = dest_url.to_string();
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
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => page.fences += 1,
                Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)) => {
                    page.faults.push(format!("{line}: code without a fence says no origin"));
                }
                Event::Html(html) | Event::InlineHtml(html)
                    if !html.trim_start().starts_with("<!--") =>
                {
                    let tag = html.trim();
                    page.faults.push(format!("{line}: {tag}: HTML isn't plain Markdown"));
                }
                _ => {}
            }
        }
        page
    }
}

/// The id of a heading's anchor, on a forge and in the book: letters, digits, `-` and `_` stay, in
/// lower case; a blank is a `-`.
fn anchor(heading: &str) -> String {
    let stays = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
        _ if c.is_whitespace() => Some('-'),
        _ => None,
    };
    heading.trim().to_lowercase().chars().filter_map(stays).collect()
}

/// The file that a relative link on `page` leads to, relative to the root of the workspace.
fn resolve(page: &str, link: &str) -> Result<String, String> {
    let mut path: Vec<&str> = page.split('/').collect();
    path.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." if path.pop().is_none() => return Err("leads out of the workspace".into()),
            ".." => {}
            name => path.push(name),
        }
    }
    Ok(path.join("/"))
}

/// Whether a rule finds fault with what breaks it.
mod teeth {
    use super::*;

    fn site(files: &[(&str, &str)]) -> Site {
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let is_page = |(name, _): &&(&str, &str)| name.ends_with(".md");
        let pages = files.iter().filter(is_page);
        let pages = pages.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Site::new(pages, move |path| match path {
            _ if names.iter().any(|it| it == path) => Some(Kind::File),
            _ if names.iter().any(|it| it.starts_with(&format!("{path}/"))) => Some(Kind::Folder),
            _ => None,
        })
    }

    /// The faults of a page beside a source, a picture and another page.
    fn faults(text: &str) -> String {
        let files = [
            ("docs/page.md", text),
            ("docs/other.md", "# Other\n\n## Take `it`, isn't it?\n\n## Twice\n\n## Twice\n"),
            ("docs/pictures/fork.svg", ""),
            ("src/main.rs", ""),
        ];
        site(&files).check().1.join("\n")
    }

    #[test]
    fn what_is_there_is_no_fault() {
        let text = "# Page\n\n[a](other.md) [b](other.md#take-it-isnt-it) [c](#page)\n\
            [d](../src/main.rs) [e](other.md#twice-1) [f](https://man7.org/)\n\n\
            ![Two processes](pictures/fork.svg)\n<!-- a comment -->\n";
        let found = site(&[
            ("docs/page.md", text),
            ("docs/other.md", "# Other\n\n## Take `it`, isn't it?\n\n## Twice\n\n## Twice\n"),
            ("docs/pictures/fork.svg", ""),
            ("src/main.rs", ""),
        ]);
        let all = Checked { pages: 2, links: 5, anchors: 3, pictures: 1, elsewhere: 1 };
        assert_eq!(found.check(), (all, vec![]));
    }

    #[test]
    fn a_link_to_nothing_is_a_fault() {
        assert_eq!(faults("\n[x](gone.md)\n"), "docs/page.md:2: gone.md: there is no such file");
        assert!(faults("[x](../../main.rs)").contains("leads out of the workspace"));
        assert!(faults("[x](http://man7.org)").contains("not https"));
        assert!(faults("[x](../src)").contains("no page for a folder"));
    }

    #[test]
    fn an_anchor_that_no_heading_has_is_a_fault() {
        let there = "docs/other.md has only these: other take-it-isnt-it twice twice-1";
        assert!(faults("[x](other.md#take-it)").ends_with(there));
        assert!(faults("# One\n\n[x](#two)").ends_with("docs/page.md has only these: one"));
        assert!(faults("[x](../src/main.rs#L3)").contains("a line's number drifts"));
    }

    #[test]
    fn a_picture_needs_its_file_and_words() {
        assert!(faults("![Words](pictures/gone.svg)").contains("there is no such file"));
        assert!(faults("![ ](pictures/fork.svg)").contains("needs an alt text"));
        assert!(faults("![Words](https://example.org/a.svg)").contains("there is no such file"));
    }

    #[test]
    fn what_is_not_plain_markdown_is_a_fault() {
        assert!(faults("a <b>b</b>").contains("page.md:1: <b>: HTML isn't plain"));
        assert!(faults("<img src=\"x.png\">\n").contains("HTML isn't plain"));
        assert!(faults("text\n\n    indented\n").contains("page.md:3: code without a fence"));
        assert!(faults("# ?\n").contains("a heading without a word"));
    }

    #[test]
    fn the_summary_lists_each_page_once_by_its_title() {
        let summary = |text: &str| {
            let pages = [(SUMMARY, text), ("docs/a.md", "# *A* page\n"), ("docs/b.md", "# B\n")];
            site(&pages).check_summary().join("\n")
        };
        assert_eq!(summary("# Summary\n\n- [A page](a.md)\n- [B](b.md)\n"), "");
        assert_eq!(summary("- [A page](a.md)\n"), "docs/b.md is in docs/SUMMARY.md 0 times");
        assert!(summary("- [A page](a.md)\n- [B](b.md)\n- [B](b.md)\n").contains("2 times"));
        assert!(summary("- [A](a.md)\n- [B](b.md)\n").contains("called \"A\" here and \"A page\""));
        assert!(summary("- [C](c.md)\n").contains("docs/SUMMARY.md:1: there is no docs/c.md"));
    }
}
