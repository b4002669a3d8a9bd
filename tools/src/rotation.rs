//! Replacing keys (鍵の交代): the owner turns its key file on by one generation and, as a member, shows the
//! authority that old and new key are one hand's; the authority lets the new key into the roster, then puts it
//! in use, then drops the old one. A running node follows the roster by itself.

use std::path::{Path, PathBuf};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use node::dice::OsDice;
use node::keys::{KeyFolder, LOG, LOG_BEFORE, LOG_NEXT, SIGNING, SIGNING_BEFORE, SIGNING_NEXT, Secrets, TRANSPORT};
use protocol::cbor;
use protocol::digest::Digest;
use protocol::disk::FileName;
use protocol::id::party::PartyId;
use protocol::key::{KeyUse, PublicKey};
use protocol::limits;
use protocol::primitives::{Real, Secret};
use protocol::sign1::{self, Label, Unverified};
use protocol::time::Timestamp;
use serde_json::json;

use crate::application::APPLICATION_LIFE;
use crate::ledger::Rosters;
use crate::message::{Code, Report, Trouble};
use crate::{authority, credential, files, seat};

/// What possession is bound to in a rotation.
const BOUND: &[u8] = b"rotation";

/// Which key is replaced by turning the key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The signing key; of an office or hospital only the announced one may follow.
    Signing,
    /// The log key.
    Log,
    /// The transport key: the node is started anew with it.
    Transport,
}

/// Whose key file is turned, and what has to come of it beside the new key.
#[derive(Clone, Debug)]
pub enum Owner {
    /// A member: the roster has to follow, for which the authority needs the proof in `out`.
    Member {
        /// Which.
        party: PartyId,
        /// Its network.
        network: Digest,
        /// Where the proof is written.
        out: PathBuf,
        /// All rosters to the newest, for the key before to be destroyed.
        rosters: Vec<PathBuf>,
    },
    /// An office or hospital: it applies anew, and its credential follows.
    Holder,
    /// Anybody, of a transport key: no roster or credential names it.
    Anybody,
}

/// How far the roster goes with a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The new key is known beside the one in use.
    Announce,
    /// The new key is in use, and the old one still counts.
    Use,
    /// The old key counts no more.
    Retire,
}

/// Old and new key of a member.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Rotation {
    #[n(0)]
    network: Digest,
    #[n(1)]
    party: PartyId,
    #[n(2)]
    key_use: KeyUse,
    #[n(3)]
    old: PublicKey,
    #[n(4)]
    new: PublicKey,
    #[n(5)]
    issued: Timestamp,
}

/// A rotation with the signatures of the old and the new key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct SignedRotation {
    #[n(0)]
    rotation: ByteVec,
    #[n(1)]
    proofs: Vec<ByteVec>,
}

impl Turned {
    /// The names of the generations in a key file: before, in use, next.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Signing => (SIGNING_BEFORE, SIGNING, SIGNING_NEXT),
            Self::Log => (LOG_BEFORE, LOG, LOG_NEXT),
            Self::Transport => ("transport-before", TRANSPORT, "transport-next"),
        }
    }

    const fn key_use(self) -> KeyUse {
        match self {
            Self::Signing => KeyUse::Signing,
            Self::Log => KeyUse::Log,
            Self::Transport => KeyUse::Transport,
        }
    }
}

