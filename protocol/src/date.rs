//! Days and months of the civil calendar, Gregorian inside and 和暦 where people read them.
//!
//! A [`Date`] is a day that exists, from the first day of 明治 to the end of 9999. Whose day it is when
//! an instant falls is Japan's (UTC+9, no summer time). Never a clock: instants are arguments.

use crate::time::{Span, Timestamp};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Days from 1970-01-01 to the first day there is, 1868-01-25.
const FIRST_DAY: i64 = -37_231;
/// Days from 1970-01-01 to the last day there is, 9999-12-31.
const LAST_DAY: i64 = 2_932_896;
/// How far Japan's clocks are ahead of UTC, in milliseconds.
const JAPAN_AHEAD_MS: u64 = 9 * 3_600_000;
/// The length of a day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// The eras (元号): name, first day, and the Gregorian year before their first year. Latest first.
const ERAS: [(&str, Date, u16); 5] = [
    ("令和", Date(20190501), 2018),
    ("平成", Date(19890108), 1988),
    ("昭和", Date(19261225), 1925),
    ("大正", Date(19120730), 1911),
    ("明治", Date(18680125), 1867),
];

/// A day of the Gregorian calendar, 1868-01-25 to 9999-12-31. In CBOR the unsigned integer YYYYMMDD.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(u32);

/// A calendar month, 1868-01 to 9999-12. In CBOR the unsigned integer YYYYMM.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(u32);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weekday {
    /// 月曜日
    Monday,
    /// 火曜日
    Tuesday,
    /// 水曜日
    Wednesday,
    /// 木曜日
    Thursday,
    /// 金曜日
    Friday,
    /// 土曜日
    Saturday,
    /// 日曜日
    Sunday,
}

impl Date {
    /// The first day there is: the first of 明治.
    pub const MIN: Self = Self(18680125);
    /// The last day there is; records without an end use it as theirs.
    pub const MAX: Self = Self(99991231);

