//! The secrets of one seat, taken out of its key file and checked to be enough for what the seat does.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::disk::FileName;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::keyring::{Keyring, Pair};
use protocol::primitives::{Primitives as _, Real, SealingKey, Secret, Suite};
use protocol::statement::SealingPublic;
use protocol::store::Seat;
use protocol::time::Timestamp;

use super::{AssembleError, no_key, public, suite_of};
use crate::config::SeatConfig;
use crate::keys::{
    KeyFolder, LABEL, LOG, LOG_BEFORE, LOG_NEXT, SEALING_PREFIX, SIGNING, SIGNING_BEFORE, SIGNING_NEXT, Secrets,
    TRANSPORT,
};

/// One seat's secrets and what else its configuration names.
pub(super) struct SeatKeys {
    pub(super) seat: Seat,
    pub(super) party: PartyId,
    pub(super) transport: Secret,
    pub(super) transport_public: PublicKey,
    pub(super) signing: Secret,
    pub(super) signing_public: PublicKey,
    pub(super) log: Secret,
    pub(super) label: Secret,
    pub(super) credential: Option<Vec<u8>>,
    pub(super) policy: Option<PathBuf>,
    sealing: Vec<Sealing>,
    secrets: Secrets,
    pub(super) file: FileName,
}

/// One sealing key of a file.
struct Sealing {
    suite: Suite,
    key: Arc<dyn SealingKey>,
    /// When it is to be destroyed, if it is retired.
    until: Option<Timestamp>,
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
        let mut sealing: Vec<Sealing> = Vec::new();
        for (name, secret) in secrets.with_prefix(SEALING_PREFIX) {
            let rest = name.strip_prefix(SEALING_PREFIX).unwrap_or_default();
            let suite = suite_of(rest, secret).ok_or_else(|| no_key(&file, name))?;
            let pair = Real.sealing_key(suite, secret).map_err(|_broken| no_key(&file, name))?;
            sealing.push(Sealing { suite, key: Arc::from(pair), until: end_of(rest) });
        }
        // The preferred suite comes first in a statement.
        sealing.sort_by_key(|sealing| core::cmp::Reverse(sealing.suite));
        if sealing.iter().all(|sealing| sealing.until.is_some()) {
            return Err(no_key(&file, SEALING_PREFIX));
        }
        Ok(Self {
            seat,
            party: config.party.clone(),
            transport_public: public(&transport),
            signing_public: public(&signing),
            transport,
            signing,
            log,
            label,
            credential: credential.transpose()?,
            policy: config.policy.clone(),
            sealing,
            secrets,
            file: config.keys.clone(),
        })
    }

    /// A secret that only some seats need.
    pub(super) fn other(&self, name: &str) -> Result<&Secret, AssembleError> {
        self.secrets.get(name).ok_or_else(|| no_key(self.file.as_str(), name))
    }

    /// Everything in its file.
    pub(super) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// All generations of its keys.
    pub(super) fn ring(&self) -> Keyring {
        let mut ring = Keyring::new(signing_pairs(&self.secrets), log_pairs(&self.secrets));
        for sealing in &self.sealing {
            ring.hold(sealing.suite, Arc::clone(&sealing.key), sealing.until);
        }
        ring
    }

    /// What a statement says of the sealing keys in use, X-Wing first.
    pub(super) fn sealing_public(&self) -> Vec<SealingPublic> {
        let used = self.sealing.iter().filter(|sealing| sealing.until.is_none());
        used.map(|sealing| SealingPublic { suite: sealing.suite, public: sealing.key.public() }).collect()
    }

    /// When the newest retired sealing key is to be destroyed.
    pub(super) fn last_retired(&self) -> Option<Timestamp> {
        self.sealing.iter().filter_map(|sealing| sealing.until).max()
    }
}

/// The signing keys in a file, whichever is in use.
pub(super) fn signing_pairs(secrets: &Secrets) -> Vec<Pair> {
    pairs(secrets, [SIGNING, SIGNING_BEFORE, SIGNING_NEXT])
}

/// The log keys in a file, whichever is in use.
pub(super) fn log_pairs(secrets: &Secrets) -> Vec<Pair> {
    pairs(secrets, [LOG, LOG_BEFORE, LOG_NEXT])
}

fn pairs(secrets: &Secrets, names: [&str; 3]) -> Vec<Pair> {
    let found = names.into_iter().filter_map(|name| secrets.get(name));
    found.map(|secret| Pair { public: public(secret), secret: secret.clone() }).collect()
}

/// The end of a retired sealing key, from what stands behind its suite.
fn end_of(name: &str) -> Option<Timestamp> {
    let (_suite, end) = name.rsplit_once('-')?;
    end.parse().ok().map(Timestamp::from_unix_ms)
}

impl core::fmt::Debug for SeatKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SeatKeys").field("party", &self.party).finish_non_exhaustive()
    }
}
