//! Which keys are keys, and which algorithms are theirs. That signatures verify is shown by `tests/vectors`.

use super::*;
use crate::base64url;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// RFC 7515, appendix A.2 (2048 bits).
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515, appendix A.3.
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
/// RFC 8037, appendix A.2.
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn bytes(encoded: &str) -> Vec<u8> {
    base64url::decode(encoded.as_bytes()).unwrap()
}

/// The verdict of every backend in this build, which is one.
fn verify(
    key: &PublicKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let verdict = key.verify(algorithm, message, signature);
    for backend in Backend::ALL {
        let other = key.clone().with_backend(*backend);
        assert_eq!(other.verify(algorithm, message, signature), verdict, "{backend:?} {algorithm}");
    }
    verdict
}

/// A number of exactly `bits` bits, odd.
fn odd(bits: usize) -> Vec<u8> {
    let mut number = vec![0xff; bits.div_ceil(8)];
    number[0] = 0xff >> (number.len() * 8 - bits);
    number
}

#[test]
fn algorithm_names_are_exact() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        assert_eq!(Algorithm::parse(&algorithm.as_str().to_lowercase()), None);
    }
    for name in [
        "",
        "none",
        "None",
        "HS256",
        "HS384",
        "HS512",
        "Ed25519",
        "Ed448",
        "ES256K",
        "RS1",
        "RS256 ",
        " RS256",
        "RSA-OAEP",
        "ML-DSA-44",
        "RS256\0",
    ] {
        assert_eq!(Algorithm::parse(name), None, "{name:?}");
    }
}

#[test]
fn rsa_moduli_have_2048_to_8192_bits() {
    for bits in [2048, 2049, 3072, 4096, 8192] {
        assert!(PublicKey::rsa(&odd(bits), &[3]).is_ok(), "{bits}");
    }
    for bits in [512, 1024, 2040, 2047, 8193, 16384] {
        assert_eq!(PublicKey::rsa(&odd(bits), &[3]).unwrap_err(), KeyError::RsaModulusSize { bits });
    }
    for n in [&[][..], &[0], &[0; 256], &[0; 4096]] {
        assert_eq!(PublicKey::rsa(n, &[3]).unwrap_err(), KeyError::RsaModulusSize { bits: 0 });
    }
    let padded = [&[0; 300], &odd(2047)[..]].concat();
    assert_eq!(PublicKey::rsa(&padded, &[3]).unwrap_err(), KeyError::RsaModulusSize { bits: 2047 });
    assert!(PublicKey::rsa(&[&[0], &bytes(RSA_N)[..]].concat(), &[0, 1, 0, 1]).is_ok());
    let mut even = odd(2048);
    even[255] = 0xfe;
    assert_eq!(PublicKey::rsa(&even, &[3]).unwrap_err(), KeyError::RsaModulusEven);
}

#[test]
fn rsa_exponents_are_odd_and_from_3_to_2_to_the_33() {
    let n = bytes(RSA_N);
    for e in [
        &[3][..],
        &[5],
        &[1, 0, 1],
        &[0xff, 0xff, 0xff, 0xff],
        &[1, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0, 0, 3],
    ] {
        assert!(PublicKey::rsa(&n, e).is_ok(), "{e:?}");
    }
    for e in
        [&[][..], &[0], &[1], &[0, 1], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 0, 1], &n]
    {
        assert_eq!(PublicKey::rsa(&n, e).unwrap_err(), KeyError::RsaExponent, "{e:?}");
    }
}

#[test]
fn ec_points_are_on_their_curve_and_written_in_full() {
    let (x, y) = (bytes(P256_X), bytes(P256_Y));
    assert!(PublicKey::ec(Curve::P256, &x, &y).is_ok());
    for (curve, expected) in [(Curve::P384, 48), (Curve::P521, 66)] {
        assert_eq!(PublicKey::ec(curve, &x, &y).unwrap_err(), KeyError::CoordinateLength { expected });
    }
    let length = KeyError::CoordinateLength { expected: 32 };
    for (x, y) in [
        (&x[1..], &y[..]),
        (&x, &y[..31]),
        (&[], &[]),
        (&[&[0], &x[..]].concat(), &y),
        (&x, &[&y[..], &[0]].concat()),
        (&x, &[]),
    ] {
        assert_eq!(PublicKey::ec(Curve::P256, x, y).unwrap_err(), length);
    }
    let flipped = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
    for (curve, x, y) in [
        (Curve::P256, y.clone(), x.clone()),
        (Curve::P256, x.clone(), flipped(&y)),
        (Curve::P256, vec![0; 32], vec![0; 32]),
        (Curve::P256, vec![0xff; 32], vec![0xff; 32]),
        (Curve::P384, vec![0; 48], vec![0; 48]),
        (Curve::P521, vec![0; 66], vec![0; 66]),
        (Curve::P521, vec![0xff; 66], vec![0xff; 66]),
    ] {
        assert_eq!(PublicKey::ec(curve, &x, &y).unwrap_err(), KeyError::NotOnCurve);
    }
}

#[test]
fn ed25519_points_are_canonical_and_of_large_order() {
    let x = bytes(ED25519_X);
    assert!(PublicKey::ed25519(&x).is_ok());
    for x in [&x[..31], &[&x[..], &[0]].concat(), &[]] {
        assert_eq!(PublicKey::ed25519(x).unwrap_err(), KeyError::CoordinateLength { expected: 32 });
    }
    let y = |low: u8, fill: u8, high: u8| {
        let mut point = [fill; 32];
        (point[0], point[31]) = (low, high);
        point
    };
    // y = 1 (the identity), y = 0, y = -1: orders 1, 4 and 2.
    for small in [y(1, 0, 0), y(0, 0, 0), y(0, 0, 0x80), y(0xec, 0xff, 0x7f)] {
        assert_eq!(PublicKey::ed25519(&small).unwrap_err(), KeyError::SmallOrder, "{small:?}");
    }
    // No encoding from p = 2^255 - 19 upwards is a key, whatever it decodes to.
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            assert!(PublicKey::ed25519(&y(low, 0xff, high)).is_err(), "{low:x}");
        }
    }
    // y = 2 is no point.
    assert_eq!(PublicKey::ed25519(&y(2, 0, 0)).unwrap_err(), KeyError::NotOnCurve);
}

