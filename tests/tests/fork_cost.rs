//! The bench's arithmetic, that each of its parts runs, and that its charts are the page's. No
//! time is asserted: what a machine is quick at is not for a test.

// The bench as it is; a test uses less of it.
#[allow(dead_code)]
#[path = "../benches/fork_cost/main.rs"]
mod fork_cost;

use std::time::Duration;
use std::{env, fs, thread};

use fork_cost::copies::told;
use fork_cost::report::Table;
use fork_cost::{PARTS, Plan, Run, chart};
use harness::lessons;

#[test]
fn a_table_tells_medians_and_of_ratios_the_spread() {
    let mut table = Table::new("growth", &["", "alone", "beside 7", "beside 100"], Some(2));
    for (alone, ratio) in [(5_000.0, 0.5), (4_000.4, 0.25), (4_500.0, 0.375), (3_000.0, 0.75)] {
        table.add("lesson-03", 0, alone);
        table.add("lesson-03", 2, ratio);
    }
    for alone in [40.0, 12.5, 1.0] {
        table.add("pidfd", 0, alone);
    }
    table.add("signalfd", 0, 123.4);
    table.add("ignore", 2, 3.0);
    let markdown = "|           | alone |       beside 100 |\n\
                    |-----------|------:|-----------------:|\n\
                    | lesson-03 | 4,250 | 0.44 (0.25–0.75) |\n\
                    | pidfd     |  12.5 |                  |\n\
                    | signalfd  |   123 |                  |\n\
                    | ignore    |       |                3 |\n";
    assert_eq!(table.markdown(), markdown);
}

#[test]
fn each_part_measures_and_is_drawn() {
    // Whether it works, and not how well.
    let plan = &Plan { rounds: 1, children: 100, window: Duration::from_millis(20) };
    let measure = &|name: &str, run: Run| {
        let tables = run(plan).unwrap();
        let subject = if name == "copies" { "fork, µs" } else { "lesson-03" };
        let markdown = tables[0].markdown();
        assert!(markdown.contains(&format!("| {subject} ")), "{markdown}");
        let mut charts = tables.iter().filter_map(|it| chart::of(it.name, &it.markdown()));
        let (file, svg) = charts.next().expect("a chart");
        assert_eq!(file, format!("bench-{name}.svg"));
        let shown = subject.trim_end_matches(", µs");
        assert!(svg.contains(&format!(">{shown}</text>")), "no {shown} in {svg}");
    };
    thread::scope(|scope| {
        for (name, run) in PARTS {
            scope.spawn(move || measure(name, run));
        }
    });
}

#[test]
fn the_charts_show_the_figures_of_the_page() {
    let page = fs::read_to_string(lessons::root().join("docs/fork-cost.md")).unwrap();
    let tables = page.split("<!-- bench: ").filter_map(|it| it.split_once(" -->"));
    let charts = tables.filter_map(|(name, rest)| chart::of(name, rest.trim()));
    let charts = charts.collect::<Vec<_>>();
    assert_eq!(charts.len(), PARTS.len(), "a chart for each part");
    for (file, svg) in charts {
        let path = lessons::root().join("docs/pictures").join(&file);
        if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
            fs::write(&path, &svg).unwrap();
        }
        let how = "UPDATE_DOCS=1 cargo test -p harness --test fork_cost";
        let is_same = fs::read_to_string(&path).is_ok_and(|drawn| drawn == svg);
        assert!(is_same, "{file} is not what it would be today; rewritten by: {how}");
    }
}

/// What the page says about pages: the process that writes first has a fault and gets a copy.
#[test]
fn a_page_is_copied_at_the_first_write_by_either_side() {
    let probe = lessons::example("fork_probe").unwrap();
    for writes in [0, 1, 10, 100] {
        let faults = told(&probe, &format!("copy 1024 {writes}")).unwrap();
        let written = f64::from(writes);
        assert_eq!(faults["child_reads"], 0.0);
        assert_eq!([faults["child_writes"], faults["parent_writes"]], [written; 2]);
        // Its own copies it may write to already; fork has made all else read-only.
        assert_eq!(faults["parent_writes_alone"], 1_024.0 - written);
    }
}
