//! A paper (提出文書): a version of a record as its author signed it, so that who wrote it can be shown wherever the
//! version is copied to. The signature covers person and content through one salted digest: whoever is shown part of
//! a record learns nothing of the rest from it. Decides nothing of who may write.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::cbor;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::key::{KeyUse, PublicKey};
use crate::message::Flaw;
use crate::primitives::{Primitives, SigningKey};
use crate::record::Record;
use crate::record::fault::FieldFault;
use crate::record::slip::Slip;
use crate::record::version::{Head, RecordId, Status, Version};
use crate::sign1::{self, Label, Unverified};
use crate::time::Timestamp;

/// What an author signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Claim {
    #[n(0)]
    author: PartyId,
    #[n(1)]
    id: RecordId,
    #[n(2)]
    kind: RecordKind,
    #[n(3)]
    number: u32,
    #[n(4)]
    valid_from: Date,
    #[n(5)]
    valid_to: Option<Date>,
    #[n(6)]
    status: Status,
    #[n(7)]
    supersedes: Option<RecordId>,
    /// Person and content, under the salt.
    #[n(8)]
    covers: Digest,
}

/// A signed version on its way to the insurer.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Paper {
    /// The signed claim.
    #[n(0)]
    signed: minicbor::bytes::ByteVec,
    #[n(1)]
    salt: minicbor::bytes::ByteArray<32>,
    /// The encoding of the record, shown in full.
    #[n(2)]
    content: minicbor::bytes::ByteVec,
}

/// What shows who wrote a version (作成者の証明); kept and handed out beside it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Authorship {
    /// The signed claim.
    #[n(0)]
    signed: minicbor::bytes::ByteVec,
    #[n(1)]
    salt: minicbor::bytes::ByteArray<32>,
    /// The key it was signed with.
    #[n(2)]
    key: PublicKey,
    /// SHA-256 of the credential that said whose key it was; none for a member of the roster.
    #[n(3)]
    credential: Option<Digest>,
}

/// Who submits papers, and with which keys.
#[derive(Debug)]
pub struct Author<'a> {
    /// The organisation.
    pub party: &'a PartyId,
    /// The key its message was signed with: its papers are, too.
    pub key: &'a PublicKey,
    /// SHA-256 of its credential.
    pub credential: Option<Digest>,
}

/// A version its author stands for: well formed, and signed. Private fields, one maker: [`Paper::examine`].
#[derive(Clone, Debug)]
pub struct Vouched {
    version: Version,
}

impl Paper {
    /// Signs a slip about `person` as `author`.
    pub fn sign(
        slip: &Slip,
        person: &Handle,
        author: &PartyId,
        network: &Digest,
        signing: &dyn SigningKey,
        dice: &mut dyn CryptoRng,
    ) -> Self {
        let mut salt = [0; 32];
        dice.fill_bytes(&mut salt);
        let claim = Claim {
            author: author.clone(),
            id: slip.id,
            kind: slip.kind,
            number: slip.number,
            valid_from: slip.valid_from,
            valid_to: slip.valid_to,
            status: slip.status,
            supersedes: slip.supersedes,
            covers: cover(&salt, person, &slip.content),
        };
        let key = PublicKey::from_bytes(signing.public()).id(KeyUse::Signing);
        let signed = sign1::sign_with(signing, key, Label::Record, network.as_bytes(), &cbor::encode(&claim));
        Self { signed: signed.into(), salt: salt.into(), content: slip.content.clone().into() }
    }

    /// Whether the paper is its author's and the record keeps its form. `place` is where it stands among those
    /// submitted with it.
    ///
    /// # Errors
    /// The [`Flaw`] to tell.
    pub fn examine(
        bytes: &[u8],
        place: u32,
        person: &Handle,
        author: &Author<'_>,
        network: &Digest,
        primitives: &dyn Primitives,
    ) -> Result<Vouched, Flaw> {
        let flaw = |path: &str, rule: &str, expected: &str| Flaw {
            paper: place,
            path: path.to_owned(),
            rule: rule.to_owned(),
            expected: expected.to_owned(),
        };
        let paper: Self =
            cbor::decode(bytes).map_err(|_error| flaw("", "encoding", "the deterministic encoding of a paper"))?;
        let Self { signed, salt, content } = paper;
        let authorship = Authorship { signed, salt, key: *author.key, credential: author.credential };
        let claim = authorship
            .verified(network, primitives)
            .filter(|claim| claim.author == *author.party)
            .ok_or_else(|| flaw("", "signature", "signed by whoever submits it, with the key of the message"))?;
        if claim.covers != cover(&salt, person, &content) {
            return Err(flaw("", "covers", "the person addressed and the content beside it"));
        }
        let told = |fault: FieldFault| flaw(&fault.path, fault.rule, &fault.expected);
        let record = Record::decode(claim.kind, &content).map_err(told)?;
        if is_anothers(&record, person) {
            return Err(flaw("insured_number", "person", "the number of the person addressed"));
        }
        if claim.valid_to.is_some_and(|last| last < claim.valid_from) {
            return Err(flaw("valid_to", "period", "not before valid_from"));
        }
        // The instant of recording is the insurer's to say.
        let version = claim.into_version(content.into(), Timestamp::from_unix_ms(0), authorship);
        Ok(Vouched { version })
    }
}

