//! The race's histogram: the figures that lesson 2's page gives, as bars.

use std::fmt::Write;
use std::fs;

use harness::lessons::root;
use harness::story::count;

use super::{card, label};

const PAGE: &str = "docs/lesson-02.md";
const FIRST: &str = "zombies left in ";
/// The tour's five clients leave none to five zombies.
const ROWS: usize = 6;

/// What `tour --race ROUNDS` has printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Race {
    pub(crate) rounds: usize,
    /// `histograms[lesson][zombies]` counts rounds.
    pub(crate) histograms: [[usize; ROWS]; 3],
}

impl Race {
    /// The race on lesson 2's page.
    pub(crate) fn on_page() -> Race {
        let page = fs::read_to_string(root().join(PAGE)).expect("the page is read");
        let (_, shown, _) = Race::find(&page);
        Race::read(shown).unwrap_or_else(|| panic!("{PAGE} shows no race: {shown}"))
    }

    /// Shows what a race has printed on the page, in place of the one there.
    pub(crate) fn put_on_page(printed: &str) {
        let page = fs::read_to_string(root().join(PAGE)).expect("the page is read");
        let (before, _, after) = Race::find(&page);
        let lines: String = printed.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let page = format!("{before}{lines}{after}");
        fs::write(root().join(PAGE), page).expect("the page is written");
    }

    /// What is above the race on the page, the race, and what is below.
    fn find(page: &str) -> (&str, &str, &str) {
        let start = page.find(&format!("```text\n{FIRST}")).expect("the page shows a race") + 8;
        let length = page[start..].find("```").expect("a fence ends");
        (&page[..start], &page[start..start + length], &page[start + length..])
    }

    /// Reads what the tour prints.
    pub(crate) fn read(printed: &str) -> Option<Race> {
        let mut lines = printed.lines();
        let rounds = lines.next()?.strip_prefix(FIRST)?.split(' ').next()?.parse().ok()?;
        let mut histograms = [[0; ROWS]; 3];
        for row in lines.skip(1) {
            let numbers = row.split_whitespace().filter_map(|word| word.parse().ok());
            let [zombies, here @ ..] = &numbers.collect::<Vec<usize>>()[..] else { return None };
            let here: &[usize; 3] = here.try_into().ok()?;
            for (histogram, rounds) in histograms.iter_mut().zip(here) {
                *histogram.get_mut(*zombies)? = *rounds;
            }
        }
        Some(Race { rounds, histograms })
    }

    /// The figures as a picture.
    pub(crate) fn picture(&self) -> String {
        const COLUMNS: [(usize, &str, &str); 3] = [
            (88, "lesson 1", "never waits"),
            (218, "lesson 2", "waits once"),
            (348, "lesson 3", "waits in a loop"),
        ];
        const LONGEST: usize = 74;
        const TOP: usize = 132;
        const PITCH: usize = 34;
        let Race { rounds, histograms } = self;

        let mut body = String::new();
        label(&mut body, (20, 34), "title", "Zombies left when nobody is held still");
        let what = format!("Five clients leave together, {rounds} rounds for each lesson.");
        label(&mut body, (20, 57), "small quiet", &what);
        label(&mut body, (20, 108), "small quiet", "zombies");
        let mut desc = what;
        for ((x, name, reaps), histogram) in COLUMNS.iter().zip(histograms) {
            label(&mut body, (*x, 90), "bold", name);
            label(&mut body, (*x, 108), "small quiet", reaps);
            let _ = write!(desc, " {name} {reaps}:");
            let bottom = TOP + ROWS * PITCH - 8;
            let axis = format!("x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{bottom}\"", TOP - 8);
            let _ = writeln!(body, "  <line {axis} class=\"rule\"/>");
            for (zombies, here) in histogram.iter().enumerate() {
                let y = TOP + zombies * PITCH;
                if *here == 0 {
                    label(&mut body, (x + 8, y + 14), "small quiet", "0");
                    continue;
                }
                let _ = write!(desc, " {} {here} times,", count(zombies, "zombie"));
                let class = if zombies == 0 { "live" } else { "dead" };
                let width = (here * LONGEST / rounds).max(2);
                let place = format!("x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"20\"", y - 1);
                let _ = writeln!(body, "  <rect {place} class=\"bar {class}\"/>");
                let here = here.to_string();
                label(&mut body, (x + width + 6, y + 14), "small bold", &here);
            }
            desc.pop();
            desc.push('.');
        }
        for zombies in 0..ROWS {
            let y = TOP + zombies * PITCH + 14;
            label(&mut body, (68, y), "bold end", &zombies.to_string());
        }
        let bottom = TOP + ROWS * PITCH;
        let _ = writeln!(
            body,
            "  <line x1=\"1\" y1=\"{bottom}\" x2=\"479\" y2=\"{bottom}\" class=\"rule\"/>"
        );
        let looked_right = histograms[1][0];
        let end = format!("In {looked_right} of {rounds} rounds lesson 2 looked right.");
        label(&mut body, (20, bottom + 26), "small", &end);
        card("The race", &desc, (480, bottom + 44), &body)
    }
}
