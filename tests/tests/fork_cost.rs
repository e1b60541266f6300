//! The bench's arithmetic, that each of its parts runs, and that its charts are the page's. No
//! time is asserted: what a machine is quick at is not for a test.

// The bench as it is; a test uses less of it.
#[allow(dead_code)]
#[path = "../benches/fork_cost/main.rs"]
mod fork_cost;

use std::{env, fs, thread};

use fork_cost::copies::Probe;
use fork_cost::report::{Measure, Summary, Table, number};
use fork_cost::{PARTS, Plan, Run, chart};
use harness::lessons;

#[test]
fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
    let summary = |median, least, most| Some(Summary { median, spread: Some([least, most]) });
    assert_eq!(Summary::of(&[3.0, 1.0, 10.0]), summary(3.0, 1.0, 10.0));
    assert_eq!(Summary::of(&[4.0, 1.0, 3.0, 10.0]), summary(3.5, 1.0, 10.0));
    assert_eq!(Summary::of(&[]), None);
}

#[test]
fn a_ratio_is_taken_round_by_round_before_the_median() {
    let mut measure = Measure::default();
    // The second round was twice as slow for everybody.
    for (base, own) in [(100.0, 200.0), (50.0, 100.0), (100.0, 300.0)] {
        measure.add("base", 1, base);
        measure.add("own", 1, own);
    }
    measure.add("own", 8, 1.0); // where the base is not
    let ratios = measure.relative(|figure| measure.figure("base", figure.at));
    assert_eq!(ratios.figure("own", 1).unwrap().rounds, [2.0, 2.0, 3.0]);
    assert!(ratios.figure("own", 8).is_none());
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let mut rate = Measure::default();
    for (at, values) in [(0, [5_000.0, 4_000.0]), (100, [1_250.0, 2_000.0])] {
        values.iter().for_each(|value| rate.add("lesson-03", at, *value));
    }
    rate.add("pidfd", 0, 12.5);
    let left = rate.relative(|figure| rate.figure(&figure.subject, 0));
    let table = Table::new("growth", "rate").column("alone", &rate, 0);
    let table = table.column("beside 100", &left, 100).column("beside 7", &left, 7);
    let markdown = "| rate      | alone |       beside 100 |\n\
                    |-----------|------:|-----------------:|\n\
                    | lesson-03 | 4,500 | 0.38 (0.25–0.50) |\n\
                    | pidfd     |  12.5 |                  |\n";
    assert_eq!(table.markdown(), markdown);
    let page = format!("before\n<!-- bench: growth -->\n\n{markdown}\n<!-- bench end -->\nafter");
    assert_eq!(Table::on(&page, "growth").unwrap().markdown(), markdown);
}

#[test]
fn numbers_are_grouped_and_keep_three_digits() {
    let told = [0.0, 1.234, 12.34, 123.4, 1234.5, 12_345_678.9].map(number);
    assert_eq!(told, ["0", "1.23", "12.3", "123", "1,234", "12,345,679"]);
}

#[test]
fn each_part_measures_and_is_drawn() {
    let part = |(name, run): (&str, Run)| {
        let part = run(&Plan::TASTE).unwrap();
        if part.tables.iter().all(|table| table.rows.is_empty()) {
            return harness::skip(format!("{name}: {}", part.notes.join("; ")));
        }
        let subject = if name == "copies" { "fork, µs" } else { "lesson-03" };
        let table = &part.tables[0];
        assert!(table.rows.iter().any(|(row, _)| row == subject), "{table:?}");
        let (file, svg) = part.tables.iter().find_map(chart::of).expect("a chart");
        assert_eq!(file, format!("bench-{name}.svg"));
        let shown = subject.split(',').next().unwrap();
        assert!(svg.contains(&format!(">{shown}</text>")), "no {shown} in {svg}");
    };
    thread::scope(|scope| {
        for it in PARTS {
            scope.spawn(move || part(it));
        }
    });
}

#[test]
fn the_charts_show_the_figures_of_the_page() {
    let charts = chart::all(&fork_cost::page().unwrap());
    assert_eq!(charts.len(), PARTS.len(), "a chart for each part");
    for (file, svg) in charts {
        let path = lessons::root().join("docs/pictures").join(&file);
        if fs::read_to_string(&path).is_ok_and(|drawn| drawn == svg) {
            continue;
        }
        let update = env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1");
        let how = "UPDATE_DOCS=1 cargo test -p harness --test fork_cost";
        assert!(update, "{file} is not what it would be today; rewritten by: {how}");
        fs::write(&path, svg).unwrap();
    }
}

/// What the page says about pages: whoever writes first has a fault and gets a copy.
#[test]
fn a_page_is_copied_at_the_first_write_by_either_side() {
    let probe = Probe::built("dynamic", "-crt-static").unwrap();
    for writes in [0, 1, 10, 100] {
        let seen = probe.run(&format!("copy 1024 {writes}")).unwrap();
        let faults = |who| seen.get(who).unwrap();
        let written = f64::from(writes);
        assert_eq!(faults("child_reads"), 0.0);
        assert_eq!([faults("child_writes"), faults("parent_writes")], [written; 2]);
        // Its own copies it may write to already; fork has made all else read-only.
        assert_eq!(faults("parent_writes_alone"), 1_024.0 - written);
    }
}
