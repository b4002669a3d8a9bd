//! Fate (運命): what befalls a host's machine and its files — power, stops, backups, full disks — and how it starts on
//! what is left. Knows nothing of frames.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::batch::Batch;
use protocol::code::service::ServiceKind;
use protocol::disk::Disk;
use protocol::gate::Gate;
use protocol::host::{Host, Input, Office, heard};
use protocol::id::party::PartyId;
use protocol::primitives::Secret;
use protocol::store::name;
use protocol::store::staged::Staged;
use protocol::store::{Store, StoreError, StoreSecret};
use protocol::time::{Span, Timestamp};
use rand_core::Rng;

use super::{DISK_BYTES, Place, SEAT, World};
use crate::disk::{FalseDisk, Fault};
use crate::index::FalseIndex;
use crate::seed;

/// What became of an attempt to start a host from files in which somebody changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edited {
    /// It does not start, or does not read what was changed: the change was found.
    Found,
    /// It starts with every leaf and the same head.
    Harmless,
    /// It starts and has another history.
    Believed,
}

/// What lies on the disk of a host at one moment: a backup.
#[derive(Debug)]
pub struct Image {
    disk: FalseDisk,
    index: FalseIndex,
}

impl Image {
    /// The file of keys.
    pub fn keys(&self) -> Vec<u8> {
        self.disk.bytes(&name::of(name::Kind::Vault))
    }
}

/// What is left of a host that does not run.
pub(super) struct Asleep {
    pub(super) disk: FalseDisk,
    pub(super) index: FalseIndex,
    pub(super) services: Vec<ServiceKind>,
    pub(super) issued: Timestamp,
}

impl World {
    /// What became of it if somebody flipped a bit in one of a host's files, and started it from there.
    pub fn edit(&self, party: &PartyId, dice: &mut dyn Rng) -> Option<Edited> {
        let place = self.hosts.get(party)?;
        let (disk, index) = (place.disk.copy(), place.index.copy());
        let files: Vec<_> = disk.list().ok()?.into_iter().filter(|(_file, bytes)| *bytes > 0).collect();
        let (file, bytes) = seed::pick(dice, &files)?;
        disk.flip(file, seed::below(dice, bytes.saturating_mul(8)));
        // The index is made from the files; without it each of them is read.
        index.lose();
        let Ok((_office, store)) = self.open(party, &place.services, place.issued, &disk, &index) else {
            return Some(Edited::Found);
        };
        // Not the signature: the roster may name another log key by now than the running host has heard of.
        let head = |store: &Store| store.head(SEAT).map(|head| (head.size, head.root));
        // What a book covers is not read again at the start: damage there is found when it is.
        let Some(leaves) = self.readable_leaves(&store) else { return Some(Edited::Found) };
        let is_same = head(&store) == head(&place.store) && leaves == self.leaves(party);
        Some(if is_same { Edited::Harmless } else { Edited::Believed })
    }

    /// Changes what lies on a host's disk, as another hand could.
    pub fn stage(&mut self, party: &PartyId, act: impl FnOnce(&mut Batch<'_>)) {
        let now = self.now();
        self.order = self.order.saturating_add(1);
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} staged {}", self.order));
        let Some(place) = self.hosts.get_mut(party) else { return };
        let mut staged = Staged::new();
        if let Ok(mut batch) = Batch::new(now, SEAT, &place.store, &mut staged, &mut dice) {
            act(&mut batch);
        }
        let committed = place.store.commit(staged);
        self.moved.insert(party.clone());
        assert!(committed.is_ok(), "the store of {party} failed: {:?}", committed.err());
    }

