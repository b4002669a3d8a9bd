//! What the authority (運営主体) does: signs rosters k-of-n, pulses daily. Its signers each have a key folder of
//! their own, so that each can live on another machine; the pulse key is a third kind, online.

use std::path::{Path, PathBuf};

use protocol::cbor;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::gate::Notice;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::limits;
use protocol::primitives::{Real, Secret};
use protocol::roster::{Chain, IssuerLimits, Link, Member, Roster};
use protocol::statement::Pulse;
use protocol::status::StatusList;
use protocol::time::Timestamp;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::message::{Code, Report, Trouble};
use crate::{chain, files, plan, seat};

/// The sealed file of a signer.
pub const SIGNER_FILE: &str = "signer.keys";
/// The sealed file of the pulse key.
pub const PULSE_FILE: &str = "pulse.keys";
/// The pulse among the notices.
pub const PULSE_NOTICE: &str = "pulse.cbor";

/// A member as it is written for editing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberText {
    party: String,
    name: String,
    signing: Vec<String>,
    log: Vec<String>,
    epoch: u32,
    insurers: Vec<String>,
    participates_from: String,
    issues: Option<IssuerText>,
    oblivious: Option<String>,
    cosigning: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerText {
    kind: String,
    prefixes: Vec<String>,
    services: Vec<String>,
}

/// Makes `count` signers and the pulse key in `folder`; the public halves, the pulse's last.
///
/// # Errors
/// [`Code::Keys`].
pub fn make_keys(folder: &Path, count: u8, dice: &mut dyn CryptoRng) -> Result<(Vec<PublicKey>, PublicKey), Trouble> {
    let make = |folder: PathBuf, file: &str, name: &str, dice: &mut dyn CryptoRng| {
        let mut secrets = node::keys::Secrets::default();
        secrets.set(name, Secret::random(dice));
        seat::keep(&folder, file, &secrets, dice)?;
        seat::public(&secrets, name)
    };
    let mut signers = Vec::new();
    for number in 1..=count {
        signers.push(make(folder.join(format!("signer-{number}")), SIGNER_FILE, node::keys::SIGNING, dice)?);
    }
    let pulse = make(folder.join("pulse"), PULSE_FILE, seat::PULSE, dice)?;
    Ok((signers, pulse))
}

/// Signs `roster` with every signer whose key folder lies in `folder` and that the roster or its
/// predecessor names, and keeps it there.
///
/// # Errors
/// [`Code::Keys`]; [`Code::Roster`] if what comes out is not a good link behind `before`.
pub fn sign(folder: &Path, roster: &Roster, before: Option<&Chain>) -> Result<Link, Trouble> {
    let mut secrets = Vec::new();
    for number in 1..=plan::SIGNERS_MAX {
        let keys = folder.join(format!("signer-{number}"));
        if keys.exists() {
            secrets.push(seat::load(&keys, SIGNER_FILE)?);
        }
    }
    let mut pairs = Vec::new();
    for secrets in &secrets {
        let public = seat::public(secrets, node::keys::SIGNING)?;
        let named = |signers: &protocol::roster::Signers| signers.keys.contains(&public);
        if named(&roster.signers) || before.is_some_and(|chain| named(&chain.newest().signers)) {
            pairs.push((public, seat::secret(secrets, node::keys::SIGNING)?));
        }
    }
    let link = Link::sign(roster, &Real, &pairs);
    let checked = match before {
        None => Chain::begin(link.digest(), &link, &Real),
        Some(chain) => chain.extend(&link, &Real),
    };
    checked.map_err(|error| Trouble::new(Code::Roster, error))?;
    files::write_new(&folder.join(chain::file_name(roster.version)), &cbor::encode(&link), 0o644)?;
    Ok(link)
}

/// The next version: what `edit` makes of the newest, valid from `now` for the longest time.
///
/// # Errors
/// Those of [`chain::read`] and [`sign`], and of `edit`.
pub fn next(
    folder: &Path,
    now: Timestamp,
    edit: impl FnOnce(&mut Roster) -> Result<(), Trouble>,
) -> Result<(Link, Roster), Trouble> {
    let before = chain::read(folder, None)?;
    let mut roster = before.newest().clone();
    roster.network = Some(before.network());
    roster.version = roster.version.saturating_add(1);
    roster.issued = now;
    roster.expires = now.plus(limits::ROSTER_LIFE);
    roster.signers = roster.next_signers.clone();
    edit(&mut roster)?;
    roster.members.sort_by(|a, b| a.party.cmp(&b.party));
    let link = sign(folder, &roster, Some(&before))?;
    Ok((link, roster))
}

