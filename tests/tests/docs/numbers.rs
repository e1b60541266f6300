//! Whether a page shows what a run prints, although each run has other pids, ports and times.

use std::mem::discriminant;

/// What a piece of a line is by its looks.
#[derive(Clone, Copy, PartialEq)]
enum Piece<'a> {
    /// Must be the same, letter by letter.
    Word(&'a str),
    /// A whole number.
    Pid(&'a str),
    /// One after a colon.
    Port(&'a str),
    /// Four with dots.
    Address(&'a str),
    /// A time, a share, an amount of memory or an address in it: differs from run to run.
    Varies,
}

/// The numbers of a page and those of a run, in pairs. A number of four digits or more on the page is
/// a pid, a port or an address: the run has another, always the same one, and no other number has
/// it. A shorter one is a count.
#[derive(Default)]
pub(crate) struct Pairs<'a> {
    known: Vec<(Piece<'a>, Piece<'a>)>,
}

impl<'a> Pairs<'a> {
    /// Holds a text on a page against what was printed, line by line, blanks aside; goes on with
    /// the pairs of the texts before. Tells the first line that differs.
    pub(crate) fn agree(&mut self, page: &'a str, run: &'a str) -> Result<(), String> {
        let (mut shown, mut printed) = (page.trim_end().lines(), run.trim_end().lines());
        loop {
            let (shown, printed) = match (shown.next(), printed.next()) {
                (None, None) => return Ok(()),
                (shown, printed) => (shown.unwrap_or_default(), printed.unwrap_or_default()),
            };
            let (ours, theirs) = (pieces(shown), pieces(printed));
            let same = ours.len() == theirs.len()
                && ours.into_iter().zip(theirs).all(|(ours, theirs)| self.pair(ours, theirs));
            if !same {
                return Err(format!("shows {shown:?}, and a run prints {printed:?}"));
            }
        }
    }

    fn pair(&mut self, page: Piece<'a>, run: Piece<'a>) -> bool {
        match page {
            Piece::Pid(it) | Piece::Port(it) | Piece::Address(it) if it.len() >= 4 => {}
            _ => return page == run,
        }
        let is_pair = self.known.iter().all(|known| (known.0 == page) == (known.1 == run));
        self.known.push((page, run));
        is_pair && discriminant(&page) == discriminant(&run)
    }
}

/// The text without its numbers, bars and repeated lines: to be held against a text whose figures
/// are all different.
pub(crate) fn without_figures(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.replace('█', "").lines() {
        let pieces = pieces(line).into_iter().map(|piece| match piece {
            Piece::Word(word) if !word.starts_with(|c: char| c.is_ascii_digit()) => word,
            _ => "#",
        });
        lines.push(pieces.collect::<Vec<_>>().join(" ") + "\n");
    }
    lines.dedup();
    lines.concat()
}

/// A line in pieces, its blanks left out.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    const UNITS: [&str; 7] = ["ms", "s", "µs", "%", "kB", "KiB", "MiB"];
    let is_digit = |c: char| c.is_ascii_digit();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut pieces = Vec::new();
    let (mut rest, mut before) = (line.trim(), ' ');
    while let Some(first) = rest.chars().next() {
        let is_hex = rest.starts_with("0x");
        let is_number = is_digit(first) && !before.is_alphanumeric();
        let goes_on = |(at, c): (usize, char)| match at {
            0 => true,
            _ if is_hex => at == 1 || c.is_ascii_hexdigit(),
            _ if is_number => is_digit(c) || (c == '.' && rest[at + 1..].starts_with(is_digit)),
            _ => is_word(first) && is_word(c),
        };
        let end = rest.char_indices().find(|it| !goes_on(*it)).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after.trim_start();
        let unit = rest.split(|c: char| !c.is_alphabetic() && c != '%').next().unwrap_or_default();
        let is_whole = piece.len() == 1 || !piece.starts_with('0');
        pieces.push(match piece.matches('.').count() {
            _ if is_hex => Piece::Varies,
            _ if is_number && UNITS.contains(&unit) => Piece::Varies,
            3 if is_number => Piece::Address(piece),
            0 if is_number && is_whole && before == ':' => Piece::Port(piece),
            0 if is_number && is_whole => Piece::Pid(piece),
            _ => Piece::Word(piece),
        });
        let touches = rest.len() == after.len();
        before = piece.chars().next_back().filter(|_| touches).unwrap_or(' ');
    }
    pieces
}

#[test]
fn pids_ports_and_times_vary_and_all_else_is_the_same() {
    let run = "[71] child 9 serves 127.0.0.1:36580\n9  71 S+   lesson-01\n\
               5 of 5 stayed after 6.5 s, 10 ms; ShdPnd: 0000000000010000; 0x7ffc; 100 deaths\n";
    let page = "[12701] child 12969 serves 127.0.0.1:12969\n12969 12701 S+ lesson-01\n\
                5 of 5 stayed after 0.5 s, 112 ms; ShdPnd: 0000000000010000; 0x12; 100 deaths\n";
    let mut pairs = Pairs::default();
    pairs.agree(page, run).unwrap();
    pairs.agree("kill 12969", "kill 71").expect_err("in another part of the scene");
    for (shown, other, what) in [
        ("S+", "Z+", "another state"),
        ("12969 12701", "12970 12701", "two pids for one"),
        ("12969", "12701", "one pid for two"),
        ("5 of 5", "6 of 6", "small numbers"),
        ("100 deaths", "999 deaths", "a count is no pid"),
        ("00010000", "00000000", "a mask"),
    ] {
        Pairs::default().agree(&page.replace(shown, other), run).expect_err(what);
    }
    let first = page.lines().next().unwrap();
    Pairs::default().agree(first, run).expect_err("lines less");
    let own = page.replace("127.0.0.1", "127.0.0.2");
    Pairs::default().agree(&own, run).expect("an address of its own");
}

#[test]
fn of_figures_the_words_and_columns_are_held() {
    let plain = without_figures("zombies left in 3 rounds\n  0  ██   1\n  4  █  12\n");
    assert_eq!(plain, without_figures("zombies left in 200 rounds\n  1  ███ 8\n"));
    assert_ne!(plain, without_figures("zombies left in 200 rounds\n  1  ███\n"));
    assert_ne!(plain, without_figures("children left in 200 rounds\n  1  ███ 8\n"));
}
