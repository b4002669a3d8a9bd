//! What Tsunagi's nodes agree on: every decision, no effects.
//!
//! Bytes and events go in, actions come out. There is no clock, no dice, no socket, no file, no
//! thread and no log line in this crate: time and randomness are arguments, disk and index are
//! traits. The order of the `mod` lines below is the order of the layers: a file imports only
//! from files that stand above it (`tests/layers.rs` holds it).

// ── words ── what things are called
pub mod time;
pub mod digest;
pub mod cbor;
pub mod date;
pub mod limits;
pub mod id;
pub mod code;
pub mod refusal;
pub mod message;

// ── trust ── who says so
pub mod primitives;
pub mod key;
pub mod sign1;
pub mod envelope;
pub mod ledger;
pub mod roster;
pub mod statement;
pub mod status;
pub mod credential;
pub mod succession;
pub mod keyring;
pub mod gate;
pub mod verify;
pub mod wall;

// ── memory ── what is kept
pub mod disk;
pub mod index;
pub mod vault;
pub mod journal;
pub mod book;
pub mod store;
pub mod batch;
pub mod table;
pub mod exchange;
pub mod open_ask;
pub mod receipts;

// ── knowledge ── what is known of a person, and who may see it
pub mod record;
pub mod fact;
pub mod policy;
pub mod feed;
pub mod access_log;
pub mod pseudonym;
pub mod binding;
pub mod bucket;

// ── machines ── who does what, in which order
pub mod frame;
pub mod news;
pub mod machine;
pub mod duty;
pub mod requester;
pub mod municipality;
pub mod directory;
pub mod pseudonymiser;
pub mod witness;
pub mod cosigning;
pub mod noting;
pub mod host;
