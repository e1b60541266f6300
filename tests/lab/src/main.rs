//! The lab: a lesson's server, its children and the pending bit, live under your hands.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{mem, thread};

use clap::Parser;
use harness::{Error, Result, complain, lessons};
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, LeaveAlternateScreen, disable_raw_mode};

mod keys;
mod model;
mod screen;
#[cfg(test)]
mod tests;

use model::Lab;

/// Stop a server, have its children die, send it signals, and watch the zombies and the pending bit
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which lesson's server
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    lesson: u8,
}

/// A signal ends this program: nothing is drawn any more.
static ENDS: AtomicBool = AtomicBool::new(false);

/// How often it looks: at rest, and at most.
const AT_REST: Duration = Duration::from_millis(250);
const AT_MOST: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let args = Args::parse();
    let Err(error) = run(args.lesson.into()) else { return ExitCode::SUCCESS };
    complain(format_args!("lab: {error}"));
    ExitCode::FAILURE
}

fn run(lesson: usize) -> Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let why = "it needs a terminal; without one, look at the tour: cargo run --bin tour";
        return Err(Error::new(why));
    }
    lessons::build()?;
    let mut lab = Lab::new(lesson)?;
    on_terminal(|terminal| play(terminal, &mut lab)).map_err(Error::cannot("use the terminal"))
}

/// Gives the terminal to `play`, and puts it back, whatever happens.
fn on_terminal(play: impl FnOnce(&mut DefaultTerminal) -> io::Result<()>) -> io::Result<()> {
    harness::server::at_interrupt(|| {
        ENDS.store(true, Ordering::Relaxed);
        // Not through stdout: who draws has locked it, and may wait for a terminal that nobody reads.
        let mut tty = File::options();
        let _ = tty.write(true).custom_flags(libc::O_NONBLOCK).open("/dev/tty").map(put_back);
    });
    let mut terminal = ratatui::try_init()?;
    let cleared = execute!(io::stdout(), Clear(ClearType::All)); // not each has a second screen
    let played = cleared.and_then(|()| play(&mut terminal));
    put_back(io::stdout());
    mem::forget(terminal); // it panics at its end where the terminal is gone
    played
}

fn put_back(mut terminal: impl Write) {
    let _ = disable_raw_mode();
    let _ = execute!(terminal, LeaveAlternateScreen, Show);
}

/// Draws, waits for a key, looks, until somebody quits.
fn play(terminal: &mut DefaultTerminal, lab: &mut Lab) -> io::Result<()> {
    let mut help = false;
    while !ENDS.load(Ordering::Relaxed) {
        let looked = Instant::now();
        lab.look();
        terminal.draw(|frame| screen::draw(frame, lab, help))?;
        if event::poll(AT_REST)?
            && let Event::Key(KeyEvent { code, modifiers, .. }) = event::read()?
        {
            let control = modifiers.contains(KeyModifiers::CONTROL);
            match code {
                KeyCode::Char('q') => return Ok(()),
                KeyCode::Char('c' | 'd') if control => return Ok(()),
                KeyCode::Char('?') if !lab.asks => help = !help,
                KeyCode::Char(key) if !control => lab.press(key),
                KeyCode::Enter => lab.press('\n'),
                _ => {}
            }
        }
        thread::sleep(AT_MOST.saturating_sub(looked.elapsed()));
    }
    Ok(())
}