/// A fresh pulse over the newest roster and the status lists among `notices`, written there together
/// with the rosters after the first.
///
/// # Errors
/// [`Code::Keys`], [`Code::Roster`], [`Code::File`].
pub fn pulse(folder: &Path, notices: &Path, now: Timestamp) -> Result<Report, Trouble> {
    let chain = chain::read(folder, None)?;
    let lists = list_numbers(notices, &chain, now)?;
    let secrets = seat::load(&folder.join("pulse"), PULSE_FILE)?;
    let pulse = Pulse {
        network: chain.network(),
        roster: chain.newest().version,
        digest: chain.digest(),
        lists,
        issued: now,
        expires: now.plus(limits::PULSE_LIFE),
    };
    let public = seat::public(&secrets, seat::PULSE)?;
    let bytes = pulse.sign(&Real, &public, seat::secret(&secrets, seat::PULSE)?);
    Pulse::verify(&bytes, &chain.network(), chain.newest(), now, &Real)
        .map_err(|error| Trouble::new(Code::Roster, format!("the pulse: {error}")))?;
    for version in 2..=pulse.roster {
        let link = files::read_cbor(&folder.join(chain::file_name(version)))?;
        let notice = notices.join(chain::file_name(version));
        files::replace(&notice, &cbor::encode(&Notice::Roster(link)), 0o644)?;
    }
    let file = notices.join(PULSE_NOTICE);
    files::replace(&file, &cbor::encode(&Notice::Pulse(bytes.into())), 0o644)?;
    let lists: serde_json::Map<_, _> =
        pulse.lists.iter().map(|(issuer, number)| (issuer.to_string(), json!(number))).collect();
    let text = format!("脈を作成しました(名簿 第{}版、24時間有効): {}", pulse.roster, file.display());
    let data = json!({ "pulse": file, "roster": pulse.roster, "lists": lists, "expires_ms": pulse.expires.unix_ms() });
    Ok(Report::good(text, data))
}

/// The members of the newest roster, for editing.
///
/// # Errors
/// Those of [`chain::read`].
pub fn members(folder: &Path) -> Result<Report, Trouble> {
    let chain = chain::read(folder, None)?;
    let members: Vec<MemberText> = chain.newest().members.iter().map(MemberText::of).collect();
    let data = json!(members);
    let text = serde_json::to_string_pretty(&data).map_err(|error| Trouble::new(Code::Malformed, error))?;
    Ok(Report::good(text, data))
}

/// The next version with the members that the file lists, or those of now.
///
/// # Errors
/// [`Code::Malformed`] for the list; those of [`next`].
pub fn roster_next(folder: &Path, members: Option<&Path>, now: Timestamp) -> Result<Report, Trouble> {
    let members = members.map(read_members).transpose()?;
    let (link, roster) = next(folder, now, |roster| {
        if let Some(members) = members {
            roster.members = members;
        }
        Ok(())
    })?;
    Ok(report(folder, &link, &roster))
}

/// What is told of a new version.
pub fn report(folder: &Path, link: &Link, roster: &Roster) -> Report {
    let file = folder.join(chain::file_name(roster.version));
    let (version, count) = (roster.version, roster.members.len());
    let text = format!(
        "名簿 第{version}版に署名しました(会員 {count}): {}\nSHA-256 {}\n次に: tsunagi authority pulse で新しい脈を作成してください",
        file.display(),
        link.digest()
    );
    let data = json!({ "roster": file, "version": version, "digest": link.digest().to_string(), "members": count,
        "expires_ms": roster.expires.unix_ms() });
    Report::good(text, data)
}

fn read_members(path: &Path) -> Result<Vec<Member>, Trouble> {
    let malformed = |error| Trouble::new(Code::Malformed, format!("{}: {error}", path.display()));
    let texts: Vec<MemberText> = serde_json::from_slice(&files::read(path)?).map_err(malformed)?;
    texts.iter().map(MemberText::to_member).collect()
}

