//! Keeps docs/article-on-trial.md and the suite together: statement, verdict and test are the
//! same in both, and neither has one that the other lacks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harness::lessons::root;

const PAGE: &str = "docs/article-on-trial.md";
const STATEMENTS: u32 = 36;

/// What the page and the suite must agree on, by the name of the test.
type Trial = BTreeMap<String, Ruling>;

#[derive(Debug, PartialEq, Eq)]
struct Ruling {
    statement: String,
    verdict: String,
}

#[test]
fn every_row_of_the_page_is_a_test_and_every_test_a_row() {
    let (page, suite) = (read_page(), read_suite());
    let mut differences = Vec::new();
    for test in page.keys().chain(suite.keys().filter(|test| !page.contains_key(*test))) {
        match (page.get(test), suite.get(test)) {
            (row, ruling) if row == ruling => {}
            (None, _) => differences.push(format!("{test} has no row on the page")),
            (_, None) => differences.push(format!("{test} is on the page and no test")),
            (row, ruling) => {
                differences.push(format!(
                    "{test} is on the page\n  {row:?}\nand in the suite\n  {ruling:?}"
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{PAGE} and the suite differ:\n{}", differences.join("\n"));
}

#[test]
fn every_statement_has_a_test() {
    let suite = read_suite();
    let mut missing: Vec<u32> = (1..=STATEMENTS).collect();
    missing.retain(|number| !suite.keys().any(|test| number_of(test) == Some(*number)));
    assert!(missing.is_empty(), "no test for {missing:?}");
}

#[test]
fn every_verdict_is_one_of_five() {
    const VERDICTS: [&str; 5] = ["true", "half-true", "false", "opinion", "answered"];
    for (test, Ruling { verdict, .. }) in read_suite() {
        assert!(VERDICTS.contains(&verdict.as_str()), "{test}: {verdict}");
    }
}

/// The rows of the page's tables: statement, verdict, what was seen, test.
fn read_page() -> Trial {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .filter_map(|cells| match cells[..] {
            [statement, verdict, _seen, test] => Some((test.trim_matches('`'), statement, verdict)),
            _ => None,
        })
        .filter(|(test, ..)| number_of(test).is_some())
        .map(|(test, statement, verdict)| (test.to_owned(), ruling(statement, verdict)))
        .collect()
}

/// The tests for statements in this package's tests: the first paragraph of a test's
/// documentation is the statement, another begins with the verdict.
fn read_suite() -> Trial {
    let mut trial = Trial::new();
    let mut docs = String::new();
    for line in sources(&root().join("tests/tests")).iter().flat_map(|source| source.lines()) {
        if let Some(doc) = line.strip_prefix("///") {
            docs += doc;
            docs.push('\n');
        } else if let Some(test) = test_name(line) {
            let mut paragraphs = docs.split("\n\n");
            let statement = paragraphs.next().unwrap_or_default();
            let verdict = paragraphs.find_map(|it| it.trim().strip_prefix("Verdict: "));
            let verdict = verdict.and_then(|it| it.split('.').next()).unwrap_or_default();
            trial.insert(test.to_owned(), ruling(statement, verdict));
        } else if !line.starts_with("#[") {
            docs.clear();
        }
    }
    trial
}

fn ruling(statement: &str, verdict: &str) -> Ruling {
    let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    Ruling { statement, verdict: verdict.to_owned() }
}

/// The name in a line that begins the test of a statement.
fn test_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix("fn ")?.strip_suffix("() {")?;
    number_of(name).map(|_| name)
}

/// 18 for `c18_the_articles_second_server_leaks_four_of_five`.
fn number_of(test: &str) -> Option<u32> {
    test.strip_prefix('c')?.split_once('_')?.0.parse().ok()
}

/// The text of the Rust files in a folder and below it.
fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.extension() {
            _ if path.is_dir() => sources(&path),
            Some(extension) if extension == "rs" => vec![fs::read_to_string(&path).unwrap()],
            _ => Vec::new(),
        })
        .collect()
}
