//! The tables of the index: one byte behind the seat in every key. Numbers are never used again.

/// Links of the roster chain, by version (host).
pub const ROSTER: u8 = 1;
/// The pulse (host).
pub const PULSE: u8 = 2;
/// Statements by party (host).
pub const STATEMENT: u8 = 3;
/// Status lists by issuer (host).
pub const STATUS_LIST: u8 = 4;
/// Second rosters of one version, by version: evidence (host).
pub const FORK: u8 = 5;
/// The newest credential seen of each organisation (host).
pub const SUCCESSION: u8 = 6;
/// Beginnings of members' epochs, by party and epoch (host).
pub const OPENING: u8 = 7;
/// Exchanges decided, by asker and exchange id.
pub const REPLAY: u8 = 10;
/// The same by time, for pruning; those of one commit in one row.
pub const REPLAY_BY_TIME: u8 = 11;
/// The instant up to which exchanges were forgotten.
pub const REPLAY_MARK: u8 = 12;
/// A person's newest leaf, by label.
pub const CHAIN: u8 = 13;
/// Exchanges decided, by asking organisation and time, those of one commit in one row: leaf and person's label each.
pub const PARTY: u8 = 14;
/// The newest daily leaf, and what its map was made with.
pub const DAY: u8 = 15;
/// The maps of two days, by generation, part and piece: label and number each.
pub const DAY_MAP: u8 = 16;
/// What the keeper of a ledger noted in it of its own accord, by leaf.
pub const NOTE: u8 = 17;
/// The version of the roster noted last, and the first leaf of the epoch it was noted in.
pub const NOTED_ROSTER: u8 = 18;
/// Exchanges of our own that have not ended, by exchange id.
pub const ASK: u8 = 20;
/// The newest verified checkpoint of each member we asked.
pub const HEAD: u8 = 21;
/// Cosignatures collected for our own heads.
pub const COSIGNATURE: u8 = 22;
/// How the seat's own open epoch began.
pub const EPOCH: u8 = 23;
/// Receipts of answers to us, by whose ledger, epoch and leaf.
pub const RECEIPT: u8 = 24;
/// Heads of others that no quorum cosigned yet, by whose ledger, epoch and size.
pub const UNWITNESSED: u8 = 25;
/// The newest head of each member we asked that a quorum cosigned.
pub const COSIGNED_HEAD: u8 = 26;
/// Receipts of leaves our ledger lost, as askers submitted them again: evidence.
pub const RETURNED: u8 = 27;
/// Relationships, by organisation and person.
pub const RELATIONSHIP: u8 = 30;
/// Consent, protection and participation of a person, by label.
pub const PERSON: u8 = 31;
/// Versions of records, by label and kind.
pub const RECORD: u8 = 32;
/// Persons by the label of their medical-insurance handle.
pub const MEDICAL: u8 = 33;
/// Sealed entries of the directory, by tag and registrant.
pub const BINDING: u8 = 40;
/// Evaluations spent, by party and day.
pub const BUDGET: u8 = 41;
/// The newest checkpoint a witness has cosigned, by party.
pub const WITNESSED: u8 = 42;
/// Signed heads that contradict one cosigned before: evidence.
pub const CONTRADICTION: u8 = 43;
