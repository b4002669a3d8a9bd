//! Joining (`tsunagi member`): the newcomer makes its keys and an application; the authority has it open a
//! challenge sealed to each of its sealing keys, and then signs the next roster with it.
//!
//! A sealing key only decapsulates, so its possession is shown by doing so: the authority encapsulates to
//! it, bound to this very application, and keeps what the channel exports; whoever sends the same 32
//! bytes back has the secret. The signing, transport and log keys sign the application itself.

use std::path::Path;

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use protocol::cbor;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::id::party::PartyKind;
use protocol::ledger::epoch;
use protocol::primitives::{Primitives as _, Real, Suite};
use protocol::roster::Member;
use protocol::time::Timestamp;
use rand_core::CryptoRng;
use serde_json::json;

use crate::application::{Applicant, SignedApplication};
use crate::line::Line;
use crate::message::{Code, Report, Trouble};
use crate::{authority, chain, credential, files, seat};

/// What the exported proof is bound to, before the application's digest.
const INFO: &[u8] = b"tsunagi possession";

/// One encapsulation to each sealing key of an application.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Challenge {
    #[n(0)]
    application: Digest,
    #[n(1)]
    encapsulations: Vec<(Suite, ByteVec)>,
}

/// What the channels of a challenge export.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
struct Proof {
    #[n(0)]
    application: Digest,
    #[n(1)]
    exports: Vec<ByteArray<32>>,
}

/// Makes an application to `out` with the keys in `keys`, which are made if the folder is not there.
///
/// # Errors
/// [`Code::Roster`] if `roster`, the first of the network, has another digest than the one given out of
/// band; [`Code::Keys`], [`Code::Exists`].
pub fn join(
    applicant: Applicant,
    keys: &Path,
    first_roster: &Path,
    network: Digest,
    out: &Path,
    now: Timestamp,
    dice: &mut dyn CryptoRng,
) -> Result<Report, Trouble> {
    let found = files::read_cbor::<protocol::roster::Link>(first_roster)?;
    protocol::roster::Chain::begin(network, &found, &Real).map_err(|error| Trouble::new(Code::Roster, error))?;
    if !keys.exists() {
        seat::keep(keys, credential::KEY_FILE, &seat::make(applicant.party.kind(), dice), dice)?;
    }
    let secrets = seat::load(keys, credential::KEY_FILE)?;
    let party = applicant.party.to_string();
    let signed = SignedApplication::make(applicant, network, &secrets, now)?;
    files::write_new(out, &cbor::encode(&signed), 0o644)?;
    let text = format!("申込を作成しました: {party}\n{}\nSHA-256 {}", out.display(), signed.digest());
    Ok(Report::good(text, json!({ "application": out, "party": party, "digest": signed.digest().to_string() })))
}

/// Makes a challenge for the applicant and the answer to expect, which stays with the authority.
///
/// # Errors
/// [`Code::Possession`] if the application does not hold or lacks a sealing key.
pub fn challenge(
    authority: &Path,
    application: &Path,
    out: &Path,
    expected: &Path,
    now: Timestamp,
    dice: &mut dyn CryptoRng,
) -> Result<Report, Trouble> {
    let signed: SignedApplication = files::read_cbor(application)?;
    let applied = signed.verify(&chain::read(authority, None)?.network(), now)?;
    if applied.sealing.is_empty() {
        return Err(Trouble::new(Code::Possession, "no sealing key"));
    }
    let info = info(&signed.digest());
    let mut challenge = Challenge { application: signed.digest(), encapsulations: Vec::new() };
    let mut proof = Proof { application: signed.digest(), exports: Vec::new() };
    for key in &applied.sealing {
        let (enc, channel) = Real
            .encapsulate(key.suite, &key.public, &info, dice)
            .map_err(|error| Trouble::new(Code::Possession, error))?;
        challenge.encapsulations.push((key.suite, enc.into()));
        proof.exports.push((*channel.export(INFO).expose()).into());
    }
    files::write_new(expected, &cbor::encode(&proof), 0o600)?;
    files::write_new(out, &cbor::encode(&challenge), 0o644)?;
    let text = format!("申込者に渡すもの: {}\n手元に残すもの: {}", out.display(), expected.display());
    Ok(Report::good(text, json!({ "challenge": out, "expected": expected })))
}

