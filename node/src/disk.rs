//! The disk behind `protocol::disk::Disk`: one folder of the file system, positioned reads and
//! writes, no mapping of memory. Knows nothing of what is in the files, and touches neither subfolders
//! nor files whose names the protocol cannot speak.

pub mod reserve;

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::disk::{Disk, DiskError, FileName};
use rustix::fs::{FallocateFlags, OFlags};

/// The most files held open at once.
pub const HANDLES_MAX: usize = 64;
/// How far ahead of its end a growing file is given room, in bytes, so that a commit rarely waits for
/// the file system to find blocks.
pub const GROWTH_BYTES: u64 = 1 << 20;

/// Its name begins with a dot, so no [`FileName`] can be this file.
const LOCK_NAME: &str = ".lock";

/// Why a folder cannot be a node's disk.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error(
        "{0}: 別のプロセスがこのフォルダーを使用中です。先にそのノードを停止してください / another process uses this \
         folder; stop that node first"
    )]
    InUse(PathBuf),
    /// It cannot be made, read or written.
    #[error("{0}: フォルダーを使用できません / this folder cannot be used: {1}")]
    Unusable(PathBuf, Error),
}

/// A folder as a disk. Only one process at a time has it.
#[derive(Debug)]
pub struct FolderDisk {
    path: PathBuf,
    folder: File,
    handles: RefCell<Handles>,
    /// The first failed sync. What the kernel dropped then cannot be had back, so nothing more is done.
    failed: RefCell<Option<String>>,
    syncs: Arc<AtomicU64>,
    _lock: File,
}

/// The files held open, and a count of uses to tell the one unused longest.
#[derive(Debug, Default)]
struct Handles {
    open: BTreeMap<FileName, Handle>,
    uses: u64,
}

#[derive(Debug)]
struct Handle {
    file: File,
    len: u64,
    /// Up to here the file system has set blocks aside; 0 if unknown.
    reserved: u64,
    /// Something was written since the last sync. The kernel reports a failed write-back only to those
    /// who had the file open, so such a handle is never just closed.
    dirty: bool,
    /// Made since the folder was last synced: the name may not survive.
    nameless: bool,
    used: u64,
}

impl FolderDisk {
    /// Takes `path` for a disk, making the folder (mode 0700) if there is none.
    ///
    /// # Errors
    /// [`FolderError::InUse`] while another process has it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(path.to_owned(), error);
        let folder = make_private_folder(path).map_err(unusable)?;
        let lock = private_file().create(true).truncate(false).open(path.join(LOCK_NAME)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // What an interrupted process created or renamed is seen from now on, so it has to stay.
        folder.sync_all().map_err(unusable)?;
        Ok(Self {
            path: path.to_owned(),
            folder,
            handles: RefCell::default(),
            failed: RefCell::new(None),
            syncs: Arc::default(),
            _lock: lock,
        })
    }

    /// How many times a file was synced; goes on counting wherever the disk goes.
    pub fn syncs(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.syncs)
    }

    fn check_usable(&self) -> Result<(), DiskError> {
        self.failed.borrow().as_ref().map_or(Ok(()), |text| Err(DiskError::Failed(format!("stopped after: {text}"))))
    }

    /// Remembers a fault after which nothing on this disk can be relied upon.
    fn give_up(&self, what: &str, error: &Error) -> DiskError {
        let text = format!("{what}: {error}");
        self.failed.borrow_mut().get_or_insert(text.clone());
        DiskError::Failed(text)
    }

    fn with<T>(
        &self,
        name: &FileName,
        create: bool,
        act: impl FnOnce(&mut Handle) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        self.check_usable()?;
        let mut handles = self.handles.borrow_mut();
        handles.uses = handles.uses.saturating_add(1);
        let used = handles.uses;
        if !handles.open.contains_key(name) {
            let handle = open_file(&self.path, name, create)?;
            self.make_place(&mut handles)?;
            handles.open.insert(name.clone(), handle);
        }
        let handle = handles.open.get_mut(name).ok_or_else(|| DiskError::Missing(name.to_string()))?;
        handle.used = used;
        act(handle)
    }

    /// Closes the file unused longest, a clean one if there is any.
    fn make_place(&self, handles: &mut Handles) -> Result<(), DiskError> {
        if handles.open.len() < HANDLES_MAX {
            return Ok(());
        }
        let eldest = handles.open.iter().min_by_key(|(_, handle)| (handle.dirty, handle.used));
        let Some(name) = eldest.map(|(name, _)| name.clone()) else { return Ok(()) };
        if let Some(handle) = handles.open.get_mut(&name).filter(|handle| handle.dirty) {
            self.sync_handle(&name, handle)?;
        }
        handles.open.remove(&name);
        Ok(())
    }

    fn sync_handle(&self, name: &FileName, handle: &mut Handle) -> Result<(), DiskError> {
        handle.file.sync_data().map_err(|error| self.give_up(&format!("sync of {name}"), &error))?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        if handle.nameless {
            self.sync_folder()?;
            handle.nameless = false;
        }
        handle.dirty = false;
        Ok(())
    }

    fn sync_folder(&self) -> Result<(), DiskError> {
        self.folder.sync_all().map_err(|error| self.give_up("sync of the folder", &error))
    }
}

