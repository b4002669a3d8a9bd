//! The ledger (記録台帳): an append-only list of leaves whose every state has one root, in the formats
//! of RFC 9162 and C2SP, so that auditors need none of our programs.
//!
//! Formats and arithmetic only: which leaf is appended when, and where its hashes lie, is the
//! store's business. Nothing in a leaf names a person; what a leaf commits to is kept elsewhere.

pub mod checkpoint;
pub mod cosignature;
pub mod day;
pub mod epoch;
pub mod leaf;
pub mod origin;
pub mod proof;
pub mod tree;
