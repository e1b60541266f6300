//! The bench's arithmetic, and that each of its parts runs. No time is asserted: what a machine
//! is quick at is not for a test.

// The bench as it is; a test uses less of it.
#[allow(dead_code)]
#[path = "../benches/fork_cost/main.rs"]
mod fork_cost;

use fork_cost::plan::Plan;
use fork_cost::report::{Figure, Measure, Part, Summary, number};
use fork_cost::{PARTS, chart, copies};

#[test]
fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
    let summary = |values: &[f64]| Summary::of(values).map(|it| (it.least, it.median, it.most));
    assert_eq!(summary(&[3.0, 1.0, 10.0]), Some((1.0, 3.0, 10.0)));
    assert_eq!(summary(&[4.0, 1.0, 3.0, 10.0]), Some((1.0, 3.5, 10.0)));
    assert_eq!(summary(&[]), None);
}

#[test]
fn a_ratio_is_taken_round_by_round_before_the_median() {
    let mut measure = Measure::new("rate", "a second", "base");
    // The second round was twice as slow for everybody.
    for (base, own) in [(100.0, 200.0), (50.0, 100.0), (100.0, 300.0)] {
        measure.add("base", 1, base);
        measure.add("own", 1, own);
    }
    let ratio = measure.ratio(measure.figure("own", 1).unwrap()).unwrap();
    assert_eq!(ratio, Summary { median: 2.0, least: 2.0, most: 3.0 });
    assert!(measure.ratio(&Figure { subject: "own".into(), at: 8, rounds: vec![1.0] }).is_none());
}

#[test]
fn many_places_are_drawn_as_lines_with_their_names() {
    let mut measure = Measure::new("rate", "a second", "base");
    for at in [0, 100, 1_000, 4_000, 10_000] {
        measure.add("base", at, 5_000.0);
        measure.add("own", at, 5_000.0 - at as f64 / 4.0);
    }
    let mut part = Part::new("growth", "How it grows", "children");
    part.measures.push(measure);
    let svg = chart::svg(&part, &part.measures[0]).unwrap();
    for told in ["<title>How it grows: rate, a second</title>", "base", "own", "10,000"] {
        assert!(svg.contains(told), "no {told} in {svg}");
    }
}

#[test]
fn numbers_are_grouped_and_keep_three_digits() {
    let told = [0.0, 1.234, 12.34, 123.4, 1234.5, 12_345_678.9, -1_000.4].map(number);
    assert_eq!(told, ["0", "1.23", "12.3", "123", "1,234", "12,345,679", "-1,000"]);
}

#[test]
fn each_part_measures_and_is_drawn() {
    for (name, run) in PARTS {
        let part = run(&Plan::taste()).unwrap();
        assert_eq!(part.name, name);
        for measure in &part.measures {
            assert!(measure.figures.iter().all(|it| it.rounds.len() == 1), "{measure:?}");
        }
        let first = &part.measures[0];
        if first.figures.is_empty() {
            harness::skip(format!("{name}: {}", part.notes.join("; ")));
            continue;
        }
        let subject = if name == "copies" { "dynamic" } else { "lesson-03" };
        assert!(first.subjects().contains(&subject), "{first:?}");
        assert!(part.text().contains(subject));
        assert!(part.markdown().contains(&format!("| {subject} |")));
        let svg = chart::svg(&part, first).unwrap();
        assert!(svg.contains("<title>") && svg.contains(subject), "{svg}");
    }
}

/// What the page says about pages: whoever writes first has a fault and gets a copy.
#[test]
fn a_page_is_copied_at_the_first_write_by_either_side() {
    let part = copies::run(&Plan::taste()).unwrap();
    let faults = part.measures.iter().find(|measure| measure.name == "page faults").unwrap();
    for writes in [0, 1, 10, 100] {
        let of = |subject: &str| {
            let figure = faults.figures.iter();
            let figure =
                figure.filter(|it| it.at == writes).find(|it| it.subject.contains(subject));
            figure.unwrap_or_else(|| panic!("{subject}: {faults:?}")).rounds[0]
        };
        let written = writes as f64;
        assert_eq!(of("child reads"), 0.0);
        assert_eq!([of("child writes"), of("as many others")], [written, written]);
        // Its own copies it may write to already; fork has made all else read-only.
        assert_eq!(of("child is gone"), 1_024.0 - written);
    }
}
