//! A door: an ordered map of bytes that may be lost at any moment and is then rebuilt from the
//! journal and the newest book. The node has sled behind it.

use crate::limits::KEY_BYTES_MAX;

/// One key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What one commit changes: each key with its new value, `None` erasing it.
pub type Changes = std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The index failed; it must be rebuilt. The text is the library's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index failed: {0}")]
pub struct IndexError(pub String);

/// Behind every key a store may put.
pub const KEYS_END: [u8; KEY_BYTES_MAX + 1] = [0xff; KEY_BYTES_MAX + 1];

/// An ordered map of bytes. Calls are made by one thread, in order.
pub trait Index: Send {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;

    /// The first `rows_max` rows with `from <= key < to`, in order.
    fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError>;

    /// Hands every row to `see` once, in portions of at most `rows_max` and in any order, until it wants no more. An
    /// index may read ahead while a portion is looked at.
    fn each(&self, rows_max: usize, see: &mut dyn FnMut(Vec<Row>) -> bool) -> Result<(), IndexError> {
        let mut from = Vec::new();
        loop {
            let rows = self.range(&from, &KEYS_END, rows_max)?;
            let is_last = rows.len() < rows_max;
            if let Some((key, _value)) = rows.last() {
                from.clone_from(key);
                // The least key behind this one.
                from.push(0);
            }
            if !see(rows) || is_last {
                return Ok(());
            }
        }
    }

    /// Applies all of `changes` or none, and remembers `position`. Need not be durable.
    fn apply(&mut self, changes: &Changes, position: u64) -> Result<(), IndexError>;

    /// The position of the last change applied; 0 for an empty index.
    fn position(&self) -> Result<u64, IndexError>;

    /// Empties the index, its position included.
    fn clear(&mut self) -> Result<(), IndexError>;
}
