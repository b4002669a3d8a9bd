//! The plan of a network (計画): who takes part, as the operator writes it. Read and judged here; the
//! keys it leads to are made in `network.rs`.

use std::path::Path;

use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::id::insurer::InsurerNumber;
use protocol::id::party::{PartyId, PartyKind};
use protocol::primitives::Suite;
use protocol::roster::IssuerLimits;
use serde::Deserialize;

use crate::files;
use crate::message::{Code, Trouble};

/// The most keys of the authority.
pub const SIGNERS_MAX: u8 = 16;

/// A network before it is founded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many of the authority's signers must sign.
    pub threshold: u8,
    /// How many there are.
    pub signers: u8,
    /// How many witnesses make a quorum.
    pub witness_quorum: u8,
    /// The weakest suite accepted.
    pub suite_min: Suite,
    /// The address nodes listen on and are reached at.
    pub host: core::net::IpAddr,
    /// Those who stand in the roster, issuers too.
    pub members: Vec<PlannedMember>,
    /// Offices and hospitals.
    pub holders: Vec<PlannedHolder>,
}

/// A member to be.
#[derive(Clone, Debug)]
pub struct PlannedMember {
    /// Which organisation.
    pub party: PartyId,
    /// Its name.
    pub name: String,
    /// The insurer numbers it answers for.
    pub insurers: Vec<InsurerNumber>,
    /// From when it takes part.
    pub participates_from: Date,
    /// What it may issue.
    pub issues: Option<IssuerLimits>,
    /// Where its node listens.
    pub ports: Ports,
    /// Whether others fetch rosters from it.
    pub bootstrap: bool,
}

/// An office or hospital to be.
#[derive(Clone, Debug)]
pub struct PlannedHolder {
    /// Which organisation.
    pub party: PartyId,
    /// Its name.
    pub name: String,
    /// The service kinds it is designated for.
    pub services: Vec<ServiceKind>,
    /// Where its node listens.
    pub ports: Ports,
}

