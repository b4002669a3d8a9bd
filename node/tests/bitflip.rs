//! Rot on the index's disk: one bit of sled's files flips while the node is down. Whatever sled makes
//! of it, the caller gets rows, an error or an empty index: no panic, no abort, no hang. (That rows
//! gone in silence are noticed is the store's part, which counts them: below, one bit flips in any file
//! of a whole store, and everything is read.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that fails may panic, in its helpers too"
)]

#[path = "shared/history.rs"]
mod history;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use history::Expected;
use node::index::{CACHE_BYTES, SledIndex};
use protocol::index::{Changes, Index as _, IndexError};
use protocol::primitives::derive;

const ROWS: usize = 12_000;
const FLIPS: u64 = 60;

const FOLDER: &str = "TSUNAGI_TEST_FLIP_FOLDER";
const SHARE: &str = "TSUNAGI_TEST_FLIP_SHARE";
const STORE_FLIPS: usize = 2_400;
/// Processes that flip side by side.
const SHARES: usize = 2;
/// The store's commits before its book and behind it.
const COMMITS: [u64; 2] = [30, 8];
/// The most memory a process may ask for, in KiB: more counts as there being none.
const MEMORY_KIB: u64 = 8 << 20;

/// What became of a flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything is as it was, and nothing was said.
    Harmless,
    /// Something was found damaged and mended; everything is as it was.
    Mended,
    /// The store does not open, or a read fails.
    Refused,
    /// The process died of it once; the next one came to a good end.
    Died,
    /// Something is wrong or missing, and nothing was said.
    Silent,
}

/// By kind of file, how often each outcome came.
type Table = BTreeMap<String, BTreeMap<Outcome, u64>>;

#[test]
fn a_bit_flipped_in_any_file_of_a_store_is_never_served_in_silence() {
    let folder = folder_in_memory();
    let sound = folder.path().join("sound");
    let expected = write_history(&sound);
    assert!(expected.persons() >= 300 && expected.records() >= 300 && expected.leaves() > 500);
    let files = files_of(&sound);
    for kind in ["journal", "vault", "book", "roll leaves", "roll nodes", "roll records", "roll details", "sled db"] {
        assert!(files.iter().any(|file| kind_of(&file.path) == kind), "no {kind} among {files:?}");
    }
    let mut table = Table::new();
    let shares: Vec<_> = (0..SHARES)
        .map(|share| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || run_share(&folder, share))
        })
        .collect();
    let mut bad = Vec::new();
    let mut flips = 0;
    for (number, outcome, said) in shares.into_iter().flat_map(|share| share.join().unwrap()) {
        let (file, bit) = flip(&files, number);
        let mut kind = kind_of(&file.path);
        if is_index_lost(file, number) {
            kind.push_str(" alone");
        }
        *table.entry(kind).or_default().entry(outcome).or_default() += 1;
        flips += 1;
        if outcome == Outcome::Silent {
            bad.push(format!("flip {number}, bit {bit} of {}: {said}", file.path.display()));
        }
    }
    print_table(&table);
    assert_eq!(flips, STORE_FLIPS);
    assert!(bad.is_empty(), "{bad:#?}");
    // Where every byte is needed, a flip is found every time. A book is needed when the index is lost.
    for kind in ["journal", "vault", "roll leaves", "roll nodes", "roll details", "book alone"] {
        let harmless = table[kind].get(&Outcome::Harmless).copied().unwrap_or_default();
        assert_eq!(harmless, 0, "{kind}");
    }
    assert!(table["book alone"].keys().eq([&Outcome::Refused]), "a rotten book was taken for a sound one");
}

#[test]
#[ignore = "not a test: a process of the test above, which may die of what sled does"]
fn flips_a_share() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let share = std::env::var(SHARE).unwrap();
    let (share, from) = share.split_once(' ').unwrap();
    let (share, from): (usize, usize) = (share.parse().unwrap(), from.parse().unwrap());
    std::panic::set_hook(Box::new(|_panic| {}));
    let mut expected = Expected::default();
    expected.advance(COMMITS.iter().sum());
    let sound = folder.join("sound");
    let files = files_of(&sound);
    let spoiled = folder.join(format!("spoiled-{share}"));
    // What a process died of is opened as it lies: it must not be died of again.
    let mut again = spoiled.exists();
    for number in (share..STORE_FLIPS).step_by(SHARES).filter(|number| *number >= from) {
        if !again {
            copy_tree(&sound, &spoiled);
            let (file, bit) = flip(&files, number);
            flip_bit(&spoiled.join(&file.path), bit);
            if is_index_lost(file, number) {
                std::fs::remove_dir_all(spoiled.join("index")).unwrap();
            }
        }
        let (outcome, said) = look(&spoiled, &expected);
        let outcome = if again && outcome != Outcome::Silent { Outcome::Died } else { outcome };
        std::fs::remove_dir_all(&spoiled).unwrap();
        again = false;
        writeln!(std::io::stdout(), " flip {number} {outcome:?} {said}").unwrap();
    }
    writeln!(std::io::stdout(), " flip end").unwrap();
}

