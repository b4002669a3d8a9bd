//! What Tsunagi's nodes agree on: every decision, no effects.
//!
//! Bytes and events go in, actions come out. There is no clock, no dice, no socket, no file, no
//! thread and no log line in this crate: time and randomness are arguments, disk and index are
//! traits. The order of the `mod` lines below is the order of the layers: a file imports only
//! from files that stand above it (`tests/layers.rs` holds it).

// ── words ── what things are called
pub mod cbor;
pub mod code;
pub mod date;
pub mod digest;
pub mod id;
pub mod limits;
pub mod refusal;
pub mod message;
pub mod time;

// ── trust ── who says so
pub mod credential;
pub mod envelope;
pub mod gate;
pub mod key;
pub mod primitives;
pub mod roster;
pub mod sign1;
pub mod statement;
pub mod status;
pub mod verify;

// ── memory ── what is kept
pub mod batch;
pub mod book;
pub mod disk;
pub mod exchange;
pub mod index;
pub mod journal;
pub mod ledger;
pub mod store;
pub mod table;
pub mod vault;

// ── knowledge ── what is known of a person, and who may see it
pub mod access_log;
pub mod binding;
pub mod fact;
pub mod policy;
pub mod pseudonym;
pub mod record;

// ── machines ── who does what, in which order
pub mod admission;
pub mod directory;
pub mod frame;
pub mod machine;
pub mod municipality;
pub mod pseudonymiser;
pub mod requester;
pub mod witness;
pub mod host;
