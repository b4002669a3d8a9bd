//! Rot on the index's disk: one bit of sled's files flips while the node is down. Whatever sled makes
//! of it, the caller gets rows, an error or an empty index: no panic, no abort, no hang. (That rows
//! gone in silence are noticed is the store's part, which counts them.)

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use node::index::{CACHE_BYTES, SledIndex};
use protocol::index::{Changes, Index as _, IndexError};
use protocol::primitives::derive;

const ROWS: usize = 12_000;
const FLIPS: u64 = 60;

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
