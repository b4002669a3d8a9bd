//! The index behind `protocol::index::Index`: sled, held at arm's length.
//!
//! sled 0.34.7 panics on a flipped bit, loses rows in silence, and can ask for more memory than there
//! is. So nothing in here is believed: every call is guarded, a folder that does not open is thrown
//! away, and so is one whose last opening never came to a good end. What is lost is rebuilt from the
//! journal by the store, which also counts the rows. The only home of `sled`. Never flushes on request.

use core::cell::RefCell;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{ScopedJoinHandle, available_parallelism};
use std::time::Duration;

use protocol::digest::Digest;
use protocol::index::{Changes, Index, IndexError, KEYS_END, Row};

/// The usual size of sled's cache, in bytes. sled takes about twice as much memory.
pub const CACHE_BYTES: u64 = 64 << 20;
/// How long opening or closing may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often sled writes back in its own thread, in milliseconds. Nobody relies on it.
const FLUSH_EVERY_MS: u64 = 1_000;

/// How many portions of rows are read ahead of whoever looks at them.
const PORTIONS_AHEAD: usize = 4;
/// Our own byte, seat and table.
const TABLE_BYTES: usize = 3;
/// A table is read in sixteen pieces, by the next byte of its keys.
const TABLE_STEP: usize = 16;

/// Before a key of the protocol in sled's one tree.
const ROW: u8 = b'r';
/// The key of the position, in the same tree so that one batch holds both.
const POSITION: &[u8] = b"p";
/// The file beside sled's folder that stands while an opened index has not yet proved itself.
const UNPROVED: &str = "unproved";
/// The file whose lock says that a process has this index.
const LOCK: &str = "lock";
/// sled's own folder inside ours.
const ROWS: &str = "rows";
/// sled's file in there, which it locks.
const DATA: &str = "db";

/// sled as an index. Dropping it closes it in order.
#[derive(Debug)]
pub struct SledIndex {
    folder: PathBuf,
    cache_bytes: u64,
    db: Option<sled::Db>,
    /// The first fault; from then on every call fails until [`Index::clear`].
    fault: RefCell<Option<String>>,
    replaced: Option<String>,
    unproved: bool,
    _lock: File,
}

