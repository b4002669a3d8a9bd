//! The secrets of one seat, taken out of its key file and checked to be enough for what the seat does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::id::party::PartyId;
use protocol::key::{KeyId, PublicKey};
use protocol::primitives::{Primitives as _, Real, SealingKey, Secret, Suite};
use protocol::statement::SealingPublic;
use protocol::store::Seat;

use super::{AssembleError, no_key, public, suite_of};
use crate::config::SeatConfig;
use crate::keys::{KeyFolder, LABEL, LOG, SEALING_PREFIX, SIGNING, Secrets, TRANSPORT};

/// One seat's secrets and what else its configuration names.
pub(super) struct SeatKeys {
    pub(super) seat: Seat,
    pub(super) party: PartyId,
    pub(super) transport: Secret,
    pub(super) transport_public: PublicKey,
    pub(super) signing: Secret,
    pub(super) signing_public: PublicKey,
    pub(super) log: Secret,
    pub(super) log_public: PublicKey,
    pub(super) label: Secret,
    pub(super) credential: Option<Vec<u8>>,
    pub(super) policy: Option<PathBuf>,
    sealing: Vec<(Suite, Arc<dyn SealingKey>)>,
    secrets: Secrets,
    file: String,
}

impl SeatKeys {
    pub(super) fn load(seat: Seat, config: &SeatConfig, folder: &KeyFolder) -> Result<Self, AssembleError> {
        let secrets = folder.load(&config.keys)?;
        let file = config.keys.to_string();
        let named = |name: &str| secrets.get(name).cloned().ok_or_else(|| no_key(&file, name));
        let credential = config
            .credential
            .as_ref()
            .map(|path| std::fs::read(path).map_err(|error| AssembleError::File(path.clone(), error.to_string())));
        let (transport, signing, log, label) = (named(TRANSPORT)?, named(SIGNING)?, named(LOG)?, named(LABEL)?);
        let mut sealing: Vec<(Suite, Arc<dyn SealingKey>)> = Vec::new();
        for (name, secret) in secrets.with_prefix(SEALING_PREFIX) {
            let rest = name.strip_prefix(SEALING_PREFIX).unwrap_or_default();
            let suite = suite_of(rest, secret).ok_or_else(|| no_key(&file, name))?;
            let pair = Real.sealing_key(suite, secret).map_err(|_broken| no_key(&file, name))?;
            sealing.push((suite, Arc::from(pair)));
        }
        // The preferred suite comes first in a statement.
        sealing.sort_by_key(|(suite, _key)| core::cmp::Reverse(*suite));
        if sealing.is_empty() {
            return Err(no_key(&file, SEALING_PREFIX));
        }
        Ok(Self {
            seat,
            party: config.party.clone(),
            transport_public: public(&transport),
            signing_public: public(&signing),
            log_public: public(&log),
            transport,
            signing,
            log,
            label,
            credential: credential.transpose()?,
            policy: config.policy.clone(),
            sealing,
            secrets,
            file,
        })
    }

    /// A secret that only some seats need.
    pub(super) fn other(&self, name: &str) -> Result<&Secret, AssembleError> {
        self.secrets.get(name).ok_or_else(|| no_key(&self.file, name))
    }

    /// What opens requests, by key id.
    pub(super) fn sealing_by_id(&self) -> BTreeMap<KeyId, (Suite, Arc<dyn SealingKey>)> {
        let entry = |(suite, key): &(Suite, Arc<dyn SealingKey>)| {
            let id = SealingPublic { suite: *suite, public: key.public() }.id();
            (id, (*suite, Arc::clone(key)))
        };
        self.sealing.iter().map(entry).collect()
    }

    /// What a statement says of them, X-Wing first.
    pub(super) fn sealing_public(&self) -> Vec<SealingPublic> {
        self.sealing.iter().map(|(suite, key)| SealingPublic { suite: *suite, public: key.public() }).collect()
    }
}

impl core::fmt::Debug for SeatKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SeatKeys").field("party", &self.party).finish_non_exhaustive()
    }
}
