//! What holds the pages together: links, the anchors they lead to, pictures, and the summary.

use std::collections::BTreeSet;

use harness::lessons::root;

use super::page::{self, Link, Page};
use super::tries::tries;
use super::twins::is_han;

/// The folder whose pages make the book.
const BOOK: &str = "docs/";
/// The page that lists all others.
const SUMMARY: &str = "docs/SUMMARY.md";
/// The words that a picture has for people who don't see it, at least; in Chinese as many characters.
const FEWEST_WORDS: usize = 8;

/// What is wrong with a page itself, with its tries, and with its links and pictures.
pub(crate) fn faults(page: &Page, pages: &[Page]) -> Vec<String> {
    let name = &page.name;
    let mut faults: Vec<String> = page.faults.iter().map(|it| format!("{name}:{it}")).collect();
    faults.extend(tries(page).err());
    for link in &page.links {
        if let Err(why) = follow(name, link, pages) {
            faults.push(format!("{name}:{}: {}: {why}", link.line, link.to));
        }
    }
    faults
}

fn follow(page: &str, link: &Link, pages: &[Page]) -> Result<(), String> {
    if link.is_picture && words(&link.text) < FEWEST_WORDS {
        return Err(format!("says too little of what it shows: {:?}", link.text));
    }
    if link.to.contains("://") && !link.is_picture {
        return if link.to.starts_with("https://") { Ok(()) } else { Err("not https".into()) };
    }
    let (path, anchor) = link.to.split_once('#').unwrap_or((&link.to, ""));
    let target = if path.is_empty() { page.to_owned() } else { resolve(page, path)? };
    match pages.iter().find(|it| it.name == target) {
        None if root().join(&target).is_dir() && (page.starts_with(BOOK) || link.is_picture) => {
            Err("the book has no page for a folder; link to a file in it".into())
        }
        _ if anchor.is_empty() => Ok(()),
        None => Err("only pages have anchors; a line's number drifts".into()),
        Some(there) if there.headings.iter().any(|it| it.anchor == anchor) => Ok(()),
        Some(there) => {
            let anchors: Vec<&str> = there.headings.iter().map(|it| &*it.anchor).collect();
            Err(format!("{target} has only these: {}", anchors.join(" ")))
        }
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count() + text.chars().filter(|it| is_han(*it)).count()
}

/// The file or folder that a relative link on `page` leads to, relative to the root of the workspace.
pub(crate) fn resolve(page: &str, link: &str) -> Result<String, String> {
    let [root, target] = [root().to_owned(), root().join(page).with_file_name(link)]
        .map(|path| path.canonicalize().map_err(|_| "there is no such file"));
    let (root, target) = (root?, target?);
    let inside = target.strip_prefix(root).map_err(|_| "leads out of the workspace")?;
    Ok(inside.display().to_string())
}

#[test]
fn every_page_is_plain_and_its_tries_links_and_pictures_are_whole() {
    let pages = page::all();
    let faults: Vec<String> = pages.iter().flat_map(|page| faults(page, &pages)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_summary_lists_every_page_of_the_book_once_and_by_its_title() {
    let mut pages = page::all();
    pages.retain(|page| page.name.starts_with(BOOK) && page.name != SUMMARY);
    let there: Vec<_> = pages.into_iter().map(|page| (page.name, page.title)).collect();
    let links = Page::of(SUMMARY).links.into_iter();
    let mut listed: Vec<_> = links.map(|it| (format!("{BOOK}{}", it.to), it.text)).collect();
    listed.sort();
    assert_eq!(listed, there, "what {SUMMARY} lists, and the pages there are");
}

#[test]
fn every_picture_is_shown() {
    let pages = page::all();
    let links = pages.iter().flat_map(|page| &page.links).filter(|link| link.is_picture);
    let shown: BTreeSet<&str> = links.filter_map(|it| Some(it.to.rsplit_once('/')?.1)).collect();
    for file in page::files("docs/pictures") {
        assert!(shown.contains(file.rsplit('/').next().unwrap()), "no page shows {file}");
    }
}

/// Hints of the exam and of the tour name pages; a reader follows them.
#[test]
fn every_page_that_the_tools_name_has_that_anchor() {
    let pages = page::all();
    let mut named = 0;
    for file in page::files("tests/src") {
        let source = page::read(&file).unwrap();
        let words = source.split(|c: char| !(c.is_ascii_alphanumeric() || "/-_.#".contains(c)));
        for path in words.filter(|it| it.starts_with("docs/") && it.contains(".md")) {
            let link = Link { to: path.trim_end_matches('.').to_owned(), ..Link::default() };
            follow("README.md", &link, &pages)
                .unwrap_or_else(|why| panic!("{file}: {path}: {why}"));
            named += 1;
        }
    }
    assert!(named > 10, "{named} pages named in tests/src");
}