/// Turns the key file in `keys` on by one generation; of a member, a proof for the authority is written first.
///
/// # Errors
/// [`Code::Keys`]; [`Code::Exists`] if the generation before is still in the file and `drop_before` is not
/// wished; [`Code::Usage`] or [`Code::Named`] if a member does not show by rosters that it counts no more.
pub fn turn(keys: &Path, turned: Turned, owner: &Owner, drop_before: bool, now: Timestamp) -> Result<Report, Trouble> {
    let mut secrets = seat::load(keys, credential::KEY_FILE)?;
    let (before, used, next) = turned.names();
    if secrets.get(before).is_some() {
        if !drop_before {
            return Err(Trouble::new(Code::Exists, format!("{before}: {}", owner.when_to_drop())));
        }
        owner.require_dropped(turned, seat::public(&secrets, used)?)?;
    }
    let old = seat::secret(&secrets, used)?.clone();
    // An announced key must be the one that follows; others may be made on the spot.
    let new = secrets.get(next).cloned().unwrap_or_else(|| Secret::random(&mut OsDice));
    if let Owner::Member { party, network, out, .. } = owner {
        let signed = SignedRotation::make(party.clone(), *network, turned.key_use(), (&old, &new), now);
        files::write_new(out, &cbor::encode(&signed), 0o644)?;
    }
    secrets.set(used, new.clone());
    match turned {
        Turned::Signing | Turned::Log => {
            secrets.set(before, old);
            secrets.set(next, Secret::random(&mut OsDice));
        }
        // A connection is proven by one key at a time; whoever finds this node by the old one is told the new one
        // by its statement.
        Turned::Transport => secrets.remove(next),
    }
    keep(keys, &secrets)?;
    let public = authority::hex(&PublicKey::from_bytes(public(&new)));
    let text = format!("鍵ファイルを次の世代に進めました({used}): {public}\n{}", owner.what_next());
    Ok(Report::good(text, json!({ "key": used, "public": public })))
}

/// Takes one step of a rotation: the next roster, signed.
///
/// # Errors
/// [`Code::Possession`] if a proof does not hold; [`Code::Roster`] if the step does not follow from the newest
/// roster.
pub fn step(authority: &Path, rotation: &Path, step: Step, now: Timestamp) -> Result<Report, Trouble> {
    let signed: SignedRotation = files::read_cbor(rotation)?;
    let network = crate::chain::read(authority, None)?.network();
    let Rotation { party, key_use, old, new, .. } = signed.verify(&network, now)?;
    let (link, roster) = authority::next(authority, now, |roster| {
        let refused = |what: &str| Trouble::new(Code::Roster, format!("{party}: {what}"));
        let member = roster.members.iter_mut().find(|member| member.party == party);
        let member = member.ok_or_else(|| refused("会員ではありません / not a member"))?;
        let listed = if key_use == KeyUse::Log { &mut member.log } else { &mut member.signing };
        let (from, to) = match step {
            Step::Announce => (vec![old], vec![old, new]),
            Step::Use => (vec![old, new], vec![new, old]),
            Step::Retire => (vec![new, old], vec![new]),
        };
        if *listed != from {
            return Err(refused("名簿の鍵がこの段階のものではありません / the roster is not at this step"));
        }
        *listed = to;
        Ok(())
    })?;
    Ok(authority::report(authority, &link, &roster))
}

impl Owner {
    fn when_to_drop(&self) -> &'static str {
        match self {
            Self::Member { .. } => {
                "前の鍵が残っています。名簿から外れていれば、--drop-before と、最初から最新までの名簿を --roster に付けて\
                 ください / the key before is still there; add --drop-before and --roster with all rosters"
            }
            Self::Holder | Self::Anybody => {
                "前の鍵が残っています。今の鍵の資格証を受け取っていれば、--drop-before を付けてください / the key before is \
                 still there; add --drop-before once a credential names the key in use"
            }
        }
    }

    /// The key before may be destroyed if the newest roster names the key in use alone: an older roster, from before
    /// the rotation, does not.
    fn require_dropped(&self, turned: Turned, used: PublicKey) -> Result<(), Trouble> {
        let Self::Member { party, network, rosters, .. } = self else { return Ok(()) };
        if rosters.is_empty() {
            return Err(Trouble::new(
                Code::Usage,
                "--drop-before: 会員は --roster に、最初から最新までの名簿をすべて付けてください。前の鍵が外れたことを\
                 名簿で確かめます / a member adds --roster with all rosters, which must name the key before no more",
            ));
        }
        let rosters = Rosters::read(rosters, Some(*network))?;
        let newest = rosters.newest().ok_or_else(|| Trouble::new(Code::Usage, "--roster"))?;
        let refused = |what: &str| Trouble::new(Code::Named, format!("{party}、名簿 第{}版: {what}", newest.version));
        let not_listed = || refused("会員ではありません / not a member in this roster");
        let member = newest.member(party).ok_or_else(not_listed)?;
        let listed = if turned == Turned::Log { &member.log } else { &member.signing };
        if *listed == [used] {
            return Ok(());
        }
        Err(refused("載っている鍵が、今の鍵一つだけではありません / it does not name the key in use alone"))
    }

    const fn what_next(&self) -> &'static str {
        match self {
            Self::Member { .. } => "次に: --out に書いたファイルを運営主体へ渡してください",
            Self::Holder => "次に: member join で申込を作り直し、発行者から credential renew を受けてください",
            Self::Anybody => {
                "次に: ノードを再起動してください。接続先の一覧にこのノードを載せている相手には新しい番地を知らせます"
            }
        }
    }
}