/// The ports of a node; 0 lets the machine choose one that is free when the network is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// UDP and TCP, for other nodes.
    pub network: u16,
    /// The office API.
    pub api: u16,
    /// The figures.
    pub metrics: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanText {
    authority: AuthorityText,
    network: NetworkText,
    #[serde(default)]
    members: Vec<MemberText>,
    #[serde(default)]
    issuers: Vec<IssuerText>,
    #[serde(default)]
    holders: Vec<HolderText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityText {
    threshold: u8,
    signers: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkText {
    suite_min: String,
    witness_quorum: u8,
    host: core::net::IpAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberText {
    party: String,
    name: String,
    #[serde(default)]
    insurers: Vec<String>,
    participates_from: String,
    #[serde(default)]
    bootstrap: bool,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    api_port: u16,
    #[serde(default)]
    metrics_port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerText {
    party: String,
    name: String,
    kind: String,
    prefixes: Vec<String>,
    services: Vec<String>,
    participates_from: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolderText {
    party: String,
    name: String,
    services: Vec<String>,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    api_port: u16,
    #[serde(default)]
    metrics_port: u16,
}

impl Plan {
    /// Reads a plan file.
    ///
    /// # Errors
    /// [`Code::File`]; [`Code::Plan`] naming what is wrong.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        Self::parse(&files::read_text(path)?)
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// [`Code::Plan`] naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, Trouble> {
        let text: PlanText = toml::from_str(text).map_err(|error| Trouble::new(Code::Plan, error))?;
        let members = text.members.into_iter().map(member);
        let issuers = text.issuers.into_iter().map(issuer);
        let plan = Self {
            threshold: text.authority.threshold,
            signers: text.authority.signers,
            witness_quorum: text.network.witness_quorum,
            suite_min: suite(&text.network.suite_min)?,
            host: text.network.host,
            members: members.chain(issuers).collect::<Result<_, _>>()?,
            holders: text.holders.into_iter().map(holder).collect::<Result<_, _>>()?,
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), Trouble> {
        let require = |holds: bool, what: &str| if holds { Ok(()) } else { Err(Trouble::new(Code::Plan, what)) };
        require(
            (1..=self.signers).contains(&self.threshold) && self.signers <= SIGNERS_MAX,
            "authority: 1 ≤ threshold ≤ signers ≤ 16",
        )?;
        let parties = self.members.iter().map(|member| &member.party).chain(self.holders.iter().map(|h| &h.party));
        let unique: std::collections::BTreeSet<_> = parties.clone().collect();
        require(unique.len() == parties.count(), "the same party twice")?;
        let witnesses = self.members.iter().filter(|member| member.party.kind() == PartyKind::Witness).count();
        require(
            usize::from(self.witness_quorum) <= witnesses,
            "network.witness_quorum: more than there are witnesses",
        )?;
        require(
            witnesses == 0 || usize::from(self.witness_quorum).saturating_mul(2) > witnesses,
            "network.witness_quorum: 立会の過半数が必要です / more than half of the witnesses",
        )?;
        require(self.members.iter().any(|member| member.bootstrap), "no member with bootstrap = true")?;
        self.holders.iter().try_for_each(|holder| self.issuer_for(holder).map(drop))
    }

    /// The first issuer whose limits allow a credential for this office or hospital.
    ///
    /// # Errors
    /// [`Code::Plan`] if there is none.
    pub fn issuer_for(&self, holder: &PlannedHolder) -> Result<&PlannedMember, Trouble> {
        let permits = |limits: &IssuerLimits| limits.permit(&holder.party, &holder.services);
        let issuer = self.members.iter().find(|member| member.issues.as_ref().is_some_and(permits));
        let what = || format!("{}: 発行できる発行者がいません / no issuer may issue", holder.party);
        issuer.ok_or_else(|| Trouble::new(Code::Plan, what()))
    }
}

/// Reads the word of a suite.
///
/// # Errors
/// [`Code::Plan`].
fn suite(text: &str) -> Result<Suite, Trouble> {
    match text {
        "x25519" => Ok(Suite::X25519),
        "x-wing" => Ok(Suite::XWing),
        _ => Err(wrong("suite_min", text)),
    }
}

fn member(text: MemberText) -> Result<PlannedMember, Trouble> {
    let party = party(&text.party)?;
    if matches!(party.kind(), PartyKind::Office | PartyKind::Hospital | PartyKind::Issuer) {
        return Err(wrong("members: an office, hospital or issuer", &text.party));
    }
    let number = |text: &String| InsurerNumber::parse(text).ok_or_else(|| wrong("insurers", text));
    Ok(PlannedMember {
        party,
        name: text.name,
        insurers: text.insurers.iter().map(number).collect::<Result<_, _>>()?,
        participates_from: date(&text.participates_from)?,
        issues: None,
        ports: Ports { network: text.port, api: text.api_port, metrics: text.metrics_port },
        bootstrap: text.bootstrap,
    })
}

fn issuer(text: IssuerText) -> Result<PlannedMember, Trouble> {
    let party = party(&text.party)?;
    if party.kind() != PartyKind::Issuer {
        return Err(wrong("issuers: not an issuer", &text.party));
    }
    let kinds = [PartyKind::Office, PartyKind::Hospital];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == text.kind).ok_or_else(|| wrong("kind", &text.kind))?;
    Ok(PlannedMember {
        party,
        name: text.name,
        insurers: Vec::new(),
        participates_from: date(&text.participates_from)?,
        issues: Some(IssuerLimits { kind, prefixes: text.prefixes, services: services(&text.services)? }),
        ports: Ports { network: 0, api: 0, metrics: 0 },
        bootstrap: false,
    })
}

fn holder(text: HolderText) -> Result<PlannedHolder, Trouble> {
    let party = party(&text.party)?;
    if !matches!(party.kind(), PartyKind::Office | PartyKind::Hospital) {
        return Err(wrong("holders: neither an office nor a hospital", &text.party));
    }
    Ok(PlannedHolder {
        party,
        name: text.name,
        services: services(&text.services)?,
        ports: Ports { network: text.port, api: text.api_port, metrics: text.metrics_port },
    })
}

/// Reads `kind:number`.
///
/// # Errors
/// [`Code::Plan`].
pub fn party(text: &str) -> Result<PartyId, Trouble> {
    PartyId::parse(text).ok_or_else(|| wrong("party", text))
}

/// Reads `YYYY-MM-DD`.
///
/// # Errors
/// [`Code::Plan`].
pub fn date(text: &str) -> Result<Date, Trouble> {
    Date::parse(text).ok_or_else(|| wrong("date", text))
}

/// Reads codes of service kinds; `*` stands for all.
///
/// # Errors
/// [`Code::Plan`].
pub fn services(texts: &[String]) -> Result<Vec<ServiceKind>, Trouble> {
    if texts == ["*"] {
        return Ok(ServiceKind::ALL.to_vec());
    }
    texts.iter().map(|text| ServiceKind::parse(text).ok_or_else(|| wrong("services", text))).collect()
}

fn wrong(what: &str, found: &str) -> Trouble {
    Trouble::new(Code::Plan, format!("{what}: {found:?}"))
}

/// A plan for tests: three signers, two of whom must sign, one of each kind of member, one office.
#[cfg(test)]
pub(crate) const SAMPLE: &str = r#"
[authority]
threshold = 2
signers = 3

[network]
suite_min = "x25519"
witness_quorum = 1
host = "127.0.0.1"

[[members]]
party = "insurer:131235"
name = "見本市"
insurers = ["131235"]
participates_from = "2026-04-01"
bootstrap = true

[[members]]
party = "pseudonymiser:p-1"
name = "仮名化 1"
participates_from = "2026-04-01"

[[members]]
party = "witness:w-1"
name = "立会 1"
participates_from = "2026-04-01"

[[issuers]]
party = "issuer:tokyo"
name = "東京都"
kind = "office"
prefixes = ["13"]
services = ["43", "11"]
participates_from = "2026-04-01"

[[holders]]
party = "office:1370101238"
name = "見本居宅介護支援事業所"
services = ["43"]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_and_each_fault_is_named() {
        let plan = Plan::parse(SAMPLE).unwrap();
        assert_eq!((plan.members.len(), plan.holders.len()), (4, 1));
        for (from, to, word) in [
            ("threshold = 2", "threshold = 4", "threshold"),
            ("x25519", "rot13", "suite_min"),
            ("witness_quorum = 1", "witness_quorum = 2", "witness_quorum"),
            ("witness_quorum = 1", "witness_quorum = 0", "more than half"),
            ("bootstrap = true", "bootstrap = false", "bootstrap"),
            ("pseudonymiser:p-1", "insurer:131235", "twice"),
            ("pseudonymiser:p-1", "office:1", "members"),
            ("[\"43\"]", "[\"00\"]", "services"),
            ("2026-04-01", "2026-02-30", "date"),
            ("signers = 3", "signers = 3\ncolour = 1", "colour"),
        ] {
            let trouble = Plan::parse(&SAMPLE.replace(from, to)).unwrap_err();
            assert!(trouble.code == Code::Plan && trouble.detail.contains(word), "{to}: {trouble}");
        }
    }
}
