//! Finds the twelve-digit number that the state gives each person. This network never carries it,
//! so a record that holds one in any text is refused as a whole.
//!
//! Twelve digits alone prove nothing: insured numbers have ten, instants thirteen, and one number of twelve
//! digits in ten passes the check digit by chance. So only these two writings count, each with a check digit
//! that holds: twelve digits together, and three groups of four. Never looks for other groupings (a telephone
//! number with its country has twelve digits too), nor for digits written out as words.

/// The most characters between two groups of four.
const GAP_CHARS_MAX: usize = 3;

/// Whether `text` holds twelve digits, together or as three groups of four, with the check digit of
/// an individual number. Full-width digits count; what separates the groups does not matter, as long as it is
/// short and neither a letter nor the end of a phrase.
pub fn appears_in(text: &str) -> bool {
    let groups = digit_groups(text);
    let alone = groups.iter().any(|group| passes(&group.digits));
    alone || groups.windows(3).any(|three| four_by_four(three).is_some_and(|digits| passes(&digits)))
}

/// Digits that follow one another.
struct Group {
    digits: Vec<u8>,
    /// Whether a short separator and nothing else stands between it and the group before.
    joined: bool,
}

fn digit_groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // How many characters since the last digit, and whether all of them separate.
    let (mut gap, mut separates) = (usize::MAX, false);
    for letter in text.chars().filter(|letter| !is_unseen(*letter)) {
        if let Some(digit) = digit(letter) {
            match groups.last_mut() {
                Some(group) if gap == 0 => group.digits.push(digit),
                _ => groups.push(Group { digits: vec![digit], joined: gap <= GAP_CHARS_MAX && separates }),
            }
            (gap, separates) = (0, true);
        } else {
            gap = gap.saturating_add(1);
            separates &= is_separator(letter);
        }
    }
    groups
}

/// Whether nobody sees the character, so that it may stand anywhere in a number: fillers of Hangul, soft hyphen, the
/// blank of braille, and what joins, steers, selects or tags.
pub(super) const fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Spaces, line ends, dashes, dots, strokes and whatever else is no letter. The mark of long vowels is a letter
/// that is often typed for a dash. Three numbers of a list or of three sentences are not one number.
fn is_separator(letter: char) -> bool {
    let is_long_vowel = matches!(letter, '\u{30fc}' | '\u{ff70}');
    let ends_phrase = matches!(letter, '\u{3001}' | '\u{3002}' | '\u{ff61}' | '\u{ff64}');
    is_long_vowel || !(letter.is_alphanumeric() || ends_phrase)
}

/// The noughts of the rows of ten digits that look like ours: ASCII, lowered, full-width, the five of mathematics, and those
/// of seven segments.
const NOUGHTS: [u32; 9] = [0x30, 0x2080, 0xff10, 0x1_d7ce, 0x1_d7d8, 0x1_d7e2, 0x1_d7ec, 0x1_d7f6, 0x1_fbf0];

fn digit(letter: char) -> Option<u8> {
    let raised_or_circled = match letter {
        '\u{2070}' | '\u{24ea}' => Some(0),
        '\u{b9}' => Some(1),
        '\u{b2}' => Some(2),
        '\u{b3}' => Some(3),
        '\u{2074}'..='\u{2079}' => u32::from(letter).checked_sub(0x2070),
        '\u{2460}'..='\u{2468}' => u32::from(letter).checked_sub(0x245f),
        _ => None,
    };
    let of = |nought: &u32| u32::from(letter).checked_sub(*nought).filter(|digit| *digit < 10);
    raised_or_circled.or_else(|| NOUGHTS.iter().find_map(of)).and_then(|digit| u8::try_from(digit).ok())
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
    fn whichever_digits_it_is_written_with_it_is_found() {
        for nought in NOUGHTS {
            let digits = "123456789018".chars().filter_map(|digit| char::from_u32(nought + digit.to_digit(10)?));
            let text: String = digits.collect();
            assert!(appears_in(&text), "{text}");
        }
        assert!(appears_in("¹²³⁴⁵⁶⁷⁸⁹⁰¹⁸") && appears_in("①②③④⑤⑥⑦⑧⑨⓪①⑧"));
    }

    #[test]
    fn whatever_stands_between_its_groups_it_is_found() {
        for between in [
            ".", "_", "\n", "\r\n", "\t", ",", "/", ":", "|", "~", "*", "·", "•", "–", "—", "―", "−", "─", "~",
            "\u{a0}", "\u{2003}", "\u{3000}", "．", "＿", "－", "／", "：", "，", "｜", "～", "〜", "・", "･", "ー",
            "ｰ", " - ", " / ", "--",
        ] {
            let text = format!("個人番号：1234{between}5678{between}9018 と記載");
            assert!(appears_in(&text), "{between:?}");
            let wide = format!("１２３４{between}５６７８{between}９０１８");
            assert!(appears_in(&wide), "{between:?}");
            let other = format!("1234{between}5678{between}9017");
            assert!(!appears_in(&other), "{between:?}: the check digit does not hold");
        }
        assert!(appears_in("1234.5678_9018"), "two separators of two kinds");
        for unseen in
            ["\u{34f}", "\u{61c}", "\u{180b}", "\u{202d}", "\u{2066}\u{2069}", "\u{fe0f}", "\u{e0101}", "\u{3164}"]
        {
            assert!(appears_in(&format!("12345{unseen}6789018")), "{unseen:?}");
        }
        assert!(appears_in("1234\u{200b}5678\u{200b}9018") && appears_in("12\u{ad}3456789018"), "unseen characters");
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in
            ["", "123456789017", "1234567890189", "12345678901", "1234----5678-9018", "1370101238", "2025-04-01 1230"]
        {
            assert!(!appears_in(text), "{text}");
        }
    }

    #[test]
    fn words_and_ends_of_phrases_part_numbers() {
        for text in ["1234円5678円9018円", "1234年5678年9018", "1234a5678a9018", "1234、5678、9018", "1234。5678。9018"]
        {
            assert!(!appears_in(text), "{text}");
        }
        for text in ["+81-90-1234-5678", "03-1234-5678", "〒123-4567 890-1890", "12 3456 7890 18", "123 456 789 018"] {
            assert!(!appears_in(text), "{text}");
        }
    }

    #[test]
    fn neither_cards_nor_instants_are_taken_for_one() {
        for number in 0..20_000_u64 {
            let card = format!("131235:{number:010} H{:09} 1370101238/{number:010}", number * 7);
            assert!(!appears_in(&card), "{card}");
            let ms = 1_700_000_000_000 + number * 86_399_983;
            assert!(!appears_in(&ms.to_string()), "{ms}");
            let (day, minute) = (1 + number % 28, number % 60);
            for text in [
                format!("2025-{:02}-{day:02}T{:02}:{minute:02}:00Z", 1 + number % 12, number % 24),
                format!("2025/{:02}/{day:02} {:02}:{minute:02}", 1 + number % 12, number % 24),
                format!("2025.{:02}.{day:02}_{:02}{minute:02}", 1 + number % 12, number % 24),
                format!("2025{:02}{day:02} {:02}{minute:02}", 1 + number % 12, number % 24),
                format!("令和7年{}月{day}日 {:02}{minute:02}", 1 + number % 12, number % 24),
            ] {
                assert!(!appears_in(&text), "{text}");
            }
        }
    }

    #[test]
    fn one_check_digit_in_ten_passes() {
        let found = (0..11_000_u64).filter(|n| appears_in(&format!("{:012}", 400_000_000_000 + n))).count();
        assert_eq!(found, 1_100);
    }
}
