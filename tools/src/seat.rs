//! The keys of one organisation: makes them, and tells their public halves. Secrets go from the dice into
//! the sealed file and nowhere else.

use node::keys::{KeyError, KeyFolder, LOG, LOG_NEXT, SIGNING, SIGNING_NEXT, Secrets, TRANSPORT};
use protocol::disk::FileName;
use protocol::id::party::PartyKind;
use protocol::key::PublicKey;
use protocol::primitives::{Primitives as _, Real, Secret, Suite};
use protocol::statement::SealingPublic;
use rand_core::CryptoRng;
use std::path::Path;

use crate::message::{Code, Trouble};

/// The name of the X25519 sealing key.
pub const SEALING_X25519: &str = "sealing-x25519";
/// The name of the X-Wing sealing key.
pub const SEALING_X_WING: &str = "sealing-x-wing";
/// What labels of persons in the journal are derived from.
pub const LABEL: &str = "label";
/// What the store seals with.
pub const STORE: &str = "store";
/// The pseudonymiser's key.
pub const OBLIVIOUS: &str = "oblivious";
/// The key a witness cosigns with.
pub const COSIGNING: &str = "cosigning";
/// The authority's pulse key.
pub const PULSE: &str = "pulse";

/// The public halves of an organisation's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publics {
    /// Signs requests, statements and credentials.
    pub signing: PublicKey,
    /// Follows `signing`.
    pub signing_next: PublicKey,
    /// Proves the ends of connections.
    pub transport: PublicKey,
    /// Signs checkpoints.
    pub log: PublicKey,
    /// What others seal to.
    pub sealing: Vec<SealingPublic>,
    /// A pseudonymiser's.
    pub oblivious: Option<PublicKey>,
    /// A witness's.
    pub cosigning: Option<PublicKey>,
}

/// Fresh secrets for an organisation of that kind.
pub fn make(kind: PartyKind, dice: &mut dyn CryptoRng) -> Secrets {
    let mut secrets = Secrets::default();
    for name in [TRANSPORT, SIGNING, SIGNING_NEXT, LOG, LOG_NEXT, SEALING_X25519, SEALING_X_WING, LABEL, STORE] {
        secrets.set(name, Secret::random(dice));
    }
    if kind == PartyKind::Pseudonymiser {
        secrets.set(OBLIVIOUS, Secret::random(dice));
    }
    if kind == PartyKind::Witness {
        secrets.set(COSIGNING, Secret::random(dice));
    }
    secrets
}

/// The public halves of `secrets`.
///
/// # Errors
/// [`Code::Keys`] if one of the keys every organisation has is missing.
pub fn publics(secrets: &Secrets) -> Result<Publics, Trouble> {
    let oblivious = match secrets.get(OBLIVIOUS) {
        None => None,
        Some(secret) => {
            Some(PublicKey::from_bytes(Real.oblivious_public(secret).map_err(|error| Trouble::new(Code::Keys, error))?))
        }
    };
    Ok(Publics {
        signing: public(secrets, SIGNING)?,
        signing_next: public(secrets, SIGNING_NEXT)?,
        transport: public(secrets, TRANSPORT)?,
        log: public(secrets, LOG)?,
        sealing: vec![
            sealing(secrets, Suite::XWing, SEALING_X_WING)?,
            sealing(secrets, Suite::X25519, SEALING_X25519)?,
        ],
        oblivious,
        cosigning: secrets.get(COSIGNING).map(|secret| PublicKey::from_bytes(Real.signing_public(secret))),
    })
}

/// The public half of the Ed25519 key of that name.
///
/// # Errors
/// [`Code::Keys`] if there is none.
pub fn public(secrets: &Secrets, name: &str) -> Result<PublicKey, Trouble> {
    Ok(PublicKey::from_bytes(Real.signing_public(secret(secrets, name)?)))
}

