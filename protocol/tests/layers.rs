//! What the source says of itself, held: the order of the layers, the home of each foreign crate, the one
//! maker of each proof, and that neither clock nor file nor thread nor hash map is named where decisions are.
//!
//! Reads the source as text, comments left out. It knows Rust well enough for this source and no better.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The journal, the vault and the books are the store's own files, and share its errors and names of files
/// with it: the one circle there is.
const CIRCLES: [(&str, &str); 3] = [("journal", "store"), ("vault", "store"), ("book", "store")];

/// Foreign crates and the only files that may name them.
const HOMES: [(&str, &[&str]); 10] = [
    ("hpke", &["primitives.rs", "primitives/x_wing.rs"]),
    ("libcrux_kem", &["primitives/x_wing.rs"]),
    ("ed25519_dalek", &["primitives.rs"]),
    ("chacha20poly1305", &["primitives.rs"]),
    ("hkdf", &["primitives.rs"]),
    ("voprf", &["primitives.rs"]),
    ("rand_core_06", &["primitives.rs"]),
    ("sha2", &["digest.rs", "primitives.rs"]),
    ("coset", &["sign1.rs"]),
    ("cedar_policy", &["policy/judge.rs"]),
];

/// Proofs and the only files that may make them.
const MAKERS: [(&str, &str); 4] =
    [("Verified", "verify.rs"), ("Permit", "policy.rs"), ("Receipt", "store.rs"), ("Standing", "gate.rs")];

/// What decides has none of these.
const BANNED: [&str; 8] =
    ["std::time", "std::fs", "std::net", "std::thread", "std::process", "std::env", "HashMap", "HashSet"];

/// Crates that bring the outside in: dice, sockets, files, logs.
const OUTSIDE: [&str; 9] =
    ["getrandom", "tokio", "mio", "socket2", "sled", "libp2p", "libp2p-core", "tracing", "tracing-core"];

#[test]
fn a_file_imports_only_from_layers_above_its_own() {
    let order = layers();
    let place = |module: &str| order.iter().position(|name| name == module);
    let mut circles = BTreeMap::new();
    for (file, source) in sources("src") {
        let own = top_module(&file);
        if own == "lib" {
            continue;
        }
        let own_place = place(&own).unwrap_or_else(|| panic!("{file} is not in lib.rs"));
        for used in modules_named(&source) {
            let used_place =
                place(&used).unwrap_or_else(|| panic!("{file} names crate::{used}, which is not in lib.rs"));
            if let Some(circle) = CIRCLES.iter().find(|circle| **circle == (own.as_str(), used.as_str())) {
                circles.insert(*circle, true);
                continue;
            }
            assert!(used_place <= own_place, "{file}: {own} imports {used}, which stands below it in lib.rs");
        }
    }
    assert_eq!(circles.len(), CIRCLES.len(), "a circle is gone; take it off the list: left are {circles:?}");
}

#[test]
fn each_foreign_crate_has_one_home() {
    let sources = sources("src");
    for (foreign, homes) in HOMES {
        for (file, source) in &sources {
            let is_home = homes.contains(&file.as_str());
            assert!(is_home || !names(source, foreign), "{file} names {foreign}, whose home is {homes:?}");
        }
        for home in homes {
            assert!(names(&sources[*home], foreign), "{home} does not name {foreign}");
        }
    }
}

#[test]
fn each_proof_has_one_maker() {
    let sources = sources("src");
    for (proof, maker) in MAKERS {
        let declaration = format!("pub struct {proof} {{");
        for (file, source) in &sources {
            assert!(
                file == maker || !makes(source, proof),
                "{file} makes or implements {proof}, which only {maker} may"
            );
        }
        let declared = sources[maker].split_once(&declaration).unwrap_or_else(|| panic!("{maker} has no {proof}")).1;
        let fields = declared.split_once('}').unwrap().0;
        assert!(!names(fields, "pub"), "{proof} has a public field: anybody could change it");
    }
}

