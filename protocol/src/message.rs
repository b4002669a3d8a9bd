//! What members say to each other inside an envelope: plain data, no behaviour beyond its bounds.

use minicbor::{Decode, Encode};

use crate::code::act::Act;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::id::exchange::ExchangeId;
use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::limits;
use crate::time::Timestamp;

/// What an asker signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// Who asks.
    #[n(0)]
    pub sender: PartyId,
    /// Who is asked.
    #[n(1)]
    pub recipient: PartyId,
    /// The name of this exchange, chosen at random by the asker.
    #[n(2)]
    pub exchange: ExchangeId,
    /// When it was signed.
    #[n(3)]
    pub issued: Timestamp,
    /// Until when it may be decided; at most [`limits::REQUEST_LIFE`] later.
    #[n(4)]
    pub expires: Timestamp,
    /// SHA-256 of the asker's credential; none for members of the roster.
    #[n(5)]
    pub credential: Option<Digest>,
    /// The roster version it was made under.
    #[n(6)]
    pub roster: u32,
    /// The newest checkpoint of the recipient's ledger the asker has verified.
    #[n(7)]
    pub seen: Option<Seen>,
    /// Which member of staff asks, in which job.
    #[n(8)]
    pub staff: Staff,
    /// What for.
    #[n(9)]
    pub purpose: Purpose,
    /// What is asked.
    #[n(10)]
    pub question: Question,
}

/// A checkpoint somebody has verified: size and root of a ledger whose origin goes without saying.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// The ledger's origin.
    #[n(0)]
    pub origin: String,
    /// Its size, in leaves.
    #[n(1)]
    pub size: u64,
    /// Its root.
    #[n(2)]
    pub root: Digest,
}

/// A member of staff (職員) as the local node knows them.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Staff {
    /// The local node's name for them, at most 64 characters.
    #[n(0)]
    pub id: String,
    /// Their job.
    #[n(1)]
    pub job: Job,
    /// An assertion of their own authenticator over the digest of the question, if there is one.
    #[n(2)]
    pub proof: Option<minicbor::bytes::ByteVec>,
}

/// What is asked of a member.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Question {
    /// A municipality: show records of a person.
    #[n(0)]
    Read(#[n(0)] Reading),
    /// A directory: which sealed entry stands under this tag.
    #[n(1)]
    LookUp(#[n(0)] Tag),
    /// A pseudonymiser: evaluate hidden points.
    #[n(2)]
    Evaluate(#[n(0)] Points),
    /// A directory: keep, replace or withdraw sealed entries of mine.
    #[n(3)]
    Register(#[n(0)] Vec<Registration>),
    /// A municipality: who looked at this person.
    #[n(4)]
    History(#[n(0)] Handle),
    /// Any member: hold these receipts of mine, whose leaves your ledger lost when a new epoch began. Each is an
    /// [`crate::ledger::proof::Evidence`], encoded.
    #[n(5)]
    Resubmit(#[n(0)] Vec<minicbor::bytes::ByteVec>),
    /// A municipality: keep these versions of records of a person.
    #[n(6)]
    Submit(#[n(0)] Submission),
    /// A municipality, by its own officers: erase what is kept of a person.
    #[n(7)]
    Erase(#[n(0)] Erasure),
}

/// What is to be erased (消去), for good.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Erasure {
    /// Of whom.
    #[n(0)]
    pub person: Handle,
    /// Which record; everything of the person if absent.
    #[n(1)]
    pub record: Option<Named>,
}

/// A record, or one version of it, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Named {
    /// What kind of record.
    #[n(0)]
    pub kind: RecordKind,
    /// The record.
    #[n(1)]
    pub id: minicbor::bytes::ByteArray<16>,
    /// Which of its versions; all if absent.
    #[n(2)]
    pub number: Option<u32>,
}

/// Versions of records that their author submits (提出): all are kept, or none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Submission {
    /// The person, by their card.
    #[n(0)]
    pub person: Handle,
    /// Each a [`crate::record::paper::Paper`], encoded; together at most [`limits::SUBMISSION_BYTES_MAX`].
    #[n(1)]
    pub papers: Vec<minicbor::bytes::ByteVec>,
}

/// Which records of whom.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reading {
    /// The person.
    #[n(0)]
    pub person: Handle,
    /// The kinds asked for, each once, at most [`limits::KINDS_PER_QUESTION_MAX`].
    #[n(1)]
    pub kinds: Vec<RecordKind>,
    /// The day whose state is asked for; today if absent.
    #[n(2)]
    pub valid_on: Option<Date>,
    /// As known at this instant; everything known by now if absent.
    #[n(3)]
    pub known_at: Option<Timestamp>,
    /// Which versions; those in force if absent.
    #[n(4)]
    pub versions: Option<Versions>,
}

/// Which versions of records are asked for, if not those in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Versions {
    /// Every one that was known, whenever it holds and whatever replaced it; no drafts (版の履歴).
    #[n(0)]
    All,
}

/// The place of an entry in the directory, derived from a pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Tag(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

/// Hidden points for one key version of the oblivious function.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Points {
    /// The key version.
    #[n(0)]
    pub version: u32,
    /// 32 bytes each, at most [`limits::POINTS_PER_QUESTION_MAX`].
    #[n(1)]
    pub points: Vec<minicbor::bytes::ByteArray<32>>,
}

/// One change an insurer makes in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Registration {
    /// Where.
    #[n(0)]
    pub tag: Tag,
    /// Never used twice by one registrant for one tag; the higher replaces the lower.
    #[n(1)]
    pub number: u64,
    /// The sealed value; none withdraws.
    #[n(2)]
    pub sealed: Option<minicbor::bytes::ByteVec>,
}

