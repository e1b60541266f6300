//! How many connections a second a server gets through, when each of them costs it a fork.

use harness::lessons;

use super::copies::{self, PROBE};
use super::load;
use super::report::Table;
use super::servers::{self, LESSON, PYTHON, ROADS, STATIC, TWIN};
use super::{Plan, Result};

/// How many clients there are at once.
const CLIENTS: [usize; 2] = [1, 8];

pub(crate) fn run(plan: &Plan) -> Result<Vec<Table>> {
    let probe = lessons::example(PROBE)?;
    // What every connection must cost at least: fork, _exit and waitpid, one after the other.
    let bare = format!("small 0 0 {}", plan.window.as_millis());
    let ratio = "8 clients, as a multiple of fork alone";
    let heads = ["connections a second", "1 client", "8 clients", ratio];
    let mut table = Table::new("rate", &heads, Some(2));
    let mut running = Vec::new();
    for name in [LESSON, STATIC, TWIN, PYTHON].into_iter().chain(ROADS) {
        let start = || Ok(servers::start(name));
        match plan.step(&format!("rate: building and starting {name}"), start)? {
            Ok(server) => running.push((name, server)),
            Err(why) if [STATIC, TWIN, PYTHON].contains(&name) => {
                table.notes.insert(format!("No {name}: {why}"));
            }
            Err(why) => return Err(why),
        }
    }
    // All ratios here are to one floor, and a floor that came out by chance spoils a whole round.
    let rounds = if plan.rounds > 1 { 2 * plan.rounds } else { 1 };
    for _ in 0..rounds {
        for (column, clients) in CLIENTS.into_iter().enumerate() {
            let fork_alone = || Ok(copies::told(&probe, &bare)?["forks a second"]);
            let floor = plan.step("rate: fork alone", fork_alone)?;
            let mut tell = |name: &str, rate: f64| {
                table.add(name, column, rate);
                table.add(name, 2, (clients == 8).then_some(rate / floor));
            };
            tell("fork alone", floor);
            for (name, server) in &running {
                let load = || load::rate(server, clients, plan.window);
                tell(name, plan.step(&format!("rate: {name}, {clients} clients"), load)?);
            }
        }
    }
    Ok(vec![table])
}