/// Opens the store in `folder` and reads everything.
fn look(folder: &Path, expected: &Expected) -> (Outcome, String) {
    let (mut store, opened) = match history::open(folder) {
        Ok(opened) => opened,
        Err(error) => return (Outcome::Refused, error.to_string()),
    };
    let mended = opened.index_rebuilt || opened.vault_mended || opened.roll_pieces_mended + opened.torn_bytes > 0;
    match expected.difference(&mut store) {
        Err(error) => (Outcome::Refused, error.to_string()),
        Ok(Some(difference)) => (Outcome::Silent, difference),
        Ok(None) if mended => (Outcome::Mended, String::new()),
        Ok(None) => (Outcome::Harmless, String::new()),
    }
}

/// Lets processes do one share of the flips, another one whenever one dies.
fn run_share(folder: &Path, share: usize) -> Vec<(usize, Outcome, String)> {
    let mut outcomes = Vec::new();
    let mut next = share;
    let mut died_of = None;
    loop {
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$@\""), "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "flips_a_share", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(SHARE, format!("{share} {next}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ended = false;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some((_, said)) = line.split_once(" flip ") else { continue };
            if said == "end" {
                ended = true;
                continue;
            }
            let mut words = said.splitn(3, ' ');
            let number: usize = words.next().unwrap().parse().unwrap();
            let outcome = outcome_of(words.next().unwrap());
            outcomes.push((number, outcome, words.next().unwrap().to_owned()));
            next = number + SHARES;
        }
        child.wait().unwrap();
        if ended {
            return outcomes;
        }
        // A second death of one flip is a node that never starts again.
        let again = died_of.replace(next) == Some(next);
        assert!(!again, "flip {next} kills every process that opens it");
    }
}

fn outcome_of(word: &str) -> Outcome {
    [Outcome::Harmless, Outcome::Mended, Outcome::Refused, Outcome::Died, Outcome::Silent]
        .into_iter()
        .find(|outcome| format!("{outcome:?}") == word)
        .unwrap()
}

fn write_history(folder: &Path) -> Expected {
    let mut expected = Expected::default();
    let (mut store, _opened) = history::open(folder).unwrap();
    for _ in 0..COMMITS[0] {
        history::go_on(&mut store).unwrap();
    }
    store.snapshot().unwrap();
    for _ in 0..COMMITS[1] {
        history::go_on(&mut store).unwrap();
    }
    drop(store);
    expected.advance(COMMITS.iter().sum());
    let (mut store, opened) = history::open(folder).unwrap();
    assert!(!opened.index_rebuilt && opened.roll_pieces_mended == 0, "{opened:?}");
    assert_eq!(expected.difference(&mut store), Ok(None));
    expected
}

/// A file with something in it, its path from the store's folder on.
#[derive(Debug)]
struct Rotten {
    path: PathBuf,
    len: u64,
}

fn files_of(folder: &Path) -> Vec<Rotten> {
    let mut found = Vec::new();
    files_below(folder, &mut found);
    found.sort();
    let rotten = found.into_iter().map(|path| {
        let len = path.metadata().unwrap().len();
        Rotten { path: path.strip_prefix(folder).unwrap().to_owned(), len }
    });
    rotten.collect()
}

/// Where flip number `number` goes: every file has its first; of the rest three in four go to any file, the
/// fourth to any byte.
fn flip(files: &[Rotten], number: usize) -> (&Rotten, u64) {
    let dice = derive(&u64::try_from(number).unwrap().to_be_bytes(), b"", b"flip of a store");
    let word = |at: usize| u64::from_be_bytes(dice.expose()[at..at + 8].try_into().unwrap());
    let total: u64 = files.iter().map(|file| file.len).sum();
    let file = if let Some(file) = files.get(number) {
        file
    } else if number % 4 != 3 {
        &files[usize::try_from(word(0) % u64::try_from(files.len()).unwrap()).unwrap()]
    } else {
        let mut at = word(0) % total;
        files
            .iter()
            .find(|file| {
                at.checked_sub(file.len).is_none_or(|rest| {
                    at = rest;
                    false
                })
            })
            .unwrap()
    };
    (file, word(8) % (file.len * 8))
}

/// Half of the flips outside the index hit a store that lost its index too, so that whatever it is built
/// anew from is read. In the table such files stand alone.
fn is_index_lost(file: &Rotten, number: usize) -> bool {
    !file.path.starts_with("index") && !number.is_multiple_of(2)
}

fn flip_bit(path: &Path, bit: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
    std::fs::write(path, bytes).unwrap();
}

