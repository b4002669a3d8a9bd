//! A disk in memory that tears, loses, flips and fills, under the real journal.
//!
//! What was synced stays; of what was not, a crash keeps what the dice say, byte by byte. A call can be
//! told to fail or to be the last of its process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::disk::{Disk, DiskError, FileName};
use rand_core::Rng;

/// A handle on a disk; every clone is the same disk, so it outlives the store that uses it.
#[derive(Clone, Debug)]
pub struct FalseDisk {
    state: Arc<Mutex<State>>,
}

/// What befalls the call it is set for. Only calls that change the disk count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call reports a failure; of an append half is written, of anything else nothing is done.
    Fail,
    /// The process dies before the call.
    DieBefore,
    /// The process dies half-way: an append leaves half of its bytes, a sync has synced, names have changed.
    DieAmid,
}

#[derive(Clone, Debug)]
struct State {
    files: BTreeMap<FileName, File>,
    capacity: u64,
    calls: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    synced: usize,
    /// Whether the name survives a crash.
    named: bool,
}

impl FalseDisk {
    /// An empty disk of `capacity` bytes.
    pub fn new(capacity: u64) -> Self {
        let state = State { files: BTreeMap::new(), capacity, calls: 0, fault: None, dead: false };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A disk of its own with the same content.
    pub fn copy(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// How many calls changed the disk so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Sets what befalls call number `call` (from 0, as [`FalseDisk::calls`] counts).
    pub fn set_fault(&self, call: u64, fault: Fault) {
        self.state().fault = Some((call, fault));
    }

    /// Takes back a fault that did not happen yet.
    pub fn clear_fault(&self) {
        self.state().fault = None;
    }

    /// The process ends and another begins: what is not synced is still in the cache.
    pub fn revive(&self) {
        self.state().dead = false;
    }

    /// The power goes and comes back. Each file keeps what was synced and, of the rest, what the dice
    /// say: a beginning of it, torn at any byte, its last byte perhaps garbled, or a hole of zeros before its end.
    pub fn crash(&self, dice: &mut dyn Rng) {
        let mut state = self.state();
        state.dead = false;
        for file in state.files.values_mut() {
            let unsynced = file.bytes.len().saturating_sub(file.synced);
            if unsynced > 0 {
                let kept = below(dice, unsynced.saturating_add(1));
                file.bytes.truncate(file.synced.saturating_add(kept));
                let tail = file.bytes.get_mut(file.synced..).unwrap_or_default();
                match below(dice, 4) {
                    0 => tail.iter_mut().rev().take(1).for_each(|byte| *byte ^= 0x40),
                    1 => {
                        let hole = below(dice, kept.saturating_add(1));
                        tail.iter_mut().take(hole).for_each(|byte| *byte = 0);
                    }
                    _ => {}
                }
            }
            file.synced = file.bytes.len();
        }
        state.files.retain(|_name, file| file.named || !file.bytes.is_empty());
        state.files.values_mut().for_each(|file| file.named = true);
    }

    /// Flips one bit of a file; whether there was such a bit.
    pub fn flip(&self, file: &FileName, bit: u64) -> bool {
        let mut state = self.state();
        let byte = usize::try_from(bit / 8).ok();
        let Some(byte) = byte.and_then(|byte| state.files.get_mut(file)?.bytes.get_mut(byte)) else { return false };
        *byte ^= 1 << (bit % 8);
        true
    }

    /// Leaves `len` bytes of a file.
    pub fn cut(&self, file: &FileName, len: usize) {
        if let Some(file) = self.state().files.get_mut(file) {
            file.bytes.truncate(len);
            file.synced = file.synced.min(len);
        }
    }

    /// The bytes of a file.
    pub fn bytes(&self, file: &FileName) -> Vec<u8> {
        self.state().files.get(file).map(|file| file.bytes.clone()).unwrap_or_default()
    }

    /// Makes the disk as large as its content and `more` bytes.
    pub fn fill_up(&self, more: u64) {
        let mut state = self.state();
        state.capacity = state.used().saturating_add(more);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used(&self) -> u64 {
        self.files.values().map(|file| u64::try_from(file.bytes.len()).unwrap_or(u64::MAX)).sum()
    }

    /// Counts a call that changes the disk and says what befalls it.
    fn begin(&mut self) -> Result<Option<Fault>, DiskError> {
        if self.dead {
            return Err(dead());
        }
        let call = self.calls;
        self.calls = self.calls.saturating_add(1);
        let fault = self.fault.filter(|(at, _fault)| *at == call).map(|(_at, fault)| fault);
        self.dead = matches!(fault, Some(Fault::DieBefore | Fault::DieAmid));
        if fault == Some(Fault::DieBefore) { Err(dead()) } else { Ok(fault) }
    }

    /// Like [`State::begin`], for calls that are done as a whole or not at all.
    fn begin_whole(&mut self) -> Result<bool, DiskError> {
        match self.begin()? {
            Some(Fault::Fail) => Err(DiskError::Failed("told to fail".to_owned())),
            fault => Ok(fault.is_some()),
        }
    }
}

/// What a call reports that was done although its process died.
fn ended(died: bool) -> Result<(), DiskError> {
    if died { Err(dead()) } else { Ok(()) }
}

fn dead() -> DiskError {
    DiskError::Failed("the process is dead".to_owned())
}

fn missing(file: &FileName) -> DiskError {
    DiskError::Missing(file.as_str().to_owned())
}

fn below(dice: &mut dyn Rng, bound: usize) -> usize {
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(dice.next_u64() % bound).unwrap_or_default()
}

impl Disk for FalseDisk {
    fn append(&mut self, file: &FileName, bytes: &[u8]) -> Result<u64, DiskError> {
        let mut state = self.state();
        let fault = state.begin()?;
        let left = usize::try_from(state.capacity.saturating_sub(state.used())).unwrap_or(usize::MAX);
        let wanted = if fault.is_some() { bytes.len() / 2 } else { bytes.len() };
        let written = wanted.min(left);
        let slot = state.files.entry(file.clone()).or_default();
        let at = u64::try_from(slot.bytes.len()).unwrap_or(u64::MAX);
        slot.bytes.extend_from_slice(bytes.get(..written).unwrap_or_default());
        if fault.is_some() {
            return Err(dead());
        }
        if written < bytes.len() { Err(DiskError::Full) } else { Ok(at) }
    }

    fn sync(&mut self, file: &FileName) -> Result<(), DiskError> {
        let mut state = self.state();
        let died = state.begin_whole()?;
        let file = state.files.get_mut(file).ok_or_else(|| missing(file))?;
        file.synced = file.bytes.len();
        file.named = true;
        ended(died)
    }

    fn read(&self, file: &FileName, at: u64, len: usize) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        if state.dead {
            return Err(dead());
        }
        let begin = usize::try_from(at).map_err(|_error| missing(file))?;
        let end = begin.checked_add(len).ok_or_else(|| missing(file))?;
        let bytes = state.files.get(file).and_then(|file| file.bytes.get(begin..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| missing(file))
    }

    fn truncate(&mut self, file: &FileName, len: u64) -> Result<(), DiskError> {
        let mut state = self.state();
        let died = state.begin_whole()?;
        let file = state.files.get_mut(file).ok_or_else(|| missing(file))?;
        file.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        file.synced = file.bytes.len();
        file.named = true;
        ended(died)
    }

    fn publish(&mut self, draft: &FileName, name: &FileName) -> Result<(), DiskError> {
        let mut state = self.state();
        let died = state.begin_whole()?;
        let mut file = state.files.remove(draft).ok_or_else(|| missing(draft))?;
        file.synced = file.bytes.len();
        file.named = true;
        state.files.insert(name.clone(), file);
        ended(died)
    }

    fn list(&self) -> Result<Vec<(FileName, u64)>, DiskError> {
        let state = self.state();
        if state.dead {
            return Err(dead());
        }
        let len = |file: &File| u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        Ok(state.files.iter().map(|(name, file)| (name.clone(), len(file))).collect())
    }

    fn remove(&mut self, file: &FileName) -> Result<(), DiskError> {
        let mut state = self.state();
        let died = state.begin_whole()?;
        state.files.remove(file);
        ended(died)
    }

    fn room(&self) -> Result<u64, DiskError> {
        let state = self.state();
        Ok(state.capacity.saturating_sub(state.used()))
    }
}
