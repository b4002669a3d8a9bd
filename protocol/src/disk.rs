//! A door: named files that grow. The node has `std::fs` behind it, the simulator a disk that tears,
//! loses, flips and fills. Knows nothing of what is in the files.

/// The name of a file: lower-case letters, digits, `-` and `.`, 1–64 of them, not beginning with `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(String);

/// Why the disk did not do what it was asked. Every variant is a fault of this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// There is no room left; nothing (or a torn part) was written.
    #[error("the disk is full")]
    Full,
    /// No file of that name, or it ends before the range asked for.
    #[error("the file {0} has no such range")]
    Missing(String),
    /// The operating system reported a fault; the text is its own.
    #[error("the disk failed: {0}")]
    Failed(String),
}

/// Named files that grow. Calls are made by one thread, in order.
pub trait Disk: Send {
    /// Adds `bytes` behind the end of `file`, creating it if need be, and returns the offset of the
    /// first of them. Not durable until [`Disk::sync`].
    fn append(&mut self, file: &FileName, bytes: &[u8]) -> Result<u64, DiskError>;

    /// Makes everything appended to `file` durable (its length and its name too). An error is fatal:
    /// the caller stops and never tries again.
    fn sync(&mut self, file: &FileName) -> Result<(), DiskError>;

    /// Exactly `len` bytes from offset `at`.
    fn read(&self, file: &FileName, at: u64, len: usize) -> Result<Vec<u8>, DiskError>;

    /// Cuts `file` to `len` bytes, durably. Only recovery uses it, on a torn end.
    fn truncate(&mut self, file: &FileName, len: u64) -> Result<(), DiskError>;

    /// Syncs `draft`, gives it the name `name` in place of any file of that name, and makes the
    /// change of names durable. Afterwards there is no `draft`.
    fn publish(&mut self, draft: &FileName, name: &FileName) -> Result<(), DiskError>;

    /// Every file with its length in bytes, sorted by name.
    fn list(&self) -> Result<Vec<(FileName, u64)>, DiskError>;

    /// Removes `file`, durably. Removing what is not there is no error.
    fn remove(&mut self, file: &FileName) -> Result<(), DiskError>;

    /// Bytes that can still be written.
    fn room(&self) -> Result<u64, DiskError>;
}

impl FileName {
    /// Takes a name of the permitted letters.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
        (letters && (1..=64).contains(&text.len()) && !text.starts_with('.')).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for FileName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in ["", "..", ".hidden", "a/b", "A", "a b", &"a".repeat(65)] {
            assert_eq!(FileName::parse(bad), None, "{bad}");
        }
        assert!(FileName::parse("journal-000001.log").is_some());
    }
}
