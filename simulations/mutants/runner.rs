//! Plants defects (変異) and asks whether the guarantees notice. Each `NAME.patch` beside this file is applied to a copy
//! of the sources, built, and played (`player.rs`) until the guarantee that it names returns a violation of its own: a panic, a failed
//! build or another guarantee does not count. The sources it copies are never touched.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that people and CI read")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

/// A planted defect, as its file says.
struct Mutant {
    name: String,
    patch: PathBuf,
    breaks: String,
    guarantee: String,
    scenario: String,
    seeds: u64,
}

/// Why the runner itself could not go on.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}: its header has no usable line \"{1}: …\"")]
    Header(PathBuf, &'static str),
    #[error("{0} does not apply any more: {1}")]
    Stale(String, String),
    #[error("{0} does not build: {1}")]
    Build(String, String),
    #[error("no mutant is called {0}")]
    Unknown(String),
    #[error("another run is under way in {0}")]
    Busy(PathBuf),
    #[error("Cargo.toml has no [workspace.package] that begins with its version")]
    Unnumbered,
    #[error("{0}")]
    Usage(&'static str),
}

/// What a copy of the sources consists of.
const SOURCES: [&str; 6] = ["Cargo.toml", "Cargo.lock", "protocol", "simulations", "node", "tools"];
/// Which of them says of what version the packages are.
const WORKSPACE: &str = "Cargo.toml";
/// The program that plays with the defect in it. Not this one: it would take its own place.
const PLAYER: &str = "mutant";
const USAGE: &str = "mutants [--json] [--check] [NAME ...]: --check only looks whether every patch still applies";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            eprintln!("{stop}");
            ExitCode::from(2)
        }
    }
}

/// Whether every wanted mutant was caught.
fn run(arguments: &[String]) -> Result<bool, Stop> {
    let (flags, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    if flags.iter().any(|flag| !["--json", "--check"].contains(&flag.as_str())) {
        return Err(Stop::Usage(USAGE));
    }
    let has = |flag: &str| flags.iter().any(|given| *given == flag);
    let bench = Bench::new();
    let _alone = bench.alone()?;
    let mutants = bench.mutants()?;
    for mutant in &mutants {
        bench.plant(mutant)?;
    }
    if has("--check") {
        println!("{} patches apply", mutants.len());
        return Ok(true);
    }
    if let Some(unknown) = names.iter().find(|name| !mutants.iter().any(|mutant| mutant.name == ***name)) {
        return Err(Stop::Unknown((*unknown).clone()));
    }
    let mut results = Vec::new();
    for mutant in mutants.iter().filter(|mutant| names.is_empty() || names.contains(&&mutant.name)) {
        bench.plant(mutant)?;
        let caught = bench.caught(mutant);
        let told = match &caught {
            Ok(Some(seeds)) => format!("caught by {} after {seeds} of {} seeds", mutant.guarantee, mutant.seeds),
            Ok(None) => format!("NOT CAUGHT by {} in {} seeds of {}", mutant.guarantee, mutant.seeds, mutant.scenario),
            Err(stop) => format!("NOT CAUGHT: {stop}"),
        };
        let seeds = caught.ok().flatten();
        eprintln!("{:<28} {told}: {}", mutant.name, mutant.breaks);
        let caught_by = seeds.map(|_seeds| &mutant.guarantee);
        results.push(json!({"name": mutant.name, "caught_by": caught_by, "seeds_needed": seeds}));
    }
    if has("--json") {
        println!("{}", Value::from(results.clone()));
    }
    Ok(results.iter().all(|result| !result["caught_by"].is_null()))
}

/// Where mutants are made.
struct Bench {
    /// The sources.
    root: PathBuf,
    /// Their copy.
    copy: PathBuf,
    /// What is built, shared with everything else that is built here, so that no dependency is built again.
    target: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().unwrap_or(own).to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Self { copy: target.join("mutants/tree"), root, target }
    }

    /// Two runs would plant in the same copy.
    fn alone(&self) -> Result<fs::File, Stop> {
        let path = self.target.join("mutants/lock");
        let failed = |error| Stop::File(path.clone(), error);
        fs::create_dir_all(self.target.join("mutants")).map_err(failed)?;
        let lock = fs::File::create(&path).map_err(failed)?;
        lock.try_lock().map_err(|_held| Stop::Busy(path.clone()))?;
        Ok(lock)
    }

    fn mutants(&self) -> Result<Vec<Mutant>, Stop> {
        let folder = self.root.join("simulations/mutants");
        let mut patches = entries(&folder)?;
        patches.retain(|path| path.extension() == Some(OsStr::new("patch")));
        patches.sort();
        patches.into_iter().map(Mutant::read).collect()
    }

    /// The copy becomes the sources with this defect in them.
    fn plant(&self, mutant: &Mutant) -> Result<(), Stop> {
        let mut wanted = BTreeMap::new();
        for source in SOURCES {
            collect(&self.root, Path::new(source), &mut wanted)?;
        }
        // Packages of another version: else what is built of the copy would be taken for what is built of the sources.
        let workspace = wanted.get_mut(Path::new(WORKSPACE)).and_then(|bytes| Some((renumbered(bytes)?, bytes)));
        let Some((renumbered, bytes)) = workspace else { return Err(Stop::Unnumbered) };
        *bytes = renumbered;
        let mut have = BTreeMap::new();
        if self.copy.exists() {
            collect(&self.copy, Path::new(""), &mut have)?;
        }
        for path in have.keys().filter(|path| !wanted.contains_key(*path)) {
            let path = self.copy.join(path);
            fs::remove_file(&path).map_err(|error| Stop::File(path, error))?;
        }
        // What is the same is left alone, so that it is not built again.
        for (path, bytes) in wanted.iter().filter(|(path, bytes)| have.get(*path) != Some(bytes)) {
            write(&self.copy.join(path), bytes)?;
        }
        let mut apply = Command::new("git");
        // Not as a part of the repository around it: there git would pass over every file without a word.
        apply.args(["apply", "--verbose"]).arg(&mutant.patch).current_dir(&self.copy);
        apply.env("GIT_CEILING_DIRECTORIES", self.copy.parent().unwrap_or(&self.copy));
        said(&mut apply).map_err(|said| Stop::Stale(mutant.name.clone(), said))?;
        let mut after = BTreeMap::new();
        collect(&self.copy, Path::new(""), &mut after)?;
        if after == wanted {
            return Err(Stop::Stale(mutant.name.clone(), "it changes nothing".to_owned()));
        }
        Ok(())
    }

    /// How many seeds it took, if it was caught.
    fn caught(&self, mutant: &Mutant) -> Result<Option<u64>, Stop> {
        let failed = |said: String| Stop::Build(mutant.name.clone(), said);
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--release", "--workspace", "--features", "simulations/mutants", "--bin", PLAYER]);
        build.current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.target);
        said(&mut build).map_err(failed)?;
        let mut play = Command::new(self.target.join("release").join(PLAYER));
        let seeds = mutant.seeds.to_string();
        let told = said(play.args([&mutant.scenario, &mutant.guarantee, &seeds])).map_err(failed)?;
        let told: Value = serde_json::from_str(&told).map_err(|error| failed(format!("it said {told:?}: {error}")))?;
        Ok(told["seeds_needed"].as_u64())
    }
}