impl Vouched {
    /// What decides when it is in force, but for when it is recorded.
    pub fn head(&self) -> Head {
        self.version.head()
    }

    /// What kind of record.
    pub const fn kind(&self) -> RecordKind {
        self.version.kind
    }

    /// Whether a version that is kept says the very same, whoever recorded it when.
    pub fn says_the_same(&self, kept: &Version) -> bool {
        let Version { recorded_at, authorship, .. } = kept.clone();
        Version { recorded_at, authorship, ..self.version.clone() } == *kept
    }

    /// The version, recorded at that instant.
    pub fn record(self, at: Timestamp) -> Version {
        Version { recorded_at: at, ..self.version }
    }
}

impl Authorship {
    /// Whether the signature holds, and covers this content about this person under this head.
    pub fn holds(
        &self,
        (author, kind, head): (&PartyId, RecordKind, &Head),
        (person, content): (&Handle, &[u8]),
        network: &Digest,
        primitives: &dyn Primitives,
    ) -> bool {
        let Some(claim) = self.verified(network, primitives) else { return false };
        claim.author == *author
            && claim.kind == kind
            && claim.covers == cover(&self.salt, person, content)
            && claim.head(head.recorded_at) == *head
    }

    /// The key it was signed with.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// SHA-256 of the credential that said whose key it was; it stands in its issuer's ledger.
    pub const fn credential(&self) -> Option<Digest> {
        self.credential
    }

    fn verified(&self, network: &Digest, primitives: &dyn Primitives) -> Option<Claim> {
        let signed = Unverified::parse(&self.signed).ok()?;
        if signed.key() != self.key.id(KeyUse::Signing) {
            return None;
        }
        let payload = signed.verify(primitives, &self.key, Label::Record, network.as_bytes()).ok()?;
        cbor::decode(&payload).ok()
    }
}

impl Claim {
    fn head(&self, recorded_at: Timestamp) -> Head {
        Head {
            id: self.id,
            number: self.number,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            recorded_at,
            status: self.status,
            supersedes: self.supersedes,
        }
    }

    fn into_version(self, content: Vec<u8>, recorded_at: Timestamp, authorship: Authorship) -> Version {
        let Self { author, id, kind, number, valid_from, valid_to, status, supersedes, covers: _ } = self;
        Version {
            id,
            kind,
            number,
            valid_from,
            valid_to,
            recorded_at,
            author,
            status,
            supersedes,
            content,
            authorship: Some(authorship),
        }
    }
}

