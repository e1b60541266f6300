//! What the pages show of the code, and the tests that they name.

use std::collections::BTreeMap;

use super::page::{files, read};

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

/// The workspace's tests by name, with their documentation: functions, and the claims that
/// `survival` and `wrong_fixes` make into tests, each on a line that names it first.
pub(crate) fn tests() -> BTreeMap<String, String> {
    let is_test_file = |file: &String| file.contains("/tests/") && file.ends_with(".rs");
    let enters = |folder: &str| folder != "target" && !folder.starts_with('.');
    let mut tests = BTreeMap::new();
    for file in files("", &enters).iter().filter(|file| is_test_file(file)) {
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
