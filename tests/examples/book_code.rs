//! Puts the code into the book: a preprocessor of mdBook's.
//!
//! The pages link to files outside of their folder, such as a lesson's source: right on a forge
//! and in an editor, and dead in a book, which holds what is in docs alone. Here each such file
//! becomes a page at the end of the book, and the links lead there.

use std::collections::BTreeSet;
use std::process::exit;
use std::{env, fs, io};

use harness::lessons::root;
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};

/// Where the Chinese pages are.
const CHINESE: &str = "zh/";

fn main() {
    // mdBook asks first: `book_code supports html`.
    if env::args().nth(1).is_some_and(|word| word == "supports") {
        return;
    }
    match with_code(&io::read_to_string(io::stdin()).unwrap_or_default()) {
        Ok(book) => println!("{book}"),
        Err(error) => {
            eprintln!("book_code: {error}");
            exit(1);
        }
    }
}

/// The book of `[context, book]`, which mdBook passes on, with its code.
fn with_code(passed: &str) -> Result<Value, String> {
    let passed: Value = serde_json::from_str(passed)
        .map_err(|error| format!("mdBook starts this, and passes it a book as JSON: {error}"))?;
    let mut book = passed[1].clone();
    let items = book["items"].as_array_mut().ok_or("this is no book of mdBook 0.5's")?;
    let mut files = BTreeSet::new();
    let paths: BTreeSet<String> = items.iter().map(path).collect();
    for item in items.iter_mut() {
        link_inside(item, &mut files);
        let twin = twin(&path(item));
        if paths.contains(&twin) {
            link_twin(item, &twin);
        }
    }
    let pages = files.iter().zip(1..).map(|(file, number)| page(file, number));
    let pages = pages.collect::<Result<Vec<_>, _>>()?;
    let list: String = files.iter().map(|file| format!("- [`{file}`]({file}.md)\n")).collect();
    let text = format!("# The code\n\nThe files that the pages link to.\n\n{list}");
    items.push(chapter("The code", &text, "code/README.md", &[100], pages));
    Ok(book)
}

/// A chapter. The sidebar folds by its number, which is not shown.
fn chapter(name: &str, text: &str, path: &str, number: &[u32], below: Vec<Value>) -> Value {
    json!({ "Chapter": {
        "name": name,
        "content": text,
        "number": number,
        "sub_items": below,
        "path": path,
        "source_path": null,
        "parent_names": [],
    } })
}

/// Has the links of a chapter, and of those below it, lead to pages of the book; notes the files.
fn link_inside(item: &mut Value, files: &mut BTreeSet<String>) {
    let up = "../".repeat(path(item).matches('/').count());
    let Some(chapter) = item.get_mut("Chapter") else { return };
    if let Some(Value::String(text)) = chapter.get_mut("content") {
        let links: Vec<_> = Parser::new_ext(text, Options::ENABLE_TABLES)
            .into_offset_iter()
            .filter_map(|(event, at)| match event {
                Event::Start(Tag::Link { dest_url, .. }) => {
                    let file = dest_url.strip_prefix(&*up)?.strip_prefix("../")?.to_owned();
                    // The words that are linked may be the same, but they come first.
                    let start = at.start + text[at.clone()].rfind(&*dest_url)?;
                    Some((start..start + dest_url.len(), file))
                }
                _ => None,
            })
            .collect();
        for (at, file) in links.into_iter().rev() {
            text.replace_range(at, &format!("{up}code/{file}.md"));
            files.insert(file);
        }
    }
    let below = chapter.get_mut("sub_items").and_then(Value::as_array_mut);
    below.into_iter().flatten().for_each(|item| link_inside(item, files));
}

fn path(item: &Value) -> String {
    item["Chapter"]["path"].as_str().unwrap_or_default().to_owned()
}

/// The path of the same page in the other language.
fn twin(path: &str) -> String {
    path.strip_prefix(CHINESE).map_or_else(|| format!("{CHINESE}{path}"), str::to_owned)
}

/// Has a chapter begin with a link to the same page in the other language.
fn link_twin(item: &mut Value, twin: &str) {
    let text = item["Chapter"]["content"].as_str().unwrap_or_default();
    let to = twin.replace("README.md", "index.md"); // so will mdBook call it
    let text = match twin.starts_with(CHINESE) {
        true => format!("[简体中文]({to})\n\n{text}"),
        false => format!("<div lang=\"zh-CN\">\n\n[English](../{to})\n\n{text}\n\n</div>\n"),
    };
    item["Chapter"]["content"] = text.into();
}

/// The page of a file.
fn page(file: &str, number: u32) -> Result<Value, String> {
    let code = fs::read_to_string(root().join(file))
        .map_err(|error| format!("cannot read {file}: {error}"))?;
    let language = match file.rsplit_once('.') {
        Some((_, "rs")) => "rust",
        Some((_, "py")) => "python",
        Some((_, "md")) => "markdown",
        _ => "text",
    };
    let text = format!("# {file}\n\n`````{language}\n{code}`````\n");
    Ok(chapter(file, &text, &format!("code/{file}.md"), &[100, number], Vec::new()))
}
