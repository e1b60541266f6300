//! What holds the pages together: links, the anchors they lead to, pictures, and the summary.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use harness::lessons::root;

use super::page::{self, Link, Page};

/// The folder whose pages make the book.
const BOOK: &str = "docs/";
/// The page that lists all others.
const SUMMARY: &str = "docs/SUMMARY.md";
/// The words that a picture has for people who don't see it, at least.
const FEWEST_WORDS: usize = 8;

/// Pages and the files that they may link to.
struct Site {
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

impl Site {
    fn of_workspace() -> Site {
        Site::new(page::all(), |path: &str| match root().join(path).metadata() {
            Ok(it) if it.is_dir() => Some(Kind::Folder),
            Ok(_) => Some(Kind::File),
            Err(_) => None,
        })
    }

    fn new(
        pages: impl IntoIterator<Item = Page>,
        there: impl Fn(&str) -> Option<Kind> + 'static,
    ) -> Site {
        let pages = pages.into_iter().map(|page| (page.name.clone(), page)).collect();
        Site { pages, there: Box::new(there) }
    }

    /// Follows every link and looks at every picture; returns what is wrong.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, page) in &self.pages {
            faults.extend(page.faults.iter().map(|fault| format!("{name}:{fault}")));
            for link in &page.links {
                if let Err(why) = self.follow(name, link) {
                    faults.push(format!("{name}:{}: {}: {why}", link.line, link.to));
                }
            }
        }
        faults
    }

    fn follow(&self, page: &str, link: &Link) -> Result<(), String> {
        if link.is_picture && link.text.split_whitespace().count() < FEWEST_WORDS {
            return Err(format!("says too little of what it shows: {:?}", link.text));
        }
        if link.to.contains("://") && !link.is_picture {
            return if link.to.starts_with("https://") { Ok(()) } else { Err("not https".into()) };
        }
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
        let Some(page) = self.pages.get(&target) else {
            return Err("only pages have anchors; a line's number drifts".into());
        };
        let anchors: Vec<&str> = page.headings.iter().map(|it| &*it.anchor).collect();
        match anchors.contains(&anchor) {
            true => Ok(()),
            false => Err(format!("{target} has only these: {}", anchors.join(" "))),
        }
    }

    /// Holds the summary against the pages of the book: each is in it once, by its own title.
    fn faults_of_summary(&self) -> Vec<String> {
        let mut listed: HashMap<String, usize> = HashMap::new();
        let mut faults = Vec::new();
        for link in &self.pages[SUMMARY].links {
            let page = format!("{BOOK}{}", link.to);
            *listed.entry(page.clone()).or_default() += 1;
            match self.pages.get(&page).map(Page::title) {
                Some(title) if title == link.text => {}
                title => faults.push(format!("{page}: {:?} here, {title:?} there", link.text)),
            }
        }
        for page in self.pages.keys().filter(|it| it.starts_with(BOOK) && *it != SUMMARY) {
            let count = listed.get(page).unwrap_or(&0);
            if *count != 1 {
                faults.push(format!("{page} is in {SUMMARY} {count} times"));
            }
        }
        faults
    }
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

#[test]
fn every_link_anchor_and_picture_leads_somewhere() {
    let faults = Site::of_workspace().faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_summary_lists_every_page_of_the_book_by_its_title() {
    let faults = Site::of_workspace().faults_of_summary();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_picture_is_shown() {
    let folder = fs::read_dir(root().join("docs/pictures")).unwrap();
    let there: BTreeSet<String> =
        folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let pages = page::all();
    let links = pages.iter().flat_map(|page| &page.links).filter(|link| link.is_picture);
    let shown = links.filter_map(|link| Some(link.to.rsplit_once("pictures/")?.1.to_owned()));
    assert_eq!(there, shown.collect(), "the pictures there are, and those that a page shows");
}

/// Hints of the exam and of the tour name pages; a reader follows them.
#[test]
fn every_page_that_the_tools_name_has_that_anchor() {
    let site = Site::of_workspace();
    let mut named = 0;
    for file in page::files("tests/src", &|_| true) {
        let source = page::read(&file).unwrap();
        for (at, _) in source.match_indices("docs/") {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "/-_.#".contains(c));
            let path = source[at..].split(end).next().unwrap_or_default().trim_end_matches('.');
            if !path.contains(".md") {
                continue;
            }
            let link =
                Link { line: 0, to: path.to_owned(), text: String::new(), is_picture: false };
            site.follow("README.md", &link).unwrap_or_else(|why| panic!("{file}: {path}: {why}"));
            named += 1;
        }
    }
    assert!(named > 10, "{named} pages named in tests/src");
}

/// Whether a rule finds fault with what breaks it.
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)]) -> Site {
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let pages = files.iter().filter(|(name, _)| name.ends_with(".md"));
        let pages = pages.map(|(name, text)| Page::parse(name, (*text).to_owned()));
        Site::new(pages, move |path| match path {
            _ if names.iter().any(|it| it == path) => Some(Kind::File),
            _ if names.iter().any(|it| it.starts_with(&format!("{path}/"))) => Some(Kind::Folder),
            _ => None,
        })
    }

    /// The faults of a page beside a source, a picture and another page.
    fn faults(text: &str) -> String {
        let other = "# Other\n\n## Take `it`, isn't it?\n\n## Twice\n\n## Twice\n";
        site(&[
            ("docs/page.md", text),
            ("docs/other.md", other),
            ("docs/pictures/fork.svg", ""),
            ("src/main.rs", ""),
        ])
        .faults()
        .join("\n")
    }

    #[test]
    fn a_link_leads_to_what_is_there() {
        let good = "# Page\n\n[a](other.md) [b](other.md#take-it-isnt-it) [c](#page)\n\
            [d](../src/main.rs) [e](other.md#twice-1) [f](https://man7.org/)\n\n\
            ![A picture of two processes and what they share](pictures/fork.svg)\n";
        assert_eq!(faults(good), "");
        assert_eq!(faults("\n[x](gone.md)\n"), "docs/page.md:2: gone.md: there is no such file");
        assert!(faults("[x](../../main.rs)").contains("leads out of the workspace"));
        assert!(faults("[x](http://man7.org)").contains("not https"));
        assert!(faults("[x](../src)").contains("no page for a folder"));
        let there = "docs/other.md has only these: other take-it-isnt-it twice twice-1";
        assert!(faults("[x](other.md#take-it)").ends_with(there));
        assert!(faults("[x](../src/main.rs#L3)").contains("a line's number drifts"));
        assert!(faults("![Words](pictures/fork.svg)").contains("says too little"));
        let words = "eight words are enough if they are these";
        assert!(faults(&format!("![{words}](pictures/gone.svg)")).contains("no such file"));
    }

    #[test]
    fn the_summary_lists_each_page_once_by_its_title() {
        let summary = |text: &str| {
            let pages = [(SUMMARY, text), ("docs/a.md", "# *A* page\n"), ("docs/b.md", "# B\n")];
            site(&pages).faults_of_summary().join("\n")
        };
        assert_eq!(summary("# Summary\n\n- [A page](a.md)\n- [B](b.md)\n"), "");
        assert_eq!(summary("- [A page](a.md)\n"), "docs/b.md is in docs/SUMMARY.md 0 times");
        assert!(summary("- [A page](a.md)\n- [B](b.md)\n- [B](b.md)\n").contains("2 times"));
        assert!(summary("- [A](a.md)\n- [B](b.md)\n").contains("\"A\" here"));
        assert!(summary("- [C](c.md)\n").contains("None there"));
    }
}
