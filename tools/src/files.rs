//! Reading and writing the command's files: bounded reading, no overwriting unless asked, whole or not
//! at all. Knows no formats but deterministic CBOR.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use minicbor::{Decode, Encode};
use protocol::cbor;

use crate::message::{Code, Trouble};

/// The longest file the command reads, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// The file as bytes.
///
/// # Errors
/// [`Code::File`], also above [`FILE_BYTES_MAX`].
pub fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
    match u64::try_from(bytes.len()) {
        Ok(0..=FILE_BYTES_MAX) => Ok(bytes),
        _ => Err(failed(path, "too long")),
    }
}

/// The file as text.
///
/// # Errors
/// As [`read`]; [`Code::Malformed`] if it is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Trouble> {
    String::from_utf8(read(path)?).map_err(|_error| malformed(path, "not UTF-8"))
}

/// The value a file holds as deterministic CBOR.
///
/// # Errors
/// As [`read`]; [`Code::Malformed`] if it holds anything else.
pub fn read_cbor<T: for<'b> Decode<'b, ()> + Encode<()>>(path: &Path) -> Result<T, Trouble> {
    cbor::decode(&read(path)?).map_err(|error| malformed(path, error))
}

/// Makes a folder and those above it, mode 0700.
///
/// # Errors
/// [`Code::File`].
pub fn make_folder(path: &Path) -> Result<(), Trouble> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed(path, error))
}

/// Writes a file that must not be there, readable to all (`0o644`) or to its owner alone (`0o600`).
///
/// # Errors
/// [`Code::Exists`] or [`Code::File`].
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Trouble::new(Code::Exists, path.display()),
        _ => failed(path, error),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| failed(path, error))
}

/// Puts a file in place of the one that is there, if any: afterwards it is the old or the new, whole.
///
/// # Errors
/// [`Code::File`].
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.draft", std::process::id()));
    let draft = PathBuf::from(draft);
    write_new(&draft, bytes, mode)?;
    std::fs::rename(&draft, path).map_err(|error| failed(path, error))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, error))
}

/// Fails if there is something at `path`.
///
/// # Errors
/// [`Code::Exists`].
pub fn require_absent(path: &Path) -> Result<(), Trouble> {
    if path.exists() { Err(Trouble::new(Code::Exists, path.display())) } else { Ok(()) }
}

/// The absolute form of a path.
///
/// # Errors
/// [`Code::File`] if there is no working directory.
pub fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, cause: impl core::fmt::Display) -> Trouble {
    Trouble::new(Code::File, format!("{}: {cause}", path.display()))
}

fn malformed(path: &Path, cause: impl core::fmt::Display) -> Trouble {
    Trouble::new(Code::Malformed, format!("{}: {cause}", path.display()))
}
