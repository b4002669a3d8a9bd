//! What a member's machine does to the outside world: every effect, no decisions.
//!
//! `protocol` decides; the rooms below carry it out. Each foreign library has its home in one of them.

pub mod api;
pub mod assemble;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod dice;
pub mod disk;
pub mod heart;
pub mod index;
pub mod keys;
mod memory;
pub mod network;
pub mod telemetry;
pub mod workers;

use std::path::Path;
use std::process::ExitCode;

/// Runs a node as `tsunagi-node --config` does, until SIGTERM or a fault; with `check`, only looks whether
/// it could run. Ends with 0, 70 (own fault), 74 (store) or 78 (configuration).
pub fn run(config_path: &Path, check: bool) -> ExitCode {
    daemon::run(config_path, check)
}