/// A sealed entry as the directory holds it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Which insurer registered it.
    #[n(0)]
    pub registrant: PartyId,
    /// The registrant's number for it.
    #[n(1)]
    pub number: u64,
    /// The sealed value.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// What a member answers: everything that means anything, complete before its leaf is made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// SHA-256 of the request's envelope as received.
    #[n(0)]
    pub request: Digest,
    /// Who answers.
    #[n(1)]
    pub responder: PartyId,
    /// The origin of the responder's ledger.
    #[n(2)]
    pub origin: String,
    /// When it was decided.
    #[n(3)]
    pub decided: Timestamp,
    /// The digest of the policy it was decided under.
    #[n(4)]
    pub policy: Digest,
    /// What came of it.
    #[n(5)]
    pub outcome: Outcome,
    /// Since when no quorum of witnesses cosigned the responder's ledger; only if that is
    /// [`limits::UNWITNESSED_MARK`] ago or more.
    #[n(6)]
    pub unwitnessed_since: Option<Timestamp>,
}

/// How an exchange ended, as told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// Refused, in the word the asker may hear.
    #[n(0)]
    Refused(#[n(0)] crate::refusal::Told),
    /// Records: one content per kind asked for, in deterministic CBOR.
    #[n(1)]
    Records(#[n(0)] Vec<minicbor::bytes::ByteVec>),
    /// The entries under a tag.
    #[n(2)]
    Entries(#[n(0)] Vec<Entry>),
    /// Evaluated points and one proof for all of them.
    #[n(3)]
    Evaluated(#[n(0)] Vec<minicbor::bytes::ByteArray<32>>, #[n(1)] minicbor::bytes::ByteArray<64>),
    /// Registrations are kept.
    #[n(4)]
    Registered,
    /// Who looked at the person, newest first, and what shows that nothing is left out: a
    /// [`crate::access_log::proof::Proof`], encoded.
    #[n(5)]
    History(#[n(0)] Vec<Access>, #[n(1)] Option<minicbor::bytes::ByteVec>),
    /// So many receipts are held as evidence.
    #[n(6)]
    Held(#[n(0)] u64),
    /// What was submitted is kept, in the order of its papers.
    #[n(7)]
    Kept(#[n(0)] Vec<Kept>),
    /// Nothing of what was submitted is kept, for these reasons.
    #[n(8)]
    NotKept(#[n(0)] Vec<Flaw>),
    /// So many versions are erased.
    #[n(9)]
    Erased(#[n(0)] u64),
}

/// One version that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    /// The record.
    #[n(0)]
    pub id: minicbor::bytes::ByteArray<16>,
    /// Which of its versions.
    #[n(1)]
    pub number: u32,
    /// Since when it is known here; before this exchange if it was kept before.
    #[n(2)]
    pub recorded_at: Timestamp,
}

/// What is wrong with one paper (誤り). Never the value that was there.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Flaw {
    /// Which paper, from 0.
    #[n(0)]
    pub paper: u32,
    /// The field.
    #[n(1)]
    pub path: String,
    /// The rule it breaks.
    #[n(2)]
    pub rule: String,
    /// What would be right.
    #[n(3)]
    pub expected: String,
}

/// One look at a person, as the person or their insurer is shown it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Access {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// Which organisation.
    #[n(1)]
    pub party: PartyId,
    /// Which member of staff, as the organisation names them, and in which job.
    #[n(2)]
    pub staff: Staff,
    /// What for.
    #[n(3)]
    pub purpose: Purpose,
    /// Which kinds of record.
    #[n(4)]
    pub kinds: Vec<RecordKind>,
    /// Whether it was refused.
    #[n(5)]
    pub refused: bool,
    /// Its leaf in the insurer's ledger.
    #[n(6)]
    pub leaf: u64,
    /// What was done; none if it was looked at.
    #[n(7)]
    pub act: Option<Act>,
}

impl Request {
    /// Whether its lists and texts are within bounds and its lifetime is not too long.
    pub fn is_within_bounds(&self) -> bool {
        let question = match &self.question {
            Question::Read(reading) => {
                let kinds: std::collections::BTreeSet<_> = reading.kinds.iter().collect();
                !kinds.is_empty() && kinds.len() == reading.kinds.len() && kinds.len() <= limits::KINDS_PER_QUESTION_MAX
            }
            Question::LookUp(_) | Question::History(_) | Question::Erase(_) => true,
            Question::Evaluate(points) => (1..=limits::POINTS_PER_QUESTION_MAX).contains(&points.points.len()),
            Question::Resubmit(list) => {
                let fits = list.iter().all(|receipt| receipt.len() <= limits::RECEIPT_BYTES_MAX);
                fits && (1..=limits::RECEIPTS_PER_QUESTION_MAX).contains(&list.len())
            }
            Question::Register(list) => (1..=limits::REGISTRATIONS_PER_QUESTION_MAX).contains(&list.len()),
            Question::Submit(Submission { person, papers }) => {
                let bytes = papers.iter().fold(0_usize, |sum, paper| sum.saturating_add(paper.len()));
                matches!(person, Handle::Care(_))
                    && (1..=limits::PAPERS_PER_QUESTION_MAX).contains(&papers.len())
                    && bytes <= limits::SUBMISSION_BYTES_MAX
            }
        };
        question
            && self.staff.id.chars().count() <= 64
            && !self.staff.id.contains(char::is_control)
            && self.staff.proof.as_ref().is_none_or(|proof| proof.len() <= 4096)
            && self.seen.as_ref().is_none_or(|seen| seen.origin.len() <= 120)
            && self.issued <= self.expires
            && self.expires.since(self.issued) <= limits::REQUEST_LIFE
    }
}

impl Question {
    /// What answering it does with records of a person; none if it reads them, or is about nobody.
    pub const fn act(&self) -> Option<Act> {
        match self {
            Self::Submit(_) => Some(Act::Write),
            Self::Erase(_) => Some(Act::Erase),
            Self::Read(_)
            | Self::LookUp(_)
            | Self::Evaluate(_)
            | Self::Register(_)
            | Self::History(_)
            | Self::Resubmit(_) => None,
        }
    }
}

impl core::fmt::Debug for Staff {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Staff").field("id", &"[redacted]").field("job", &self.job).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Tag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}
