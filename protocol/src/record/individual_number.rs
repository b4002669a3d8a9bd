//! Finds the twelve-digit number that the state gives each person. This network never carries it,
//! so a record that holds one in any text is refused as a whole.

/// Whether `text` holds twelve digits, together or as three groups of four, with the check digit of
/// an individual number. Full-width digits count.
pub fn appears_in(text: &str) -> bool {
    let groups = digit_groups(text);
    let alone = groups.iter().any(|group| passes(&group.digits));
    alone || groups.windows(3).any(|three| four_by_four(three).is_some_and(|digits| passes(&digits)))
}

/// Digits that follow one another.
struct Group {
    digits: Vec<u8>,
    /// Whether one separator and nothing else stands between it and the group before.
    joined: bool,
}

fn digit_groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // How many characters since the last digit, and whether all of them separate.
    let (mut gap, mut separates) = (usize::MAX, false);
    for letter in text.chars() {
        if let Some(digit) = digit(letter) {
            match groups.last_mut() {
                Some(group) if gap == 0 => group.digits.push(digit),
                _ => groups.push(Group { digits: vec![digit], joined: gap == 1 && separates }),
            }
            (gap, separates) = (0, true);
        } else {
            gap = gap.saturating_add(1);
            separates &= matches!(letter, ' ' | '\u{3000}' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}');
        }
    }
    groups
}

fn digit(letter: char) -> Option<u8> {
    let plain = match letter {
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(letter).checked_sub(0xfee0)?)?,
        other => other,
    };
    plain.to_digit(10).and_then(|digit| u8::try_from(digit).ok())
}

fn four_by_four(three: &[Group]) -> Option<Vec<u8>> {
    let [first, second, third] = three else { return None };
    let fours = three.iter().all(|group| group.digits.len() == 4);
    (fours && second.joined && third.joined).then(|| [&first.digits[..], &second.digits, &third.digits].concat())
}

/// The check digit: over the eleven others from the right, weights 2 to 7 and 2 to 6, modulus 11; 0
/// where the remainder is 0 or 1 (order of the Ministry of Internal Affairs 85 of 2014, article 5).
fn passes(digits: &[u8]) -> bool {
    let Some((check, others)) = digits.split_last() else { return false };
    if others.len() != 11 {
        return false;
    }
    let weights = (2..=7_u32).chain(2..=6);
    let sum: u32 = others.iter().rev().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let expected = match sum % 11 {
        0 | 1 => 0,
        remainder => 11 - remainder,
    };
    u32::from(*check) == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    // 123456789018 passes: the weighted sum of 12345678901 is 190, 190 mod 11 is 3, 11 - 3 is 8.
    #[test]
    fn it_is_found_however_it_is_written() {
        for text in
            ["123456789018", "番号は123456789018です", "1234 5678 9018", "1234-5678-9018", "１２３４５６７８９０１８"]
        {
            assert!(appears_in(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in
            ["", "123456789017", "1234567890189", "12345678901", "1234--5678-9018", "1370101238", "2025-04-01 1230"]
        {
            assert!(!appears_in(text), "{text}");
        }
    }

    #[test]
    fn one_check_digit_in_ten_passes() {
        let found = (0..11_000_u64).filter(|n| appears_in(&format!("{:012}", 400_000_000_000 + n))).count();
        assert_eq!(found, 1_100);
    }
}
