//! The host and its keys over time (世代): which of ours is in use, which sealing key is over, over which of a
//! member's transport keys to reach it, and which key of an office may follow another. Makes no key.

use std::sync::Arc;

use super::{Effect, Host};
use crate::cbor;
use crate::credential::Credential;
use crate::digest::Digest;
use crate::gate::{NotAdmitted, Standing};
use crate::key::PublicKey;
use crate::store::{Seat, Store};
use crate::table;
use crate::time::Timestamp;

impl Host {
    /// Whether a seat holds that signing key, in use or not.
    pub fn can_sign_with(&self, seat: Seat, public: &PublicKey) -> bool {
        self.offices.get(&seat).is_some_and(|office| office.keys.signing(std::slice::from_ref(public)).is_some())
    }

    /// The seats of which the roster names a signing or log key that they do not hold.
    pub fn lacking_keys(&self) -> Vec<Seat> {
        let lacks = |office: &super::Office| {
            let member = self.gate.roster().member(&office.requester.identity().party);
            member.is_some_and(|member| {
                let signing = member.signing.iter().all(|key| office.keys.signing(std::slice::from_ref(key)).is_some());
                let log = member.log.iter().all(|key| office.keys.log(std::slice::from_ref(key)).is_some());
                !signing || !log
            })
        };
        self.offices.iter().filter(|(_seat, office)| lacks(office)).map(|(seat, _office)| *seat).collect()
    }

    /// Lets every seat sign with the key that roster or credential put in use.
    pub(super) fn use_signing_keys(&mut self) {
        self.logs_of = 0;
        for office in self.offices.values_mut() {
            let identity = office.requester.identity();
            let named = match (&identity.credential, self.gate.roster().member(&identity.party)) {
                (Some(credential), _) => Credential::own(credential).map(|own| vec![own.signing]),
                (None, member) => member.map(|member| member.signing.clone()),
            };
            let in_use = office.requester.identity().signing_public;
            let pair = office.keys.signing(&named.unwrap_or_default());
            if let Some(pair) = pair.filter(|pair| pair.public != in_use) {
                office.requester.sign_with(self.primitives.signing_key(&pair.secret).into());
            }
        }
    }

    /// Lets every seat's heads be signed with the log key in use.
    pub(super) fn use_log_keys(&mut self, store: &mut Store) {
        if self.logs_of == self.gate.generation() {
            return;
        }
        self.logs_of = self.gate.generation();
        for (seat, office) in &mut self.offices {
            let identity = office.requester.identity();
            let named = match (&identity.credential, self.gate.roster().member(&identity.party)) {
                (Some(credential), _) => Credential::own(credential).map(|own| vec![own.log]),
                (None, member) => member.map(|member| member.log.clone()),
            };
            store.know_logs(*seat, office.keys.logs().chain(self.gate.logs(&identity.party)));
            if let Some(pair) = office.keys.log(&named.unwrap_or_default()) {
                store.sign_with(*seat, self.primitives.signing_key(&pair.secret));
                if let Some(cosigning) = &mut office.cosigning {
                    cosigning.follow(pair.public);
                }
            }
        }
    }

    /// Lets go of sealing keys that no live statement names, and of every channel opened with one.
    pub(super) fn destroy_over(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let over = |(seat, office): (&Seat, &mut super::Office)| {
            let destroyed = office.keys.destroy_over(now);
            destroyed.into_iter().map(|id| Effect::Destroyed(*seat, id)).collect::<Vec<_>>()
        };
        let destroyed: Vec<_> = self.offices.iter_mut().flat_map(over).collect();
        if !destroyed.is_empty() {
            // Which of them were opened with it is not remembered; the others are opened once more.
            self.contexts.clear();
            out.extend(destroyed);
        }
    }

    /// Over which of its transport keys to reach a member: one that is connected, or else the first that did not
    /// fail last time.
    pub(super) fn peer_of(&mut self, transport: &[PublicKey]) -> Option<PublicKey> {
        let is_connected = |peer: &&PublicKey| self.dialled.get(peer).is_some_and(|dial| dial.connection.is_some());
        if let Some(peer) = transport.iter().find(is_connected) {
            return Some(*peer);
        }
        let untried = transport.iter().find(|peer| !self.unreached.contains(peer)).copied();
        if untried.is_none() {
            self.unreached.retain(|peer| !transport.contains(peer));
        }
        untried.or_else(|| transport.first().copied())
    }

    /// Holds an office's credential against the one seen before it.
    pub(super) fn follows(&mut self, standing: Arc<Standing>, now: Timestamp) -> Result<Arc<Standing>, NotAdmitted> {
        let Some(credential) = standing.shown() else { return Ok(standing) };
        let list = |issuer: &_| self.gate.list(issuer).cloned();
        if let Some(seen) = self.succession.follow(credential, list, now)? {
            let rest = Digest::of(seen.party.to_string().as_bytes()).as_bytes().to_vec();
            self.rows.push((table::SUCCESSION, rest, cbor::encode(&seen)));
        }
        Ok(standing)
    }
}
