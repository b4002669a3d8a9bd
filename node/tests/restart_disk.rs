//! A node is killed in the middle of its work. What its disk had promised is there afterwards, in
//! order, and the folder is free for the next process.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails may panic, in its helpers too")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use node::disk::FolderDisk;
use protocol::digest::Digest;
use protocol::disk::{Disk as _, FileName};

const FOLDER: &str = "TSUNAGI_TEST_FOLDER";
const KILLS: u64 = 12;
const RECORD_BYTES: usize = 40;

#[test]
fn what_was_synced_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised = 0;
    for kill in 0..KILLS {
        promised = promised.max(run_until_killed(folder.path(), 20 + 17 * kill));
        let kept = records_kept(folder.path());
        assert!(kept >= promised, "{promised} records were promised, {kept} are there");
    }
    assert!(promised > KILLS * 20);
}

#[test]
#[ignore = "not a test: the process that the test above kills"]
fn writes_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (log, draft, book) = (name("journal.log"), name("book.draft"), name("book"));
    let mut disk = FolderDisk::open(Path::new(&folder)).unwrap();
    let mut number = records_in(&disk);
    disk.list().unwrap().iter().filter(|(file, _)| *file == log).for_each(|(file, len)| {
        disk.truncate(file, len - len % u64::try_from(RECORD_BYTES).unwrap()).unwrap();
    });
    disk.remove(&draft).unwrap();
    loop {
        disk.append(&log, &record(number)).unwrap();
        disk.sync(&log).unwrap();
        number += 1;
        if number.is_multiple_of(8) {
            disk.append(&draft, &record(number)).unwrap();
            disk.publish(&draft, &book).unwrap();
        }
        println!("promised {number}");
    }
}

/// Starts the writer, reads `promises` of its promises, kills it, and returns the last one made.
fn run_until_killed(folder: &Path, promises: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last = 0;
    let mut seen = 0;
    for line in lines {
        if let Some(number) = line.strip_prefix("promised ").and_then(|number| number.parse().ok()) {
            last = number;
            seen += 1;
            if seen == promises {
                child.kill().unwrap();
            }
        }
    }
    assert!(seen >= promises, "the writer ended by itself");
    child.wait().unwrap();
    last
}

/// How many whole records there are; they are the right ones in the right order, and the book, which
/// is replaced all the time, is whole.
fn records_kept(folder: &Path) -> u64 {
    let disk = FolderDisk::open(folder).unwrap();
    let kept = records_in(&disk);
    for number in 0..kept {
        let at = number * u64::try_from(RECORD_BYTES).unwrap();
        assert_eq!(disk.read(&name("journal.log"), at, RECORD_BYTES).unwrap(), record(number));
    }
    let book = disk.read(&name("book"), 0, RECORD_BYTES).unwrap();
    let number = u64::from_be_bytes(book[..8].try_into().unwrap());
    assert_eq!(book, record(number));
    assert!(number.is_multiple_of(8) && number + 16 > kept, "book {number} of {kept}");
    kept
}

fn records_in(disk: &FolderDisk) -> u64 {
    let files = disk.list().unwrap();
    let len = files.iter().find(|(file, _)| *file == name("journal.log")).map_or(0, |(_, len)| *len);
    len / u64::try_from(RECORD_BYTES).unwrap()
}

fn record(number: u64) -> Vec<u8> {
    [&number.to_be_bytes()[..], Digest::of(&number.to_be_bytes()).as_bytes()].concat()
}

fn name(text: &str) -> FileName {
    FileName::parse(text).unwrap()
}