/// The kinds of the records in papers, each once, as they say themselves; of what is no paper, nothing.
pub fn kinds(papers: &[minicbor::bytes::ByteVec]) -> Vec<RecordKind> {
    let claimed = papers.iter().filter_map(|bytes| {
        let paper: Paper = cbor::decode(bytes).ok()?;
        let signed = Unverified::parse(&paper.signed).ok()?;
        cbor::decode::<Claim>(signed.claimed()).ok().map(|claim| claim.kind)
    });
    claimed.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// Whether the record names a number that is not the person's.
fn is_anothers(record: &Record, person: &Handle) -> bool {
    let Handle::Care(person) = person else { return true };
    record.fields().text("insured_number").is_some_and(|number| number != person.insured().expose())
}

/// Hides person and content until the salt is told.
fn cover(salt: &[u8; 32], person: &Handle, content: &[u8]) -> Digest {
    let (person, content) = (Digest::of(person.expose().as_bytes()), Digest::of(content));
    Digest::of_parts(&[b"tsunagi record", salt, person.as_bytes(), content.as_bytes()])
}

impl core::fmt::Debug for Paper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for Authorship {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Authorship").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::person::PersonId;
    use crate::primitives::{Real, Secret};
    use crate::record::forms::form;

    const NETWORK: Digest = Digest::from_bytes([9; 32]);

    fn person(insured: &str) -> Handle {
        Handle::Care(PersonId::parse(&format!("131235:{insured}")).unwrap())
    }

    fn office(number: &str) -> PartyId {
        PartyId::parse(&format!("office:{number}")).unwrap()
    }

    fn slip(kind: RecordKind) -> Slip {
        Slip {
            id: RecordId::from_bytes([7; 16]),
            kind,
            number: 1,
            valid_from: Date::parse("2026-06-01").unwrap(),
            valid_to: None,
            status: Status::Final,
            supersedes: None,
            content: Record::from_json(kind, form(kind).example).unwrap().encode(),
        }
    }

    fn key(byte: u8) -> (Box<dyn SigningKey>, PublicKey) {
        let secret = Secret::from_bytes([byte; 32]);
        (Real.signing_key(&secret), PublicKey::from_bytes(Real.signing_public(&secret)))
    }

    fn signed(slip: &Slip, whose: &Handle, author: &PartyId) -> Vec<u8> {
        let mut dice = crate::primitives::seeded(&Secret::from_bytes([1; 32]), &NETWORK);
        cbor::encode(&Paper::sign(slip, whose, author, &NETWORK, key(3).0.as_ref(), &mut dice))
    }

    /// The rule a paper breaks, examined as coming from `party` with the key of that byte.
    fn broken(bytes: &[u8], whose: &Handle, party: &PartyId, with: u8, network: &Digest) -> Option<String> {
        let author = Author { party, key: &key(with).1, credential: None };
        Paper::examine(bytes, 0, whose, &author, network, &Real).err().map(|flaw| flaw.rule)
    }

    #[test]
    fn a_paper_counts_for_its_author_its_person_and_its_network_alone() {
        let (author, other) = (office("1370101238"), office("1370101246"));
        let whose = person("0000123456");
        let bytes = signed(&slip(RecordKind::CarePlan), &whose, &author);
        let rule =
            |whose: &Handle, party: &PartyId, with, network: &Digest| broken(&bytes, whose, party, with, network);
        assert_eq!(rule(&whose, &author, 3, &NETWORK), None);
        assert_eq!(rule(&whose, &other, 3, &NETWORK).as_deref(), Some("signature"), "submitted by somebody else");
        assert_eq!(rule(&whose, &author, 4, &NETWORK).as_deref(), Some("signature"), "with another key");
        assert_eq!(rule(&whose, &author, 3, &Digest::of(b"other")).as_deref(), Some("signature"));
        assert_eq!(rule(&person("0000123457"), &author, 3, &NETWORK).as_deref(), Some("covers"));
    }

    #[test]
    fn a_spoiled_paper_is_told_what_is_wrong_with_it() {
        let (author, whose) = (office("1370101238"), person("0000123456"));
        let good: Paper = cbor::decode(&signed(&slip(RecordKind::CarePlan), &whose, &author)).unwrap();
        let rule = |paper: &Paper| broken(&cbor::encode(paper), &whose, &author, 3, &NETWORK);
        let mut content = good.content.to_vec();
        *content.last_mut().unwrap() ^= 1;
        assert_eq!(rule(&Paper { content: content.into(), ..good.clone() }).as_deref(), Some("covers"));
        assert_eq!(rule(&Paper { salt: [0; 32].into(), ..good }).as_deref(), Some("covers"));
        let of = |slip: &Slip| broken(&signed(slip, &whose, &author), &whose, &author, 3, &NETWORK);
        let broken_form = Slip { content: vec![0xa0], ..slip(RecordKind::CarePlan) };
        assert_eq!(of(&broken_form).as_deref(), Some("required"));
        let over = Slip { valid_to: Date::parse("2026-05-31"), ..slip(RecordKind::CarePlan) };
        assert_eq!(of(&over).as_deref(), Some("period"));
        let anothers = slip(RecordKind::InsuranceCard);
        let bytes = signed(&anothers, &person("0000999999"), &author);
        assert_eq!(broken(&bytes, &person("0000999999"), &author, 3, &NETWORK).as_deref(), Some("person"));
        assert_eq!(broken(b"", &whose, &author, 3, &NETWORK).as_deref(), Some("encoding"));
    }

    #[test]
    fn who_wrote_it_shows_on_the_very_version_and_on_no_other() {
        let (author, whose) = (office("1370101238"), person("0000123456"));
        let bytes = signed(&slip(RecordKind::CarePlan), &whose, &author);
        let of = Author { party: &author, key: &key(3).1, credential: None };
        let version = Paper::examine(&bytes, 0, &whose, &of, &NETWORK, &Real).unwrap();
        let version = version.record(Timestamp::from_unix_ms(5));
        let authorship = version.authorship.clone().unwrap();
        let holds = |author: &PartyId, head: &Head, content: &[u8]| {
            authorship.holds((author, version.kind, head), (&whose, content), &NETWORK, &Real)
        };
        assert!(holds(&author, &version.head(), &version.content));
        assert!(!holds(&office("1370101246"), &version.head(), &version.content));
        assert!(!holds(&author, &Head { number: 2, ..version.head() }, &version.content));
        assert!(!holds(&author, &Head { valid_to: Some(Date::MIN), ..version.head() }, &version.content));
        assert!(!holds(&author, &version.head(), b"other"));
        assert_eq!(kinds(&[bytes.into()]), [RecordKind::CarePlan]);
    }

    proptest::proptest! {
        #[test]
        fn examining_any_bytes_panics_never(bytes in proptest::prelude::any::<Vec<u8>>()) {
            let (author, whose) = (office("1370101238"), person("0000123456"));
            proptest::prop_assert!(broken(&bytes, &whose, &author, 3, &NETWORK).is_some());
            proptest::prop_assert!(kinds(&[bytes.into()]).is_empty());
        }
    }
}
