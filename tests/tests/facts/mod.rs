//! What a program tells in lines of `name = value`.

use std::collections::BTreeMap;

use harness::lessons;
use harness::server::Launch;
use nix::sys::wait::WaitStatus;

#[derive(Debug)]
pub(crate) struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Runs a program of tests/examples/subjects to its end; `line` is its name and arguments.
    #[track_caller]
    pub(crate) fn of(line: &str) -> Facts {
        let subject = Launch::new(lessons::example("subjects").unwrap());
        Facts::from_run(line.split(' ').fold(subject, Launch::arg))
    }

    /// Runs any program to its end, which must be a good one.
    #[track_caller]
    pub(crate) fn from_run(launch: Launch) -> Facts {
        let (status, log) = launch.run().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}: {}", log.text());
        let stdout = log.stdout();
        let pairs = stdout.lines().filter_map(|line| line.split_once('='));
        let own = |it: &str| it.trim().to_owned();
        Facts(pairs.map(|(name, value)| (own(name), own(value))).collect())
    }

    /// That these are its values by their names.
    #[track_caller]
    pub(crate) fn are<const N: usize>(&self, expected: [(&str, &str); N]) {
        for (name, value) in expected {
            assert_eq!(self.get(name), value, "{name}: {self:?}");
        }
    }

    /// The value of `name`.
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}