    /// The day `year`-`month`-`day`, if the calendar has it.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(i64::from(year), i64::from(month))).contains(&i64::from(day));
        let date = Self(u32::from(year) * 10_000 + u32::from(month) * 100 + u32::from(day));
        (exists && date >= Self::MIN).then_some(date)
    }

    /// Reads `2026-11-22` (ISO 8601, extended form).
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
        let [a, b, c, d, b'-', e, f, b'-', g, h] = bytes else { return None };
        Self::from_digits(&[*a, *b, *c, *d, *e, *f, *g, *h])
    }

    /// Reads `20261122` (ISO 8601, basic form).
    pub fn parse_compact(text: &str) -> Option<Self> {
        Self::from_digits(text.as_bytes().try_into().ok()?)
    }

    /// Reads a day written by era (和暦), for example `令和8年11月22日` or `平成元年1月8日`, in ASCII digits.
    ///
    /// A day outside the era it is written in (平成31年5月1日) is refused.
    pub fn parse_japanese(text: &str) -> Option<Self> {
        let (name, first, base) = ERAS.into_iter().find(|(name, _, _)| text.starts_with(name))?;
        let (year, rest) = text.strip_prefix(name)?.split_once('年')?;
        let (month, rest) = rest.split_once('月')?;
        let day = rest.strip_suffix('日')?;
        let year = if year == "元" { 1 } else { one_or_two_digits(year)? };
        let date = Self::new(base.checked_add(u16::from(year))?, one_or_two_digits(month)?, one_or_two_digits(day)?)?;
        (year > 0 && date.era() == (name, first, base)).then_some(date)
    }

    /// The day it is in Japan at an instant; the last day there is if the instant is later than that.
    pub fn from_timestamp_japan(instant: Timestamp) -> Self {
        let days = instant.unix_ms().saturating_add(JAPAN_AHEAD_MS) / DAY_MS;
        i64::try_from(days).ok().and_then(Self::from_days).unwrap_or(Self::MAX)
    }

    /// The last millisecond of the day in Japan; none before 1970-01-02.
    pub fn last_instant_japan(self) -> Option<Timestamp> {
        let days = u64::try_from(self.days_since(Self::new(1970, 1, 1)?)).ok()?;
        let end = days.checked_add(1)?.checked_mul(DAY_MS)?.checked_sub(JAPAN_AHEAD_MS)?.checked_sub(1)?;
        (days > 0).then(|| Timestamp::from_unix_ms(end))
    }

    /// How long it is from an instant to the next midnight in Japan.
    pub const fn until_midnight_japan(instant: Timestamp) -> Span {
        Span::from_ms(DAY_MS - instant.unix_ms().saturating_add(JAPAN_AHEAD_MS) % DAY_MS)
    }

    /// The Gregorian year, 1868–9999.
    pub fn year(self) -> u16 {
        u16::try_from(self.0 / 10_000).unwrap_or_default()
    }

    /// The month, 1–12.
    pub fn month(self) -> u8 {
        u8::try_from(self.0 / 100 % 100).unwrap_or_default()
    }

    /// The day of the month, 1–31.
    pub fn day(self) -> u8 {
        u8::try_from(self.0 % 100).unwrap_or_default()
    }

    /// The calendar month the day lies in.
    pub const fn calendar_month(self) -> Month {
        Month(self.0 / 100)
    }

    /// The day `days` later, or earlier if negative.
    pub fn plus_days(self, days: i64) -> Option<Self> {
        Self::from_days(self.days().checked_add(days)?)
    }

    /// The same day of the month `months` later; the last of that month if it is shorter.
    pub fn plus_months(self, months: u32) -> Option<Self> {
        let month = self.calendar_month().plus(months)?;
        Some(Self(month.last_day().0.min(month.0 * 100 + self.0 % 100)))
    }

    /// The last day of the month.
    pub fn month_end(self) -> Self {
        self.calendar_month().last_day()
    }

    /// The day after. The last day there is stands for *open* and is its own next.
    pub fn next_day(self) -> Self {
        self.plus_days(1).unwrap_or(Self::MAX)
    }

    /// The day before; none before the first there is.
    pub fn previous_day(self) -> Option<Self> {
        self.plus_days(-1)
    }

    /// Days from `earlier` to this day; negative if `earlier` is later.
    pub fn days_since(self, earlier: Self) -> i64 {
        self.days() - earlier.days()
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match (self.days() + 3).rem_euclid(7) {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }

    /// The age in years on `day` of a person born on this day; none before birth.
    ///
    /// By the law on reckoning age (年齢計算ニ関スル法律) the day of birth counts, so a year is complete
    /// with the end of the day before the birthday, and the person is taken as a year older on that day.
    pub fn age_on(self, day: Self) -> Option<u16> {
        if day < self {
            return None;
        }
        let (year, month, date) = civil_from_days(day.days() + 1);
        let years = year - i64::from(self.year());
        let before_birthday = (month, date) < (i64::from(self.month()), i64::from(self.day()));
        u16::try_from(years - i64::from(before_birthday)).ok()
    }

    /// The day written by era (和暦), the first year of an era as 元年: `令和8年11月22日`.
    pub fn to_japanese(self) -> String {
        let (name, _, base) = self.era();
        let (month, day) = (self.month(), self.day());
        match self.year().saturating_sub(base) {
            1 => format!("{name}元年{month}月{day}日"),
            year => format!("{name}{year}年{month}月{day}日"),
        }
    }

    fn era(self) -> (&'static str, Self, u16) {
        ERAS.into_iter().find(|(_, first, _)| self >= *first).unwrap_or(("明治", Self::MIN, 1867))
    }

    fn from_digits(digits: &[u8; 8]) -> Option<Self> {
        let number = digits.iter().try_fold(0_u32, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')) // eight digits: fits
        })?;
        Self::from_number(number)
    }

    fn from_number(number: u32) -> Option<Self> {
        let year = u16::try_from(number / 10_000).ok()?;
        Self::new(year, u8::try_from(number / 100 % 100).ok()?, u8::try_from(number % 100).ok()?)
    }

    fn days(self) -> i64 {
        days_from_civil(i64::from(self.year()), i64::from(self.month()), i64::from(self.day()))
    }

    fn from_days(days: i64) -> Option<Self> {
        if !(FIRST_DAY..=LAST_DAY).contains(&days) {
            return None;
        }
        let (year, month, day) = civil_from_days(days);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }
}

