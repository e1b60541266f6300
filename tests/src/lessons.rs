//! The three lessons: their names, where they are, what they are expected to leave behind, and
//! how they are built.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, io};

use crate::story::count;
use crate::{Error, Result};

/// A lesson of this workspace.
#[derive(Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The package, and the name of the program: `lesson-02`.
    pub name: &'static str,
    /// The folder at the root of the workspace.
    pub folder: &'static str,
    /// What it does about its dead children, in a few words.
    pub reaps: &'static str,
}

/// All of them, in order.
pub static LESSONS: [Lesson; 3] = [
    Lesson { name: "lesson-01", folder: "lesson-01-fork-no-reap", reaps: "never waits" },
    Lesson {
        name: "lesson-02",
        folder: "lesson-02-sigchld-single-wait",
        reaps: "waits once per SIGCHLD",
    },
    Lesson {
        name: "lesson-03",
        folder: "lesson-03-waitpid-loop",
        reaps: "waits until no dead child is left",
    },
];

impl Lesson {
    /// How many of `clients` children stay zombies when all die while the server is held still.
    #[must_use]
    pub fn zombies_when_held_still(&self, clients: usize) -> usize {
        match self.name {
            "lesson-01" => clients,
            "lesson-02" => clients.saturating_sub(1),
            _ => 0,
        }
    }

    /// Why so many of its `dead` children stay, and where to read on; `pending` says whether they had
    /// one SIGCHLD for all of them.
    #[must_use]
    pub fn explain(&self, dead: usize, pending: bool) -> String {
        let Lesson { name, reaps, .. } = self;
        let bit = format!(", and {} set one bit", count(dead, "death"));
        format!("{name} {reaps}{}. Read docs/{name}.md", if pending { &bit } else { "" })
    }

    /// The lesson's whole program as text.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn source(&self) -> Result<String> {
        let path = root().join(self.folder).join("src/main.rs");
        std::fs::read_to_string(&path).map_err(Error::cannot(format!("read {}", path.display())))
    }

    /// The lesson's program, built if need be.
    ///
    /// # Errors
    /// When it can't be built.
    pub fn program(&self) -> Result<PathBuf> {
        program(self.name)
    }
}

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the harness has a folder of its own")
}

/// A program of this workspace, one of the lessons or `client`: built quietly, once per process.
///
/// # Errors
/// When it can't be built.
pub fn program(name: &str) -> Result<PathBuf> {
    build_with(&["--quiet"])?;
    Ok(profile_folder()?.join(name))
}

/// An example of this package, such as `subjects`, built in the same way: cargo builds them for
/// `cargo test`, but not for `cargo test --test NAME`.
///
/// # Errors
/// When it can't be built.
pub fn example(name: &str) -> Result<PathBuf> {
    static BUILT: Built = Built::new();
    cargo_build(&BUILT, ["--quiet", "--package", env!("CARGO_PKG_NAME"), "--examples"])?;
    Ok(profile_folder()?.join("examples").join(name))
}

/// An example of lesson-03, one of the other roads such as `pidfd`, built in the same way.
///
/// # Errors
/// When it can't be built.
pub fn road(name: &str) -> Result<PathBuf> {
    static BUILT: Built = Built::new();
    cargo_build(&BUILT, ["--quiet", "--package", LESSONS[2].name, "--examples"])?;
    Ok(profile_folder()?.join("examples").join(name))
}

/// A program as [`program`] or [`example`] has it, but with the C library in it, so that it maps no
/// other file: built if need be, into `target/static`, and quietly. `kind` and `name` are what cargo
/// calls it, `--bin lesson-03`.
///
/// # Errors
/// When it can't be built: where the C library is not installed as an archive, for one.
pub fn static_program(package: &str, kind: &str, name: &str) -> Result<PathBuf> {
    let profile = profile_folder()?;
    let target = target_folder(&profile);
    let mut cargo = cargo("rustc", &profile, &target.join("static"));
    cargo.args(["--quiet", "--package", package, kind, name]);
    // What is already compiled for `program` serves here too. An older cargo compiles it again.
    cargo.arg("--config").arg(format!("build.build-dir={:?}", target.display().to_string()));
    cargo.args(["--", "-C", "target-feature=+crt-static"]);
    let output = cargo.output().map_err(|error| no_cargo(&error))?;
    if output.status.success() {
        let folder = target.join("static").join(profile.strip_prefix(target).unwrap_or(&profile));
        return Ok(if kind == "--example" { folder.join("examples") } else { folder }.join(name));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find(|line| line.starts_with("error")).unwrap_or("cargo failed");
    Err(Error::new(format!("{said}; is the C library installed as an archive, libc.a?")))
}

/// Builds the lessons and the client, with cargo, in the profile and the target folder of the
/// program that asks: once per process, and as it does for a person who types `cargo build`.
///
/// # Errors
/// When cargo can't be run or says that it failed.
pub fn build() -> Result<()> {
    build_with(&[])
}

fn build_with(options: &[&str]) -> Result<()> {
    static BUILT: Built = Built::new();
    let packages = LESSONS.iter().map(|lesson| lesson.name).chain(["client"]);
    let packages = packages.flat_map(|name| ["--package", name]);
    cargo_build(&BUILT, packages.chain(options.iter().copied()))
}

/// What came of a build, once there has been one.
type Built = OnceLock<std::result::Result<(), String>>;

fn cargo_build<'a>(built: &Built, args: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let build = || {
        let profile = profile_folder()?;
        let mut cargo = cargo("build", &profile, target_folder(&profile));
        match cargo.args(args).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::new(format!("cargo could not build the programs: {status}"))),
            Err(error) => Err(no_cargo(&error)),
        }
    };
    let build = || build().map_err(|error| error.to_string());
    built.get_or_init(build).clone().map_err(Error::new)
}

/// Cargo, which is to do `what` into the target folder `into`, in the profile whose programs are in
/// the folder `profile`, and for the same target triple if there is one.
fn cargo(what: &str, profile: &Path, into: &Path) -> Command {
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args([what, "--profile", name]).stdin(Stdio::null());
    cargo.arg("--target-dir").arg(into);
    let above = profile.parent().unwrap_or(profile);
    if above != target_folder(profile) {
        cargo.arg("--target").arg(above.file_name().unwrap_or_default());
    }
    cargo
}

fn no_cargo(error: &io::Error) -> Error {
    Error::new(format!("cannot run cargo: {error}; is Rust installed?"))
}

/// The target folder above a profile's: `target`, for `target/debug` and for `target/TRIPLE/debug`,
/// which is where cargo builds when a triple is given, by `build.target` say. Cargo keeps what it
/// knows of rustc in the target folder itself.
fn target_folder(profile: &Path) -> &Path {
    let is_target = |folder: &&Path| folder.join(".rustc_info.json").exists();
    let above = profile.parent().unwrap_or(profile);
    profile.ancestors().skip(1).take(2).find(is_target).unwrap_or(above)
}

/// Where the running program was built: `target/debug`, say.
fn profile_folder() -> Result<PathBuf> {
    let exe = env::current_exe().map_err(Error::cannot("tell where this program is"))?;
    let folder = exe.parent().unwrap_or(Path::new("."));
    let inner = folder.ends_with("deps") || folder.ends_with("examples");
    Ok(if inner { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}
