//! The frame (枠): one message on a connection between two nodes. Knows nothing of what is sealed in it.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::gate::Notice;
use crate::id::party::PartyId;
use crate::limits;

/// What a frame carries, with the number its sender gave it; an answer bears its question's number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Frame {
    /// Who I am: a [`crate::gate::Presentation`].
    #[n(0)]
    Hello(#[n(0)] u64, #[n(1)] minicbor::bytes::ByteVec),
    /// You are admitted.
    #[n(1)]
    Welcome(#[n(0)] u64),
    /// You are not admitted.
    #[n(2)]
    Sorry(#[n(0)] u64),
    /// An envelope.
    #[n(3)]
    Request(#[n(0)] u64, #[n(1)] minicbor::bytes::ByteVec),
    /// A sealed answer.
    #[n(4)]
    Answer(#[n(0)] u64, #[n(1)] minicbor::bytes::ByteVec),
    /// Ask again after so many milliseconds.
    #[n(5)]
    Busy(#[n(0)] u64, #[n(1)] u64),
    /// Tell me the rosters above this version, pulse and status lists, and if so wished all statements.
    #[n(6)]
    Fetch(#[n(0)] u32, #[n(1)] bool),
    /// A signed object everyone may know.
    #[n(7)]
    Notice(#[n(0)] Notice),
    /// Cosign this checkpoint of mine; here is how it follows from the size you cosigned last, or, if it begins an
    /// epoch, the opening without its last field: the checkpoint is that.
    #[n(8)]
    Cosign(
        #[n(0)] u64,
        #[n(1)] minicbor::bytes::ByteVec,
        #[n(2)] u64,
        #[n(3)] Vec<crate::digest::Digest>,
        #[n(4)] Option<minicbor::bytes::ByteVec>,
    ),
    /// A cosignature line, or the size I know of your ledger.
    #[n(9)]
    Cosigned(#[n(0)] u64, #[n(1)] Verdict),
    /// The newest checkpoint of your ledger that I have verified.
    #[n(10)]
    Shown(#[n(0)] minicbor::bytes::ByteVec),
    /// Show me a head of that party's ledger which a quorum cosigned, and how it follows from each of these sizes.
    #[n(11)]
    Prove(#[n(0)] u64, #[n(1)] PartyId, #[n(2)] Vec<u64>),
    /// The cosigned head, and a proof for each size, in their order.
    #[n(12)]
    Proven(#[n(0)] u64, #[n(1)] minicbor::bytes::ByteVec, #[n(2)] Vec<Vec<crate::digest::Digest>>),
}

/// What a witness says.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Verdict {
    /// The cosignature line.
    #[n(0)]
    Line(#[n(0)] String),
    /// The proof does not begin where I stand: this is the size I cosigned last, and the note I cosigned; both are
    /// nothing if I never did.
    #[n(1)]
    Stands(#[n(0)] u64, #[n(1)] minicbor::bytes::ByteVec),
    /// The checkpoint contradicts what I cosigned, or is not yours.
    #[n(2)]
    Refused,
}

/// Reads a frame.
///
/// # Errors
/// [`cbor::Malformed`] if it is too long or not of the one encoding.
pub fn parse(bytes: &[u8]) -> Result<Frame, cbor::Malformed> {
    if bytes.len() > limits::FRAME_BYTES_MAX {
        return Err(cbor::Malformed);
    }
    cbor::decode(bytes)
}
