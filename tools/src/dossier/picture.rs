//! The pictures of the report, as SVG that needs no script and no font of its own. Every figure in them stands in a
//! table beside them, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use simulations::played::{Band, End, Played};

use super::count;
use super::page::escaped;
use super::words::{self, PREFECTURES};

/// A tile's side, in the picture's own units.
const TILE: u32 = 46;
/// The width and height of a timeline.
const WIDTH: u64 = 960;
const HEIGHT: u64 = 120;
/// Into how many columns a timeline is divided.
pub(super) const COLUMNS: u64 = 60;

/// The tile map of the prefectures: how many questions were about persons of each.
pub(super) fn map(questions: &BTreeMap<u64, u64>) -> String {
    let mut svg = format!(
        "<svg role=\"img\" viewBox=\"0 0 {} {}\" class=\"map\"><title>都道府県ごとの照会数</title>\
         <desc lang=\"en\">Questions by prefecture; the table below has the same figures.</desc>",
        13 * TILE,
        12 * TILE
    );
    let most = questions.values().copied().max().unwrap_or(1).max(1);
    for (number, name, column, row) in PREFECTURES {
        let count = questions.get(&number).copied().unwrap_or_default();
        let class = match count.saturating_mul(3).checked_div(most).unwrap_or_default() {
            _ if count == 0 => "none",
            0 => "few",
            1 => "some",
            _ => "many",
        };
        let (x, y) = (column * TILE, row * TILE);
        let _written = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{0}\" height=\"{0}\" rx=\"4\"/>\
             <text class=\"{class}\" x=\"{1}\" y=\"{2}\">{name}</text>",
            TILE - 3,
            x + (TILE - 3) / 2,
            y + 19
        );
        if count > 0 {
            let (x, y) = (x + (TILE - 3) / 2, y + 35);
            let _written = write!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{count}</text>");
        }
    }
    svg.push_str("</svg>");
    svg
}

/// How many questions of a column of time ended how.
pub(super) type Column = BTreeMap<End, u64>;

/// The ends of all questions, column by column of the time from the first question to the last end; and the width of a
/// column in simulated milliseconds.
pub(super) fn columns(played: &Played) -> (Vec<Column>, u64) {
    let (from, width) = frame(played);
    let count = usize::try_from(COLUMNS).unwrap_or_default();
    let mut columns = vec![Column::new(); count];
    for course in &played.courses {
        let at = course.ended_at.unwrap_or(course.asked_at).ms().saturating_sub(from) / width;
        let at = usize::try_from(at.min(COLUMNS - 1)).unwrap_or_default();
        if let Some(column) = columns.get_mut(at) {
            *column.entry(course.end).or_default() += 1;
        }
    }
    (columns, width)
}

/// When the picture begins, and how much time a column is.
fn frame(played: &Played) -> (u64, u64) {
    let from = played.courses.iter().map(|course| course.asked_at.ms()).min().unwrap_or_default();
    let ends = played.courses.iter().map(|course| course.ended_at.unwrap_or(course.asked_at).ms());
    let until = ends.max().unwrap_or_default().max(from);
    (from, (until - from) / COLUMNS + 1)
}

/// A play from left to right: bars for ended questions, bands behind them for what lasted.
pub(super) fn timeline(played: &Played, name: &str) -> String {
    let (columns, width) = columns(played);
    let (from, _width) = frame(played);
    let mut svg = format!(
        "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {}\" class=\"timeline\"><title>{} の経過</title>\
         <desc lang=\"en\">Ended questions over simulated time, with bands for lasting faults; the table below has the \
         same figures.</desc>",
        HEIGHT + 18 * count(bands(played).len()) + 24,
        escaped(name)
    );
    let place = |ms: u64| ms.saturating_sub(from).min(width * COLUMNS) * WIDTH / (width * COLUMNS);
    for (line, (label, begins, until)) in (0_u64..).zip(bands(played)) {
        let (x, end) = (place(begins), place(until.unwrap_or(u64::MAX)));
        let y = HEIGHT + 18 * line + 4;
        let _written = write!(
            svg,
            "<rect class=\"shade\" x=\"{x}\" y=\"0\" width=\"{0}\" height=\"{HEIGHT}\"/>\
             <rect class=\"band\" x=\"{x}\" y=\"{y}\" width=\"{0}\" height=\"14\"/>\
             <text class=\"band\" x=\"{1}\" y=\"{2}\">{label}</text>",
            end.saturating_sub(x).max(2),
            (x + 4).min(WIDTH - 160),
            y + 11
        );
    }
    let most = columns.iter().map(|column| column.values().sum::<u64>()).max().unwrap_or(1).max(1);
    for (at, column) in (0_u64..).zip(&columns) {
        let mut y = HEIGHT;
        for (end, count) in column {
            let height = count * (HEIGHT - 8) / most;
            y = y.saturating_sub(height);
            let x = at * WIDTH / COLUMNS + 1;
            let class = class(*end);
            let _written = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{height}\"/>",
                WIDTH / COLUMNS - 2
            );
        }
    }
    let _written = write!(
        svg,
        "<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/><text class=\"axis\" x=\"0\" y=\"{0}\">0 秒</text>\
         <text class=\"axis end\" x=\"{WIDTH}\" y=\"{0}\">{1} 秒</text></svg>",
        HEIGHT + 18 * count(bands(played).len()) + 20,
        width * COLUMNS / 1000
    );
    svg
}

/// What lasted: what and whom, from when, until when; the same of several hosts once.
pub(super) fn bands(played: &Played) -> Vec<(String, u64, Option<u64>)> {
    let label = |band: &Band| {
        let word = |value: serde_json::Value| words::spell(value.as_str().unwrap_or_default()).to_owned();
        format!("{}の{}", word(json!(band.whom)), word(json!(band.what)))
    };
    played.bands.iter().map(|band| (label(band), band.from.ms(), band.until.map(protocol::time::Span::ms))).collect()
}

/// The name of an end in style sheet and data.
pub(super) const fn class(end: End) -> &'static str {
    match end {
        End::Shown => "shown",
        End::Refused => "refused",
        End::PutOff => "put-off",
        End::Failed => "failed",
        End::Orphaned => "orphaned",
    }
}
