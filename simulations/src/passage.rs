//! A frame on its way (電文の道中): who sent it to whom, what arrives instead, and how a person would tell of it. Decides
//! nothing of its fate.

use protocol::frame::{self, Frame};
use protocol::id::party::PartyId;
use protocol::time::Span;

/// What happened to a frame on its way, decided by a test.
pub type Tamper = Box<dyn FnMut(&Passage) -> Vec<Delivery>>;

/// A frame on its way.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Who sent it.
    pub from: PartyId,
    /// To whom.
    pub to: PartyId,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What arrives instead.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// How late.
    pub delay: Span,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What a frame was and what became of it.
pub(crate) fn fate(sent: &[u8], deliveries: &[Delivery]) -> String {
    let what = described(sent);
    match deliveries {
        [] => format!("{what}, lost"),
        [one] if one.bytes != sent => format!("{what}, damaged"),
        [one] if one.delay > Span::ZERO => format!("{what}, {} ms late", one.delay.ms()),
        [_one] => what,
        several => format!("{what}, {} times", several.len()),
    }
}

/// The kind of a frame, and how long it is.
pub(crate) fn described(bytes: &[u8]) -> String {
    let kind = match frame::parse(bytes) {
        Ok(Frame::Hello(..)) => "hello",
        Ok(Frame::Welcome(_)) => "welcome",
        Ok(Frame::Sorry(_)) => "sorry",
        Ok(Frame::Request(..)) => "request",
        Ok(Frame::Answer(..)) => "answer",
        Ok(Frame::Busy(..)) => "busy",
        Ok(Frame::Fetch(..)) => "fetch",
        Ok(Frame::Notice(_)) => "notice",
        Ok(Frame::Cosign(..)) => "cosign",
        Ok(Frame::Cosigned(..)) => "cosigned",
        Ok(Frame::Shown(_)) => "shown",
        Ok(Frame::Prove(..)) => "prove",
        Ok(Frame::Proven(..)) => "proven",
        Err(_) => "no frame",
    };
    format!("{kind} ({} bytes)", bytes.len())
}