/// The secret of that name.
///
/// # Errors
/// [`Code::Keys`] if there is none.
pub fn secret<'a>(secrets: &'a Secrets, name: &str) -> Result<&'a Secret, Trouble> {
    secrets.get(name).ok_or_else(|| Trouble::new(Code::Keys, format!("no secret named {name}")))
}

/// Makes a key folder with one sealed file in it.
///
/// # Errors
/// [`Code::Keys`], also if there is a node key already.
pub fn keep(folder: &Path, file: &str, secrets: &Secrets, dice: &mut dyn CryptoRng) -> Result<(), Trouble> {
    let keys = KeyFolder::create(folder, dice).map_err(of_keys)?;
    keys.add(&file_name(file)?, secrets, dice).map_err(of_keys)
}

/// Opens one sealed file of a key folder.
///
/// # Errors
/// [`Code::Keys`].
pub fn load(folder: &Path, file: &str) -> Result<Secrets, Trouble> {
    KeyFolder::open(folder)
        .and_then(|keys| {
            file_name_of(file).map_or_else(|| Err(KeyError::Malformed(folder.join(file))), |name| keys.load(&name))
        })
        .map_err(of_keys)
}

/// The libp2p name of a transport key: base58 of its identity multihash (libp2p peer-ids).
pub fn peer_id(transport: &PublicKey) -> String {
    // Identity multihash of 36 bytes; key type Ed25519, 32 bytes of key.
    let bytes = [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], &transport.as_bytes()[..]].concat();
    base58(&bytes)
}

fn base58(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
    // Digits of base 58, the lowest first; each byte is carried through all of them.
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let letter =
        |digit: u32| usize::try_from(digit).ok().and_then(|at| LETTERS.get(at)).map_or('?', |b| char::from(*b));
    core::iter::repeat_n('1', zeroes).chain(digits.into_iter().rev().map(letter)).collect()
}

fn sealing(secrets: &Secrets, suite: Suite, name: &str) -> Result<SealingPublic, Trouble> {
    let key = Real.sealing_key(suite, secret(secrets, name)?).map_err(|error| Trouble::new(Code::Keys, error))?;
    Ok(SealingPublic { suite, public: key.public() })
}

fn file_name(text: &str) -> Result<FileName, Trouble> {
    file_name_of(text).ok_or_else(|| Trouble::new(Code::Keys, format!("{text}: not a file name")))
}

fn file_name_of(text: &str) -> Option<FileName> {
    FileName::parse(text)
}

fn of_keys(error: KeyError) -> Trouble {
    Trouble::new(Code::Keys, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use node::dice::OsDice;

    #[test]
    fn base58_agrees_with_the_vectors_of_its_draft() {
        assert_eq!(base58(b"Hello World!"), "2NEpo7TZRRrLZSi2U");
        assert_eq!(base58(&[0x00, 0x00, 0x28, 0x7f, 0xb4, 0xcd]), "11233QC4");
    }

    #[test]
    fn a_peer_id_begins_as_those_of_ed25519_do() {
        let id = peer_id(&PublicKey::from_bytes([7; 32]));
        assert!(id.starts_with("12D3KooW") && id.len() == 52, "{id}");
    }

    #[test]
    fn only_a_pseudonymiser_has_an_oblivious_key() {
        let of = |kind| publics(&make(kind, &mut OsDice)).unwrap();
        assert!(of(PartyKind::Pseudonymiser).oblivious.is_some());
        assert!(of(PartyKind::Insurer).oblivious.is_none());
    }

    #[test]
    fn keys_come_back_from_their_folder_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut secrets = make(PartyKind::Insurer, &mut OsDice);
        secrets.remove(LOG);
        keep(&folder.path().join("keys"), "seat.keys", &secrets, &mut OsDice).unwrap();
        let loaded = load(&folder.path().join("keys"), "seat.keys").unwrap();
        assert!(publics(&loaded).unwrap_err().detail.contains(LOG));
    }
}
