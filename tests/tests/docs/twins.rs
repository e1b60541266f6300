//! The Chinese pages and pictures, held to the English ones: the same in all but words.

use roxmltree::{Document, Node};

use super::links::resolve;
use super::page::{self, Page};

/// The English page or picture of which this is the Chinese twin, if it is one.
pub(crate) fn english(name: &str) -> Option<String> {
    match name {
        "README.zh-CN.md" => Some("README.md".to_owned()),
        _ => Some(format!("docs/{}", name.strip_prefix("docs/zh/")?)),
    }
}

pub(crate) fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// What a page has, with its lines, told in the names of the English pages: headings, paragraphs,
/// blocks and pictures in order; then, in any order within a section, links and words of code.
fn outline(page: &Page, pages: &[Page]) -> [Vec<(usize, String)>; 2] {
    let (mut fixed, mut free) = (Vec::new(), Vec::new());
    fixed.extend(page.parts.iter().map(|(line, part)| (*line, (*part).to_owned())));
    for heading in &page.headings {
        fixed.push((heading.line, format!("a heading of level {}", heading.level)));
    }
    for block in &page.blocks {
        let [label, kind, of] = [&block.label, &block.kind, &block.of];
        fixed.push((block.line, format!("a block of {label}, {kind} {of}\n{}", block.text)));
    }
    let section = |line: usize| page.headings.iter().filter(|it| it.line <= line).count();
    for link in page.links.iter().filter(|it| it.line > 1) {
        let (line, to) = (link.line, target(page, &link.to, pages));
        match link.is_picture {
            true => fixed.push((line, format!("the picture {to}"))),
            false => free.push((line, format!("a link to {to} in section {}", section(line)))),
        }
    }
    let codes = page.codes.iter();
    free.extend(codes.map(|(line, it)| (*line, format!("`{it}` in section {}", section(*line)))));
    fixed.sort();
    fixed.push((page.text.lines().count(), "the end".to_owned()));
    [fixed, free]
}

/// Where a link leads, by the English page and its anchor there.
fn target(page: &Page, to: &str, pages: &[Page]) -> String {
    let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
    let there = match path {
        "" => page.name.clone(),
        _ => resolve(&page.name, path).unwrap_or(to.to_owned()),
    };
    let find = |name: &str| pages.iter().find(|it| it.name == name);
    let Some(original) = english(&there) else {
        let has_twin = pages.iter().any(|it| english(&it.name).as_ref() == Some(&there));
        let no_twin = if has_twin && english(&page.name).is_some() { ", not its twin" } else { "" };
        return format!("{there}#{anchor}{no_twin}");
    };
    let at = find(&there).and_then(|it| it.headings.iter().position(|it| it.anchor == anchor));
    let anchor = at.and_then(|at| find(&original)?.headings.get(at)).map_or("", |it| &it.anchor);
    format!("{original}#{anchor}")
}

#[test]
fn chinese_pages_have_the_blocks_headings_pictures_links_and_code_of_the_english() {
    let pages = page::all();
    let mut faults = Vec::new();
    for twin in &pages {
        let Some(name) = english(&twin.name) else { continue };
        let page = pages.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("no {name}"));
        let [here, there] = [twin, page].map(|page| outline(page, &pages));
        let differs = here[0].iter().zip(&there[0]).find(|(here, there)| here.1 != there.1);
        if let Some(((at, has), (line, original))) = differs {
            faults.push(format!("{}:{at}: {has}\n{name}:{line}: {original}", twin.name));
        }
        for (name, some, others) in
            [(&twin.name, &here[1], &there[1]), (&name, &there[1], &here[1])]
        {
            let missing = some.iter().filter(|it| !others.iter().any(|other| other.1 == it.1));
            faults.extend(missing.map(|(line, it)| format!("{name}:{line}: {it}, here alone")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    let links = [("README.md", "README.zh-CN.md"), ("README.zh-CN.md", "README.md")];
    for (page, other) in links {
        let first = &Page::of(page).links[0];
        assert_eq!((first.line, &*first.to), (1, other), "{page} begins with a link to the other");
    }
}

#[test]
fn chinese_pictures_are_the_english_ones_with_other_words() {
    let shape = |svg: &Document| -> Vec<(String, String)> {
        let parts = svg.descendants().filter(Node::is_element).map(|it| {
            let attributes =
                it.attributes().filter(|it| !["x", "text-anchor"].contains(&it.name()));
            let attributes = attributes.map(|it| format!(" {}={:?}", it.name(), it.value()));
            let text = it.text().unwrap_or_default().trim().to_owned();
            (it.tag_name().name().to_owned() + &attributes.collect::<String>(), text)
        });
        parts.collect()
    };
    for file in page::files("docs/zh/pictures") {
        let names = [file.clone(), english(&file).expect("it is in docs/zh")];
        let [twin, picture] = names.map(|name| {
            let text = page::read(&name).unwrap();
            shape(&Document::parse(&text).unwrap())
        });
        assert_eq!(twin.len(), picture.len(), "elements of {file}");
        for ((here, words), (there, original)) in twin.iter().zip(&picture) {
            assert_eq!(here, there, "{file}, at {words:?}");
            assert!(
                words == original || words.contains(is_han),
                "{file}: {words:?} for {original:?}"
            );
        }
    }
}
