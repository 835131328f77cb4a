//! JWK Sets (RFC 7517), parsed key by key.
//!
//! Identity providers publish keys for other purposes, of types yet to come, and now and then a broken one. None of them may cost us the
//! others: an unusable key is skipped and its reason kept for the log (SPEC J-7). What remains is fit to verify signatures, and says with
//! which algorithms. Only the first [`MAX_KEYS`] entries are looked at. The size of the document is the caller's to bound.

mod parse;

use std::fmt;
use std::sync::Arc;

use crate::json::JsonError;
use crate::rejection::quote;
use crate::signature::{Algorithm, Backend, KeyError, PublicKey};

/// Entries of `keys` that are looked at (SPEC J-7).
pub const MAX_KEYS: usize = 100;

/// Keys tried for a token without `kid` (SPEC J-4).
pub const MAX_KEYS_WITHOUT_KID: usize = 4;

/// A key that may verify signatures.
#[derive(Debug)]
pub struct Jwk {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    key: PublicKey,
    thumbprint: [u8; 32],
}

impl Jwk {
    /// Its `kid`, compared byte for byte.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its own `alg`: the only algorithm it is for (RFC 7517 §4.4).
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The key itself.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// RFC 7638, with SHA-256, over the canonical encoding of the members: equal for equal keys, however a provider spells them.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Whether this key may verify signatures of `algorithm`: type, curve and its own `alg` allow it. Keys whose `use` or `key_ops` forbid
    /// verification never become a `Jwk`.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.key.supports(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

/// The usable keys of a JWK Set. It may have none: whether that is an error is the caller's decision.
#[derive(Debug, Default)]
pub struct JwkSet {
    keys: Vec<Arc<Jwk>>,
    skipped: Vec<SkippedKey>,
    truncated: Option<usize>,
}

impl JwkSet {
    /// Parses a JWK Set (RFC 7517 §5). Errors are of the set as a whole; a key that cannot be used is in [`JwkSet::skipped`].
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkSetError> {
        Self::parse_for(Backend::default(), bytes)
    }

    /// The same, with keys prepared for `backend`.
    pub fn parse_for(backend: Backend, bytes: &[u8]) -> Result<Self, JwkSetError> {
        let (entries, rest) = parse::entries(bytes)?;
        let mut set = Self { truncated: (rest > 0).then_some(rest), ..Self::default() };
        for (index, entry) in entries.into_iter().enumerate() {
            match parse::jwk(backend, entry) {
                Ok(jwk) => set.keys.push(Arc::new(jwk)),
                Err((kid, reason)) => set.skipped.push(SkippedKey { index, kid, reason }),
            }
        }
        Ok(set)
    }

    /// The usable keys, in the order of the document.
    pub fn keys(&self) -> &[Arc<Jwk>] {
        &self.keys
    }

    /// The other keys, with reasons.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// How many entries beyond [`MAX_KEYS`] were not looked at.
    pub fn truncated(&self) -> Option<usize> {
        self.truncated
    }

    /// Whether a usable key has this `kid`.
    pub fn contains_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|jwk| jwk.kid() == Some(kid))
    }

    /// The keys to try for a token, in the order of the document (SPEC J-4): with `kid`, every key that has it and fits; without, the first
    /// [`MAX_KEYS_WITHOUT_KID`] that fit.
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<Arc<Jwk>> {
        select(self.keys.iter(), |jwk| jwk, kid, algorithm).cloned().collect()
    }
}

/// [`JwkSet::select`], of whatever has a JWK.
pub(crate) fn select<'a, T: 'a>(
    keys: impl Iterator<Item = &'a T>,
    jwk: impl Fn(&'a T) -> &'a Jwk,
    kid: Option<&str>,
    algorithm: Algorithm,
) -> impl Iterator<Item = &'a T> {
    let most = if kid.is_some() { usize::MAX } else { MAX_KEYS_WITHOUT_KID };
    keys.filter(move |key| {
        let jwk = jwk(key);
        jwk.fits(algorithm) && (kid.is_none() || jwk.kid() == kid)
    })
    .take(most)
}

/// Why a document is not a JWK Set.
#[derive(Debug)]
pub enum JwkSetError {
    /// Not a JSON object, or one with duplicate members.
    Json(JsonError),
    /// No member `keys`.
    NoKeys,
    /// `keys` is not an array.
    KeysNotAnArray,
}

impl fmt::Display for JwkSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "JWK Set is {error}"),
            Self::NoKeys => f.write_str("JWK Set has no member \"keys\""),
            Self::KeysNotAnArray => f.write_str("JWK Set's member \"keys\" is not an array"),
        }
    }
}

impl std::error::Error for JwkSetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::NoKeys | Self::KeysNotAnArray => None,
        }
    }
}

/// An entry of `keys` that is not used.
#[derive(Debug)]
pub struct SkippedKey {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, if it could be read.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: SkipReason,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        if let Some(kid) = &self.kid {
            write!(f, " (kid {})", quote(kid))?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why an entry of `keys` is not used. `Display` shortens and escapes what a provider wrote.
#[derive(Debug)]
pub enum SkipReason {
    /// Not an object, nested too deep, or with duplicate members.
    Json(JsonError),
    /// A member that is needed is absent.
    MissingMember(&'static str),
    /// A member of the wrong type, or not canonical base64url where that is demanded.
    MalformedMember(&'static str),
    /// `kty` is not RSA, EC or OKP; AKP (ML-DSA) for instance.
    UnknownKeyType(String),
    /// `kty` is `oct`: a shared secret, in public.
    Symmetric,
    /// A private key, in public: whoever reads it can sign.
    Private,
    /// `use` is not `sig`.
    NotForSignatures(String),
    /// `key_ops` lacks `verify`.
    NotForVerification,
    /// `crv` is none of P-256, P-384, P-521, Ed25519.
    UnknownCurve(String),
    /// `alg` is no signature algorithm of SPEC J-2; RSA-OAEP for instance.
    UnknownAlgorithm(String),
    /// `alg` is for keys of another type or curve.
    UnfitAlgorithm(Algorithm),
    /// The key itself is weak or broken.
    Key(KeyError),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "{error}"),
            Self::MissingMember(name) => write!(f, "no member \"{name}\""),
            Self::MalformedMember(name) => write!(f, "malformed member \"{name}\""),
            Self::UnknownKeyType(kty) => write!(f, "kty {} is not supported", quote(kty)),
            Self::Symmetric => f.write_str("a symmetric key does not belong in a public JWK Set"),
            Self::Private => f.write_str("a private key does not belong in a public JWK Set"),
            Self::NotForSignatures(purpose) => {
                write!(f, "use is {}, not \"sig\"", quote(purpose))
            }
            Self::NotForVerification => f.write_str("key_ops lacks \"verify\""),
            Self::UnknownCurve(curve) => write!(f, "crv {} is not supported", quote(curve)),
            Self::UnknownAlgorithm(name) => write!(f, "alg {} is not supported", quote(name)),
            Self::UnfitAlgorithm(algorithm) => {
                write!(f, "alg \"{algorithm}\" is not for this type of key")
            }
            Self::Key(error) => write!(f, "{error}"),
        }
    }
}

#[cfg(test)]
mod tests;
