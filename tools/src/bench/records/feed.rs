//! The feeding: invented persons written as lines on one thread and handed to the node's office API on two, as an
//! insurer's own systems would.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use simulations::population::{self, Plan};

use super::as_f64;
use crate::line::Line;

/// What was fed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fed {
    /// Versions of records.
    pub(super) records: u64,
    /// Bytes of the lines.
    pub(super) bytes: u64,
    /// From the first import to the end of the last.
    pub(super) took: Duration,
    /// Versions a second, from when two thirds were there to the end.
    pub(super) last_third_per_s: f64,
}

/// How many imports are on the way at once.
const SENDERS: usize = 2;
/// About how long an import is, in bytes.
const IMPORT_BYTES: usize = 1 << 20;
/// The most lines of an import.
const IMPORT_LINES_MAX: usize = 1000;

/// Feeds everybody of `plan`.
pub(super) fn feed(line: &Line, plan: &Plan) -> Result<Fed, String> {
    let (give, imports) = sync_channel::<String>(SENDERS);
    let imports = Mutex::new(imports);
    let began = Instant::now();
    let parts: Result<Vec<Vec<Import>>, String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(|| send(line, &imports, began))).collect();
        let mut import = Vec::new();
        let mut bytes = 0;
        for person in population::persons(plan) {
            let told = person.line();
            if bytes + told.len() > IMPORT_BYTES || import.len() >= IMPORT_LINES_MAX {
                // Whoever no longer takes any tells why when joined.
                if give.send(import.join("\n")).is_err() {
                    break;
                }
                import.clear();
                bytes = 0;
            }
            bytes += told.len();
            import.push(told);
        }
        drop(give.send(import.join("\n")));
        drop(give);
        senders.into_iter().map(|sender| sender.join().map_err(|_panicked| "a sender panicked".to_owned())?).collect()
    });
    let mut done: Vec<Import> = parts?.into_iter().flatten().collect();
    done.sort_by_key(|import| import.ended);
    let records: u64 = done.iter().map(|import| import.records).sum();
    let took = done.last().map_or(Duration::ZERO, |last| last.ended);
    let mut before = 0;
    let mut since = Duration::ZERO;
    for import in &done {
        if before >= records * 2 / 3 {
            break;
        }
        before += import.records;
        since = import.ended;
    }
    let last_third_per_s = as_f64(records - before) / (took.saturating_sub(since)).as_secs_f64().max(f64::EPSILON);
    Ok(Fed { records, bytes: done.iter().map(|import| import.bytes).sum(), took, last_third_per_s })
}

/// An import that was taken.
#[derive(Clone, Copy, Debug)]
struct Import {
    records: u64,
    bytes: u64,
    ended: Duration,
}

fn send(line: &Line, imports: &Mutex<Receiver<String>>, began: Instant) -> Result<Vec<Import>, String> {
    let mut done = Vec::new();
    loop {
        let next = imports.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(lines) = next else { return Ok(done) };
        let records = line.import(&lines)?;
        let bytes = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        done.push(Import { records, bytes, ended: began.elapsed() });
    }
}
