//! What the pages show of the code, and the tests that they name.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::page::{Block, files, read};

/// The text that belongs into a block, by its label and the comment above it; or what is wrong with
/// them. What a run prints is held elsewhere.
pub(crate) fn today(block: &Block) -> Result<String, String> {
    let Block { label, kind, of, text, .. } = block;
    match (label.as_str(), kind.as_str()) {
        ("rust" | "text", "excerpt") => match of.split_once(", fn ") {
            Some((file, name)) => return function(file, name),
            None => is_in(text, of)?,
        },
        ("diff", "diff") => {
            let (old, new) = of.split_once(' ').ok_or("a diff is of two files")?;
            let (before, after) = (read(old)?, read(new)?);
            let diff = TextDiff::from_lines(&before, &after);
            return Ok(diff.unified_diff().context_radius(1).header(old, new).to_string());
        }
        ("diff", "change") => block.hunks().iter().try_for_each(|(lines, _)| is_in(lines, of))?,
        ("text", "told") if !tests().contains_key(of) => {
            return Err(format!("there is no test {of}"));
        }
        ("text", "told") if text.lines().next() != Some(of) => {
            return Err("the story of a test begins with its name".to_owned());
        }
        ("text", "told" | "output" | "figures" | "failure" | "success" | "measured") => {}
        ("sh" | "bash", "") => {}
        _ => return Err(format!("labelled {label:?}, and from {kind:?}")),
    }
    Ok(text.clone())
}

/// Whether these lines are in a file, without a gap.
fn is_in(lines: &str, file: &str) -> Result<(), String> {
    let there = format!("\n{}", read(file)?).contains(&format!("\n{lines}"));
    if there && !lines.is_empty() { Ok(()) } else { Err(format!("not in {file}:\n{lines}")) }
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
fn function(file: &str, name: &str) -> Result<String, String> {
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

/// The workspace's tests by name, with their documentation: functions, and the claims that
/// `survival` and `wrong_fixes` make into tests, each on a line that names it first.
pub(crate) fn tests() -> BTreeMap<String, String> {
    let is_test_file = |file: &&String| file.contains("/tests/") && file.ends_with(".rs");
    let mut tests = BTreeMap::new();
    for file in files("").iter().filter(is_test_file) {
        let (mut docs, mut is_test) = (String::new(), false);
        for line in read(file).expect("it is there").lines().map(str::trim) {
            let claim = line.split_once(':').filter(|(name, rest)| {
                let lessons = rest.trim_start();
                (lessons.is_empty() || lessons.starts_with("lesson_0"))
                    && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
            });
            if let Some(doc) = line.strip_prefix("///") {
                docs = docs + doc + "\n";
            } else if line.starts_with("#[") {
                is_test |= line == "#[test]";
            } else {
                let name = function_name(line).filter(|_| is_test).or(claim.map(|(name, _)| name));
                if let Some(name) = name {
                    tests.insert(name.to_owned(), std::mem::take(&mut docs));
                }
                (docs, is_test) = (String::new(), false);
            }
        }
    }
    tests
}
