//! What the programs are called, and what is odd about each.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Name {
    /// Ends at once, with a word on stderr and exit status 1
    ExitsAtOnce,
    /// Runs, but never listens
    NeverListens,
    /// Listens on another port of the same address
    ListensElsewhere,
    /// Binds the address for UDP only
    UdpOnly,
    /// Listens after a second
    ListensLate,
    /// Writes 2 MiB to stdout and stderr each before it listens, 128 KiB for each client
    FloodsOutput,
    /// Ignores SIGTERM and SIGINT
    IgnoresSigterm,
    /// Forks into the background: the process that was started ends with status 0
    Daemon,
    /// Asks again at once, and again, when accept is refused
    SpinsWhenRefused,
    /// Accepts and closes at once
    ClosesAtOnce,
    /// Accepts and reads, but never answers
    Mute,
    /// Answers in capital letters
    Upper,
    /// Says something before it is spoken to, then echoes
    Greets,
    /// Echoes whole lines only, and has never heard of Bye
    ReadsLines,
    /// Its handler is right, but installed for one signal only
    OneShotHandler,
    /// Blocks SIGCHLD for each fork, and leaves it blocked once a child has been reaped
    StaysBlocked,
    /// Doesn't unblock SIGCHLD: right, unless whoever started it left it blocked
    NoUnblock,
    /// Looks at its handler's flag, works (20 ms) and polls: a death in between goes unnoticed
    LostWakeUp,
    /// Serves a few at once, and lets the others wait (4)
    AtMost,
    /// Its handler reaps so many per signal, and no more (20)
    BoundedLoop,
    /// Reaps its clients' children, but not the helper that it starts every so often (1000 ms)
    HelperOnATimer,
    /// Starts a helper that stays: so long after it listens, or with its first client
    LateHelper,
    /// Workers forked in advance serve client after client; the dead are replaced (4)
    Pool,
    /// Workers forked in advance serve client after client; the dead are left (4)
    PoolNeverReaps,
    /// Workers forked in advance serve one client each, and are replaced (24)
    PoolOfOne,
    /// Its first thread ends, another one serves: ps shows the server as a zombie
    LeaderLeaves,
    /// No handler: looks for its dead every so often (50 ms)
    LooksLate,
    /// A supervisor listens, its worker forks and never waits
    SupervisedLeaks,
    /// A supervisor listens, its worker forks and reaps
    SupervisedReaps,
    /// Listens without SO_REUSEADDR
    NoReuse,
    /// Its children stay a while after their clients have left (7000 ms)
    Lingers,
    /// Its children take a while before they first read (12000 ms)
    StartsLate,
    /// Says a last word to whoever leaves
    Farewell,
    /// Speaks first, answers lines with a code, and ends at QUIT
    Banner,
    /// Puts a word before each answer
    Prefix,
    /// Answers one request as HTTP does, and closes
    OneAnswer,
    /// Starts a program for each client, and never waits
    StartsCat,
    /// Out of descriptors, it turns clients away by means of a spare one
    ShedsLoad,
    /// Its children become another user
    OtherUser,
    /// Each of its children leaves a child behind, which stays as long as the server
    LeavesOrphans,
}