impl SledIndex {
    /// Opens the index in `folder`, which is its own. A damaged one is thrown away, and an empty one
    /// stands in its place.
    ///
    /// # Errors
    /// [`IndexError`] if another process has it, or if even an empty one cannot be made.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, IndexError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| says("folder", &error))?;
        let lock = File::create(folder.join(LOCK)).map_err(|error| says("lock", &error))?;
        lock.try_lock().map_err(|error| IndexError(format!("another process has it: {error}")))?;
        let mut index = Self {
            folder: folder.to_owned(),
            cache_bytes,
            db: None,
            fault: RefCell::new(None),
            replaced: None,
            unproved: true,
            _lock: lock,
        };
        if folder.join(UNPROVED).exists() {
            return index.replace("its last opening did not come to a good end");
        }
        if let Err(error) = File::create(folder.join(UNPROVED)) {
            // sled cannot open on a full disk either; throwing its files away makes the room.
            return index.replace(&says("mark", &error).0);
        }
        match open_sled(&index.rows(), index.cache_bytes) {
            Ok(db) => index.db = Some(db),
            Err(IndexError(reason)) => return index.replace(&reason),
        }
        match index.position() {
            Ok(_) => Ok(index),
            Err(IndexError(reason)) => index.replace(&reason),
        }
    }

    /// Why the folder found at [`SledIndex::open`] was thrown away, if it was.
    pub fn replaced(&self) -> Option<&str> {
        self.replaced.as_deref()
    }

    fn replace(mut self, reason: &str) -> Result<Self, IndexError> {
        self.clear()?;
        self.replaced = Some(reason.to_owned());
        Ok(self)
    }

    fn rows(&self) -> PathBuf {
        self.folder.join(ROWS)
    }

    /// Calls sled so that neither its panics nor, after the first of them, its state reach anybody.
    fn guarded<T>(&self, call: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, IndexError> {
        if let Some(fault) = self.fault.borrow().as_ref() {
            return Err(IndexError(fault.clone()));
        }
        let db = self.db.as_ref().ok_or_else(|| IndexError("not open".to_owned()))?;
        let outcome = match catch_unwind(AssertUnwindSafe(|| call(db))) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.to_string(),
            // A panic's text may quote rows, so it is not carried on.
            Err(_panic) => "sled panicked".to_owned(),
        };
        self.fault.borrow_mut().get_or_insert(outcome.clone());
        Err(IndexError(outcome))
    }

    fn close(&mut self) -> Result<(), IndexError> {
        self.db.take().map_or(Ok(()), |db| aside("closing", move || drop(db)))
    }

    /// From now on a restart may trust what it finds.
    fn prove(&mut self) -> Result<(), IndexError> {
        if self.unproved {
            remove_mark(&self.folder)?;
            self.unproved = false;
        }
        Ok(())
    }
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.guarded(|db| Ok(db.get(row_key(key))?.map(|value| value.to_vec())))
    }

    fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError> {
        if from >= to {
            return Ok(Vec::new());
        }
        self.guarded(|db| {
            let mut rows = Vec::new();
            for row in db.range(row_key(from)..row_key(to)).take(rows_max) {
                let (key, value) = row?;
                rows.push((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
            }
            Ok(rows)
        })
    }

    /// Reads in as many threads as there are processors, each its own stretches of keys.
    fn each(&self, rows_max: usize, see: &mut dyn FnMut(Vec<Row>) -> bool) -> Result<(), IndexError> {
        self.guarded(|db| {
            let stretches = Mutex::new(stretches(db)?);
            let (send, receive) = mpsc::sync_channel(PORTIONS_AHEAD);
            let readers = available_parallelism().map_or(1, usize::from);
            let read = |send: mpsc::SyncSender<Vec<Row>>| read_stretches(db, &stretches, rows_max.max(1), &send);
            let read = &read;
            std::thread::scope(|scope| {
                let sends = core::iter::repeat_n(send, readers);
                let readers: Vec<_> = sends.map(|send| scope.spawn(move || read(send))).collect();
                // Whoever wants no more hangs up, and the readers end.
                let _wanted_all = receive.into_iter().all(see);
                let mut read = readers.into_iter().map(ScopedJoinHandle::join);
                read.try_for_each(|read| read.unwrap_or_else(|panic| resume_unwind(panic)))
            })
        })
    }

    fn apply(&mut self, changes: &Changes, position: u64) -> Result<(), IndexError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(row_key(key), value.as_slice()),
                None => batch.remove(row_key(key)),
            }
        }
        batch.insert(POSITION, stored_position(position).as_slice());
        self.guarded(|db| db.apply_batch(batch))?;
        self.prove()
    }

    fn position(&self) -> Result<u64, IndexError> {
        match self.guarded(|db| db.get(POSITION))? {
            None => Ok(0),
            Some(bytes) => checked_position(&bytes).ok_or_else(|| IndexError("the position is damaged".to_owned())),
        }
    }

    fn clear(&mut self) -> Result<(), IndexError> {
        // A damaged sled may not close; its folder goes all the same, and it keeps only the memory.
        let _closed: Result<(), IndexError> = self.close();
        match std::fs::remove_dir_all(self.rows()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(says("removing", &error)),
            _ => {}
        }
        self.db = Some(open_sled(&self.rows(), self.cache_bytes)?);
        *self.fault.get_mut() = None;
        // An index we made ourselves has nothing to prove.
        self.unproved = true;
        self.prove()
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        let sound = self.fault.get_mut().is_none();
        if self.close().is_ok() && sound {
            // If the mark stays, the next start rebuilds: slower, not wrong.
            let _removed: Result<(), IndexError> = remove_mark(&self.folder);
        }
    }
}

fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db, IndexError> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(Some(FLUSH_EVERY_MS));
    let data = path.join(DATA);
    let opened = aside("opening", move || {
        wait_for_lock(&data);
        config.open()
    });
    opened?.map_err(|error| IndexError(error.to_string()))
}

/// sled does not wait for a lock, and one of its own threads may hold the last opening's a moment longer
/// than closing takes. A stranger cannot: whoever is here has the lock of the whole folder.
fn wait_for_lock(data: &Path) {
    if let Ok(file) = File::open(data) {
        // If it cannot be locked, sled says so.
        let _locked: std::io::Result<()> = file.lock();
    }
}

/// Does `act` on a thread of its own: neither a panic nor a hang of it reaches the caller.
fn aside<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> Result<T, IndexError> {
    let (send, receive) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(format!("index {what}")).spawn(move || {
        // Fails only if nobody waits any more.
        let _sent: Result<(), _> = send.send(act());
    });
    thread.map_err(|error| says(what, &error))?;
    receive.recv_timeout(PATIENCE).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => IndexError(format!("{what} hangs")),
        mpsc::RecvTimeoutError::Disconnected => IndexError(format!("sled panicked while {what}")),
    })
}