/// The numbers of the newest status lists lying among the notices, expired ones left out.
fn list_numbers(notices: &Path, chain: &Chain, now: Timestamp) -> Result<Vec<(PartyId, u64)>, Trouble> {
    let mut numbers = std::collections::BTreeMap::new();
    for member in chain.newest().members.iter().filter(|member| member.issues.is_some()) {
        let file = notices.join(list_name(&member.party));
        if !file.exists() {
            continue;
        }
        let Notice::StatusList(bytes) = files::read_cbor(&file)? else {
            return Err(Trouble::new(Code::Malformed, format!("{}: not a status list", file.display())));
        };
        let list = StatusList::verify(&bytes, &chain.network(), chain.newest(), now, &Real);
        let list = match list {
            Ok(list) => list,
            Err(protocol::statement::StatementError::NotCurrent) => continue,
            Err(error) => return Err(Trouble::new(Code::Roster, format!("{}: {error}", file.display()))),
        };
        numbers.insert(list.issuer, list.number);
    }
    Ok(numbers.into_iter().collect())
}

/// The name of an issuer's status list among the notices.
pub fn list_name(issuer: &PartyId) -> String {
    format!("status-list-{}.cbor", issuer.number().to_ascii_lowercase())
}

/// A public key as 64 hex digits.
pub fn hex(key: &PublicKey) -> String {
    protocol::digest::Digest::from_bytes(*key.as_bytes()).to_string()
}

/// A public key from 64 hex digits.
///
/// # Errors
/// [`Code::Malformed`].
pub fn key(text: &str) -> Result<PublicKey, Trouble> {
    let bytes = protocol::digest::Digest::parse(text);
    bytes.map(|bytes| PublicKey::from_bytes(*bytes.as_bytes())).ok_or_else(|| Trouble::new(Code::Malformed, text))
}

impl MemberText {
    fn of(member: &Member) -> Self {
        let hexes = |keys: &[PublicKey]| keys.iter().map(hex).collect();
        Self {
            party: member.party.to_string(),
            name: member.name.clone(),
            signing: hexes(&member.signing),
            log: hexes(&member.log),
            epoch: member.epoch,
            insurers: member.insurers.iter().map(ToString::to_string).collect(),
            participates_from: member.participates_from.to_string(),
            issues: member.issues.as_ref().map(|limits| IssuerText {
                kind: limits.kind.as_str().to_owned(),
                prefixes: limits.prefixes.clone(),
                services: limits.services.iter().map(|service| service.as_str().to_owned()).collect(),
            }),
            oblivious: member.oblivious.as_ref().map(hex),
            cosigning: member.cosigning.as_ref().map(hex),
        }
    }

    fn to_member(&self) -> Result<Member, Trouble> {
        let wrong = |what: &str| Trouble::new(Code::Malformed, format!("{}: {what}", self.party));
        let keys = |texts: &[String]| texts.iter().map(|text| key(text)).collect::<Result<Vec<_>, _>>();
        let issues = self.issues.as_ref().map(|limits| {
            let kind = protocol::id::party::PartyKind::ALL.into_iter().find(|kind| kind.as_str() == limits.kind);
            let services = limits.services.iter().map(|text| ServiceKind::parse(text)).collect::<Option<Vec<_>>>();
            Some(IssuerLimits { kind: kind?, prefixes: limits.prefixes.clone(), services: services? })
        });
        let insurers = self.insurers.iter().map(|text| InsurerNumber::parse(text)).collect::<Option<Vec<_>>>();
        Ok(Member {
            party: PartyId::parse(&self.party).ok_or_else(|| wrong("party"))?,
            name: self.name.clone(),
            signing: keys(&self.signing)?,
            log: keys(&self.log)?,
            epoch: self.epoch,
            insurers: insurers.ok_or_else(|| wrong("insurers"))?,
            participates_from: Date::parse(&self.participates_from).ok_or_else(|| wrong("participates_from"))?,
            issues: issues.map(|limits| limits.ok_or_else(|| wrong("issues"))).transpose()?,
            oblivious: self.oblivious.as_deref().map(key).transpose()?,
            cosigning: self.cosigning.as_deref().map(key).transpose()?,
        })
    }
}
