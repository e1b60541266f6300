//! Writing what was measured into the docs, between markers:
//!
//! ```text
//! <!-- bench: rate -->
//! … the tables of this part …
//! <!-- bench end -->
//! ```

use std::fs;
use std::path::Path;

use harness::{Error, Result};

use super::report::{Part, Summary, number};

/// The table of the other roads in which two columns are measured.
const ROADS: &str = "roads";

/// Replaces what stands between the markers of `name`.
pub(crate) fn replace(page: &Path, name: &str, text: &str) -> Result<()> {
    rewrite(page, name, |_| Ok(text.to_owned()))
}

/// Fills the two columns of the table of other roads that tell what a connection costs with no
/// children, and with the most that there were room for: as multiples of lesson-03's cost alone.
pub(crate) fn roads(page: &Path, growth: &Part) -> Result<()> {
    let rate = &growth.measures[0];
    let Some(most) = rate.places().last().copied().filter(|most| *most > 0) else { return Ok(()) };
    let alone = rate.figure("lesson-03", 0).map(|it| it.rounds.clone()).unwrap_or_default();
    let cost = |subject: &str, at| {
        let figure = rate.figure(subject, at)?;
        let rounds = figure.rounds.iter().zip(&alone).map(|(own, alone)| alone / own);
        Some(number(Summary::of(&rounds.collect::<Vec<_>>())?.median))
    };
    rewrite(page, ROADS, |table| {
        let mut rows = table.lines();
        let heads: Vec<&str> = rows.next().unwrap_or_default().split('|').map(str::trim).collect();
        let column = |head: &str| {
            heads.iter().position(|it| it.starts_with(head)).ok_or_else(|| {
                Error::new(format!("no column {head:?} in the table of {}", page.display()))
            })
        };
        let (none, many) = (column("cost, no")?, column("cost, 10,000")?);
        let mut text = String::new();
        for row in table.lines() {
            let mut cells: Vec<String> = row.split('|').map(str::to_owned).collect();
            let subject = cells[1].trim().trim_matches('`').replace("lesson 3", "lesson-03");
            for (at, place) in [(none, 0), (many, most)] {
                if let Some(cost) = cost(&subject, place) {
                    let at_less = place != 0 && place != 10_000;
                    let told =
                        if at_less { format!("{cost} at {}", number(place as f64)) } else { cost };
                    cells[at] = format!(" {told} ");
                }
            }
            text += &(cells.join("|") + "\n");
        }
        Ok(text)
    })
}

fn rewrite(page: &Path, name: &str, new: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let failed = |what: &str, why: &dyn std::fmt::Display| {
        Error::new(format!("cannot {what} {}: {why}", page.display()))
    };
    let text = fs::read_to_string(page).map_err(|error| failed("read", &error))?;
    let (marker, end) = (format!("<!-- bench: {name} -->\n"), "<!-- bench end -->");
    let between = text.split_once(&marker).and_then(|(before, rest)| {
        let (old, after) = rest.split_once(end)?;
        Some((before, old, after))
    });
    let Some((before, old, after)) = between else {
        return Err(failed("fill", &format!("no {} … {end}", marker.trim_end())));
    };
    // A blank line on either side, so that no reader of Markdown takes the text for part of HTML.
    let new = new(old.trim())?;
    let text = format!("{before}{marker}\n{}\n\n{end}{after}", new.trim());
    fs::write(page, text).map_err(|error| failed("write", &error))
}