/// The workspace's file with a version that no release has.
fn renumbered(workspace: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(workspace).ok()?;
    let (before, rest) = text.split_once("[workspace.package]\nversion = \"")?;
    let (_version, after) = rest.split_once('"')?;
    Some(format!("{before}[workspace.package]\nversion = \"0.0.0-mutant\"{after}").into_bytes())
}

impl Mutant {
    fn read(patch: PathBuf) -> Result<Self, Stop> {
        let text = fs::read_to_string(&patch).map_err(|error| Stop::File(patch.clone(), error))?;
        let header: Vec<_> = text.lines().take_while(|line| !line.starts_with("--- ")).collect();
        let field = |name: &'static str| {
            let found = header.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.map(str::to_owned).ok_or_else(|| Stop::Header(patch.clone(), name))
        };
        let name = patch.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        Ok(Self {
            breaks: field("Breaks")?,
            guarantee: field("Caught-by")?,
            scenario: field("Scenario")?,
            seeds: field("Seeds")?.parse().map_err(|_error| Stop::Header(patch.clone(), "Seeds"))?,
            name,
            patch,
        })
    }
}

/// Every file under a path, by its place.
fn collect(root: &Path, path: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), Stop> {
    let full = root.join(path);
    if !full.is_dir() {
        let bytes = fs::read(&full).map_err(|error| Stop::File(full, error))?;
        into.insert(path.to_owned(), bytes);
        return Ok(());
    }
    for entry in entries(&full)? {
        if let Ok(inner) = entry.strip_prefix(root) {
            collect(root, inner, into)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    let failed = |error| Stop::File(folder.to_owned(), error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, bytes)).map_err(|error| Stop::File(path.to_owned(), error))
}

/// What a command said, or, if it failed, what it said then.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
