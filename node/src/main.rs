//! `tsunagi-node`: the daemon a member runs. Reads its command line and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// つなぎのノード / the node of a Tsunagi member
#[derive(Debug, Parser)]
#[command(name = "tsunagi-node", version)]
struct Arguments {
    /// 設定ファイル / the configuration file
    #[arg(long)]
    config: PathBuf,
    /// 設定と鍵を確かめるだけで起動しない / only look whether it could run
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    node::run(&arguments.config, arguments.check)
}