impl SignedRotation {
    fn make(party: PartyId, network: Digest, key_use: KeyUse, (old, new): (&Secret, &Secret), now: Timestamp) -> Self {
        let [old_public, new_public] = [old, new].map(|secret| PublicKey::from_bytes(public(secret)));
        let rotation = Rotation { network, party, key_use, old: old_public, new: new_public, issued: now };
        let rotation = cbor::encode(&rotation);
        let sign = |secret: &Secret, public: PublicKey| {
            sign1::sign(&Real, secret, public.id(key_use), Label::Possession, BOUND, &rotation).into()
        };
        let proofs = vec![sign(old, old_public), sign(new, new_public)];
        Self { rotation: rotation.into(), proofs }
    }

    fn verify(&self, network: &Digest, now: Timestamp) -> Result<Rotation, Trouble> {
        let rotation: Rotation = cbor::decode(&self.rotation).map_err(|error| Trouble::new(Code::Malformed, error))?;
        let refused = |what: &str| Trouble::new(Code::Possession, format!("{}: {what}", rotation.party));
        let is_turned = matches!(rotation.key_use, KeyUse::Signing | KeyUse::Log);
        if rotation.network != *network || !is_turned || rotation.old == rotation.new || self.proofs.len() != 2 {
            return Err(refused("not a rotation of this network"));
        }
        // A rotation goes through three rosters, which takes its time.
        let age = now.since(rotation.issued);
        if rotation.issued > now.plus(limits::SKEW) || age > APPLICATION_LIFE {
            return Err(refused("made too long ago, or in the future"));
        }
        for (key, proof) in [rotation.old, rotation.new].iter().zip(&self.proofs) {
            let signed = Unverified::parse(proof).map_err(|_error| refused("a proof"))?;
            let payload = signed.verify(&Real, key, Label::Possession, BOUND).map_err(|_error| refused("a proof"))?;
            if signed_by(proof) != Some(key.id(rotation.key_use)) || payload != *self.rotation {
                return Err(refused("a proof"));
            }
        }
        Ok(rotation)
    }
}

fn signed_by(proof: &[u8]) -> Option<protocol::key::KeyId> {
    Unverified::parse(proof).ok().map(|signed| signed.key())
}

fn public(secret: &Secret) -> [u8; 32] {
    protocol::primitives::Primitives::signing_public(&Real, secret)
}

fn keep(keys: &Path, secrets: &Secrets) -> Result<(), Trouble> {
    let of_keys = |error| Trouble::new(Code::Keys, error);
    let file = FileName::parse(credential::KEY_FILE).ok_or_else(|| Trouble::new(Code::Keys, credential::KEY_FILE))?;
    KeyFolder::open(keys).and_then(|folder| folder.replace(&file, secrets, &mut OsDice)).map_err(of_keys)
}