/// Opens a challenge with the sealing keys in `keys`. Only one's own application's is opened.
///
/// # Errors
/// [`Code::Possession`] if it is another's or does not open.
pub fn answer(keys: &Path, application: &Path, challenge: &Path, out: &Path) -> Result<Report, Trouble> {
    let signed: SignedApplication = files::read_cbor(application)?;
    let challenge: Challenge = files::read_cbor(challenge)?;
    let refused = |what: &str| Trouble::new(Code::Possession, what);
    if challenge.application != signed.digest() {
        return Err(refused("a challenge for another application"));
    }
    let secrets = seat::load(keys, credential::KEY_FILE)?;
    let mut proof = Proof { application: signed.digest(), exports: Vec::new() };
    for (suite, enc) in &challenge.encapsulations {
        let name = match suite {
            Suite::X25519 => seat::SEALING_X25519,
            Suite::XWing => seat::SEALING_X_WING,
            Suite::Toy => return Err(refused("not a suite of this network")),
        };
        let key = Real.sealing_key(*suite, seat::secret(&secrets, name)?).map_err(|_error| refused(name))?;
        let channel = key.decapsulate(enc, &info(&signed.digest())).map_err(|_error| refused(name))?;
        proof.exports.push((*channel.export(INFO).expose()).into());
    }
    files::write_new(out, &cbor::encode(&proof), 0o600)?;
    Ok(Report::good(format!("運営主体に返すもの: {}", out.display()), json!({ "answer": out })))
}

/// Takes the applicant in: the next roster, signed.
///
/// # Errors
/// [`Code::Possession`] if a proof does not hold; [`Code::Roster`] if the party is a member already or
/// the signers are too few.
pub fn add(
    authority: &Path,
    application: &Path,
    expected: &Path,
    answer: &Path,
    participates_from: Date,
    now: Timestamp,
) -> Result<Report, Trouble> {
    let signed: SignedApplication = files::read_cbor(application)?;
    let applied = signed.verify(&chain::read(authority, None)?.network(), now)?;
    let (expected, answer): (Proof, Proof) = (files::read_cbor(expected)?, files::read_cbor(answer)?);
    if expected.application != signed.digest() || expected != answer || expected.exports.len() != applied.sealing.len()
    {
        return Err(Trouble::new(Code::Possession, format!("{}: sealing", applied.party)));
    }
    if matches!(applied.party.kind(), PartyKind::Office | PartyKind::Hospital | PartyKind::Issuer) {
        return Err(Trouble::new(Code::Possession, format!("{}: not a kind that joins so", applied.party)));
    }
    let (link, roster) = authority::next(authority, now, |roster| {
        if roster.member(&applied.party).is_some() {
            return Err(Trouble::new(Code::Roster, format!("{}: a member already", applied.party)));
        }
        roster.members.push(Member {
            party: applied.party.clone(),
            name: applied.name.clone(),
            signing: vec![applied.signing],
            log: vec![applied.log],
            epoch: epoch::FIRST,
            insurers: applied.insurers.clone(),
            participates_from,
            issues: None,
            oblivious: applied.oblivious,
            cosigning: applied.cosigning,
        });
        Ok(())
    })?;
    Ok(authority::report(authority, &link, &roster))
}

/// Has a running node make new sealing keys of a member at once.
///
/// # Errors
/// [`Code::Refused`] if the node did not.
pub fn rotate_sealing(line: &Line) -> Result<Report, Trouble> {
    match line.rotate_sealing() {
        Ok(true) => {
            let text =
                "封緘の鍵を作り直し、自己申告を出し直しました。古い鍵は、それを載せた申告がすべて切れると消えます";
            Ok(Report::good(text.to_owned(), json!({ "rotated": true })))
        }
        Ok(false) => Err(Trouble::new(Code::Refused, "会員ではないか、鍵ファイルに書けませんでした / not rotated")),
        Err(what) => Err(Trouble::new(Code::Refused, what)),
    }
}

fn info(application: &Digest) -> Vec<u8> {
    [INFO, application.as_bytes()].concat()
}
