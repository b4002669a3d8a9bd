//! Who an invented person is: number, name, birth, home. Names are drawn from lists, the town of the
//! home does not exist, the postal code begins where none does, the telephone rings nowhere.

use super::dice::Dice;
use super::lot::Lot;
use super::setting::Setting;
use protocol::date::Date;
use protocol::id::insured::InsuredNumber;
use protocol::id::medical::MedicalInsuranceId;

/// Ages in years from the first to the second, and how often they occur.
type Ages = [((i64, i64), u64)];

/// Certified men by age (FY2022 end), in thousands.
const CERTIFIED_MEN: &Ages =
    &[((65, 69), 111), ((70, 74), 249), ((75, 79), 340), ((80, 84), 481), ((85, 89), 532), ((90, 101), 420)];
/// Certified women by age: older than the men; an estimate.
const CERTIFIED_WOMEN: &Ages =
    &[((65, 69), 30), ((70, 74), 70), ((75, 79), 130), ((80, 84), 220), ((85, 89), 280), ((90, 104), 270)];
/// All others from 65, so that with the certified 44 : 56 are under and over 75.
const OTHERS: &Ages = &[((65, 69), 25), ((70, 74), 27), ((75, 79), 23), ((80, 84), 15), ((85, 89), 7), ((90, 99), 3)];
/// The insured under 65 (第2号); an estimate. All were 40 when their oldest record was written.
const UNDER_65: &Ages = &[((46, 49), 15), ((50, 59), 50), ((60, 63), 35)];

/// Women insured under 65 who were of an age to have a child since 2000.
const MOTHERS: &Ages = &[((46, 54), 1)];

/// Who a person is.
pub(super) struct Identity {
    pub(super) insured: InsuredNumber,
    pub(super) medical: Option<MedicalInsuranceId>,
    pub(super) is_man: bool,
    pub(super) birth: Date,
    pub(super) name: String,
    pub(super) kana: String,
    pub(super) postal_code: String,
    pub(super) address: String,
    pub(super) phone: String,
    /// Certified as one who needs support or care.
    pub(super) certified: bool,
    /// On public assistance (生活保護), without medical insurance.
    pub(super) assisted: bool,
}

impl Identity {
    /// The person `index` of a setting, with a special lot or none.
    pub(super) fn draw(setting: &Setting, index: u64, lot: Option<Lot>) -> Self {
        let mut dice = setting.dice(index, "identity");
        // 19.4 % of those from 65 are certified, and 1.9 % of the certified are younger.
        let certified = dice.happens(197, 1_000) || lot.is_some();
        let forced_young = matches!(lot, Some(Lot::UnderSixtyFive | Lot::AssistanceOnly));
        let young = forced_young || (lot.is_none() && certified && dice.happens(19, 1_000));
        // Whoever is dealt to be insured under 65 is a woman who may have had a child since 2000.
        let mother = lot == Some(Lot::UnderSixtyFive);
        let is_man = dice.happens(
            if young {
                56
            } else if certified {
                31
            } else {
                47
            },
            100,
        ) && !mother;
        let birth = birth(&mut dice, setting.today, (certified, young, mother), is_man);
        let assistance_only = lot == Some(Lot::AssistanceOnly) || (young && lot.is_none() && dice.happens(5, 100));
        let assisted = assistance_only || dice.happens(3, 100);
        let (name, kana) = name(&mut dice, setting, is_man);
        Self {
            insured: insured_number(setting, index, assistance_only),
            medical: if assisted { None } else { medical_id(setting, index, birth) },
            is_man,
            birth,
            name,
            kana,
            postal_code: format!("000{:04}", dice.below(10_000)),
            address: address(&mut dice, setting),
            phone: format!("0{}-0000-{:04}", telephone_region(&setting.prefecture), dice.below(10_000)),
            certified,
            assisted,
        }
    }

    /// The code of the sex in records (1 男, 2 女).
    pub(super) const fn sex(&self) -> &'static str {
        if self.is_man { "1" } else { "2" }
    }
}

fn birth(dice: &mut Dice, today: Date, (certified, young, mother): (bool, bool, bool), is_man: bool) -> Date {
    let ages = match (young, certified, is_man) {
        _ if mother => MOTHERS,
        (true, ..) => UNDER_65,
        (_, true, true) => CERTIFIED_MEN,
        (_, true, false) => CERTIFIED_WOMEN,
        _ => OTHERS,
    };
    let (least, most) = dice.weighted(ages, (80, 84));
    // 1,461 days are four years; a day more, and the birthday has passed.
    let days = dice.between(least, most).saturating_mul(1_461) / 4 + dice.between(1, 364);
    today.plus_days(-days).unwrap_or(Date::MIN)
}

/// The same digits occur at other insurers: all begin to count near the same number.
fn insured_number(setting: &Setting, index: u64, assistance_only: bool) -> InsuredNumber {
    let number = setting.first_number.saturating_add(index);
    let text = if assistance_only {
        format!("H{:09}", number % 1_000_000_000)
    } else {
        format!("{:010}", number % 10_000_000_000)
    };
    // Ten digits, or H and nine, always are a number.
    InsuredNumber::parse(&text).unwrap_or_else(|| unreachable!("an insured number of ten characters"))
}

/// From 75 the insurance of the old (後期高齢者医療), before that the one of the municipality (国民健康保険).
fn medical_id(setting: &Setting, index: u64, birth: Date) -> Option<MedicalInsuranceId> {
    if birth.age_on(setting.today)? >= 75 {
        let (first, count) = setting.old_age_numbers;
        let number = format!("{:08}", first.saturating_add(index % count.max(1)));
        // 法別 39, the prefecture, 100 for its one association, and the check digit that fits.
        (0..10)
            .find_map(|check| MedicalInsuranceId::new(&format!("39{}100{check}", setting.prefecture), "", &number, ""))
    } else {
        MedicalInsuranceId::new(&setting.insurer.to_string(), "00", &format!("{:07}", index % 10_000_000), "01")
    }
}

fn name(dice: &mut Dice, setting: &Setting, is_man: bool) -> (String, String) {
    // The lesser of two draws: what stands first comes more often.
    let count = u64::try_from(setting.surnames.len()).unwrap_or_default();
    let place = dice.below(count).min(dice.below(count));
    let surname = usize::try_from(place).ok().and_then(|place| setting.surnames.get(place));
    let (surname, surname_kana) = surname.copied().unwrap_or(("架空", "カクウ"));
    let (given, given_kana) = dice.weighted(if is_man { &setting.men } else { &setting.women }, ("某", "ボウ"));
    (format!("{surname} {given}"), format!("{surname_kana} {given_kana}"))
}

fn address(dice: &mut Dice, setting: &Setting) -> String {
    let town = dice.word(&setting.towns);
    let (block, house, door) = (dice.between(1, 6), dice.between(1, 40), dice.between(1, 20));
    format!("{}{town}{block}丁目{house}番{door}号", setting.place)
}

/// The digit after the 0 that telephones of the region have.
fn telephone_region(prefecture: &str) -> u8 {
    match prefecture.parse().unwrap_or(13_u8) {
        1..=5 => 1,
        6 | 7 | 15..=20 => 2,
        8..=12 | 14 => 4,
        13 => 3,
        21..=24 => 5,
        27 => 6,
        25..=30 => 7,
        31..=39 => 8,
        _ => 9,
    }
}