fn kind_of(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    if path.starts_with("index") {
        return format!("sled {}", name.split('.').next().unwrap());
    }
    match name.split(['-', '.']).collect::<Vec<_>>()[..] {
        ["roll", _seat, roll, _log] => format!("roll {roll}"),
        [kind, ..] => kind.to_owned(),
        [] => name.to_owned(),
    }
}

fn print_table(table: &Table) {
    println!("{:<20}{:>9}{:>9}{:>9}{:>9}{:>9}", "file", "harmless", "mended", "refused", "died", "SILENT");
    for (kind, outcomes) in table {
        let count = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
        let [harmless, mended, refused, died, silent] =
            [Outcome::Harmless, Outcome::Mended, Outcome::Refused, Outcome::Died, Outcome::Silent].map(count);
        println!("{kind:<20}{harmless:>9}{mended:>9}{refused:>9}{died:>9}{silent:>9}");
    }
}

/// Rot needs no durable disk, and syncing thousands of copies to one takes minutes.
fn folder_in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_error| tempfile::tempdir()).unwrap()
}

#[test]
fn a_flipped_bit_in_the_index_reaches_nobody_as_a_panic() {
    // sled's panics are what this test provokes; sixty traces of them would bury everything else.
    std::panic::set_hook(Box::new(|_panic| {}));
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound");
    fill(&sound);
    let untouched = folder.path().join("untouched");
    copy_tree(&sound, &untouched);
    assert_eq!(read_all(&SledIndex::open(&untouched, CACHE_BYTES).unwrap()), Ok(ROWS), "a copy alone loses rows");
    let mut outcomes = [0_u32; 4];
    for seed in 0..FLIPS {
        let spoiled = folder.path().join("spoiled");
        copy_tree(&sound, &spoiled);
        flip_one_bit(&spoiled, seed);
        let mut index = SledIndex::open(&spoiled, CACHE_BYTES).unwrap();
        let outcome = match read_all(&index) {
            _ if index.replaced().is_some() => 0,
            Err(_) => 1,
            Ok(rows) if rows < ROWS => 2,
            Ok(_) => 3,
        };
        *outcomes.get_mut(outcome).unwrap() += 1;
        // However it went, the store can begin again.
        index.clear().unwrap();
        assert_eq!((index.position(), read_all(&index)), (Ok(0), Ok(0)), "flip {seed}");
        index.apply(&Changes::from([(b"again".to_vec(), Some(b"1".to_vec()))]), 1).unwrap();
        assert_eq!(read_all(&index), Ok(1), "flip {seed}");
        drop(index);
        std::fs::remove_dir_all(&spoiled).unwrap();
    }
    let [replaced, refused, lost, whole] = outcomes;
    println!("{FLIPS} flips: {replaced} replaced, {refused} refused, {lost} with rows lost, {whole} whole");
    assert!(replaced + refused + lost > 0, "no flip did anything: this test tests nothing");
}

fn fill(folder: &Path) {
    let mut index = SledIndex::open(folder, CACHE_BYTES).unwrap();
    for piece in 0..ROWS / 100 {
        let rows = (0..100).map(|row| {
            let key = derive(&(piece * 100 + row).to_be_bytes(), b"", b"key").expose().to_vec();
            let value = key.repeat(1 + row % 7);
            (key, Some(value))
        });
        index.apply(&rows.collect(), u64::try_from(piece).unwrap() + 1).unwrap();
    }
    assert_eq!(read_all(&index), Ok(ROWS));
}

fn read_all(index: &SledIndex) -> Result<usize, IndexError> {
    let mut from = Vec::new();
    let mut count = 0;
    loop {
        let rows = index.range(&from, &[0xff; 33], 100)?;
        let Some((last, _)) = rows.last() else { return Ok(count) };
        count += rows.len();
        assert!(*last >= from, "the index goes back");
        from = last.clone();
        from.push(0);
    }
}

fn flip_one_bit(folder: &Path, seed: u64) {
    let dice = derive(&seed.to_be_bytes(), b"", b"flip");
    let number =
        |at: usize| usize::try_from(u32::from_be_bytes(dice.expose()[at..at + 4].try_into().unwrap())).unwrap();
    let mut files = Vec::new();
    files_below(folder, &mut files);
    files.sort();
    // Mostly the large file with the rows, sometimes one of the small ones.
    files.sort_by_key(|file| core::cmp::Reverse(file.metadata().unwrap().len()));
    let file = &files[if number(0) % 4 == 0 { number(4) % files.len() } else { 0 }];
    let mut bytes = std::fs::read(file).unwrap();
    // The file is longer than what was ever written to it.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    bytes[number(8) % used] ^= 1 << (number(12) % 8);
    std::fs::write(file, bytes).unwrap();
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
