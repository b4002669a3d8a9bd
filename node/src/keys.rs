//! Where a node's secrets lie: one node key, which comes from outside or from a strict file, and under
//! it one sealed file for each seat. Makes, rotates and uses no key; who does names it here.
//!
//! The node key only wraps. It comes, in this order, from the systemd credential `tsunagi-node-key`, or
//! from the file of that name in the key folder, which must be its owner's alone.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use protocol::cbor;
use protocol::digest::Digest;
use protocol::disk::FileName;
use protocol::primitives::{Secret, open_stored, seal_stored};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The name of the node key, as a systemd credential and as a file.
pub const NODE_KEY_NAME: &str = "tsunagi-node-key";
/// The longest file of keys, in bytes.
pub const KEY_FILE_BYTES_MAX: usize = 64 << 10;

/// What the bytes of a seat's file begin with: a wrong file is told apart from a wrong node key.
const MAGIC: &[u8] = b"tsunagi keys 1\n";

/// The transport key's place among the secrets (libp2p's identity).
pub const TRANSPORT: &str = "transport";
/// The signing key in use.
pub const SIGNING: &str = "signing";
/// The signing key that follows it; its digest is published before it is used.
pub const SIGNING_NEXT: &str = "signing-next";
/// The signing key before it, while the roster still names it.
pub const SIGNING_BEFORE: &str = "signing-before";
/// The log key: signs checkpoints, nothing else.
pub const LOG: &str = "log";
/// The log key that follows it.
pub const LOG_NEXT: &str = "log-next";
/// The log key before it, while the roster still names it.
pub const LOG_BEFORE: &str = "log-before";
/// Before the suite of each sealing key; a retired one has the instant of its end (Unix milliseconds) behind.
pub const SEALING_PREFIX: &str = "sealing-";
/// The label key: hides persons in the index of the seat.
pub const LABEL: &str = "label";
/// The key of the oblivious function, of a pseudonymiser only.
pub const OBLIVIOUS: &str = "oblivious";
/// What a witness cosigns with.
pub const COSIGNING: &str = "cosigning";
/// What the store is sealed with. The first seat's holds for the process.
pub const STORE: &str = "store";

/// Why secrets cannot be had or kept. No text holds any of them.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others than the owner may read the file.
    #[error(
        "{path}: 鍵ファイルの権限が {mode:04o} です。所有者だけが読めるように chmod 600 を実行してください / others may \
         read this key file; run chmod 600"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no such file.
    #[error(
        "{0}: 鍵ファイルがありません。tsunagi member join で作成してください / no such key file; make it with tsunagi member join"
    )]
    Missing(PathBuf),
    /// The key folder is there, and the key that opens what is in it is not: it lies elsewhere, as it should.
    #[error(
        "{}: 鍵を包む鍵 tsunagi-node-key がありません{}。systemd の資格情報に移してあるなら、systemd-run --pipe --wait -p \
         LoadCredential=tsunagi-node-key:/etc/tsunagi-node/node-key を通して実行するか、そのファイルのあるフォルダーを環境変数 \
         CREDENTIALS_DIRECTORY で示してください / no node key here; if it is a credential of systemd, run through systemd-run \
         or set CREDENTIALS_DIRECTORY",
        folder.display(),
        nor_in(credentials.as_deref())
    )]
    NoNodeKey {
        /// The key folder.
        folder: PathBuf,
        /// The folder of systemd's credentials, if there is one.
        credentials: Option<PathBuf>,
    },
    /// There is one already, and it is not overwritten.
    #[error("{0}: 鍵ファイルが既にあります。上書きはしません / this key file exists and is not overwritten")]
    Exists(PathBuf),
    /// It is not what it should be.
    #[error("{0}: 鍵ファイルの形式が正しくありません / not a key file of this kind")]
    Malformed(PathBuf),
    /// It does not open under this node key, or belongs to another seat.
    #[error("{0}: このノードの鍵では開けません / does not open under this node key, or is another seat's")]
    Sealed(PathBuf),
    /// The operating system reported a fault.
    #[error("{0}: {1}")]
    Failed(PathBuf, Error),
}

/// A folder of sealed files and the key that opens them.
#[derive(Debug)]
pub struct KeyFolder {
    path: PathBuf,
    node_key: Secret,
}

