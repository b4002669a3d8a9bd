//! What a member's machine does to the outside world: every effect, no decisions.
//!
//! `protocol` decides; the rooms below carry it out. Each foreign library has its home in one of them.

pub mod clock;
pub mod config;
pub mod dice;
pub mod disk;
pub mod index;
pub mod keys;
pub mod network;
pub mod telemetry;
