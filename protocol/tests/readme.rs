//! The README promises guarantees and names the test of each: a name that is no test is a broken promise.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "an architecture test reads the project's files")]

use std::path::{Path, PathBuf};

#[test]
fn every_check_the_pages_name_is_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    for folder in [
        "protocol/src",
        "protocol/tests",
        "node/src",
        "node/tests",
        "simulations/src",
        "simulations/tests",
        "tools/src",
        "tools/tests",
    ] {
        read_all(&root.join(folder), &mut sources);
    }
    for page in ["README.md", "README.ja.md", "SECURITY.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let names: Vec<_> = text.split('`').filter(|word| is_test_name(word)).collect();
        assert!(page == "SECURITY.md" || names.len() > 10, "{page} names no checks any more");
        for name in names {
            assert!(sources.contains(&format!("fn {name}(")), "{page} names {name}, which is no test");
        }
    }
}

fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 3 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn read_all(folder: &PathBuf, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}
