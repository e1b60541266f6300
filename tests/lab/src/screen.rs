//! The lab on a screen.

use std::iter;

use harness::ps::state_name;
use harness::story::count;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use crate::keys::KEYS;
use crate::model::{CHALLENGES, Client, Lab};

/// A place on the screen with a rule above it that has a title.
fn under<'a>(title: Span<'a>, text: Text<'a>) -> Paragraph<'a> {
    Paragraph::new(text).block(Block::new().borders(Borders::TOP).title(title))
}

/// A state by its letter and word, on a ground that can be read on light and dark terminals.
fn spelled(state: char) -> Span<'static> {
    let text = format!("{state} {}", state_name(state));
    match state {
        'Z' => text.white().on_red().bold(),
        'T' | 't' => text.black().on_yellow(),
        _ => text.into(),
    }
}

pub(crate) fn draw(frame: &mut Frame, lab: &Lab, help: bool) {
    let keys = keys(lab, frame.area().width);
    let parts = [
        Constraint::Length(3),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(keys.len() as u16 + 1),
    ];
    let [server, children, events, bottom] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(self::server(lab)), server);
    draw_children(frame, lab, children);
    if help {
        frame.render_widget(under(" reach these; ? goes back ".into(), challenges(lab)), events);
    } else {
        draw_events(frame, lab, events);
    }
    frame.render_widget(under(" keys ".into(), Text::from(keys)), bottom);
}

/// The server's three lines: who it is, its pending bit, and the count.
fn server(lab: &Lab) -> Text<'_> {
    let process = &lab.family.parent;
    let sleeps = if lab.wchan.is_empty() { String::new() } else { format!(" in {}", lab.wchan) };
    let bit = if lab.family.sigchld_pending { "[■]".black().on_yellow() } else { "[ ]".into() };
    let zombies = Span::from(count(lab.zombies(), "zombie"));
    let zombies = if lab.zombies() > 0 { zombies.white().on_red().bold() } else { zombies };
    Text::from(vec![
        Line::from(vec![
            format!("{}, pid {}  ", lab.lesson.name, lab.pid()).bold(),
            spelled(process.state),
            sleeps.into(),
        ]),
        Line::from(vec![format!("{}, pending ", lab.sigchld.describe()).into(), bit]),
        Line::from(vec![zombies, format!("; reaped, by its log: {}", lab.reaped).into()]),
    ])
}

/// A row for each child that is there; what has no room is counted.
fn draw_children(frame: &mut Frame, lab: &Lab, area: Rect) {
    let row = |client: &Client| {
        let state = spelled(client.state?);
        let age = client.since.elapsed().as_secs();
        let whose = match client.number {
            0 => "another".to_owned(),
            number => format!("client {number}"),
        };
        let rest = format!("{:w$}{age:>5} s  {whose}", "", w = 12 - state.width().min(12));
        Some(Line::from(vec![format!("{:>8}  ", client.child).into(), state, rest.into()]))
    };
    let mut rows: Vec<Line> = lab.clients.iter().filter_map(row).collect();
    let room = usize::from(area.height.max(2)) - 1;
    let above = rows.len().saturating_sub(room);
    rows.drain(..above);
    if above > 0 {
        rows[0] = Line::from(format!("{:>8}  more above", above + 1));
    }
    frame.render_widget(under(" children ".into(), Text::from(rows)), area);
}

/// What happened, newest first, each with the line of shell that does or shows the same.
fn draw_events(frame: &mut Frame, lab: &Lab, area: Rect) {
    let mut lines = Vec::new();
    for event in lab.events.iter().rev().take(usize::from(area.height)) {
        lines.push(Line::from(event.what.as_str()));
        if !event.shell.is_empty() {
            lines.push(Line::from(format!("  $ {}", event.shell).dim()));
        }
    }
    let title = match lab.asks {
        true => " How many zombies will stay? A digit, or Enter to skip ".reversed(),
        false => " what happened, newest first ".into(),
    };
    frame.render_widget(under(title, Text::from(lines)).wrap(Wrap { trim: false }), area);
}

fn challenges(lab: &Lab) -> Text<'_> {
    let line = |(challenge, won): (&&'static str, bool)| {
        let mark = if won { "[x] ".green() } else { "[ ] ".into() };
        Line::from(vec![mark, Span::from(*challenge)])
    };
    let box_is = "[■] a SIGCHLD is pending.  $ a line for bash.  docs/lab.md has the rest.";
    iter::once(Line::from(box_is)).chain(CHALLENGES.iter().zip(lab.won).map(line)).collect()
}

/// The keys in as many lines as they need; those that make no sense now are dim.
fn keys(lab: &Lab, width: u16) -> Vec<Line<'static>> {
    let (mut lines, mut used) = (vec![Line::default()], 0);
    for (key, what) in KEYS {
        let text = format!("{key} {what}  ");
        if used + text.len() > usize::from(width) {
            (used, _) = (0, lines.push(Line::default()));
        }
        used += text.len();
        let span = Span::from(text);
        let off = key != 'q' && lab.why_not(key).is_some();
        let span = if off { span.dim() } else { span };
        lines.last_mut().expect("there is one").push_span(span);
    }
    lines
}
