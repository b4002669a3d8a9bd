//! The program a member runs: every effect, no decisions.

pub mod network;
