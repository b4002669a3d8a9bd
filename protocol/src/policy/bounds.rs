//! How large a policy may be before anything parses it, so that neither parser nor evaluation runs
//! out of stack: their recursion is no deeper than a policy has tokens.

/// The most policy files.
pub const SOURCES_MAX: usize = 64;
/// The longest policy file or schema, in bytes.
pub const SOURCE_BYTES_MAX: usize = 64 << 10;
/// The most policies in all files together.
pub const POLICIES_MAX: usize = 512;
/// The most tokens between two semicolons.
pub const TOKENS_PER_POLICY_MAX: usize = 400;
/// How deep brackets may nest.
pub const NESTING_MAX: usize = 16;

/// Whether `text` keeps the bounds of length, tokens and nesting. It reads tokens only roughly: words
/// and every other sign count one; comments and what stands in quotes count at most one.
pub(super) fn keeps_bounds(text: &str) -> bool {
    text.len() <= SOURCE_BYTES_MAX && tokens_keep_bounds(text)
}

fn tokens_keep_bounds(text: &str) -> bool {
    let (mut tokens, mut depth) = (0_usize, 0_usize);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => continue,
            '/' if letters.peek() == Some(&'/') => {
                while letters.next_if(|it| !matches!(it, '\n' | '\r')).is_some() {}
                continue;
            }
            '"' => skip_quoted(&mut letters),
            '(' | '[' | '{' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' => tokens = 0,
            word if is_word(word) => while letters.next_if(|it| is_word(*it)).is_some() {},
            _ => {}
        }
        tokens = tokens.saturating_add(1);
        if tokens > TOKENS_PER_POLICY_MAX || depth > NESTING_MAX {
            return false;
        }
    }
    true
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn skip_quoted(letters: &mut core::iter::Peekable<core::str::Chars<'_>>) {
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return,
            '\\' => drop(letters.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_long_chains_and_long_texts_are_out_of_bounds() {
        assert!(keeps_bounds("permit(principal, action, resource) when { 1 < 2 };"));
        assert!(!keeps_bounds(&format!(
            "permit(principal, action, resource) when {{ {}1 < 2",
            "(".repeat(NESTING_MAX)
        )));
        assert!(!keeps_bounds(&"true && ".repeat(TOKENS_PER_POLICY_MAX)));
        assert!(!keeps_bounds(&"if true then ".repeat(TOKENS_PER_POLICY_MAX)));
        assert!(!keeps_bounds(&" ".repeat(SOURCE_BYTES_MAX + 1)));
    }

    #[test]
    fn what_stands_in_comments_and_quotes_does_not_count() {
        assert!(keeps_bounds(&format!("// {}\n", "((((true && ".repeat(500))));
        assert!(keeps_bounds(&format!("\"{}\\\"{}\";", "(".repeat(500), "(".repeat(500))));
        assert!(!keeps_bounds(&format!("\"a\" {}", "(".repeat(500))));
    }
}