/// A seat's secrets by name. Wiped when dropped, never printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Secret>);

/// A seat's file once it is open: rows sorted by name, as deterministic CBOR.
#[derive(Encode, Decode)]
struct Rows(#[n(0)] Vec<Row>);

#[derive(Encode, Decode)]
struct Row(#[n(0)] String, #[n(1)] ByteArray<32>);

impl KeyFolder {
    /// Opens the folder with the node key of this service.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if there is no such folder, [`KeyError::NoNodeKey`] if there is no node key in either place,
    /// [`KeyError::Exposed`] if others may read it.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::open_beside(path, credentials.as_deref())
    }

    /// The same with the folder of systemd's credentials named.
    ///
    /// # Errors
    /// As [`KeyFolder::open`].
    pub fn open_beside(path: &Path, credentials: Option<&Path>) -> Result<Self, KeyError> {
        let delivered = credentials.map(|folder| folder.join(NODE_KEY_NAME)).filter(|file| file.exists());
        let node_key = match delivered {
            // systemd guards its folder itself and may grant the group by ACL; all the world is too many.
            Some(file) => read_node_key(&file, 0o007)?,
            None => read_node_key(&path.join(NODE_KEY_NAME), 0o077).map_err(|error| match error {
                KeyError::Missing(_) if path.exists() => {
                    KeyError::NoNodeKey { folder: path.to_owned(), credentials: credentials.map(Path::to_owned) }
                }
                error => error,
            })?,
        };
        Ok(Self { path: path.to_owned(), node_key })
    }

    /// Makes a folder (mode 0700) with a fresh node key in it. With systemd credentials that file is
    /// what gets encrypted and then removed.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if there is a node key.
    pub fn create(path: &Path, dice: &mut dyn CryptoRng) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Failed(path.to_owned(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let node_key = Secret::random(dice);
        write_new(&path.join(NODE_KEY_NAME), node_key.expose())?;
        sync_folder(path)?;
        Ok(Self { path: path.to_owned(), node_key })
    }

    /// The secrets in the file `name`.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] if the node key is another, a bit flipped, or the file was renamed.
    pub fn load(&self, name: &FileName) -> Result<Secrets, KeyError> {
        let path = self.path.join(name.as_str());
        let bytes = read_strict(&path, 0o077)?;
        let sealed = bytes.strip_prefix(MAGIC).ok_or_else(|| KeyError::Malformed(path.clone()))?;
        let opened =
            open_stored(&self.node_key, &aad(name), sealed).map_err(|_broken| KeyError::Sealed(path.clone()))?;
        let opened = Zeroizing::new(opened);
        let Rows(rows) = cbor::decode(&opened).map_err(|_malformed| KeyError::Malformed(path))?;
        Ok(Secrets(rows.into_iter().map(|Row(name, bytes)| (name, Secret::from_bytes(bytes.into()))).collect()))
    }

    /// Keeps the secrets of a new seat in the file `name`.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if there is such a file.
    pub fn add(&self, name: &FileName, secrets: &Secrets, dice: &mut dyn CryptoRng) -> Result<(), KeyError> {
        write_new(&self.path.join(name.as_str()), &self.seal(name, secrets, dice))?;
        sync_folder(&self.path)
    }

    /// Puts `secrets` in place of those in the file `name`: afterwards, power cut or not, there are the
    /// old ones or the new ones, whole.
    ///
    /// # Errors
    /// [`KeyError::Missing`] if there is no such file.
    pub fn replace(&self, name: &FileName, secrets: &Secrets, dice: &mut dyn CryptoRng) -> Result<(), KeyError> {
        let path = self.path.join(name.as_str());
        if !path.exists() {
            return Err(KeyError::Missing(path));
        }
        let draft = self.path.join(format!(".{name}.draft"));
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(KeyError::Failed(draft, error)),
            _ => {}
        }
        write_new(&draft, &self.seal(name, secrets, dice))?;
        std::fs::rename(&draft, &path).map_err(|error| KeyError::Failed(path, error))?;
        sync_folder(&self.path)
    }

    fn seal(&self, name: &FileName, secrets: &Secrets, dice: &mut dyn CryptoRng) -> Vec<u8> {
        let rows = secrets.0.iter().map(|(name, secret)| Row(name.clone(), (*secret.expose()).into()));
        let opened = Zeroizing::new(cbor::encode(&Rows(rows.collect())));
        [MAGIC, &seal_stored(&self.node_key, &aad(name), &opened, dice)].concat()
    }
}

impl Secrets {
    /// The secret of that name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Puts a secret under a name; the one that was there is destroyed.
    pub fn set(&mut self, name: &str, secret: Secret) {
        self.0.insert(name.to_owned(), secret);
    }

    /// Destroys the secret of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The names and secrets that begin with `prefix`, sorted by name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Secret)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret)).filter(move |(name, _)| name.starts_with(prefix))
    }
}