impl Disk for FolderDisk {
    fn append(&mut self, name: &FileName, bytes: &[u8]) -> Result<u64, DiskError> {
        self.with(name, true, |handle| {
            let at = handle.len;
            let end = u64::try_from(bytes.len()).ok().and_then(|len| at.checked_add(len)).ok_or(DiskError::Full)?;
            handle.reserve(end);
            handle.dirty = true;
            if let Err(error) = handle.file.write_all_at(bytes, at) {
                // No torn part stays behind, or the next offset would be a guess.
                handle.file.set_len(at).map_err(|error| self.give_up(&format!("cutting {name}"), &error))?;
                handle.reserved = 0;
                return Err(fault(&error));
            }
            handle.len = end;
            Ok(at)
        })
    }

    fn sync(&mut self, name: &FileName) -> Result<(), DiskError> {
        // Even a clean handle is synced: an interrupted process may have left bytes in the kernel.
        self.with(name, false, |handle| self.sync_handle(name, handle))
    }

    fn read(&self, name: &FileName, at: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        self.with(name, false, |handle| {
            let end = u64::try_from(len).ok().and_then(|len| at.checked_add(len));
            if end.is_none_or(|end| end > handle.len) {
                return Err(DiskError::Missing(name.to_string()));
            }
            let mut out = vec![0; len];
            match handle.file.read_exact_at(&mut out, at) {
                Ok(()) => Ok(out),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(DiskError::Missing(name.to_string())),
                Err(error) => Err(fault(&error)),
            }
        })
    }

    fn truncate(&mut self, name: &FileName, len: u64) -> Result<(), DiskError> {
        self.with(name, false, |handle| {
            if len > handle.len {
                return Err(DiskError::Missing(name.to_string()));
            }
            handle.cut(len).map_err(|error| fault(&error))?;
            self.sync_handle(name, handle)
        })
    }

    fn publish(&mut self, draft: &FileName, name: &FileName) -> Result<(), DiskError> {
        self.with(draft, false, |handle| {
            // Gives back what was reserved: a published file no longer grows.
            handle.cut(handle.len).map_err(|error| fault(&error))?;
            handle.file.sync_data().map_err(|error| self.give_up(&format!("sync of {draft}"), &error))?;
            self.syncs.fetch_add(1, Ordering::Relaxed);
            handle.dirty = false;
            Ok(())
        })?;
        std::fs::rename(self.path.join(draft.as_str()), self.path.join(name.as_str()))
            .map_err(|error| fault(&error))?;
        let handles = self.handles.get_mut();
        handles.open.remove(name);
        if let Some(mut handle) = handles.open.remove(draft) {
            handle.nameless = false;
            handles.open.insert(name.clone(), handle);
        }
        self.sync_folder()
    }

    fn list(&self) -> Result<Vec<(FileName, u64)>, DiskError> {
        self.check_usable()?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(|error| fault(&error))? {
            let entry = entry.map_err(|error| fault(&error))?;
            let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else { continue };
            let facts = entry.metadata().map_err(|error| fault(&error))?;
            if facts.is_file() {
                found.push((name, facts.len()));
            }
        }
        found.sort();
        Ok(found)
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.check_usable()?;
        self.handles.get_mut().open.remove(name);
        match std::fs::remove_file(self.path.join(name.as_str())) {
            Ok(()) => self.sync_folder(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(fault(&error)),
        }
    }

    fn room(&self) -> Result<u64, DiskError> {
        let facts = rustix::fs::fstatvfs(&self.folder).map_err(|error| fault(&error.into()))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }
}

impl Handle {
    /// Sets blocks aside for a file that grows. Only a help: where the file system cannot or has no
    /// room, the write itself decides.
    fn reserve(&mut self, end: u64) {
        if end > self.reserved {
            let from = self.len.max(self.reserved);
            let upto = end.saturating_add(GROWTH_BYTES);
            let asked = upto.saturating_sub(from);
            if rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, from, asked).is_ok() {
                self.reserved = upto;
            }
        }
    }

