//! The pictures of the pages: SVG files in docs/pictures, drawn by hand or generated, in one style.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use harness::lessons::root;

pub(crate) mod race;
pub(crate) mod tour;

/// What every picture's `<style>` holds.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Rewrites what can be generated: the style, the tour and the race's bars.
const UPDATE: &str = "UPDATE_DOCS=1 cargo test -p harness --test pictures";

/// A picture as it is now.
pub(crate) struct Picture {
    /// `tour.svg`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Where a picture is.
fn path(name: &str) -> PathBuf {
    root().join("docs/pictures").join(name)
}

/// All pictures, by name.
pub(crate) fn all() -> Vec<Picture> {
    let folder = fs::read_dir(path("")).expect("docs/pictures is read");
    let names = folder.map(|entry| entry.expect("docs/pictures is read").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names.into_iter().map(|name| Picture { text: read(&name), name }).collect()
}

/// Those that are drawn here. The bench's charts are plotters' work, with a style of their own.
pub(crate) fn drawn() -> Vec<Picture> {
    all().into_iter().filter(|picture| !picture.name.starts_with("bench-")).collect()
}

/// A picture's text.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
}

/// Checks that the picture is `now`; with `UPDATE_DOCS=1` in the environment, makes it so.
#[track_caller]
pub(crate) fn hold(name: &str, now: &str) {
    if fs::read_to_string(path(name)).is_ok_and(|text| text == now) {
        return;
    }
    assert!(update(), "docs/pictures/{name} is not what it would be today; rewritten by: {UPDATE}");
    write(name, now);
}

/// Writes a picture.
pub(crate) fn write(name: &str, now: &str) {
    fs::write(path(name), now).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
}

/// Whether whoever runs the tests wants the pictures rewritten.
fn update() -> bool {
    env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
}

/// The same picture with the style that all have.
pub(crate) fn restyled(svg: &str) -> Option<String> {
    let (before, rest) = svg.split_once("  <style>\n")?;
    let (_, after) = rest.split_once("  </style>\n")?;
    Some(format!("{before}  <style>\n{STYLE}  </style>\n{after}"))
}

/// A card with a picture on it: it has a background of its own, because a page that shows it by
/// `<img>` may be light where the reader's system is dark.
fn card(title: &str, desc: &str, (width, height): (usize, usize), body: &str) -> String {
    let [title, desc] = [title, desc].map(escaped);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"\n     \
         aria-labelledby=\"title desc\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n  \
         <title id=\"title\">{title}</title>\n  <desc id=\"desc\">{desc}</desc>\n  \
         <style>\n{STYLE}  </style>\n  \
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"10\"/>\n\
         {body}</svg>\n",
        width - 1,
        height - 1,
    )
}

/// Adds a label.
fn label(body: &mut String, (x, y): (usize, usize), class: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(body, "  <text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