/// Where the rows of each table begin and end, in a few pieces each: keys begin with seat and table.
fn stretches(db: &sled::Db) -> sled::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let end = row_key(&KEYS_END);
    let (mut stretches, mut from) = (Vec::new(), row_key(&[]));
    while from < end
        && let Some(row) = db.range(from.clone()..end.clone()).next()
    {
        let (key, _value) = row?;
        let table: Vec<u8> = key.iter().copied().take(TABLE_BYTES).collect();
        for cut in (0..=u8::MAX).step_by(TABLE_STEP) {
            let to = [table.as_slice(), &[cut]].concat();
            stretches.push((core::mem::replace(&mut from, to.clone()), to));
        }
        let behind = [table.as_slice(), &KEYS_END].concat();
        stretches.push((core::mem::replace(&mut from, behind.clone()), behind));
    }
    Ok(stretches)
}

/// Reads stretches until none is left, or nobody wants more.
fn read_stretches(
    db: &sled::Db,
    stretches: &Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    rows_max: usize,
    send: &mpsc::SyncSender<Vec<Row>>,
) -> sled::Result<()> {
    loop {
        let Some((from, to)) = stretches.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return Ok(()) };
        let mut rows = db.range(from..to).peekable();
        while rows.peek().is_some() {
            let portion = rows.by_ref().take(rows_max).map(|row| {
                let (key, value) = row?;
                Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
            });
            if send.send(portion.collect::<sled::Result<Vec<Row>>>()?).is_err() {
                return Ok(());
            }
        }
    }
}

/// A position and a checksum: a wrong one would be taken for a journal that lost its end.
fn stored_position(position: u64) -> Vec<u8> {
    let number = position.to_be_bytes();
    let digest = Digest::of_parts(&[b"index position", &number]);
    number.iter().chain(digest.as_bytes()).copied().take(2 * number.len()).collect()
}

fn checked_position(stored: &[u8]) -> Option<u64> {
    let position = u64::from_be_bytes(*stored.first_chunk()?);
    (stored_position(position) == stored).then_some(position)
}

fn row_key(key: &[u8]) -> Vec<u8> {
    [&[ROW], key].concat()
}

fn remove_mark(folder: &Path) -> Result<(), IndexError> {
    match std::fs::remove_file(folder.join(UNPROVED)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(says("mark", &error)),
        _ => Ok(()),
    }
}