    fn cut(&mut self, len: u64) -> Result<(), Error> {
        self.file.set_len(len)?;
        self.len = len;
        self.reserved = 0;
        self.dirty = true;
        Ok(())
    }
}

/// Makes a folder that only this user may enter, its parents too, and opens it.
fn make_private_folder(path: &Path) -> Result<File, Error> {
    let fresh = !path.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let folder = File::open(path)?;
    if folder.metadata()?.mode() & 0o077 != 0 {
        folder.set_permissions(Permissions::from_mode(0o700))?;
    }
    if let Some(parent) = path.parent().filter(|parent| fresh && !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(folder)
}

fn open_file(folder: &Path, name: &FileName, create: bool) -> Result<Handle, DiskError> {
    let path = folder.join(name.as_str());
    let (file, nameless) = match private_file().open(&path) {
        Ok(file) => (file, false),
        Err(error) if error.kind() == ErrorKind::NotFound && create => {
            (private_file().create_new(true).open(&path).map_err(|error| fault(&error))?, true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(DiskError::Missing(name.to_string())),
        Err(error) => return Err(fault(&error)),
    };
    let len = file.metadata().map_err(|error| fault(&error))?.len();
    Ok(Handle { file, len, reserved: 0, dirty: nameless, nameless, used: 0 })
}

/// Read and write, mode 0600, no symbolic links.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.read(true).write(true).mode(0o600).custom_flags(no_links);
    options
}

fn fault(error: &Error) -> DiskError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => DiskError::Full,
        _ => DiskError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    fn fresh() -> (tempfile::TempDir, FolderDisk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = FolderDisk::open(&folder.path().join("data")).unwrap();
        (folder, disk)
    }

    #[test]
    fn what_was_appended_is_read_back_after_a_restart() {
        let (folder, mut disk) = fresh();
        assert_eq!(disk.append(&name("a.log"), b"one"), Ok(0));
        assert_eq!(disk.append(&name("a.log"), b"two"), Ok(3));
        disk.sync(&name("a.log")).unwrap();
        drop(disk);
        let mut disk = FolderDisk::open(&folder.path().join("data")).unwrap();
        assert_eq!(disk.list().unwrap(), [(name("a.log"), 6)]);
        assert_eq!(disk.append(&name("a.log"), b"three"), Ok(6));
        assert_eq!(disk.read(&name("a.log"), 3, 8).unwrap(), b"twothree");
    }

    #[test]
    fn a_range_beyond_the_end_is_missing_and_allocates_nothing() {
        let (_folder, mut disk) = fresh();
        disk.append(&name("a"), b"four").unwrap();
        let missing = |file: &str| Err(DiskError::Missing(file.to_owned()));
        assert_eq!(disk.read(&name("a"), 0, 4).unwrap(), b"four");
        assert_eq!(disk.read(&name("a"), 0, usize::MAX), missing("a"));
        assert_eq!(disk.read(&name("a"), u64::MAX, 1), missing("a"));
        assert_eq!(disk.read(&name("b"), 0, 0), missing("b"));
        assert_eq!(disk.sync(&name("b")), Err(DiskError::Missing("b".into())));
        assert_eq!(disk.truncate(&name("a"), 5), Err(DiskError::Missing("a".into())));
    }

    #[test]
    fn a_torn_end_is_cut_and_written_over() {
        let (_folder, mut disk) = fresh();
        disk.append(&name("a"), b"goodtorn").unwrap();
        disk.truncate(&name("a"), 4).unwrap();
        assert_eq!(disk.append(&name("a"), b"!"), Ok(4));
        assert_eq!(disk.read(&name("a"), 0, 5).unwrap(), b"good!");
    }

    #[test]
    fn a_published_draft_replaces_the_old_file_and_gives_back_its_reserve() {
        let (folder, mut disk) = fresh();
        disk.append(&name("book"), b"old").unwrap();
        disk.append(&name("book.draft"), b"newer").unwrap();
        disk.publish(&name("book.draft"), &name("book")).unwrap();
        assert_eq!(disk.list().unwrap(), [(name("book"), 5)]);
        assert_eq!(disk.read(&name("book"), 0, 5).unwrap(), b"newer");
        assert_eq!(disk.publish(&name("book.draft"), &name("book")), Err(DiskError::Missing("book.draft".into())));
        let blocks = std::fs::metadata(folder.path().join("data/book")).unwrap().blocks();
        assert!(blocks * 512 < GROWTH_BYTES, "{blocks} blocks are still set aside");
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let (_folder, mut disk) = fresh();
        disk.append(&name("a"), b"x").unwrap();
        assert_eq!(disk.remove(&name("a")), Ok(()));
        assert_eq!(disk.remove(&name("a")), Ok(()));
        assert_eq!(disk.list(), Ok(vec![]));
        assert_eq!(disk.append(&name("a"), b"y"), Ok(0));
    }

    #[test]
    fn only_its_user_may_look_inside() {
        let (folder, mut disk) = fresh();
        disk.append(&name("a"), b"x").unwrap();
        let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().mode() & 0o777;
        assert_eq!((mode("data"), mode("data/a"), mode("data/.lock")), (0o700, 0o600, 0o600));
        drop(disk);
        std::fs::set_permissions(folder.path().join("data"), Permissions::from_mode(0o755)).unwrap();
        FolderDisk::open(&folder.path().join("data")).unwrap();
        assert_eq!(mode("data"), 0o700);
    }

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let (folder, disk) = fresh();
        let path = folder.path().join("data");
        assert!(matches!(FolderDisk::open(&path), Err(FolderError::InUse(_))));
        drop(disk);
        assert!(FolderDisk::open(&path).is_ok());
    }

    #[test]
    fn subfolders_links_and_strange_names_are_not_files_of_this_disk() {
        let (folder, mut disk) = fresh();
        let data = folder.path().join("data");
        std::fs::create_dir(data.join("index")).unwrap();
        std::fs::write(data.join("Notes.TXT"), b"x").unwrap();
        std::fs::write(folder.path().join("outside"), b"x").unwrap();
        std::os::unix::fs::symlink(folder.path().join("outside"), data.join("link")).unwrap();
        assert_eq!(disk.list(), Ok(vec![]));
        assert!(matches!(disk.append(&name("link"), b"y"), Err(DiskError::Failed(_))));
        assert_eq!(std::fs::read(folder.path().join("outside")).unwrap(), b"x");
    }

    #[test]
    fn more_files_than_handles_lose_nothing() {
        let (folder, mut disk) = fresh();
        for round in 0..2_u64 {
            for file in 0..HANDLES_MAX + 20 {
                assert_eq!(disk.append(&name(&format!("f-{file}")), b"x"), Ok(round));
            }
        }
        assert!(disk.handles.borrow().open.len() <= HANDLES_MAX);
        assert!(disk.syncs().load(Ordering::Relaxed) >= 20, "a dirty file was closed without a sync");
        drop(disk);
        let disk = FolderDisk::open(&folder.path().join("data")).unwrap();
        assert!(disk.list().unwrap().iter().all(|(_, len)| *len == 2));
    }

    #[test]
    fn a_full_disk_is_told_apart_and_a_disk_that_cannot_be_mended_stays_stopped() {
        let (_folder, mut disk) = fresh();
        // The kernel's own ENOSPC, from the device made for it. It cannot be cut either, which is the
        // other half of this test.
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        assert_eq!(fault(&file.write_all_at(b"x", 0).unwrap_err()), DiskError::Full);
        let handle = Handle { file, len: 0, reserved: 0, dirty: false, nameless: false, used: 0 };
        disk.handles.borrow_mut().open.insert(name("a"), handle);
        assert!(matches!(disk.append(&name("a"), b"x"), Err(DiskError::Failed(_))));
        assert!(matches!(disk.append(&name("b"), b"x"), Err(DiskError::Failed(_))));
        assert!(matches!(disk.list(), Err(DiskError::Failed(_))));
    }

    #[test]
    fn the_room_is_what_the_file_system_has_left() {
        let (folder, disk) = fresh();
        let facts = rustix::fs::statvfs(folder.path()).unwrap();
        let room = disk.room().unwrap();
        assert!(room > 0 && room <= facts.f_blocks * facts.f_frsize, "{room}");
    }
}
