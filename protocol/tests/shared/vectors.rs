//! Vectors as files: one case a file, one `name: value` a line, `#` before a remark. What each suite does with its own
//! folder of them.

use std::collections::BTreeMap;
use std::path::Path;

/// What stands in one file, and what becomes of it.
pub(crate) trait Case {
    /// `good`, or the name of the error.
    fn expect(&self) -> &str;
    /// What becomes of it here.
    fn run(&self) -> String;
    /// The file.
    fn write(&self, remark: &str) -> String;
    /// The case of a file.
    fn read(text: &str) -> Self;
}

/// The name of a file, its remark, and its case.
pub(crate) type Named<C> = (&'static str, &'static str, C);

/// Every file ends as it says, and there are as many as cases.
pub(crate) fn end_as_their_files_say<C: Case>(folder: &Path, cases: &[Named<C>]) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let case = C::read(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(case.run(), case.expect(), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, cases.len());
}

/// Every file is the one that is written here.
pub(crate) fn are_the_ones_written_here<C: Case>(folder: &Path, cases: &[Named<C>]) {
    for (name, remark, case) in cases {
        let kept = std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(kept, case.write(remark), "{name}: the format has changed");
    }
}

/// Writes them anew.
pub(crate) fn write_anew<C: Case>(folder: &Path, cases: &[Named<C>]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, remark, case) in cases {
        std::fs::write(folder.join(name), case.write(remark)).unwrap();
    }
}

/// The values of a file by their names, in order.
pub(crate) fn values(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut values = BTreeMap::<&str, Vec<&str>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.split_once(": ").unwrap();
        values.entry(name).or_default().push(value);
    }
    values
}
