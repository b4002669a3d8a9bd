//! The names of the store's files, made and read in one place.

use crate::digest::Digest;
use crate::disk::FileName;

use super::{Roll, Seat};

/// What a file of the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A segment of the journal, by its number.
    Journal(u64),
    /// A roll of a seat.
    Roll(Seat, Roll),
    /// A book, by its digest (of which the name holds 24 bytes).
    Book(Digest),
    /// A book being written.
    BookDraft,
    /// The buckets of a directory, by their digest (of which the name holds 24 bytes).
    Buckets(Digest),
    /// Who registered what is in them, by its digest (likewise).
    Registrants(Digest),
    /// Buckets that a seat is writing.
    BucketsDraft(Seat),
    /// Registrants that a seat is writing.
    RegistrantsDraft(Seat),
    /// The key file.
    Vault,
    /// The key file being rewritten.
    VaultDraft,
}

/// The name of a file.
#[expect(clippy::expect_used, reason = "digits and fixed words are permitted letters")]
pub fn of(kind: Kind) -> FileName {
    let text = match kind {
        Kind::Journal(number) => format!("journal-{number:06}.log"),
        Kind::Roll(seat, roll) => format!("roll-{:03}-{}.log", seat.number(), roll.as_str()),
        Kind::Book(digest) => format!("book-{}", short(digest)),
        Kind::BookDraft => "draft-book".to_owned(),
        Kind::Buckets(digest) => format!("buckets-{}", short(digest)),
        Kind::Registrants(digest) => format!("registrants-{}", short(digest)),
        Kind::BucketsDraft(seat) => format!("draft-buckets-{:03}", seat.number()),
        Kind::RegistrantsDraft(seat) => format!("draft-registrants-{:03}", seat.number()),
        Kind::Vault => "vault.keys".to_owned(),
        Kind::VaultDraft => "draft-vault".to_owned(),
    };
    FileName::parse(&text).expect("a permitted name")
}

/// The number of a journal segment, from its name.
pub fn journal_number(file: &FileName) -> Option<u64> {
    file.as_str().strip_prefix("journal-")?.strip_suffix(".log")?.parse().ok()
}

/// Whose roll it is and which, from its name.
pub fn roll(file: &FileName) -> Option<(Seat, Roll)> {
    let (seat, roll) = file.as_str().strip_prefix("roll-")?.strip_suffix(".log")?.split_once('-')?;
    let roll = Roll::ALL.into_iter().find(|of| of.as_str() == roll)?;
    Some((Seat::new(seat.parse().ok()?), roll))
}

/// Whether the file is a book.
pub fn is_book(file: &FileName) -> bool {
    file.as_str().starts_with("book-")
}

/// Whether the file is of a directory's books: buckets, who registered them, or a draft of either.
pub fn is_of_buckets(file: &FileName) -> bool {
    let name = file.as_str().strip_prefix("draft-").unwrap_or(file.as_str());
    ["buckets-", "registrants-"].iter().any(|word| name.starts_with(word))
}

/// Whether the file is a draft. Whatever one was for is begun anew.
pub fn is_draft(file: &FileName) -> bool {
    file.as_str().starts_with("draft-")
}

fn short(digest: Digest) -> String {
    digest.to_string().get(..48).unwrap_or_default().to_owned()
}