#[test]
fn what_decides_names_neither_clock_nor_file_nor_thread_nor_hash_map() {
    for folder in ["src", "../simulations/src"] {
        for (file, source) in sources(folder) {
            for banned in BANNED {
                assert!(!names(&source, banned), "{folder}/{file} names {banned}");
            }
        }
    }
}

#[test]
fn the_oracle_knows_ids_and_kinds_only_and_nothing_of_what_it_is_held_against() {
    let sources = sources("../simulations/src");
    let oracle = &sources["oracle.rs"];
    let known = ["id::", "date::", "record::", "code::record_kind::"];
    let used: Vec<_> = oracle.split("protocol::").skip(1).collect();
    assert!(!used.is_empty());
    for used in used {
        assert!(known.iter().any(|known| used.starts_with(known)), "oracle.rs names protocol::{used:.40}");
    }
    assert!(modules_named(oracle).is_empty(), "oracle.rs names {:?} of its own crate", modules_named(oracle));
}

#[test]
fn the_crate_stands_on_what_is_listed_and_on_nothing_that_touches_the_outside() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "-p", "protocol", "-e", "normal", "--prefix", "none"])
        .current_dir(folder("."))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let found: BTreeSet<_> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != "protocol").collect();
    let listed = std::fs::read_to_string(folder("dependencies.txt")).unwrap();
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), lines, "left is what cargo says, right dependencies.txt");
    for outside in OUTSIDE {
        assert!(!lines.contains(&outside), "{outside} must not be under protocol");
    }
}

#[test]
fn a_comment_is_no_import_and_a_longer_word_is_another_word() {
    assert_eq!(modules_named(&without_comments("use crate::a::B; // crate::b\nlet c = crate::c::d();")), ["a", "c"]);
    assert_eq!(without_comments("let at = \"http://x\"; // said"), "let at = \"http://x\"; \n");
    assert!(names("use sha2::Digest", "sha2") && !names("sha256(sha2_of)", "sha2"));
    assert!(makes("Ok(Standing { party })", "Standing") && makes("impl Standing {", "Standing"));
    assert!(!makes("pub fn standing(&self) -> &Standing {", "Standing"));
    assert!(!makes("-> Result<Arc<Standing>, E> {", "Standing"));
}

/// The top modules of `lib.rs`, in order.
fn layers() -> Vec<String> {
    let source = std::fs::read_to_string(folder("src").join("lib.rs")).unwrap();
    source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

/// Every Rust file under a folder: its path there, and its text without comments.
fn sources(under: &str) -> BTreeMap<String, String> {
    let root = folder(under);
    let mut found = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, without_comments(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no source under {}", root.display());
    found
}

fn folder(under: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(under)
}

fn top_module(file: &str) -> String {
    file.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// The source without what stands behind `//`, unless a colon stands before it, as in an address.
fn without_comments(source: &str) -> String {
    source
        .lines()
        .map(|line| {
            let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
            comment.map_or(line, |(at, _)| &line[..at]).to_owned() + "\n"
        })
        .collect()
}

/// The top modules named by `crate::…`.
fn modules_named(source: &str) -> Vec<String> {
    let rest = source.split("crate::").skip(1);
    rest.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
        .inspect(|name| assert!(!name.is_empty(), "a group import of crate: write one line for each module"))
        .collect()
}

/// Whether `word` stands in the source as a word of its own.
fn names(source: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(word)
        .any(|(at, _)| !source[..at].ends_with(is_letter) && !source[at + word.len()..].starts_with(is_letter))
}

/// Whether the source builds the struct `name` or has an `impl` of it, within which it could be built as `Self`.
fn makes(source: &str, name: &str) -> bool {
    let opened = format!("{name} {{");
    source.match_indices(&opened).any(|(at, _)| {
        let before = source[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == ':' || c == '_').trim_end();
        let is_whole_word = !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        is_whole_word && !before.ends_with("->") && !before.ends_with('&')
    })
}
