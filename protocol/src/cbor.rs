//! Values to bytes and back: one encoding, deterministic CBOR (RFC 8949 §4.2).
//!
//! Wire structures derive `minicbor`'s traits as arrays. Whatever does not encode back to the very
//! bytes it was read from is refused, so one value has one byte string and one digest. Decoding
//! allocates no more than the input is long.

use minicbor::{Decode, Encode};

/// The bytes are not the deterministic encoding of the value expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the deterministic encoding of what was expected")]
pub struct Malformed;

/// The one encoding of `value`.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    encode_about(value, 512)
}

/// The one encoding of `value`, which will be about `len` bytes long: a wrong guess costs time only.
pub fn encode_about<T: Encode<()>>(value: &T, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    // Writing to a Vec is infallible, and no Encode of this crate fails.
    let written = minicbor::encode(value, &mut out);
    assert!(written.is_ok(), "a wire value failed to encode");
    out
}

/// Reads exactly one value, leaving nothing over.
///
/// # Errors
/// [`Malformed`] if the bytes are truncated, have anything behind the value, or are not the one
/// encoding of it.
pub fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value: T = decoder.decode().map_err(|_error| Malformed)?;
    if decoder.position() == bytes.len() && encode_about(&value, bytes.len()) == bytes {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

/// Reads a value that this process encoded itself and that came back through a seal or a checksum: its
/// encoding is known to be the one.
///
/// # Errors
/// [`Malformed`] if it is not such a value.
pub fn decode_own<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    minicbor::decode(bytes).map_err(|_error| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Pair(#[n(0)] u64, #[n(1)] String);

    #[test]
    fn a_value_comes_back_from_its_bytes() {
        let pair = Pair(7, "繋".into());
        assert_eq!(decode::<Pair>(&encode(&pair)), Ok(pair));
    }

    #[test]
    fn a_second_spelling_of_a_value_is_refused() {
        // 7 written in two bytes, an array of indefinite length, and a byte too many.
        for spoiled in
            [&b"\x82\x18\x07\x60"[..], b"\x9f\x07\x60\xff", b"\x82\x07\x60\x00", b"\x83\x07\x60\x00", b"\x82\x07"]
        {
            assert_eq!(decode::<Pair>(spoiled), Err(Malformed), "{spoiled:02x?}");
        }
        assert_eq!(decode::<Pair>(b"\x82\x07\x60"), Ok(Pair(7, String::new())));
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        assert_eq!(decode::<Vec<u64>>(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), Err(Malformed));
        assert_eq!(decode::<String>(b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff"), Err(Malformed));
    }
}
