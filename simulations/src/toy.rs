//! The toy cryptography (模擬暗号) of large and many plays: hashes in place of signatures, key encapsulation and the
//! oblivious function, at about a thousandth of the cost. It hides and proves nothing: whoever has a public key can sign
//! with it. No adversary of a play does; what the real one holds against is tested beside it.

use protocol::digest::Digest;
use protocol::primitives::{
    Blinds, Broken, Channel, OUTPUT_BYTES, Primitives, SIGNATURE_BYTES, SealingKey, Secret, SigningKey, Suite, derive,
};
use rand_core::CryptoRng;

/// The false side of the door. It knows [`Suite::Toy`] only, which the real one refuses.
#[derive(Clone, Copy, Debug)]
pub struct Toy;

/// A key of any use: its public half is a hash of it.
struct Key([u8; 32]);

/// What both ends have after one encapsulation.
struct Shared(Secret);

impl Primitives for Toy {
    fn signing_public(&self, secret: &Secret) -> [u8; 32] {
        hash(&[b"signing", secret.expose()])
    }

    fn signing_key(&self, secret: &Secret) -> Box<dyn SigningKey> {
        Box::new(Key(self.signing_public(secret)))
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        Key(*public).sign(message) == *signature
    }

    fn sealing_key(&self, suite: Suite, secret: &Secret) -> Result<Box<dyn SealingKey>, Broken> {
        only_toy(suite)?;
        Ok(Box::new(Key(hash(&[b"sealing", secret.expose()]))))
    }

    fn encapsulate(
        &self,
        suite: Suite,
        public: &[u8],
        info: &[u8],
        dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Box<dyn Channel>), Broken> {
        only_toy(suite)?;
        let mut enc = [0; 32];
        dice.fill_bytes(&mut enc);
        Ok((enc.to_vec(), shared(public, &enc, info)))
    }

    fn oblivious_public(&self, secret: &Secret) -> Result<[u8; 32], Broken> {
        Ok(hash(&[b"oblivious", secret.expose()]))
    }

    fn blind(&self, inputs: &[Vec<u8>], dice: &mut dyn CryptoRng) -> Result<(Blinds, Vec<[u8; 32]>), Broken> {
        let blinds: Vec<_> = inputs
            .iter()
            .map(|_input| {
                let mut blind = vec![0; 32];
                dice.fill_bytes(&mut blind);
                blind
            })
            .collect();
        let points = points(inputs, &blinds);
        Ok((Blinds::from_parts(blinds), points))
    }

    fn evaluate(
        &self,
        secret: &Secret,
        points: &[[u8; 32]],
        _dice: &mut dyn CryptoRng,
    ) -> Result<(Vec<[u8; 32]>, [u8; 64]), Broken> {
        let public = self.oblivious_public(secret)?;
        let evaluated: Vec<_> = points.iter().map(|point| both(point, &public)).collect();
        let proof = proof(&public, points, &evaluated);
        Ok((evaluated, proof))
    }

    fn unblind(
        &self,
        public: &[u8; 32],
        inputs: &[Vec<u8>],
        blinds: &Blinds,
        evaluated: &[[u8; 32]],
        proven: &[u8; 64],
    ) -> Result<Vec<[u8; OUTPUT_BYTES]>, Broken> {
        if *proven != proof(public, &points(inputs, blinds.parts()), evaluated) {
            return Err(Broken);
        }
        let uncovered = evaluated.iter().zip(blinds.parts()).map(|(point, blind)| twice(&both(point, blind)));
        Ok(uncovered.collect())
    }
}

impl SigningKey for Key {
    fn public(&self) -> [u8; 32] {
        self.0
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        twice(&hash(&[b"signature", &self.0, message]))
    }
}

