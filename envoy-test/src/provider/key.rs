//! Signing keys and their JWKs (RFC 7517), shaped like Keycloak's.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DnType, PKCS_RSA_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use super::algorithm::{Algorithm, Family};

/// A private key with the `kid` and `alg` it is published under.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key; its `kid` is the RFC 7638 thumbprint, 43 characters like Keycloak's, unless given.
    pub fn generate(algorithm: Algorithm, kid: Option<&str>) -> Self {
        let pair = match algorithm.family() {
            Family::Rsa => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"))),
            Family::P256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Family::P384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Family::P521 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Family::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key")),
        };
        let mut key = Self { kid: String::new(), algorithm, pair };
        key.kid = kid.map_or_else(|| key.thumbprint(), str::to_owned);
        key
    }

    /// The `kid` it is published under.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The `alg` it is published with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs with `algorithm` where the key's family allows it (any RSA algorithm with any RSA key), otherwise with the key's own.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding = rsa_encoding(algorithm)
                    .or_else(|| rsa_encoding(self.algorithm))
                    .expect("an RSA algorithm");
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).expect("an RSA signature");
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).expect("an ECDSA signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as published: key material, `kid`, `use` and `alg`.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public_members();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm.as_str());
        jwk
    }

    /// The same key under another `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: &str) -> Self {
        kid.clone_into(&mut self.kid);
        self
    }

    /// A certificate the key has made for itself, as `x5c` and its thumbprints (RFC 7517 §4.7 to §4.9). Of RSA keys only.
    ///
    /// # Panics
    /// When it is another key.
    pub fn certificate(&self, name: &str) -> Value {
        let Pair::Rsa(pair) = &self.pair else { panic!("an RSA key") };
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS #8");
        let private = PrivatePkcs8KeyDer::from(private.as_ref().to_vec());
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&private, &PKCS_RSA_SHA256).expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        json!({
            "x5c": [STANDARD.encode(certificate.der())],
            "x5t": URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der())),
            "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der())),
        })
    }

    /// SubjectPublicKeyInfo as PEM, what a confused verifier would use as an HMAC key. Empty for keys other than RSA.
    pub fn public_pem(&self) -> String {
        let Pair::Rsa(pair) = &self.pair else {
            return String::new();
        };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("SubjectPublicKeyInfo");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// RFC 7638, SHA-256, base64url.
    pub fn thumbprint(&self) -> String {
        // serde_json's maps are ordered by name and print without spaces, which is the canonical form of RFC 7638 §3.
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.public_members().to_string().as_bytes()))
    }

    fn public_members(&self) -> Value {
        match &self.pair {
            Pair::Rsa(pair) => json!({
                "kty": "RSA",
                "n": URL_SAFE_NO_PAD.encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": URL_SAFE_NO_PAD.encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Pair::Ecdsa(pair) => {
                // SEC 1 §2.3.3: 0x04, then both coordinates at full length.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({ "kty": "EC", "crv": curve(self.algorithm), "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()) })
            }
        }
    }
}

/// Keycloak's second default key, for encryption: it must never verify a signature. One for the whole process.
pub(crate) fn encryption_jwk() -> Value {
    static KEY: OnceLock<Value> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut jwk = SigningKey::generate(Algorithm::Rs256, None).jwk();
        jwk["use"] = json!("enc");
        jwk["alg"] = json!("RSA-OAEP");
        jwk
    })
    .clone()
}

/// A key of a type nobody knows yet (ML-DSA, draft-ietf-cose-dilithium): skipped, the rest of the set keeps working.
pub(crate) fn unknown_jwk() -> Value {
    json!({ "kty": "AKP", "alg": "ML-DSA-65", "use": "sig", "kid": "post-quantum", "pub": URL_SAFE_NO_PAD.encode([7_u8; 1952]) })
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    Pair::Ecdsa(EcdsaKeyPair::generate(algorithm).expect("an ECDSA key"))
}

fn curve(algorithm: Algorithm) -> &'static str {
    match algorithm.family() {
        Family::P384 => "P-384",
        Family::P521 => "P-521",
        Family::P256 | Family::Rsa | Family::Ed25519 => "P-256",
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => return None,
    })
}
