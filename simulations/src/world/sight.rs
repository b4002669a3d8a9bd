//! Sight (所見): what can be read of the hosts, their ledgers and their rows. Changes nothing of them.

use protocol::access_log;
use protocol::access_log::note::{self, Noted};
use protocol::batch::Batch;
use protocol::cbor;
use protocol::digest::Digest;
use protocol::id::party::PartyId;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::leaf::Leaf;
use protocol::store::Store;
use protocol::store::staged::Staged;
use protocol::time::Timestamp;
use protocol::vault::Label;

use super::{SEAT, World, claimed};
use crate::seed;

impl World {
    /// How many leaves a host's ledger has.
    pub fn ledger_size(&self, party: &PartyId) -> u64 {
        self.hosts.get(party).and_then(|place| place.store.head(SEAT)).map_or(0, |head| head.size)
    }

    /// The host's newest signed head.
    pub fn head(&self, party: &PartyId) -> Option<Vec<u8>> {
        let head = self.hosts.get(party)?.store.head(SEAT)?;
        Some(head.note.as_bytes().to_vec())
    }

    /// The root of the host's newest signed head.
    pub fn root(&self, party: &PartyId) -> Option<Digest> {
        Some(self.hosts.get(party)?.store.head(SEAT)?.root)
    }

    /// What the host's newest signed head says.
    pub fn stands(&self, party: &PartyId) -> Option<Checkpoint> {
        claimed(self.hosts.get(party)?.store.head(SEAT)?.note.as_bytes())
    }

    /// The credential a host shows, if it has one.
    pub fn credential(&self, party: &PartyId) -> Option<Vec<u8>> {
        self.hosts.get(party)?.host.identity(SEAT)?.credential.clone()
    }

    /// Everybody who has a host that runs.
    pub fn parties(&self) -> Vec<PartyId> {
        self.hosts.keys().cloned().collect()
    }

    /// The leaves of a host's open epoch.
    pub fn leaves(&self, party: &PartyId) -> Vec<Leaf> {
        self.hosts.get(party).and_then(|place| self.readable_leaves(&place.store)).unwrap_or_default()
    }

    /// How many leaves a host wrote in all epochs before the open one.
    pub fn epoch_begins(&self, party: &PartyId) -> u64 {
        self.look(party, |batch| batch.epoch_begins())
    }

    /// The leaves of the open epoch on a disk; none if one of them cannot be read.
    pub(super) fn readable_leaves(&self, store: &Store) -> Option<Vec<Leaf>> {
        self.see(store, |batch| {
            let leaves = batch.epoch_begins()..batch.ledger_size();
            leaves.map(|leaf| batch.leaf(leaf).ok().map(|(leaf, _place)| leaf)).collect()
        })
    }

    /// The requests of `asker` that a host answered, each with its leaf in the open epoch.
    pub fn answered(&self, party: &PartyId, asker: &PartyId) -> Vec<(Digest, u64)> {
        let from = (Timestamp::from_unix_ms(0), 0);
        let touched =
            self.look(party, |batch| access_log::of_party(batch, asker, from, usize::MAX).unwrap_or_default());
        let details = touched.into_iter().filter_map(|touched| Some((touched.detail?, touched.leaf)));
        let answered = details.filter(|(detail, _leaf)| detail.decision.refusal.is_none());
        answered.map(|(detail, leaf)| (detail.request, leaf)).collect()
    }

    /// What stands behind the leaves of a host's open epoch that are about nobody, as it can read it.
    pub fn general_details(&self, party: &PartyId) -> Vec<Vec<u8>> {
        self.look(party, |batch| {
            let leaves = batch.epoch_begins()..batch.ledger_size();
            let details = leaves.filter_map(|leaf| access_log::detail(batch, leaf, Label::GENERAL).ok().flatten());
            details.map(|detail| cbor::encode(&detail)).collect()
        })
    }

    /// What a host noted in its ledger of its own accord, through all epochs.
    pub fn notes(&self, party: &PartyId) -> Vec<Noted> {
        self.look(party, |batch| note::from(batch, 0, usize::MAX).unwrap_or_default())
    }

    pub(super) fn look<T: Default>(&self, party: &PartyId, see: impl Fn(&Batch<'_>) -> T) -> T {
        self.hosts.get(party).map(|place| self.see(&place.store, see)).unwrap_or_default()
    }

    pub(super) fn see<T: Default>(&self, store: &Store, see: impl Fn(&Batch<'_>) -> T) -> T {
        let mut staged = Staged::new();
        let mut dice = seed::stream(self.founding.seed(), "a look");
        let batch = Batch::new(self.now(), SEAT, store, &mut staged, &mut dice);
        batch.map_or_else(|_error| T::default(), |batch| see(&batch))
    }

    /// The newest head of a host that a witness cosigned, as the host keeps it.
    pub fn cosigned(&self, party: &PartyId, witness: &PartyId) -> Option<Vec<u8>> {
        let key = protocol::cosigning::cosigned_key(SEAT, witness);
        self.look(party, |batch| batch.get(&key).ok().flatten())
    }

    /// How many exchanges of its own a host keeps over a restart: those that have not ended.
    pub fn open_asks(&self, party: &PartyId) -> usize {
        self.rows(party, protocol::table::ASK).len()
    }

    /// Everything a host keeps in rows, key and value.
    pub fn everything(&self, party: &PartyId) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.range(party, 0, u8::MAX)
    }

    /// The rows of a host's table.
    pub fn rows(&self, party: &PartyId, table: u8) -> Vec<Vec<u8>> {
        let rows = self.range(party, table, table.saturating_add(1));
        rows.into_iter().map(|(_key, value)| value).collect()
    }

    /// The rows of a host's tables, from the first to before the last.
    pub(super) fn range(&self, party: &PartyId, first: u8, end: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.look(party, |batch| {
            let rows = batch.range(&batch.key(first, &[]), &batch.key(end, &[]), usize::MAX).unwrap_or_default();
            rows.into_iter().map(|(key, value)| (key.rest().to_vec(), value)).collect()
        })
    }

    /// What keeps a host from writing, if anything does.
    pub fn unsettled(&self, party: &PartyId) -> Option<&'static str> {
        self.hosts.get(party)?.host.unsettled()
    }

    /// The heads under which receipts of `who` stand and which no quorum cosigned yet.
    pub fn unwitnessed(&self, who: &PartyId) -> Vec<protocol::receipts::Unwitnessed> {
        let rows = self.rows(who, protocol::table::UNWITNESSED);
        rows.iter().filter_map(|row| cbor::decode(row).ok()).collect()
    }
}
