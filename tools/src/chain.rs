//! Rosters on disk: a folder with `roster-000001.cbor`, `roster-000002.cbor` and so on, walked from the first.

use std::path::Path;

use protocol::digest::Digest;
use protocol::primitives::Real;
use protocol::roster::{Chain, Link};

use crate::files;
use crate::message::{Code, Trouble};

/// The name of the file of a roster's version, as a link among the authority's and as a notice alike. The digits are
/// filled up, so that names stand in the order of versions.
pub fn file_name(version: u32) -> String {
    format!("roster-{version:06}.cbor")
}

/// Walks the rosters in `folder`, every signature checked. Without `network`, the first file names the
/// network: right only for a folder that is the caller's own.
///
/// # Errors
/// [`Code::File`] without a first roster; [`Code::Roster`] if a link does not hold.
pub fn read(folder: &Path, network: Option<Digest>) -> Result<Chain, Trouble> {
    let of_roster = |version: u32, error| Trouble::new(Code::Roster, format!("{}: {error}", file_name(version)));
    let first: Link = files::read_cbor(&folder.join(file_name(1)))?;
    let network = network.unwrap_or_else(|| first.digest());
    let mut chain = Chain::begin(network, &first, &Real).map_err(|error| of_roster(1, error))?;
    loop {
        let version = chain.newest().version.saturating_add(1);
        let file = folder.join(file_name(version));
        if !file.exists() {
            return Ok(chain);
        }
        chain = chain.extend(&files::read_cbor(&file)?, &Real).map_err(|error| of_roster(version, error))?;
    }
}
