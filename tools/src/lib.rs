//! What operators and auditors do with the network, as functions: `main.rs` only reads the command line.
//!
//! Data goes out as a [`message::Report`], talk as its lines, failure as a [`message::Trouble`] with a
//! stable code. Makes no decision of the protocol; it calls those of the crate `protocol`.

pub mod message;
pub mod files;
pub mod rotation;
pub mod seat;
pub mod application;
pub mod plan;
pub mod chain;
pub mod config;
pub mod authority;
pub mod credential;
pub mod network;
pub mod member;
pub mod line;
pub mod ledger;
pub mod telling;
pub mod ask;
pub mod record;
pub mod population;
pub mod doctor;
pub mod demo;
pub mod bench;
pub mod simulate;
pub mod sweep;
pub mod dossier;