#[test]
fn keys_support_the_algorithms_of_their_type_and_curve_only() {
    use Algorithm::{ES256, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let keys = [
        (
            PublicKey::rsa(&bytes(RSA_N), &[1, 0, 1]).unwrap(),
            &[RS256, RS384, RS512, PS256, PS384, PS512][..],
            "RSA",
        ),
        (PublicKey::ec(Curve::P256, &bytes(P256_X), &bytes(P256_Y)).unwrap(), &[ES256], "P-256"),
        (PublicKey::ed25519(&bytes(ED25519_X)).unwrap(), &[EdDSA], "Ed25519"),
    ];
    for (key, own, name) in keys {
        assert_eq!(format!("{key:?}"), format!("PublicKey({name})"));
        for algorithm in Algorithm::ALL {
            assert_eq!(key.supports(algorithm), own.contains(&algorithm));
            let expected = if own.contains(&algorithm) {
                SignatureError::Malformed
            } else {
                SignatureError::UnsupportedAlgorithm
            };
            assert_eq!(
                verify(&key, algorithm, b"message", b"signature"),
                Err(expected),
                "{name} {algorithm}"
            );
        }
    }
}

#[test]
fn numbers_out_of_range_are_no_signatures() {
    let (n, message) = (bytes(RSA_N), b"message");
    let key = PublicKey::rsa(&n, &[1, 0, 1]).unwrap();
    for signature in [&n[..], &[0xff; 256], &[0; 256]] {
        assert_eq!(verify(&key, Algorithm::RS256, message, signature), Err(SignatureError::Invalid));
        assert_eq!(verify(&key, Algorithm::PS256, message, signature), Err(SignatureError::Invalid));
    }
    let key = PublicKey::ec(Curve::P256, &bytes(P256_X), &bytes(P256_Y)).unwrap();
    for signature in [[0; 64], [0xff; 64]] {
        assert_eq!(verify(&key, Algorithm::ES256, message, &signature), Err(SignatureError::Malformed));
    }
}

/// Case 2 of Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs" (SSR 2020): R of small order under a key of mixed order. RFC 8032's
/// equation holds, with or without cofactor; a signature that does not bind its key and message is refused nevertheless.
#[test]
fn ed25519_signatures_with_a_small_r_are_refused() {
    let hex = |text: &str| -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect()
    };
    let key =
        PublicKey::ed25519(&hex("f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43")).unwrap();
    let message = hex("aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab");
    let signature = hex(concat!(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"
    ));
    assert_eq!(verify(&key, Algorithm::EdDSA, &message, &signature), Err(SignatureError::Invalid));
}

/// Keys keep type, curve and algorithms, and are really handed over: a backend that took none would pass every other test.
#[test]
fn every_backend_takes_every_kind_of_key() {
    let keys = [
        PublicKey::rsa(&bytes(RSA_N), &[1, 0, 1]).unwrap(),
        PublicKey::rsa(&odd(2048), &[3]).unwrap(),
        PublicKey::rsa(&odd(8192), &[0xff, 0xff, 0xff, 0xff]).unwrap(),
        PublicKey::ec(Curve::P256, &bytes(P256_X), &bytes(P256_Y)).unwrap(),
        PublicKey::ed25519(&bytes(ED25519_X)).unwrap(),
    ];
    for key in keys {
        for backend in Backend::ALL {
            let other = key.clone().with_backend(*backend);
            assert_eq!(other.backend(), *backend);
            assert_eq!(format!("{other:?}"), format!("{key:?}"));
            for algorithm in Algorithm::ALL {
                assert_eq!(other.supports(algorithm), key.supports(algorithm));
            }
        }
    }
}

#[test]
fn what_takes_longer_costs_more_with_every_backend() {
    let point = |point: &[u8]| {
        let (x, y) = point[1..].split_at(point.len() / 2);
        (x.to_vec(), y.to_vec())
    };
    let p384 = p384::ecdsa::SigningKey::from_slice(&[1; 48]).unwrap();
    let (x384, y384) = point(p384.verifying_key().to_sec1_point(false).as_bytes());
    let p521 = p521::ecdsa::SigningKey::from_slice(&[[0; 65], [1; 65]].concat()[64..]).unwrap();
    let (x521, y521) = point(p521.verifying_key().to_sec1_point(false).as_bytes());
    let rsa = |bits| PublicKey::rsa(&odd(bits), &[3]).unwrap();
    for (key, cost) in [
        (PublicKey::ed25519(&bytes(ED25519_X)).unwrap(), 1),
        (PublicKey::ec(Curve::P256, &bytes(P256_X), &bytes(P256_Y)).unwrap(), 1),
        (PublicKey::ec(Curve::P384, &x384, &y384).unwrap(), 4),
        (PublicKey::ec(Curve::P521, &x521, &y521).unwrap(), 4),
        (rsa(2048), 1),
        (rsa(3072), 1),
        (rsa(3073), 2),
        (rsa(4096), 2),
        (rsa(4097), 8),
        (rsa(8192), 8),
    ] {
        for backend in Backend::ALL {
            assert_eq!(key.clone().with_backend(*backend).cost(), cost, "{key:?} {backend:?}");
        }
    }
}
