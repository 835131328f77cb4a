//! ECDSA (RFC 7518 §3.4) by the RustCrypto curve crates.

use ecdsa::signature::hazmat::PrehashVerifier as _;
use ecdsa::{EcdsaCurve, VerifyingKey};
use p256::elliptic_curve::array::Array;
use p256::elliptic_curve::point::{AffineCoordinates, AffinePoint};
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{CurveArithmetic, FieldBytes, FieldBytesSize};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{Curve, KeyError, SignatureError};

/// A point of its curve, decoded, and not the identity.
pub(super) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl Key {
    pub(super) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let expected = curve.field_len();
        if x.len() != expected || y.len() != expected {
            return Err(KeyError::CoordinateLength { expected });
        }
        match curve {
            Curve::P256 => verifying_key(x, y).map(Self::P256),
            Curve::P384 => verifying_key(x, y).map(Self::P384),
            Curve::P521 => verifying_key(x, y).map(Self::P521),
        }
        .ok_or(KeyError::NotOnCurve)
    }

    pub(super) const fn curve(&self) -> Curve {
        match self {
            Self::P256(_) => Curve::P256,
            Self::P384(_) => Curve::P384,
            Self::P521(_) => Curve::P521,
        }
    }

    /// `signature` is `r || s`, each as long as the curve's order; s in either half of its range (RFC 7518 §3.4 does not bound it).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::P256(key) => {
                let signature =
                    p256::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha256::digest(message), &signature)
            }
            Self::P384(key) => {
                let signature =
                    p384::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha384::digest(message), &signature)
            }
            Self::P521(key) => {
                let signature =
                    p521::ecdsa::Signature::from_slice(signature).map_err(|_| SignatureError::Malformed)?;
                key.verify_prehash(&Sha512::digest(message), &signature)
            }
        }
        .map_err(|_| SignatureError::Invalid)
    }
}

/// The point with these coordinates, if it is one: both below p, and y² = x³ + ax + b (SEC 1 §3.2.2.1), which the identity has no coordinates for. Not by way of
/// SEC 1's encodings: their decoder knows compressed points, too, and the square roots that these need are a tenth of the filter's cryptography.
fn verifying_key<C>(x: &[u8], y: &[u8]) -> Option<VerifyingKey<C>>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>> + FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let (x, y) = (Array::try_from(x).ok()?, Array::try_from(y).ok()?);
    let point = AffinePoint::<C>::from_coordinates(&x, &y).into_option()?;
    VerifyingKey::from_affine(point).ok()
}
