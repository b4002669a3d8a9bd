//! The nation (全国): its insurers by their real numbers, how large each is, and where its offices and hospitals lie in
//! the long lists of all. The unions (広域連合) are invented, for no table of theirs is at hand; that there are forty, and
//! that they stand for 210 municipalities, is not.

use core::ops::Range;

use protocol::id::insurer::InsurerNumber;
use protocol::id::local_government::{Municipality, municipalities};
use rand_core::Rng;

use crate::seed::below;

/// How many insurers there are: 1,741 municipalities, of which 210 insure through 40 unions.
pub const INSURERS: u64 = 1_571;

/// An insurer's part of the lists of everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Whose.
    pub insurer: InsurerNumber,
    /// Its persons.
    pub persons: Range<usize>,
    /// Its offices.
    pub offices: Range<usize>,
    /// Its hospitals.
    pub hospitals: Range<usize>,
}

/// How many of each there are to be spread over the insurers.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Persons in all.
    pub persons: usize,
    /// Offices in all.
    pub offices: usize,
    /// Hospitals in all.
    pub hospitals: usize,
}

/// How many prefectures have one union, each for some municipalities at the end of their order.
const UNIONS: u8 = 40;
/// In the first so many of them it is for six municipalities, in the others for five.
const LARGER_UNIONS: u8 = 10;

/// Insured persons of an insurer at each tenth of all insurers, the smallest first (DOMAIN §6.1: median 8,000, a
/// logarithm's deviation of 1.4, from 30 to 930,000), and the last tenth by halves.
const SIZES: [(u64, u64); 15] = [
    (0, 30),
    (100, 1_330),
    (200, 2_460),
    (300, 3_840),
    (400, 5_610),
    (500, 8_000),
    (600, 11_400),
    (700, 16_700),
    (800, 26_000),
    (900, 48_100),
    (950, 80_000),
    (975, 124_000),
    (988, 189_000),
    (995, 294_000),
    (1_000, 930_000),
];

/// Every insurer, in the order of the municipalities; a union follows those that are left of its prefecture.
pub fn insurers() -> Vec<InsurerNumber> {
    let all: Vec<Municipality> = municipalities().collect();
    let of = |prefecture: u8| all.iter().filter(move |place| place.code.prefecture() == prefecture);
    let mut insurers = Vec::new();
    for prefecture in 1..=47 {
        let united = match prefecture {
            1..=LARGER_UNIONS => 6,
            _ if prefecture <= UNIONS => 5,
            _ => 0,
        };
        let alone = of(prefecture).count().saturating_sub(united);
        insurers.extend(of(prefecture).take(alone).map(|place| place.code.insurer_number()));
        let number = |rest: u32| {
            InsurerNumber::parse(&format!("{:06}", u32::from(prefecture).saturating_mul(10_000).saturating_add(rest)))
        };
        insurers.extend((9_900..10_000).find_map(number).filter(|_number| united > 0));
    }
    insurers
}

/// What each insurer has of everything: its share, by a size that the dice say.
pub fn areas(insurers: &[InsurerNumber], shares: Shares, dice: &mut dyn Rng) -> Vec<Area> {
    let sizes: Vec<u64> = insurers.iter().map(|_insurer| size(below(dice, 1_001))).collect();
    let persons = spread(&sizes, shares.persons);
    let offices = spread(&sizes, shares.offices);
    let hospitals = spread(&sizes, shares.hospitals);
    let parts = persons.into_iter().zip(offices).zip(hospitals);
    let area = |(insurer, ((persons, offices), hospitals)): (&InsurerNumber, _)| Area {
        insurer: *insurer,
        persons,
        offices,
        hospitals,
    };
    insurers.iter().zip(parts).map(area).collect()
}

/// How many insured persons an insurer has that stands at so many thousandths of all.
fn size(thousandth: u64) -> u64 {
    let steps = SIZES.windows(2).filter_map(|step| match step {
        [from, to] if (from.0..=to.0).contains(&thousandth) => Some((from, to)),
        _ => None,
    });
    steps.take(1).fold(0, |_none, (from, to)| {
        let (way, gone) = (to.0.saturating_sub(from.0).max(1), thousandth.saturating_sub(from.0));
        from.1.saturating_add(to.1.saturating_sub(from.1).saturating_mul(gone) / way)
    })
}

/// Ranges of a list of `count`, in proportion to the sizes.
fn spread(sizes: &[u64], count: usize) -> Vec<Range<usize>> {
    let all: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
    let place = |before: u128| {
        let at = before.saturating_mul(u128::try_from(count).unwrap_or(u128::MAX)).checked_div(all).unwrap_or(0);
        usize::try_from(at).unwrap_or(count)
    };
    let mut before = 0_u128;
    let mut ranges = Vec::with_capacity(sizes.len());
    for size in sizes {
        let from = place(before);
        before = before.saturating_add(u128::from(*size));
        ranges.push(from..place(before));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seed::stream;

    #[test]
    fn the_nation_has_1571_insurers_of_which_40_are_unions() {
        let insurers = insurers();
        let own: BTreeSet<_> = municipalities().map(|place| place.code.insurer_number()).collect();
        assert_eq!(u64::try_from(insurers.len()), Ok(INSURERS));
        assert_eq!(insurers.iter().collect::<BTreeSet<_>>().len(), insurers.len());
        assert_eq!(insurers.iter().filter(|number| !own.contains(number)).count(), usize::from(UNIONS));
    }

    #[test]
    fn everything_is_spread_without_a_gap_and_by_size() {
        let shares = Shares { persons: 200_000, offices: 100_000, hospitals: 8_060 };
        let areas = areas(&insurers(), shares, &mut stream(1, "areas"));
        let ends = |of: fn(&Area) -> &Range<usize>| {
            assert!(areas.windows(2).all(|pair| of(&pair[0]).end == of(&pair[1]).start));
            (of(&areas[0]).start, of(&areas[areas.len() - 1]).end)
        };
        assert_eq!(ends(|area| &area.persons), (0, 200_000));
        assert_eq!(ends(|area| &area.offices), (0, 100_000));
        assert_eq!(ends(|area| &area.hospitals), (0, 8_060));
        assert_eq!([0, 50, 100, 500, 1_000].map(size), [30, 680, 1_330, 8_000, 930_000]);
        let largest = areas.iter().map(|area| area.persons.len()).max();
        assert!(largest.is_some_and(|largest| (2_000..20_000).contains(&largest)), "{largest:?}");
    }
}