fn says(what: &str, error: &std::io::Error) -> IndexError {
    IndexError(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn fresh() -> (tempfile::TempDir, SledIndex) {
        let folder = tempfile::tempdir().unwrap();
        let index = SledIndex::open(&folder.path().join("index"), CACHE_BYTES).unwrap();
        (folder, index)
    }

    fn reopen(folder: &tempfile::TempDir) -> SledIndex {
        SledIndex::open(&folder.path().join("index"), CACHE_BYTES).unwrap()
    }

    fn changes(rows: &[(&str, Option<&str>)]) -> Changes {
        rows.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.map(|v| v.as_bytes().to_vec()))).collect()
    }

    fn row(key: &str, value: &str) -> Row {
        (key.as_bytes().to_vec(), value.as_bytes().to_vec())
    }

    #[test]
    fn rows_and_position_come_back_after_a_restart() {
        let (folder, mut index) = fresh();
        assert_eq!(index.position(), Ok(0));
        index.apply(&changes(&[("a", Some("1")), ("b", Some("2"))]), 7).unwrap();
        index.apply(&changes(&[("a", None), ("c", Some("3"))]), 8).unwrap();
        drop(index);
        let index = reopen(&folder);
        assert_eq!(index.replaced(), None);
        assert_eq!((index.get(b"a"), index.position()), (Ok(None), Ok(8)));
        assert_eq!(index.range(b"", b"\xff", 9), Ok(vec![row("b", "2"), row("c", "3")]));
    }

    #[test]
    fn a_range_keeps_its_bounds_and_never_shows_the_position() {
        let (_folder, mut index) = fresh();
        index.apply(&changes(&[("", Some("0")), ("p", Some("1")), ("q", Some("2")), ("r", Some("3"))]), 1).unwrap();
        assert_eq!(index.range(b"p", b"r", 9), Ok(vec![row("p", "1"), row("q", "2")]));
        assert_eq!(index.range(b"", b"\xff", 2), Ok(vec![row("", "0"), row("p", "1")]));
        assert_eq!(index.range(b"r", b"p", 9), Ok(vec![]));
        assert_eq!(index.range(b"p", b"p", 9), Ok(vec![]));
    }

    #[test]
    fn every_row_is_seen_once_and_no_more_than_are_wanted() {
        let (_folder, mut index) = fresh();
        let mut rows: Changes = (0..1000_u16)
            .map(|n| (vec![0, 1, n.to_be_bytes()[1], n.to_be_bytes()[0]], n))
            .map(|(key, n)| (key, Some(vec![n.to_be_bytes()[1]])))
            .collect();
        // Of other tables and seats, the first and the last there can be, and some that are no keys of a store.
        for key in [&[0, 2, 0][..], &[0, 255, 255, 255], &[255, 255], &[255, 255, 255, 255, 255], &[], &[0], &[7]] {
            rows.insert(key.to_vec(), Some(key.to_vec()));
        }
        index.apply(&rows, 1).unwrap();
        let mut seen = Vec::new();
        let see = &mut |portion: Vec<Row>| {
            assert!((1..=7).contains(&portion.len()));
            seen.extend(portion);
            true
        };
        index.each(7, see).unwrap();
        seen.sort();
        assert_eq!(seen, rows.into_iter().map(|(key, value)| (key, value.unwrap())).collect::<Vec<_>>());

        let mut portions = 0;
        let see = &mut |_portion| {
            portions += 1;
            portions < 2
        };
        index.each(7, see).unwrap();
        assert_eq!(portions, 2);
        index.clear().unwrap();
        index.each(7, &mut |_portion| panic!("there is no row")).unwrap();
    }

    #[test]
    fn a_cleared_index_is_empty_and_stays_so() {
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        index.clear().unwrap();
        assert_eq!((index.get(b"a"), index.position()), (Ok(None), Ok(0)));
        index.apply(&changes(&[("b", Some("2"))]), 1).unwrap();
        drop(index);
        assert_eq!(reopen(&folder).range(b"", b"\xff", 9), Ok(vec![row("b", "2")]));
    }

    #[test]
    fn a_lock_that_lingers_is_waited_for_and_costs_no_row() {
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        drop(index);
        let lingering = File::open(folder.path().join("index").join(ROWS).join(DATA)).unwrap();
        lingering.lock().unwrap();
        let (send, reopened) = mpsc::channel();
        let path = folder.path().join("index");
        std::thread::spawn(move || send.send(Box::new(SledIndex::open(&path, CACHE_BYTES).unwrap())).unwrap());
        assert!(matches!(reopened.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout)));
        drop(lingering);
        let index = reopened.recv().unwrap();
        assert_eq!((index.replaced(), index.get(b"a")), (None, Ok(Some(b"1".to_vec()))));
    }

    #[test]
    fn a_folder_that_does_not_open_is_replaced_by_an_empty_index() {
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        drop(index);
        std::fs::write(folder.path().join("index/rows/conf"), b"not sled's").unwrap();
        let mut index = reopen(&folder);
        assert!(index.replaced().is_some());
        assert_eq!(index.position(), Ok(0));
        index.apply(&changes(&[("a", Some("2"))]), 1).unwrap();
        assert_eq!(index.get(b"a"), Ok(Some(b"2".to_vec())));
    }

    #[test]
    fn an_opening_that_never_ended_well_is_not_tried_twice() {
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        drop(index);
        // As if the process had been ended by what sled did while opening.
        std::fs::write(folder.path().join("index").join(UNPROVED), b"").unwrap();
        let index = reopen(&folder);
        assert!(index.replaced().is_some());
        assert_eq!((index.position(), index.get(b"a")), (Ok(0), Ok(None)));
        drop(index);
        assert_eq!(reopen(&folder).replaced(), None);
    }

    #[test]
    fn a_flipped_position_is_noticed() {
        let stored = stored_position(7);
        assert_eq!(checked_position(&stored), Some(7));
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(checked_position(&flipped), None, "bit {bit}");
        }
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        // Whole for sled, and not what was put.
        index.guarded(|db| db.insert(POSITION, 9_u64.to_be_bytes().as_slice())).unwrap();
        assert!(index.position().is_err());
        drop(index);
        assert!(reopen(&folder).replaced().is_some());
    }

    #[test]
    fn a_second_owner_is_refused_and_the_first_keeps_its_rows() {
        let (folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        assert!(SledIndex::open(&folder.path().join("index"), CACHE_BYTES).is_err());
        drop(index);
        let index = reopen(&folder);
        assert_eq!((index.replaced(), index.position()), (None, Ok(7)));
    }

    #[test]
    fn a_fault_stops_the_index_until_it_is_cleared() {
        let (_folder, mut index) = fresh();
        index.apply(&changes(&[("a", Some("1"))]), 7).unwrap();
        let fault: Result<(), IndexError> = index.guarded(|_| panic!("as sled does"));
        assert_eq!(fault, Err(IndexError("sled panicked".into())));
        assert_eq!(index.get(b"a"), Err(IndexError("sled panicked".into())));
        assert_eq!(index.apply(&BTreeMap::new(), 8), Err(IndexError("sled panicked".into())));
        index.clear().unwrap();
        assert_eq!(index.position(), Ok(0));
    }
}
