//! The keeper of keys (鍵番): the only one that writes a running node's key files. Retires sealing keys and makes
//! the next, destroys those that are over, and looks up a key that roster or credential put in use since.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::disk::FileName;
use protocol::key::{KeyId, KeyUse};
use protocol::keyring::Pair;
use protocol::limits;
use protocol::primitives::{Primitives as _, Real, SealingKey, Secret, Suite};
use protocol::store::Seat;
use protocol::time::{Span, Timestamp};

use super::{seat, suite_of};
use crate::dice::OsDice;
use crate::keys::{KeyError, KeyFolder, SEALING_PREFIX, Secrets};

/// The suites every member has a sealing key of, the preferred one first, with its word in the file.
const SUITES: [(Suite, &str); 2] = [(Suite::XWing, "x-wing"), (Suite::X25519, "x25519")];

/// A sealing key and its suite.
pub(super) type Fresh = (Suite, Arc<dyn SealingKey>);

/// Opens and writes the key file of each seat.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: KeyFolder,
    files: BTreeMap<Seat, FileName>,
}

impl Keeper {
    pub(super) const fn new(folder: KeyFolder, files: BTreeMap<Seat, FileName>) -> Self {
        Self { folder, files }
    }

    /// Retires a seat's sealing keys and makes the next, all durable before anything names them. A statement
    /// made at `now` at the latest named the retired ones; they are kept until it is over.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be written: the old keys stay in use.
    pub(super) fn rotate_sealing(&self, seat: Seat, now: Timestamp) -> Result<Vec<Fresh>, KeyError> {
        let Some((file, mut secrets)) = self.load(seat)? else { return Ok(Vec::new()) };
        let until = now.plus(limits::STATEMENT_LIFE).plus(limits::SKEW);
        let mut fresh: Vec<Fresh> = Vec::new();
        for (suite, word) in SUITES {
            let name = format!("{SEALING_PREFIX}{word}");
            if let Some(used) = secrets.get(&name).cloned() {
                secrets.set(&format!("{name}-{}", until.unix_ms()), used);
            }
            let secret = Secret::random(&mut OsDice);
            if let Ok(key) = Real.sealing_key(suite, &secret) {
                secrets.set(&name, secret);
                fresh.push((suite, Arc::from(key)));
            }
        }
        self.folder.replace(file, &secrets, &mut OsDice)?;
        Ok(fresh)
    }

    /// Destroys the sealing key of that id.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be written.
    pub(super) fn destroy_sealing(&self, seat: Seat, id: KeyId) -> Result<(), KeyError> {
        let Some((file, mut secrets)) = self.load(seat)? else { return Ok(()) };
        let is_it = |name: &str, secret: &Secret| {
            let suite = suite_of(name.strip_prefix(SEALING_PREFIX).unwrap_or_default(), secret);
            let key = suite.and_then(|suite| Some((suite, Real.sealing_key(suite, secret).ok()?)));
            key.is_some_and(|(suite, key)| KeyId::of(KeyUse::sealing(suite), &key.public()) == id)
        };
        let over: Vec<String> = secrets
            .with_prefix(SEALING_PREFIX)
            .filter(|(name, secret)| is_it(name, secret))
            .map(|(name, _secret)| name.to_owned())
            .collect();
        over.iter().for_each(|name| secrets.remove(name));
        if over.is_empty() { Ok(()) } else { self.folder.replace(file, &secrets, &mut OsDice) }
    }

    /// The signing and log keys in a seat's file as it is now.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be read.
    pub(super) fn pairs(&self, seat: Seat) -> Result<(Vec<Pair>, Vec<Pair>), KeyError> {
        let loaded = self.load(seat)?.map(|(_file, secrets)| secrets).unwrap_or_default();
        Ok((seat::signing_pairs(&loaded), seat::log_pairs(&loaded)))
    }

    fn load(&self, seat: Seat) -> Result<Option<(&FileName, Secrets)>, KeyError> {
        let Some(file) = self.files.get(&seat) else { return Ok(None) };
        Ok(Some((file, self.folder.load(file)?)))
    }
}

/// When the sealing keys were made new, from the end of those that were retired then.
pub(super) fn rotated_at(last_retired: Timestamp) -> Timestamp {
    last_retired.minus(limits::STATEMENT_LIFE).minus(limits::SKEW)
}

/// How old sealing keys become.
pub(super) const SEALING_AGE: Span = Span::from_h(7 * 24);
