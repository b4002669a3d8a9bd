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
use protocol::roster::{Member, Roster};
use protocol::time::Timestamp;
use rand_core::CryptoRng;
use serde_json::json;

use crate::application::{Applicant, Application, SignedApplication, fitting_insurers, require_joinable_kind};
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
/// band; [`Code::Kind`] or [`Code::Usage`] if who applies cannot join so; [`Code::Keys`], [`Code::Exists`].
pub fn join(
    applicant: Applicant,
    keys: &Path,
    first_roster: &Path,
    network: Digest,
    out: &Path,
    now: Timestamp,
    dice: &mut dyn CryptoRng,
) -> Result<Report, Trouble> {
    applicant.require_joinable()?;
    let found = files::read_cbor::<protocol::roster::Link>(first_roster)?;
    protocol::roster::Chain::begin(network, &found, &Real).map_err(|error| Trouble::new(Code::Roster, error))?;
    if is_empty_or_absent(keys) {
        seat::keep(keys, credential::KEY_FILE, &seat::make(applicant.party.kind(), dice), dice)?;
    }
    if !keys.join(credential::KEY_FILE).exists() {
        let what = "この鍵フォルダーに seat.keys がありません。別のフォルダーか、作りかけです。まだない(または空の)フォルダーを\
                    --keys に指定すると、新しい鍵を作ります / no seat.keys here; name a folder that is not there or is empty";
        return Err(Trouble::new(Code::Keys, format!("{}: {what}", keys.display())));
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

/// On which terms an applicant is taken in.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// From when it takes part.
    pub participates_from: Date,
    /// How many witnesses make a quorum from then on; none leaves it.
    pub witness_quorum: Option<u8>,
}

/// Takes the applicant in: the next roster, signed.
///
/// # Errors
/// [`Code::Kind`] if its kind does not join so; [`Code::Possession`] if a proof does not hold; [`Code::Roster`] if the
/// party is a member already or the signers are too few; [`Code::Quorum`].
pub fn add(
    authority: &Path,
    application: &Path,
    expected: &Path,
    answer: &Path,
    terms: Terms,
    now: Timestamp,
) -> Result<Report, Trouble> {
    let signed: SignedApplication = files::read_cbor(application)?;
    let applied = signed.verify(&chain::read(authority, None)?.network(), now)?;
    require_memberlike(&applied)?;
    let (expected, answer): (Proof, Proof) = (files::read_cbor(expected)?, files::read_cbor(answer)?);
    if expected.application != signed.digest() || expected != answer || expected.exports.len() != applied.sealing.len()
    {
        return Err(Trouble::new(Code::Possession, format!("{}: sealing", applied.party)));
    }
    let (link, roster) = authority::next(authority, now, |roster| {
        if roster.member(&applied.party).is_some() {
            return Err(Trouble::new(Code::Roster, format!("{}: a member already", applied.party)));
        }
        let place = roster.members.partition_point(|member| member.party < applied.party);
        roster.members.insert(
            place,
            Member {
                party: applied.party.clone(),
                name: applied.name.clone(),
                signing: vec![applied.signing],
                log: vec![applied.log],
                epoch: epoch::FIRST,
                insurers: applied.insurers.clone(),
                participates_from: terms.participates_from,
                issues: None,
                oblivious: applied.oblivious,
                cosigning: applied.cosigning,
            },
        );
        roster.witness_quorum = terms.witness_quorum.unwrap_or(roster.witness_quorum);
        require_a_majority(roster)
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

/// Who stands in the roster, and not in a credential or the plan.
fn require_memberlike(applied: &Application) -> Result<(), Trouble> {
    let party = &applied.party;
    require_joinable_kind(party)?;
    if matches!(party.kind(), PartyKind::Office | PartyKind::Hospital) {
        let what = "事業所・医療機関は名簿に載りません。発行者が tsunagi credential issue で資格証を発行します / offices and \
                    hospitals hold credentials";
        return Err(Trouble::new(Code::Kind, format!("{party}: {what}")));
    }
    let fits = fitting_insurers(party, &applied.insurers);
    fits.map_err(|what| Trouble::new(Code::Malformed, format!("{party}: {what}")))
}

/// Any two quorums must have a witness in common.
fn require_a_majority(roster: &Roster) -> Result<(), Trouble> {
    let witnesses = roster.of_kind(PartyKind::Witness).count();
    let majority = witnesses / 2 + 1;
    if witnesses == 0 || (majority..=witnesses).contains(&usize::from(roster.witness_quorum)) {
        return Ok(());
    }
    Err(Trouble::new(
        Code::Quorum,
        format!(
            "立会 {witnesses} に対して witness_quorum が {} です。--witness-quorum {majority} から {witnesses} までを付けて\
             ください / add --witness-quorum {majority} to {witnesses}",
            roster.witness_quorum
        ),
    ))
}

fn is_empty_or_absent(folder: &Path) -> bool {
    !folder.exists() || std::fs::read_dir(folder).is_ok_and(|mut found| found.next().is_none())
}

fn info(application: &Digest) -> Vec<u8> {
    [INFO, application.as_bytes()].concat()
}
