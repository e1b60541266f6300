//! What a key does now, or why it makes no sense.

use crate::model::Lab;

/// What can be done, by its key and in a word or two.
pub(crate) const KEYS: [(char, &str); 15] = [
    ('1', "lesson 1"),
    ('2', "lesson 2"),
    ('3', "lesson 3"),
    ('c', "client"),
    ('5', "five"),
    ('b', "Bye"),
    ('B', "all Bye"),
    ('s', "stop"),
    ('g', "go on"),
    ('k', "kill child"),
    ('t', "stop child"),
    ('!', "SIGCHLD"),
    ('K', "kill server"),
    ('?', "help"),
    ('q', "quit"),
];

impl Lab {
    /// Why a key makes no sense now, if it doesn't.
    pub(crate) fn why_not(&self, key: char) -> Option<&'static str> {
        let stopped = self.is_stopped();
        Some(match key {
            '0'..='9' | '\n' if self.asks => return None,
            _ if self.asks => "a digit, please, or Enter to skip",
            'c' if self.killed && self.talking().next().is_some() => return None, // an orphan's
            'c' | '5' | 's' | 'g' | '!' | 'K' if self.killed => "it is dead: 1, 2 or 3 starts one",
            'c' | '5' if stopped => "the server is stopped and accepts nobody: g lets it go on",
            'b' | 'B' if self.talking().next().is_none() => "no client is there: c connects one",
            's' if stopped => "it is stopped already",
            'g' if !stopped => "it isn't stopped: s stops it",
            'k' if self.victim().is_none() => "it has no child: c connects a client",
            't' if !self.victim().is_some_and(|it| it.1) => "no child lives: c connects a client",
            _ => return None,
        })
    }

    /// Does what a key stands for; the next look tells what comes of it.
    pub(crate) fn press(&mut self, key: char) {
        if let Some(why) = self.why_not(key) {
            return self.tell(format!("{key}: {why}"), "");
        }
        let done = match key {
            '0'..='9' | '\n' if self.asks => self.go(key.to_digit(10).map(|it| it as usize)),
            '1'..='3' => self.restart(key as usize - '0' as usize),
            'c' if self.killed => self.speak(),
            'c' => self.connect(1),
            '5' => self.connect(5),
            'b' => self.leave(1),
            'B' => self.leave(usize::MAX),
            's' => self.server.hold().map(std::mem::forget), // until it goes on
            'g' if (1..10).contains(&self.zombies()) => {
                self.asks = true; // for a digit
                Ok(())
            }
            'g' => self.go(None),
            'k' => self.kill_child(),
            't' => self.stop_child(),
            '!' => self.stray(),
            'K' => self.server.kill(),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.tell(error.to_string(), "");
        }
    }
}