impl Month {
    /// The month `year`-`month`.
    pub fn new(year: u16, month: u8) -> Option<Self> {
        ((1868..=9999).contains(&year) && (1..=12).contains(&month))
            .then(|| Self(u32::from(year) * 100 + u32::from(month)))
    }

    /// Reads `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 7] = text.as_bytes().try_into().ok()?;
        let [a, b, c, d, b'-', e, f] = bytes else { return None };
        Self::from_digits(&[*a, *b, *c, *d, *e, *f])
    }

    /// Reads `202611`.
    pub fn parse_compact(text: &str) -> Option<Self> {
        Self::from_digits(text.as_bytes().try_into().ok()?)
    }

    /// The Gregorian year, 1868–9999.
    pub fn year(self) -> u16 {
        u16::try_from(self.0 / 100).unwrap_or_default()
    }

    /// The month of the year, 1–12.
    pub fn month(self) -> u8 {
        u8::try_from(self.0 % 100).unwrap_or_default()
    }

    /// The first day; of 1868-01 the first there is, the 25th.
    pub fn first_day(self) -> Date {
        Date::new(self.year(), self.month(), 1).unwrap_or(Date::MIN)
    }

    /// The last day.
    pub fn last_day(self) -> Date {
        let days = days_in_month(i64::from(self.year()), i64::from(self.month()));
        u8::try_from(days).ok().and_then(|day| Date::new(self.year(), self.month(), day)).unwrap_or(Date::MAX)
    }

    /// The month `months` later.
    pub fn plus(self, months: u32) -> Option<Self> {
        let count = (self.0 / 100 * 12 + self.0 % 100 - 1).checked_add(months)?;
        Self::new(u16::try_from(count / 12).ok()?, u8::try_from(count % 12 + 1).ok()?)
    }

    /// The month before; none before 1868-01.
    pub fn previous(self) -> Option<Self> {
        if self.month() == 1 {
            Self::new(self.year().checked_sub(1)?, 12)
        } else {
            Self::new(self.year(), self.month().checked_sub(1)?)
        }
    }

    /// Whether `date` lies in this month.
    pub fn contains(self, date: Date) -> bool {
        date.calendar_month() == self
    }

    fn from_digits(digits: &[u8; 6]) -> Option<Self> {
        let number = digits
            .iter()
            .try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))?;
        Self::from_number(number)
    }

    fn from_number(number: u32) -> Option<Self> {
        Self::new(u16::try_from(number / 100).ok()?, u8::try_from(number % 100).ok()?)
    }
}

impl Weekday {
    /// Its number in care plans: 1 Monday to 7 Sunday (ISO 8601).
    pub const fn number(self) -> u8 {
        match self {
            Self::Monday => 1,
            Self::Tuesday => 2,
            Self::Wednesday => 3,
            Self::Thursday => 4,
            Self::Friday => 5,
            Self::Saturday => 6,
            Self::Sunday => 7,
        }
    }

    /// Its one-letter Japanese name.
    pub const fn japanese(self) -> &'static str {
        match self {
            Self::Monday => "月",
            Self::Tuesday => "火",
            Self::Wednesday => "水",
            Self::Thursday => "木",
            Self::Friday => "金",
            Self::Saturday => "土",
            Self::Sunday => "日",
        }
    }
}

impl core::fmt::Display for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

