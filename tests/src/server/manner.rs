//! How to get on with a server: what to say to it, how to leave, how long to wait, whom to count.

use std::time::Duration;

use client::Conversation;

use crate::PATIENCE;

/// What a client says to hear it back. It ends in a newline for servers that read lines.
pub const HELLO: &[u8] = b"hello\n";

/// What a client says to be served, and what it hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    /// What is in the words that the server begins with, if it speaks first.
    pub greeting: Option<Vec<u8>>,
    /// What the client says. A client that says nothing is served once a process of the server's
    /// holds its connection.
    pub says: Vec<u8>,
    /// What is in the answer; the same bytes as were said, and no others, if this is `None`.
    pub hears: Option<Vec<u8>>,
}

impl Default for Talk {
    /// `hello`, and its echo.
    fn default() -> Talk {
        Talk { greeting: None, says: HELLO.to_vec(), hears: None }
    }
}

impl Talk {
    /// Says what a client says at once, whether or not anybody is there to answer: nothing, where
    /// the server speaks first.
    pub(crate) fn begin(&self, client: &Conversation) -> Result<(), client::Error> {
        if self.greeting.is_none() { client.send(&self.says) } else { Ok(()) }
    }

    /// Goes on to the answer: now the client is served.
    pub(crate) fn be_served(&self, client: &Conversation) -> Result<(), client::Error> {
        if let Some(greeting) = &self.greeting {
            client.hear_until(|heard| contains(heard, greeting))?;
            client.send(&self.says)?;
        }
        self.hear_answer(client)
    }

    fn hear_answer(&self, client: &Conversation) -> Result<(), client::Error> {
        match &self.hears {
            _ if self.says.is_empty() => Ok(()),
            None => client.expect(&self.says),
            Some(answer) => client.hear_until(|heard| contains(heard, answer)).map(drop),
        }
    }

    /// Has a client that was served before speak once more and hear the answer; one that says
    /// nothing looks whether its connection is still open.
    ///
    /// # Errors
    /// When it isn't answered, or the connection is closed.
    pub fn go_on(&self, client: &Conversation) -> Result<(), client::Error> {
        if self.says.is_empty() {
            return client.is_open();
        }
        client.send(&self.says)?;
        self.hear_answer(client)
    }
}

fn contains(heard: &[u8], wanted: &[u8]) -> bool {
    !heard.is_empty() && (wanted.is_empty() || heard.windows(wanted.len()).any(|it| it == wanted))
}

/// How a client tells a server that it leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Goodbye {
    /// By the word `Bye`, on which the server closes first.
    #[default]
    Bye,
    /// By closing its own direction: the server reads end-of-file.
    HalfClose,
    /// By other words, and by closing its own direction: some servers wait for that, too.
    Words(Vec<u8>),
}

impl Goodbye {
    /// Says it, without waiting for the end.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn say(&self, client: &Conversation) -> Result<(), client::Error> {
        match self {
            Goodbye::Bye => client.bye(),
            Goodbye::HalfClose => client.close_half(),
            Goodbye::Words(words) => client.send(words).and_then(|()| client.close_half()),
        }
    }

    /// What all clients have done once they have said it, for a story.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Goodbye::Bye => "all said Bye",
            Goodbye::HalfClose => "all half-closed",
            Goodbye::Words(_) => "all said goodbye",
        }
    }
}

/// Which processes count as a server's children.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Children {
    /// All that the process that listens has.
    #[default]
    All,
    /// Those that were seen to hold a client's connection, and were forked for it.
    Forked,
    /// Those that were seen to hold a client's connection, and were there before it.
    InAdvance,
    /// None: the process that serves is no child, or outlives its client.
    Nobody,
}

/// How to get on with a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// What its clients say.
    pub talk: Talk,
    /// How its clients leave.
    pub goodbye: Goodbye,
    /// How long to wait for what ought to happen at once.
    pub patience: Duration,
    /// How long a zombie may lie until it counts as one that stays.
    pub grace: Duration,
    /// Whom to count.
    pub children: Children,
}

impl Default for Manner {
    /// The manner of the lessons.
    fn default() -> Self {
        Manner {
            talk: Talk::default(),
            goodbye: Goodbye::Bye,
            patience: PATIENCE,
            grace: Duration::ZERO,
            children: Children::All,
        }
    }
}