/// Where else the node key was sought.
fn nor_in(credentials: Option<&Path>) -> String {
    credentials.map_or_else(
        || "(CREDENTIALS_DIRECTORY も設定されていません)".to_owned(),
        |folder| format!("(CREDENTIALS_DIRECTORY の {} にもありません)", folder.display()),
    )
}

fn aad(name: &FileName) -> Vec<u8> {
    [b"tsunagi key file ", name.as_str().as_bytes()].concat()
}

/// A node key is 32 bytes, or 64 hex digits with or without an end of line.
fn read_node_key(path: &Path, forbidden: u32) -> Result<Secret, KeyError> {
    let bytes = read_strict(path, forbidden)?;
    if let Ok(bytes) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(Secret::from_bytes(bytes));
    }
    let text = core::str::from_utf8(&bytes).ok().map(str::trim_end);
    let digits = text.and_then(Digest::parse).ok_or_else(|| KeyError::Malformed(path.to_owned()))?;
    Ok(Secret::from_bytes(*digits.as_bytes()))
}

/// Reads a file that gives none of the `forbidden` permissions; asks the open file, not its name.
fn read_strict(path: &Path, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |error: Error| match error.kind() {
        ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ => KeyError::Failed(path.to_owned(), error),
    };
    let file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    let mode = facts.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let longest = u64::try_from(KEY_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    if !facts.is_file() || facts.len() > longest {
        return Err(KeyError::Malformed(path.to_owned()));
    }
    // Room for all of it at once, so that no growing leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX.saturating_add(1)));
    file.take(longest).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let failed = |error: Error| match error.kind() {
        ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Failed(path.to_owned(), error),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn sync_folder(path: &Path) -> Result<(), KeyError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| KeyError::Failed(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::OsDice;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    fn some_secrets() -> Secrets {
        let mut secrets = Secrets::default();
        for name in [TRANSPORT, SIGNING, SIGNING_NEXT, LOG, "sealing-2", "sealing-1"] {
            secrets.set(name, Secret::random(&mut OsDice));
        }
        secrets
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn secrets_come_back_under_the_same_node_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(&folder.path().join("keys"), &mut OsDice).unwrap();
        let secrets = some_secrets();
        keys.add(&name("city.keys"), &secrets, &mut OsDice).unwrap();
        let keys = KeyFolder::open_beside(&folder.path().join("keys"), None).unwrap();
        let loaded = keys.load(&name("city.keys")).unwrap();
        assert!(loaded == secrets);
        let sealing: Vec<&str> = loaded.with_prefix(SEALING_PREFIX).map(|(name, _)| name).collect();
        assert_eq!(sealing, ["sealing-1", "sealing-2"]);

        let other = KeyFolder { node_key: Secret::random(&mut OsDice), ..keys };
        assert!(matches!(other.load(&name("city.keys")), Err(KeyError::Sealed(_))));
    }

    #[test]
    fn a_file_of_one_seat_is_not_taken_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(folder.path(), &mut OsDice).unwrap();
        keys.add(&name("a.keys"), &some_secrets(), &mut OsDice).unwrap();
        std::fs::rename(folder.path().join("a.keys"), folder.path().join("b.keys")).unwrap();
        assert!(matches!(keys.load(&name("b.keys")), Err(KeyError::Sealed(_))));
        assert!(matches!(keys.load(&name("a.keys")), Err(KeyError::Missing(_))));
    }

    #[test]
    fn replacing_leaves_the_new_ones_and_adding_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(folder.path(), &mut OsDice).unwrap();
        let (file, mut secrets) = (name("a.keys"), some_secrets());
        assert!(matches!(keys.replace(&file, &secrets, &mut OsDice), Err(KeyError::Missing(_))));
        keys.add(&file, &secrets, &mut OsDice).unwrap();
        assert!(matches!(keys.add(&file, &secrets, &mut OsDice), Err(KeyError::Exists(_))));
        // A draft that an interrupted replacement left is in nobody's way.
        std::fs::write(folder.path().join(".a.keys.draft"), b"torn").unwrap();
        secrets.remove("sealing-1");
        keys.replace(&file, &secrets, &mut OsDice).unwrap();
        assert!(keys.load(&file).unwrap() == secrets);
        assert!(!folder.path().join(".a.keys.draft").exists());
        assert!(matches!(KeyFolder::create(folder.path(), &mut OsDice), Err(KeyError::Exists(_))));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(folder.path(), &mut OsDice).unwrap();
        keys.add(&name("a.keys"), &some_secrets(), &mut OsDice).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            set_mode(&folder.path().join("a.keys"), mode);
            assert!(matches!(keys.load(&name("a.keys")), Err(KeyError::Exposed { mode: found, .. }) if found == mode));
            set_mode(&folder.path().join(NODE_KEY_NAME), mode);
            let refused = KeyFolder::open_beside(folder.path(), None).unwrap_err().to_string();
            assert!(refused.contains("chmod 600") && refused.contains(&format!("{mode:04o}")), "{refused}");
        }
    }

    #[test]
    fn a_credential_of_systemd_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(folder.path(), &mut OsDice).unwrap();
        let file = credentials.path().join(NODE_KEY_NAME);
        std::fs::write(&file, format!("{}\n", Digest::of(b"delivered"))).unwrap();
        set_mode(&file, 0o440);
        let delivered = KeyFolder::open_beside(folder.path(), Some(credentials.path())).unwrap();
        assert!(delivered.node_key == Secret::from_bytes(*Digest::of(b"delivered").as_bytes()));
        set_mode(&file, 0o444);
        assert!(matches!(
            KeyFolder::open_beside(folder.path(), Some(credentials.path())),
            Err(KeyError::Exposed { .. })
        ));
        std::fs::remove_file(&file).unwrap();
        let own = KeyFolder::open_beside(folder.path(), Some(credentials.path())).unwrap();
        assert!(own.node_key == keys.node_key);
    }

    #[test]
    fn a_node_key_that_lies_elsewhere_is_asked_for_where_it_may_lie() {
        let (folder, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let keys = folder.path().join("keys");
        let opened = |credentials| KeyFolder::open_beside(&keys, credentials).unwrap_err();
        assert!(matches!(opened(None), KeyError::Missing(_)));
        KeyFolder::create(&keys, &mut OsDice).unwrap();
        std::fs::remove_file(keys.join(NODE_KEY_NAME)).unwrap();
        for (credentials, where_else) in [(None, "設定されていません"), (Some(credentials.path()), "にもありません")]
        {
            let refused = opened(credentials);
            assert!(matches!(refused, KeyError::NoNodeKey { .. }));
            let said = refused.to_string();
            assert!(
                said.contains("systemd-run") && said.contains(where_else) && !said.contains("member join"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_or_a_wrong_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::create(folder.path(), &mut OsDice).unwrap();
        let (file, path) = (name("a.keys"), folder.path().join("a.keys"));
        keys.add(&file, &some_secrets(), &mut OsDice).unwrap();
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut spoiled = good.clone();
            spoiled[at] ^= 1;
            std::fs::write(&path, spoiled).unwrap();
            assert!(matches!(keys.load(&file), Err(KeyError::Sealed(_) | KeyError::Malformed(_))), "byte {at}");
        }
        std::fs::write(folder.path().join(NODE_KEY_NAME), b"too short").unwrap();
        assert!(matches!(KeyFolder::open_beside(folder.path(), None), Err(KeyError::Malformed(_))));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let mut secrets = Secrets::default();
        secrets.set(LOG, Secret::from_bytes([0xab; 32]));
        let keys = KeyFolder { path: "keys".into(), node_key: Secret::from_bytes([0xcd; 32]) };
        let printed = format!("{secrets:?} {keys:?}");
        assert!(printed.contains("[redacted]") && !printed.contains("171") && !printed.contains("205"), "{printed}");
    }
}
