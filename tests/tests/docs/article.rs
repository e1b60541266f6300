//! Keeps docs/article-on-trial.md and the suite together: statement, verdict and test are the
//! same in both, and neither has one that the other lacks. What is only answered is on two pages
//! of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::code::tests;
use super::page::Page;

const PAGE: &str = "docs/article-on-trial.md";
const ANSWERS: [&str; 2] = ["docs/server-crashes.md", "docs/network-breaks.md"];
const STATEMENTS: u32 = 36;
const VERDICTS: [&str; 5] = ["true", "half-true", "false", "opinion", "answered"];

/// Statement and verdict by the name of the test.
type Trial = BTreeMap<String, (String, String)>;

#[test]
fn every_row_of_the_page_is_a_test_and_every_test_a_row() {
    // Statement, verdict, what was seen, test.
    let rows = Page::of(PAGE).rows.into_iter().filter_map(|row| match &row[..] {
        [statement, verdict, _, test] => {
            let test = test.trim_matches('`').to_owned();
            number_of(&test).map(|_| (test, (plain(statement), verdict.clone())))
        }
        _ => None,
    });
    let (page, mut suite): (Trial, Trial) = (rows.collect(), suite());
    suite.retain(|_, (_, verdict)| verdict != "answered");
    let differ = |test: &&String| page.get(*test) != suite.get(*test);
    let differences: Vec<String> = page
        .keys()
        .chain(suite.keys())
        .filter(differ)
        .map(|test| format!("{test}\n  page  {:?}\n  suite {:?}", page.get(test), suite.get(test)))
        .collect();
    assert!(differences.is_empty(), "{PAGE} and the suite differ:\n{}", differences.join("\n"));
}

#[test]
fn every_answer_is_on_its_page_and_every_one_there_is_a_test() {
    let text = ANSWERS.map(|page| Page::of(page).text).concat();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let suite = suite();
    let is_answer = |test: &str| suite.get(test).is_none_or(|(_, verdict)| verdict == "answered");
    let shown: BTreeSet<&str> =
        words.filter(|word| number_of(word).is_some() && is_answer(word)).collect();
    assert_eq!(shown, suite.keys().map(String::as_str).filter(|test| is_answer(test)).collect());
}

#[test]
fn every_statement_has_a_test_and_a_verdict() {
    let suite = suite();
    let mut missing: Vec<u32> = (1..=STATEMENTS).collect();
    missing.retain(|number| !suite.keys().any(|test| number_of(test) == Some(*number)));
    assert!(missing.is_empty(), "no test for {missing:?}");
    for (test, (_, verdict)) in suite {
        assert!(VERDICTS.contains(&&*verdict), "{test}: {verdict}");
    }
}

/// The tests for statements: the first paragraph of a test's documentation is the statement,
/// another begins with the verdict.
fn suite() -> Trial {
    let of_statements = tests().into_iter().filter(|(test, _)| number_of(test).is_some());
    let ruling = |(test, docs): (String, String)| {
        let mut paragraphs = docs.split("\n\n");
        let statement = plain(paragraphs.next().unwrap_or_default());
        let verdict = paragraphs.find_map(|it| it.trim().strip_prefix("Verdict: "));
        let verdict = verdict.and_then(|it| it.split('.').next()).unwrap_or_default().to_owned();
        (test, (statement, verdict))
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
