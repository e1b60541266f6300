//! Keeps docs/article-on-trial.md and the suite together: statement, verdict and test are the
//! same in both, and neither has one that the other lacks. What is only answered is on two pages
//! of its own.

use std::collections::BTreeSet;

use super::code::tests;
use super::page::Page;

const PAGE: &str = "docs/article-on-trial.md";
const ANSWERS: [&str; 2] = ["docs/server-crashes.md", "docs/network-breaks.md"];
const STATEMENTS: u32 = 36;

/// A test, the statement that it tries, and the verdict.
type Trial = (String, String, String);

#[test]
fn every_statement_has_a_test_and_every_test_is_on_its_page() {
    // Statement, verdict, what was seen, test.
    let rows = Page::of(PAGE).rows.into_iter().filter_map(|row| match &row[..] {
        [statement, verdict, _, test] => {
            let test = test.trim_matches('`').to_owned();
            number_of(&test).map(|_| (test, plain(statement), verdict.clone()))
        }
        _ => None,
    });
    let (page, suite): (BTreeSet<Trial>, BTreeSet<Trial>) = (rows.collect(), suite());
    let tried: BTreeSet<u32> = suite.iter().filter_map(|it| number_of(&it.0)).collect();
    assert_eq!(tried, (1..=STATEMENTS).collect());
    let (answers, trials): (BTreeSet<_>, BTreeSet<_>) =
        suite.into_iter().partition(|it| it.2 == "answered");
    let differences: Vec<_> = page.symmetric_difference(&trials).collect();
    assert!(differences.is_empty(), "{PAGE} and the suite differ: {differences:#?}");
    for (test, _, verdict) in &trials {
        let known = ["true", "half-true", "false", "opinion"];
        assert!(known.contains(&&**verdict), "{test}: {verdict}");
    }

    let text = ANSWERS.map(|page| Page::of(page).text).concat();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let mut shown: BTreeSet<&str> = words.filter(|word| number_of(word).is_some()).collect();
    shown.retain(|test| !trials.iter().any(|it| it.0 == *test));
    assert_eq!(shown, answers.iter().map(|it| &*it.0).collect());
}

/// The tests for statements: the first paragraph of a test's documentation is the statement,
/// another begins with the verdict.
fn suite() -> BTreeSet<Trial> {
    let of_statements = tests().into_iter().filter(|(test, _)| number_of(test).is_some());
    let ruling = |(test, docs): (String, String)| {
        let mut paragraphs = docs.split("\n\n");
        let statement = plain(paragraphs.next().unwrap_or_default());
        let verdict = paragraphs.find_map(|it| it.trim().strip_prefix("Verdict: "));
        let verdict = verdict.and_then(|it| it.split('.').next()).unwrap_or_default().to_owned();
        (test, statement, verdict)
    };
    of_statements.map(ruling).collect()
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// 18 for `c18_the_articles_second_server_leaks_four_of_five`.
fn number_of(test: &str) -> Option<u32> {
    test.strip_prefix('c')?.split_once('_')?.0.parse().ok()
}
