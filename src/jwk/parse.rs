//! From bytes to one [`Jwk`], or to the reason why not.

use sha2::{Digest as _, Sha256};

use super::{Jwk, JwkSetError, MAX_KEYS, SkipReason};
use crate::base64url;
use crate::json::{self, Object, Value};
use crate::signature::{Algorithm, Backend, Curve, PublicKey, without_leading_zeros};

/// The texts of the first [`MAX_KEYS`] entries of `keys`, sound and not looked into, and how many follow them.
pub(super) fn entries(bytes: &[u8]) -> Result<(Vec<&str>, usize), JwkSetError> {
    let members = json::sound(bytes).and_then(json::members).map_err(JwkSetError::Json)?;
    let keys = members.iter().find(|(name, _)| name == "keys").ok_or(JwkSetError::NoKeys)?.1;
    let mut entries = json::elements(keys).ok_or(JwkSetError::KeysNotAnArray)?;
    let first = entries.by_ref().take(MAX_KEYS).collect();
    Ok((first, entries.count()))
}

/// One entry; with the reason, its `kid` as far as it could be read.
pub(super) fn jwk(backend: Backend, entry: &str) -> Result<Jwk, (Option<String>, SkipReason)> {
    let members = json::parse_object(entry.as_bytes(), json::MAX_DEPTH)
        .map_err(|error| (None, SkipReason::Json(error)))?;
    let kid = members.get("kid").and_then(Value::as_str).map(str::to_owned);
    usable(backend, &members).map_err(|reason| (kid, reason))
}

fn usable(backend: Backend, members: &Object<'_>) -> Result<Jwk, SkipReason> {
    let kty = required(members, "kty")?;
    match kty {
        "oct" => return Err(SkipReason::Symmetric),
        "RSA" | "EC" | "OKP" => {}
        other => return Err(SkipReason::UnknownKeyType(other.to_owned())),
    }
    // RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2.
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(name)) {
        return Err(SkipReason::Private);
    }
    check_purpose(members)?;
    let (key, thumbprint) = match kty {
        "RSA" => rsa(members)?,
        "EC" => ec(members)?,
        _ => okp(members)?,
    };
    let algorithm = optional(members, "alg")?.map(|name| own_algorithm(kty, name)).transpose()?;
    if let Some(unfit) = algorithm.filter(|algorithm| !key.supports(*algorithm)) {
        return Err(SkipReason::UnfitAlgorithm(unfit));
    }
    let kid = optional(members, "kid")?.map(str::to_owned);
    Ok(Jwk { kid, algorithm, key: key.with_backend(backend), thumbprint })
}

/// RFC 7517 §4.2 and §4.3: what the key's owner says it is for.
fn check_purpose(members: &Object<'_>) -> Result<(), SkipReason> {
    match optional(members, "use")? {
        None | Some("sig") => {}
        Some(other) => return Err(SkipReason::NotForSignatures(other.to_owned())),
    }
    let Some(operations) = members.get("key_ops") else {
        return Ok(());
    };
    let operations = operations.as_array().filter(|operations| operations.iter().all(Value::is_string));
    let operations = operations.ok_or(SkipReason::MalformedMember("key_ops"))?;
    if operations.iter().any(|operation| operation.as_str() == Some("verify")) {
        Ok(())
    } else {
        Err(SkipReason::NotForVerification)
    }
}

/// RFC 9864 §2.2 names Ed25519 by itself; in a key it means what `EdDSA` does with that curve.
fn own_algorithm(kty: &str, name: &str) -> Result<Algorithm, SkipReason> {
    match (kty, name) {
        ("OKP", "Ed25519") => Ok(Algorithm::EdDSA),
        _ => Algorithm::parse(name).ok_or_else(|| SkipReason::UnknownAlgorithm(name.to_owned())),
    }
}

fn rsa(members: &Object<'_>) -> Result<(PublicKey, [u8; 32]), SkipReason> {
    let (n, e) = (bytes(members, "n")?, bytes(members, "e")?);
    let key = PublicKey::rsa(&n, &e).map_err(SkipReason::Key)?;
    // RFC 7518 §2, Base64urlUInt: no leading zero bytes. Some providers send one; the key is the same.
    let (n, e) = (base64url::encode(without_leading_zeros(&n)), base64url::encode(without_leading_zeros(&e)));
    Ok((key, thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))))
}

fn ec(members: &Object<'_>) -> Result<(PublicKey, [u8; 32]), SkipReason> {
    let name = required(members, "crv")?;
    let curve = Curve::parse(name).ok_or_else(|| SkipReason::UnknownCurve(name.to_owned()))?;
    let coordinate = |name| Ok(pad(bytes(members, name)?, curve.field_len()));
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    let key = PublicKey::ec(curve, &x, &y).map_err(SkipReason::Key)?;
    let (x, y) = (base64url::encode(&x), base64url::encode(&y));
    Ok((key, thumbprint(&format!(r#"{{"crv":"{}","kty":"EC","x":"{x}","y":"{y}"}}"#, curve.as_str()))))
}

/// RFC 7518 §6.2.1.2 demands the full length. Providers exist that leave out leading zeros; a few are put back, and the point still has to be on the curve.
fn pad(coordinate: Vec<u8>, length: usize) -> Vec<u8> {
    const MOST: usize = 4;
    match length.checked_sub(coordinate.len()) {
        Some(missing @ 1..=MOST) => [vec![0; missing], coordinate].concat(),
        _ => coordinate,
    }
}

fn okp(members: &Object<'_>) -> Result<(PublicKey, [u8; 32]), SkipReason> {
    let name = required(members, "crv")?;
    if name != "Ed25519" {
        return Err(SkipReason::UnknownCurve(name.to_owned()));
    }
    let x = bytes(members, "x")?;
    let key = PublicKey::ed25519(&x).map_err(SkipReason::Key)?;
    let x = base64url::encode(&x);
    Ok((key, thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))))
}

/// RFC 7638 §3: the required members only, in lexicographic order, without white space. RFC 8037 §2 for OKP.
fn thumbprint(canonical: &str) -> [u8; 32] {
    Sha256::digest(canonical).into()
}

fn optional<'a>(members: &'a Object<'_>, name: &'static str) -> Result<Option<&'a str>, SkipReason> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(SkipReason::MalformedMember(name)),
    }
}

fn required<'a>(members: &'a Object<'_>, name: &'static str) -> Result<&'a str, SkipReason> {
    optional(members, name)?.ok_or(SkipReason::MissingMember(name))
}

fn bytes(members: &Object<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    base64url::decode(required(members, name)?.as_bytes()).map_err(|_| SkipReason::MalformedMember(name))
}
