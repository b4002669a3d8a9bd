//! A file system that fills up, for real: a small one in memory is mounted and commits fill it. The
//! commit that finds no room fails, what was acknowledged is read without room if nothing has to be
//! mended, and with room again the store goes on. Mounting needs rights; without them the test says loudly that it did not run.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic, in its helpers too"
)]

#[path = "shared/history.rs"]
mod history;

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use history::Expected;
use node::disk::reserve::{self, Reserve};
use protocol::disk::DiskError;
use protocol::store::{Store, StoreError};
use rustix::fs::FallocateFlags;

/// The file system, in bytes.
const SIZE: u64 = 48 << 20;
/// What is left free beside the ballast in each round, in bytes: the disk is full at another write each time.
const ROOMS: [u64; 8] = [0, 4_096, 8_192, 12_288, 20_480, 32_768, 73_728, 131_072];
const COMMITS_MAX: u64 = 5_000;
/// How often filling up is tried.
const FILLINGS_MAX: usize = 1_000;
/// What is set aside, in bytes.
const RESERVE: u64 = 8 << 20;

/// A file system in memory, gone with this.
struct Mounted {
    folder: tempfile::TempDir,
}

#[test]
fn a_full_file_system_loses_nothing_and_is_read_all_the_same() {
    let Some(mounted) = mount() else {
        eprintln!("SKIPPED: a_full_file_system_loses_nothing_and_is_read_all_the_same: tmpfs cannot be mounted here");
        return;
    };
    let (folder, ballast) = (mounted.folder.path().join("data"), mounted.folder.path().join("ballast"));
    // Now the index is the first to find no room, now it lies elsewhere and the store's own files are.
    let elsewhere = tempfile::tempdir().unwrap();
    let indexes = [folder.join("index"), elsewhere.path().join("index")];
    let mut expected = Expected::default();
    let (mut full_files, mut without_room) = (0, 0);
    for (room, index) in ROOMS.into_iter().flat_map(|room| indexes.iter().map(move |index| (room, index))) {
        let open = || history::open_with(&folder, index);
        let (mut store, _opened) = open().unwrap();
        for _ in 0..3 {
            history::go_on(&mut store).unwrap();
        }
        fill_up(&ballast, &store, room);
        let (acknowledged, error) = go_on_until_it_fails(&mut store);
        match error {
            StoreError::Fatal(DiskError::Full) => full_files += 1,
            StoreError::Index(_) if *index == indexes[0] => {}
            other => panic!("with {room} bytes: {other}"),
        }
        assert_eq!(history::go_on(&mut store), Err(StoreError::Stopped));
        drop(store);

        // Without room: what is durable is there and can be read.
        match open() {
            Ok((mut store, opened)) => {
                expected.advance(opened.sequence);
                assert_eq!(expected.difference(&mut store), Ok(None), "with {room} bytes");
                without_room += 1;
            }
            // Where the last commit is in the journal but not yet in the rolls or the index, opening has to
            // write; it says that it cannot, and loses nothing by it (below).
            Err(StoreError::Disk(DiskError::Full)) => {}
            Err(StoreError::Index(_)) if *index == indexes[0] => {}
            Err(error) => panic!("with {room} bytes: {error}"),
        }

        std::fs::remove_file(&ballast).unwrap();
        let (mut store, opened) = open().unwrap();
        assert!((acknowledged..=acknowledged + 1).contains(&opened.sequence), "{acknowledged}, {opened:?}");
        assert!(opened.sequence >= expected.sequence, "what was durable is gone");
        expected.advance(opened.sequence);
        assert_eq!(expected.difference(&mut store), Ok(None), "with room again after {room} bytes");
        history::go_on(&mut store).unwrap();
        expected.advance(store.sequence());
        assert_eq!(expected.difference(&mut store), Ok(None));
        println!("{room:>8} bytes left beside the ballast: {acknowledged} acknowledged, {} durable", opened.sequence);
    }
    println!("{without_room} of {} stores opened without room", 2 * ROOMS.len());
    assert!(without_room > 0, "no store opened without room");
    assert!(full_files >= ROOMS.len(), "only {full_files} commits found no room for the store's own files");
}

#[test]
fn a_store_whose_reserve_is_given_up_opens_on_a_full_file_system() {
    let Some(mounted) = mount() else {
        eprintln!(
            "SKIPPED: a_store_whose_reserve_is_given_up_opens_on_a_full_file_system: tmpfs cannot be mounted here"
        );
        return;
    };
    let (folder, ballast) = (mounted.folder.path().join("data"), mounted.folder.path().join("ballast"));
    let index = folder.join("index");
    let open = || history::open_with(&folder, &index);
    let mut expected = Expected::default();
    for room in ROOMS {
        let (mut store, _opened) = open().unwrap();
        history::go_on(&mut store).unwrap();
        assert_eq!(reserve::prepare(mounted.folder.path(), RESERVE).unwrap(), Reserve::Kept);
        fill_up(&ballast, &store, room);
        let (acknowledged, _error) = go_on_until_it_fails(&mut store);
        drop(store);

        assert_eq!(reserve::prepare(mounted.folder.path(), RESERVE).unwrap(), Reserve::GivenUp);
        let (mut store, opened) = open().unwrap_or_else(|error| panic!("with {room} bytes: {error}"));
        assert!((acknowledged..=acknowledged + 1).contains(&opened.sequence), "{acknowledged}, {opened:?}");
        expected.advance(opened.sequence);
        assert_eq!(expected.difference(&mut store), Ok(None), "with {room} bytes");
        assert_eq!(
            reserve::prepare(mounted.folder.path(), RESERVE).unwrap(),
            Reserve::GivenUp,
            "it does not fill what it freed"
        );
        drop(store);
        std::fs::remove_file(&ballast).unwrap();
    }
}

/// Commits until that fails; the last that was acknowledged, and the error.
fn go_on_until_it_fails(store: &mut Store) -> (u64, StoreError) {
    for _ in 0..COMMITS_MAX {
        let acknowledged = store.sequence();
        if let Err(error) = history::go_on(store) {
            return (acknowledged, error);
        }
    }
    panic!("{COMMITS_MAX} commits and the disk is not full");
}

/// Leaves only `room` bytes free.
fn fill_up(ballast: &Path, store: &Store, room: u64) {
    let file = OpenOptions::new().create_new(true).write(true).open(ballast).unwrap();
    // The index has a thread of its own, which may write between the look and the filling.
    let fill = || {
        let len = store.room().unwrap().saturating_sub(room);
        len == 0 || rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len).is_ok()
    };
    assert!((0..FILLINGS_MAX).any(|_filling| fill()), "the disk was never still while it was filled");
    assert!(store.room().unwrap() <= room);
}

fn mount() -> Option<Mounted> {
    let folder = tempfile::tempdir().unwrap();
    let size = format!("size={SIZE}");
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
    status.is_ok_and(|output| output.status.success()).then_some(Mounted { folder })
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(self.folder.path()).status();
        // A panic here would hide the one that is under way.
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("{}: still mounted", self.folder.path().display());
        }
    }
}
