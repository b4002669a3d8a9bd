//! Absence is checked: the whole index is read again and again, a few rows at a time, and held against
//! the row count and digest of the last commit. So are the pages of the newest book, which nobody reads as long
//! as the index is sound, and from which alone a lost one is built anew.

use crate::digest::Digest;
use crate::index::{IndexError, KEYS_END, Row};

use super::tally::Tally;
use super::{Store, StoreError, checked_row};

/// How far a scrub came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrubbed {
    /// Rows are left; so many were read so far.
    Going {
        /// Rows read since the beginning of this round.
        rows: u64,
    },
    /// All rows were read and are those of the last commit; the next call begins again.
    Sound {
        /// Rows of the index.
        rows: u64,
    },
}

/// A way through the index.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    /// Rows below were read.
    cursor: Vec<u8>,
    tally: Tally,
}

impl Store {
    /// Reads up to `rows_max` further rows of the index. Commits may lie between two calls.
    ///
    /// # Errors
    /// [`StoreError::Index`] if a row is damaged or the rows are not those that were put: the process stops, and
    /// opening again rebuilds the index.
    pub fn scrub(&mut self, rows_max: usize) -> Result<Scrubbed, StoreError> {
        let mut scrub = self.scrub.take().unwrap_or_default();
        let index = &self.index;
        let done = scrub.go_on(|from, to, most| index.range(from, to, most), rows_max.max(1))?;
        let rows = scrub.tally.rows();
        if !done {
            self.scrub = Some(scrub);
            return Ok(Scrubbed::Going { rows });
        }
        if scrub.tally == self.state.index {
            Ok(Scrubbed::Sound { rows })
        } else {
            Err(StoreError::Index(IndexError("rows are missing or too many".to_owned())))
        }
    }

    /// Reads one page of the newest book as building the index anew would. The number of the page to read next;
    /// `None` behind the last, and if there is no book.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the page is, or that of the disk. What is served does not come from there: the
    /// process may go on, and an operator must hear of it.
    pub fn scrub_page(&self, number: usize) -> Result<Option<usize>, StoreError> {
        let Some(book) = self.book.as_ref().filter(|book| number < book.pages()) else { return Ok(None) };
        book.page(self.disk.as_ref(), number)?;
        let next = number.saturating_add(1);
        Ok(Some(next).filter(|next| *next < book.pages()))
    }
}

impl Scrub {
    /// Reads up to `rows_max` rows on, through `range`; true at the end.
    pub(super) fn go_on(
        &mut self,
        range: impl FnOnce(&[u8], &[u8], usize) -> Result<Vec<Row>, IndexError>,
        rows_max: usize,
    ) -> Result<bool, StoreError> {
        let rows = range(&self.cursor, &KEYS_END, rows_max).map_err(StoreError::Index)?;
        let done = rows.len() < rows_max;
        for (key, stored) in rows {
            let (_value, digest) = checked_row(&key, stored)?;
            self.tally.add(digest);
            self.cursor = key;
            // The least key behind this one.
            self.cursor.push(0);
        }
        Ok(done)
    }

    /// A commit changes a row; one that was read already counts with its new value.
    pub(super) fn follow(&mut self, key: &[u8], old: Option<Digest>, new: Option<Digest>) {
        if key >= self.cursor.as_slice() {
            return;
        }
        if let Some(old) = old {
            self.tally.remove(old);
        }
        if let Some(new) = new {
            self.tally.add(new);
        }
    }
}