    /// A host dies with what was not synced, and starts again on what is left.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn crash(&mut self, party: &PartyId) -> Result<(), StoreError> {
        self.crash_for(party, Span::ZERO)
    }

    /// The same, with time between.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn crash_for(&mut self, party: &PartyId, span: Span) -> Result<(), StoreError> {
        let Some(place) = self.kill(party) else { return Ok(()) };
        place.disk.crash(&mut seed::stream(self.founding.seed(), &format!("crash {}", self.order)));
        place.disk.revive();
        self.pass(span);
        self.start(party, place.services, place.issued, place.disk, place.index)?;
        self.greet(party);
        Ok(())
    }

    /// The power of a host fails amid a write that is so many away; it stays off until [`World::wake`].
    pub fn doom(&mut self, party: &PartyId, calls: u64) {
        if let Some(place) = self.hosts.get(party) {
            place.disk.set_fault(place.disk.calls().saturating_add(calls), Fault::DieAmid);
            self.doomed.insert(party.clone());
        }
    }

    /// The power of a host fails now, whatever it does.
    pub fn lose_power(&mut self, party: &PartyId) {
        self.doomed.remove(party);
        let Some(Place { disk, index, services, issued, .. }) = self.kill(party) else { return };
        disk.clear_fault();
        disk.crash(&mut seed::stream(self.founding.seed(), &format!("fall {}", self.order)));
        self.happen(party, None, || "lost its power".to_owned());
        self.record("fall", party, &[]);
        self.asleep.insert(party.clone(), Asleep { disk, index, services, issued });
    }

    /// A host's disk has so many bytes left; its process ends when they do not suffice.
    pub fn cramp(&mut self, party: &PartyId, room_bytes: u64) {
        if let Some(place) = self.hosts.get(party) {
            place.disk.fill_up(room_bytes);
            self.cramped.insert(party.clone());
        }
    }

    /// There is room again on a host's disk.
    pub fn make_room(&mut self, party: &PartyId) {
        self.cramped.remove(party);
        let running = self.hosts.get(party).map(|place| &place.disk);
        if let Some(disk) = running.or_else(|| self.asleep.get(party).map(|asleep| &asleep.disk)) {
            disk.fill_up(DISK_BYTES);
        }
    }

    /// Whether a host's disk is as good as full.
    pub fn is_cramped(&self, party: &PartyId) -> bool {
        self.cramped.contains(party)
    }

    /// Whose process ended on a full disk since this was last asked.
    pub fn take_filled(&mut self) -> Vec<PartyId> {
        core::mem::take(&mut self.filled)
    }

    /// From now on a store that fails of itself ends its host and not the run.
    pub fn bear_failures(&mut self) {
        self.failed = Some(Vec::new());
    }

    /// Whose store failed since this was last asked, and how.
    pub fn take_failed(&mut self) -> Vec<(PartyId, String)> {
        self.failed.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// The index of a host that does not run is lost.
    pub fn lose_index(&self, party: &PartyId) {
        if let Some(asleep) = self.asleep.get(party) {
            asleep.index.lose();
        }
    }

    /// A backup of a host, taken while it runs.
    pub fn image(&self, party: &PartyId) -> Option<Image> {
        let place = self.hosts.get(party)?;
        Some(Image { disk: place.disk.copy(), index: place.index.copy() })
    }

    /// A host dies and is started again from a backup, with time between.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn restore(&mut self, party: &PartyId, image: &Image) -> Result<(), StoreError> {
        let Some(place) = self.kill(party) else { return Ok(()) };
        let (services, issued) = (place.services.clone(), place.issued);
        drop(place);
        self.start(party, services, issued, image.disk.copy(), image.index.copy())?;
        self.greet(party);
        Ok(())
    }

    /// A host that is not there is started from what lay on its disk.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn revive(&mut self, party: &PartyId, image: &Image) -> Result<(), StoreError> {
        let wall = self.wall();
        self.start(party, Vec::new(), wall, image.disk.copy(), image.index.copy())?;
        self.greet(party);
        Ok(())
    }

    /// What the authority and issuers would tell a host that was away.
    pub(super) fn greet(&mut self, party: &PartyId) {
        for notice in self.published() {
            self.push(0, party, Input::Notice(notice));
        }
        self.run();
    }

    /// A host stops.
    pub fn stop(&mut self, party: &PartyId) {
        if let Some(Place { disk, index, services, issued, .. }) = self.kill(party) {
            self.asleep.insert(party.clone(), Asleep { disk, index, services, issued });
        }
    }

    /// A host that stopped starts again with what it knew, and meets the others anew.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn start_again(&mut self, party: &PartyId, meets: &PartyId) -> Result<(), StoreError> {
        let Some(asleep) = self.asleep.remove(party) else { return Ok(()) };
        self.start(party, asleep.services, asleep.issued, asleep.disk, asleep.index)?;
        self.meet(party, meets);
        self.run();
        Ok(())
    }

    /// A host that stopped starts again with what it knew and hears what the authority publishes.
    ///
    /// # Errors
    /// [`StoreError`] if its store does not open.
    pub fn wake(&mut self, party: &PartyId) -> Result<(), StoreError> {
        let Some(asleep) = self.asleep.remove(party) else { return Ok(()) };
        self.start(party, asleep.services, asleep.issued, asleep.disk, asleep.index)?;
        for notice in self.published() {
            self.push(0, party, Input::Notice(notice));
        }
        Ok(())
    }

    /// A host stops and starts again under the transport key it named beside the one in use. Whether it did.
    pub fn swap_transport(&mut self, party: &PartyId) -> bool {
        self.stop(party);
        self.founding.swap_transport(party);
        self.wake(party).is_ok()
    }

    /// A host dials another, of whom it may not know yet where to find it.
    pub fn meet(&mut self, party: &PartyId, other: &PartyId) {
        if let Some(peer) = self.founding.keys(other).and_then(|keys| keys.transport.first()).copied() {
            self.push(0, party, Input::Meet { peer, addresses: Vec::new() });
        }
    }

    pub(super) fn kill(&mut self, party: &PartyId) -> Option<Place> {
        let place = self.hosts.remove(party)?;
        self.paused.remove(party);
        self.note_deadline(party);
        let cut: Vec<_> =
            self.wires.iter().filter(|(_wire, (a, b))| a == party || b == party).map(|(wire, _ends)| *wire).collect();
        for wire in cut {
            if let Some((a, b)) = self.wires.remove(&wire) {
                let other = if a == *party { b } else { a };
                self.part(wire, &other);
            }
        }
        self.queue.retain(|_at, (to, _input)| to != party);
        self.by_peer.retain(|_peer, owner| owner != party);
        Some(place)
    }

    pub(super) fn start(
        &mut self,
        party: &PartyId,
        services: Vec<ServiceKind>,
        issued: Timestamp,
        disk: FalseDisk,
        index: FalseIndex,
    ) -> Result<(), StoreError> {
        let now = self.now();
        // What is still valid is in use again after a restart: a request names its credential.
        let issued = if now.wall.since(issued) < protocol::limits::CREDENTIAL_LIFE { issued } else { now.wall };
        let Some(gate) = self.founding.gate().map(Arc::new) else { return Ok(()) };
        self.run_on(party, Asleep { disk, index, services, issued }, &gate)?;
        let Some(place) = self.hosts.get_mut(party) else { return Ok(()) };
        place.host.keep_gate();
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} start {}", self.order));
        let notices = heard::remembered_notices(SEAT, &place.store, now, &mut dice)?;
        place.host.recall(heard::remembered_credentials(SEAT, &place.store, now, &mut dice)?, now.wall);
        for notice in notices {
            self.push(0, party, Input::Notice(notice));
        }
        Ok(())
    }

    /// A host starts for the first time and knows what the gate knows. Of a nation it keeps none of that.
    pub(super) fn begin(
        &mut self,
        party: &PartyId,
        services: Vec<ServiceKind>,
        gate: &Arc<Gate>,
    ) -> Result<(), StoreError> {
        let (disk, index) = (FalseDisk::new(DISK_BYTES), FalseIndex::new());
        self.run_on(party, Asleep { disk, index, services, issued: self.wall() }, gate)?;
        if self.common.is_none()
            && let Some(place) = self.hosts.get_mut(party)
        {
            place.host.keep_gate();
        }
        Ok(())
    }

    fn run_on(&mut self, party: &PartyId, files: Asleep, gate: &Arc<Gate>) -> Result<(), StoreError> {
        let now = self.now();
        let Asleep { disk, index, services, issued } = files;
        let (mut office, mut store) = self.open(party, &services, issued, &disk, &index)?;
        let mut dice = seed::stream(self.founding.seed(), &format!("{party} resume {}", self.order));
        let mut staged = Staged::new();
        office.requester.resume(gate, &mut Batch::new(now, SEAT, &store, &mut staged, &mut dice)?)?;
        store.commit(staged)?;
        let host = Host::new(Arc::clone(gate), Arc::clone(&self.primitives), BTreeMap::from([(SEAT, office)]));
        if let Some(peer) = self.founding.keys(party).and_then(|keys| keys.transport.first()) {
            self.by_peer.insert(*peer, party.clone());
        }
        self.hosts.insert(party.clone(), Place { host, store, disk, index, services, issued });
        self.moved.insert(party.clone());
        self.note_deadline(party);
        Ok(())
    }

    /// What a host is, and the store on its files.
    pub(super) fn open(
        &self,
        party: &PartyId,
        services: &[ServiceKind],
        issued: Timestamp,
        disk: &FalseDisk,
        index: &FalseIndex,
    ) -> Result<(Office, Store), StoreError> {
        let founded = self.founding.office(SEAT, party, services, issued, self.now().steady);
        assert!(founded.is_some(), "not founded: {party}");
        let (office, signer) = founded.unwrap_or_else(|| unreachable!());
        let secret =
            StoreSecret::derive(&Secret::random(&mut seed::stream(self.founding.seed(), &format!("{party} store"))));
        let doors = (Box::new(disk.clone()), Box::new(index.clone()));
        let (store, _opened) = Store::open(doors.0, doors.1, &secret, vec![signer], Arc::clone(&self.primitives))?;
        Ok((office, store))
    }
}
