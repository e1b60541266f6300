//! What was found, for people and for programs.

use std::collections::BTreeMap;

use client::ps;
use colored::Color;
use serde_json::{Value, json};

use super::{Parent, Report};
use crate::story::{Paint, count};

impl Report {
    /// How many zombies there are.
    #[must_use]
    pub fn zombies(&self) -> usize {
        self.parents.iter().map(|it| it.zombies.len()).sum()
    }

    /// All of it for people; the second look came so many milliseconds after the first.
    #[must_use]
    pub fn text(&self, again: u64, paint: Paint) -> String {
        let mut lines: Vec<String> = self.parents.iter().map(|it| it.text(again, paint)).collect();
        let zombies = self.zombies();
        let parents = self.parents.iter().filter(|it| !it.zombies.is_empty()).count();
        let total = format!("{} of {}", count(zombies, "zombie"), count(parents, "parent"));
        lines.push(paint.verdict(zombies, if zombies == 0 { "no zombies" } else { &total }));
        let dead =
            "A zombie is dead: kill can't end it, only a wait by its parent. docs/zombies.md";
        lines.extend((zombies > 0).then(|| dead.to_owned()));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines.join("\n") + "\n"
    }

    /// The object for programs; docs/zombies.md describes it.
    #[must_use]
    pub fn json(&self) -> Value {
        let parents = self.parents.iter().map(|it| {
            json!({
                "pid": it.family.parent.pid, "name": it.family.parent.name, "command": it.command,
                "zombies": it.zombies.len(), "children": it.family.alive(), "trend": it.trend,
                "oldest_s": it.started.map(|it| it.0.as_secs()),
                "youngest_s": it.started.map(|it| it.1.as_secs()),
                "has_waited": it.waited > 0, "pid1": it.pid1,
                "sigchld": it.sigchld.name(), "pending": it.family.sigchld_pending,
                "state": it.family.parent.state.to_string(), "wchan": it.wchan,
                "cause": it.cause.name, "diagnosis": it.cause.diagnosis,
            })
        });
        json!({ "schema": 1, "parents": parents.collect::<Vec<_>>(), "notes": self.notes })
    }
}

impl Parent {
    fn text(&self, again: u64, paint: Paint) -> String {
        let (process, zombies) = (&self.family.parent, &self.zombies);
        let mut lines = vec![
            format!("{}, pid {}: {}", process.name, process.pid, count(zombies.len(), "zombie")),
            format!("{}, of user {}, parent {}", self.command, self.user, self.parent),
        ];
        if self.pid1 {
            let container =
                self.container.as_ref().map_or(String::new(), |it| format!(", of container {it}"));
            lines.push(format!("it is PID 1 of its PID namespace{container}: it inherits orphans"));
        }
        if let Some((oldest, youngest)) = self.started {
            let mut names = BTreeMap::<&str, usize>::new();
            zombies.iter().for_each(|it| *names.entry(&it.comm).or_default() += 1);
            let names: Vec<_> = names.iter().map(|(name, all)| format!("{all} {name}")).collect();
            let pids: Vec<String> = zombies.iter().take(10).map(|it| it.pid.to_string()).collect();
            let more = if zombies.len() > pids.len() { " …" } else { "" };
            lines.push(format!("zombies: {}; {}{more}", names.join(", "), pids.join(" ")));
            let (oldest, youngest) = (oldest.as_secs(), youngest.as_secs());
            let to = if oldest == youngest { String::new() } else { format!(" to {youngest}") };
            lines.push(format!("started {oldest}{to} s ago; when they died isn't kept"));
        }
        let waited = if self.waited > 0 { "has waited" } else { "has never waited" };
        let pending = if self.family.sigchld_pending { "pending" } else { "not pending" };
        let alive = self.family.alive();
        let children = if alive == 1 { "child" } else { "children" };
        lines.push(format!("{alive} {children} alive; it {waited}; {}, {pending}", self.sigchld()));
        let sleeps = self.wchan.as_ref().map_or(String::new(), |it| format!(" in {it}"));
        let (letter, state, trend) = (process.state, ps::state_name(process.state), self.trend);
        lines.push(format!("state {letter}, {state}{sleeps}; {trend} after {again} ms"));
        let cause = lines.len();
        lines.push(format!("{}: {}", self.cause.name, self.cause.diagnosis));
        lines.push(self.cause.hint.to_owned());
        let heir = format!("its children go to {}, or to a nearer subreaper", self.heir);
        let ends = if self.pid1 { "the kernel ends all of its namespace" } else { &heir };
        lines.push(format!("if it ends, {ends}"));
        // Whoever named a process may have put escape sequences there.
        lines.iter_mut().for_each(|line| *line = line.replace(char::is_control, "?"));
        lines[0] = paint.text(Color::Cyan, &lines[0]);
        let harmless = zombies.is_empty() || self.trend == "going";
        let color = if harmless { Color::Yellow } else { Color::Red };
        lines[cause] = paint.text(color, &lines[cause]);
        lines.join("\n  ")
    }
}