impl core::fmt::Debug for Date {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl core::fmt::Display for Month {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl core::fmt::Debug for Month {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for Date {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u32(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Date {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_number(d.u32()?).ok_or_else(|| minicbor::decode::Error::message("not a day of the calendar"))
    }
}

impl<C> Encode<C> for Month {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u32(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Month {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_number(d.u32()?).ok_or_else(|| minicbor::decode::Error::message("not a calendar month"))
    }
}

fn one_or_two_digits(text: &str) -> Option<u8> {
    ((1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01, after Howard Hinnant's `days_from_civil`: years begin in March, so that the
/// leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let century = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    century * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of the day `days` after 1970-01-01; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let century = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (century * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        Date::parse(text).expect("a date")
    }

    #[test]
    fn a_day_the_calendar_lacks_is_refused() {
        for bad in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-04-00", "1868-01-24"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        for bad in ["", "2026-1-1", "2026/11/22", "20261122", "+026-11-22", "2026-11-22 ", "２０２６-11-22"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        assert_eq!(Date::parse_compact("20240229"), Some(day("2024-02-29")));
        assert_eq!(Date::new(10_000, 1, 1), None);
    }

    #[test]
    fn the_first_and_last_day_are_where_the_count_says() {
        assert_eq!((Date::MIN.days(), Date::MAX.days()), (FIRST_DAY, LAST_DAY));
        assert_eq!(Date::MIN.previous_day(), None);
        assert_eq!((Date::MAX.plus_days(1), Date::MAX.next_day()), (None, Date::MAX));
        assert_eq!(Date::MAX.plus_days(i64::MAX), None);
        assert_eq!(Date::MAX.plus_months(u32::MAX), None);
    }

    #[test]
    fn months_are_clamped_to_their_end() {
        assert_eq!(day("2026-01-31").plus_months(1), Some(day("2026-02-28")));
        assert_eq!(day("2024-01-31").plus_months(1), Some(day("2024-02-29")));
        assert_eq!(day("2026-11-22").plus_months(14), Some(day("2028-01-22")));
        assert_eq!(day("2026-04-15").plus_months(6).map(Date::month_end), Some(day("2026-10-31")));
        assert_eq!(Month::parse("2026-12").and_then(|m| m.plus(1)), Month::parse("2027-01"));
        assert_eq!(Month::parse("2026-01").and_then(Month::previous), Month::parse("2025-12"));
        assert_eq!(Month::parse("1868-01").map(Month::first_day), Some(Date::MIN));
    }

    #[test]
    fn the_day_begins_in_japan_at_fifteen_hours_utc() {
        // 2026-11-22T15:00:00Z is midnight in Tokyo.
        let midnight = 1_795_359_600_000;
        assert_eq!(Date::from_timestamp_japan(Timestamp::from_unix_ms(midnight)), day("2026-11-23"));
        assert_eq!(Date::from_timestamp_japan(Timestamp::from_unix_ms(midnight - 1)), day("2026-11-22"));
        assert_eq!(Date::from_timestamp_japan(Timestamp::from_unix_ms(0)), day("1970-01-01"));
        assert_eq!(Date::from_timestamp_japan(Timestamp::from_unix_ms(u64::MAX)), Date::MAX);
        assert_eq!(day("2026-11-22").weekday(), Weekday::Sunday);
        assert_eq!(day("1868-01-25").weekday().japanese(), "土");
    }

    #[test]
    fn eras_change_on_their_days() {
        for (gregorian, japanese) in [
            ("1868-01-25", "明治元年1月25日"),
            ("1912-07-29", "明治45年7月29日"),
            ("1912-07-30", "大正元年7月30日"),
            ("1926-12-24", "大正15年12月24日"),
            ("1926-12-25", "昭和元年12月25日"),
            ("1989-01-07", "昭和64年1月7日"),
            ("1989-01-08", "平成元年1月8日"),
            ("2019-04-30", "平成31年4月30日"),
            ("2019-05-01", "令和元年5月1日"),
            ("2026-11-22", "令和8年11月22日"),
        ] {
            assert_eq!(day(gregorian).to_japanese(), japanese);
            assert_eq!(Date::parse_japanese(japanese), Some(day(gregorian)));
        }
        for bad in
            ["平成31年5月1日", "昭和元年12月24日", "令和0年5月1日", "令和8年11月22", "令和8年2月30日", "8年1月1日"]
        {
            assert_eq!(Date::parse_japanese(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_turns_a_year_older_the_day_before_the_birthday() {
        let birth = day("1961-11-22");
        assert_eq!(birth.age_on(day("2026-11-20")), Some(64));
        assert_eq!(birth.age_on(day("2026-11-21")), Some(65));
        assert_eq!(birth.age_on(birth), Some(0));
        assert_eq!(birth.age_on(day("1961-11-21")), None);
        assert_eq!(day("1961-01-01").age_on(day("2025-12-31")), Some(65));
        // Born on a leap day: older on 28 February of every year. Born on 1 March: on the 29th, if any.
        assert_eq!(day("1960-02-29").age_on(day("2025-02-27")), Some(64));
        assert_eq!(day("1960-02-29").age_on(day("2025-02-28")), Some(65));
        assert_eq!(day("1960-02-29").age_on(day("2024-02-28")), Some(64));
        assert_eq!(day("1959-03-01").age_on(day("2024-02-28")), Some(64));
        assert_eq!(day("1959-03-01").age_on(day("2024-02-29")), Some(65));
    }

    #[test]
    fn a_number_that_is_no_day_does_not_decode() {
        assert_eq!(cbor::encode(&day("2026-11-22")), cbor::encode(&20_261_122_u32));
        assert_eq!(cbor::decode::<Date>(&cbor::encode(&20_260_229_u32)), Err(cbor::Malformed));
        assert_eq!(cbor::decode::<Date>(&cbor::encode(&u32::MAX)), Err(cbor::Malformed));
        assert_eq!(cbor::decode::<Month>(&cbor::encode(&202_613_u32)), Err(cbor::Malformed));
    }

    proptest! {
        #[test]
        fn every_day_comes_back_from_all_its_spellings(days in FIRST_DAY..=LAST_DAY) {
            let date = Date::from_days(days).expect("inside the range");
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::parse(&date.to_string()), Some(date));
            prop_assert_eq!(Date::parse_compact(&date.to_string().replace('-', "")), Some(date));
            prop_assert_eq!(cbor::decode::<Date>(&cbor::encode(&date)), Ok(date));
            prop_assert_eq!(Month::parse(&date.calendar_month().to_string()), Some(date.calendar_month()));
            prop_assert_eq!(cbor::decode::<Month>(&cbor::encode(&date.calendar_month())), Ok(date.calendar_month()));
            if date.year() < 2019 + 98 {
                prop_assert_eq!(Date::parse_japanese(&date.to_japanese()), Some(date));
            }
        }

        #[test]
        fn days_are_counted_as_they_are_added(days in FIRST_DAY..=LAST_DAY, more in -100_000_i64..100_000) {
            let date = Date::from_days(days).expect("inside the range");
            if let Some(later) = date.plus_days(more) {
                prop_assert_eq!(later.days_since(date), more);
                prop_assert_eq!(later > date, more > 0);
            }
        }

        #[test]
        fn no_text_makes_a_date_panic(text in "\\PC{0,24}", era in "(明治|大正|昭和|平成|令和)[0-9元年月日]{0,12}") {
            for text in [&text, &era] {
                for date in [Date::parse(text), Date::parse_compact(text), Date::parse_japanese(text)] {
                    prop_assert!(date.is_none_or(|date| date >= Date::MIN));
                }
                prop_assert!(Month::parse(text).is_none_or(|m| m.to_string() == *text));
                prop_assert!(Month::parse_compact(text).is_none_or(|m| m.first_day() >= Date::MIN));
            }
        }
    }
}