impl SealingKey for Key {
    fn public(&self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn decapsulate(&self, enc: &[u8], info: &[u8]) -> Result<Box<dyn Channel>, Broken> {
        if enc.len() == 32 { Ok(shared(&self.0, enc, info)) } else { Err(Broken) }
    }
}

impl Channel for Shared {
    fn export(&self, context: &[u8]) -> Secret {
        derive(self.0.expose(), b"toy", context)
    }
}

fn only_toy(suite: Suite) -> Result<(), Broken> {
    if suite == Suite::Toy { Ok(()) } else { Err(Broken) }
}

fn shared(public: &[u8], enc: &[u8], info: &[u8]) -> Box<dyn Channel> {
    Box::new(Shared(Secret::from_bytes(hash(&[b"shared", public, enc, info]))))
}

/// Each input under its blind; adding the key and taking off the blind can be done in either order.
fn points(inputs: &[Vec<u8>], blinds: &[Vec<u8>]) -> Vec<[u8; 32]> {
    inputs.iter().zip(blinds).map(|(input, blind)| both(&hash(&[b"point", input]), blind)).collect()
}

fn proof(public: &[u8; 32], points: &[[u8; 32]], evaluated: &[[u8; 32]]) -> [u8; 64] {
    let (points, evaluated) = (points.concat(), evaluated.concat());
    twice(&hash(&[b"proof", public, &points, &evaluated]))
}

fn both(one: &[u8; 32], other: &[u8]) -> [u8; 32] {
    let mut sum = *one;
    sum.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
    sum
}

fn twice(half: &[u8; 32]) -> [u8; 64] {
    let mut whole = [0; 64];
    whole.iter_mut().zip(half.iter().cycle()).for_each(|(byte, from)| *byte = *from);
    whole
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    *Digest::of_parts(parts).as_bytes()
}

#[cfg(test)]
mod tests {
    use protocol::primitives::Real;

    use super::*;
    use crate::seed::stream;

    #[test]
    fn each_part_fits_its_other_half_and_no_other() {
        let mut dice = stream(1, "toy");
        let (secret, other) = (Secret::from_bytes([1; 32]), Secret::from_bytes([2; 32]));
        let signature = Toy.sign(&secret, b"so be it");
        assert!(Toy.verify(&Toy.signing_public(&secret), b"so be it", &signature));
        assert!(!Toy.verify(&Toy.signing_public(&secret), b"so be it not", &signature));
        assert!(!Toy.verify(&Toy.signing_public(&other), b"so be it", &signature));

        let key = Toy.sealing_key(Suite::Toy, &secret).unwrap();
        let (enc, channel) = Toy.encapsulate(Suite::Toy, &key.public(), b"info", &mut dice).unwrap();
        let opened = key.decapsulate(&enc, b"info").unwrap().export(b"x");
        assert!(channel.export(b"x") == opened && channel.export(b"y") != opened);
        assert!(key.decapsulate(&enc, b"other").unwrap().export(b"x") != opened);
    }

    #[test]
    fn an_oblivious_output_is_the_same_under_every_blind_and_another_under_another_key() {
        let mut dice = stream(2, "toy");
        let inputs = vec![b"one".to_vec(), b"two".to_vec()];
        let mut outputs = |secret: &Secret| {
            let (blinds, points) = Toy.blind(&inputs, &mut dice).unwrap();
            let (evaluated, proof) = Toy.evaluate(secret, &points, &mut dice).unwrap();
            let public = Toy.oblivious_public(secret).unwrap();
            assert_eq!(Toy.unblind(&public, &inputs, &blinds, &evaluated, &[0; 64]), Err(Broken));
            (points, Toy.unblind(&public, &inputs, &blinds, &evaluated, &proof).unwrap())
        };
        let (first, second) = (outputs(&Secret::from_bytes([3; 32])), outputs(&Secret::from_bytes([3; 32])));
        assert!(first.0 != second.0 && first.1 == second.1 && first.1[0] != first.1[1]);
        assert_ne!(first.1, outputs(&Secret::from_bytes([4; 32])).1);
    }

    #[test]
    fn the_real_side_refuses_the_toy_suite_and_the_toy_every_other() {
        let secret = Secret::from_bytes([5; 32]);
        assert!(Real.sealing_key(Suite::Toy, &secret).is_err());
        assert!(Toy.sealing_key(Suite::XWing, &secret).is_err());
    }
}
