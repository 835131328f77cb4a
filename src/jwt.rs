//! JSON Web Tokens before they are believed (RFC 7519, RFC 7515 compact serialization; SPEC J-1, J-2, J-4).
//!
//! An [`UntrustedJwt`] has passed the rules of form and of the header. Its claims may be used to refuse it and to choose a key, for nothing else.

use std::borrow::Cow;

use crate::base64url;
use crate::bearer::BorrowedToken;
use crate::json::{self, Object, Value};
use crate::rejection::{Cause, Rejection, quote};
use crate::signature::Algorithm;

/// What a bearer token looks like.
#[derive(Debug)]
pub enum Format<'a> {
    /// A JWT, or what merely breaks the rules of one: the latter is refused and never introspected.
    Jwt(Result<UntrustedJwt<'a>, Rejection>),
    /// Anything else, a JWE in compact serialization included.
    Opaque,
}

/// A JWT whose form and header are acceptable. Nothing in it is verified.
#[derive(Debug)]
pub struct UntrustedJwt<'a> {
    /// `alg`, one of ours.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<Cow<'a, str>>,
    /// The claims set.
    pub claims: Object<'a>,
    /// What the signature covers (RFC 7515 §5.2 step 8).
    pub signing_input: &'a [u8],
    encoded_signature: &'a [u8],
}

impl UntrustedJwt<'_> {
    /// Decodes the signature: most tokens that are refused are refused before.
    ///
    /// # Errors
    /// It is not canonical base64url.
    pub fn signature(&self) -> Result<Vec<u8>, Rejection> {
        base64url::decode(self.encoded_signature).map_err(|error| malformed(format!("signature: {error}")))
    }
}

/// What the parts of one token decode to: an [`UntrustedJwt`] borrows from it.
#[derive(Debug, Default)]
pub struct Decoded {
    header: Vec<u8>,
    claims: Vec<u8>,
}

/// Tells a JWT from an opaque token, and parses it.
pub fn classify<'a>(token: BorrowedToken<'a>, decoded: &'a mut Decoded) -> Format<'a> {
    let Some([header, claims, signature]) = token.three_parts() else { return Format::Opaque };
    match base64url::decode(header) {
        Ok(text) if text.first() == Some(&b'{') => {
            decoded.header = text;
            match json::parse_object(&decoded.header, json::MAX_DEPTH) {
                Ok(header_object) if !header_object.contains_key("alg") => Format::Opaque,
                Ok(header_object) => {
                    let signing_input =
                        token.reveal().get(..header.len() + 1 + claims.len()).unwrap_or_default();
                    Format::Jwt(parse(&header_object, claims, signature, signing_input, &mut decoded.claims))
                }
                Err(error) => Format::Jwt(Err(malformed(format!("header: {error}")))),
            }
        }
        _ if resembles_header(header) => {
            Format::Jwt(Err(malformed("header: not canonical base64url without padding".to_owned())))
        }
        _ => Format::Opaque,
    }
}

/// A first part that is no base64url of ours, but begins as a JSON object does: some decoder may take it for a header.
fn resembles_header(part: &[u8]) -> bool {
    let start = part.get(..part.len().min(8) / 4 * 4).unwrap_or_default();
    base64url::decode_lenient(start).is_ok_and(|decoded| {
        let object = decoded.trim_ascii_start().strip_prefix(b"{");
        object.is_some_and(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b'"' | b'}')))
    })
}

fn parse<'a>(
    header: &Object<'a>,
    claims: &[u8],
    encoded_signature: &'a [u8],
    signing_input: &'a [u8],
    decoded: &'a mut Vec<u8>,
) -> Result<UntrustedJwt<'a>, Rejection> {
    let (algorithm, kid) = check_header(header)?;
    *decoded = base64url::decode(claims).map_err(|error| malformed(format!("claims: {error}")))?;
    let claims = json::parse_object(decoded, json::MAX_DEPTH)
        .map_err(|error| malformed(format!("claims: {error}")))?;
    Ok(UntrustedJwt { algorithm, kid, claims, signing_input, encoded_signature })
}

/// The header's rules, before any key is looked up. `jku`, `x5u`, `jwk` and `x5c` are ignored: keys come from the provider only.
fn check_header<'a>(header: &Object<'a>) -> Result<(Algorithm, Option<Cow<'a, str>>), Rejection> {
    let name = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or_else(|| malformed("header: alg is not a string".to_owned()))?;
    let algorithm = Algorithm::parse(name)
        .ok_or_else(|| Rejection::with(Cause::Algorithm, format!("alg {} is not accepted", quote(name))))?;
    // RFC 7515 §4.1.11: whoever does not understand an extension must refuse it; we understand none, b64 (RFC 7797) included.
    for extension in ["crit", "b64"] {
        if header.contains_key(extension) {
            return Err(malformed(format!("header: {extension} is not supported")));
        }
    }
    check_type(header.get("typ"))?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(malformed("header: kid is not a string".to_owned())),
    };
    Ok((algorithm, kid))
}

/// RFC 9068 §2.1 and what providers really send.
fn check_type(typ: Option<&Value<'_>>) -> Result<(), Rejection> {
    match typ {
        None => Ok(()),
        Some(Value::String(typ))
            if ["jwt", "at+jwt", "application/at+jwt"]
                .iter()
                .any(|accepted| typ.eq_ignore_ascii_case(accepted)) =>
        {
            Ok(())
        }
        Some(Value::String(typ)) => {
            Err(Rejection::with(Cause::TokenType, format!("header typ {} is not accepted", quote(typ))))
        }
        Some(_) => Err(malformed("header: typ is not a string".to_owned())),
    }
}

fn malformed(detail: String) -> Rejection {
    Rejection::with(Cause::MalformedToken, detail)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims),
            URL_SAFE_NO_PAD.encode("signature")
        )
    }

    fn borrowed(token: &str) -> BorrowedToken<'_> {
        BorrowedToken::new(token.as_bytes()).unwrap()
    }

    fn cause(token: &str) -> Option<Cause> {
        match classify(borrowed(token), &mut Decoded::default()) {
            Format::Jwt(Err(rejection)) => Some(rejection.cause),
            Format::Jwt(Ok(jwt)) => jwt.signature().err().map(|rejection| rejection.cause),
            Format::Opaque => panic!("{token} is opaque"),
        }
    }

    #[test]
    fn a_jwt_is_parsed() {
        let token = token(r#"{"alg":"ES256","typ":"at+JWT","kid":"k"}"#, r#"{"iss":"i"}"#);
        let mut decoded = Decoded::default();
        let Format::Jwt(Ok(jwt)) = classify(borrowed(&token), &mut decoded) else { panic!("a JWT") };
        assert_eq!((jwt.algorithm, jwt.kid.as_deref()), (Algorithm::ES256, Some("k")));
        assert_eq!(jwt.signing_input, token.rsplit_once('.').unwrap().0.as_bytes());
        assert_eq!(jwt.signature().unwrap(), b"signature");
    }

    #[test]
    fn algorithms_are_judged_before_anything_else() {
        for alg in ["none", "None", "HS256", "HS512", "ES256K", "RS1", "rs256", "", "Ed448"] {
            assert_eq!(
                cause(&token(&format!(r#"{{"alg":"{alg}","crit":["x"],"typ":"?"}}"#), "not JSON")),
                Some(Cause::Algorithm),
                "{alg}"
            );
        }
    }

    #[test]
    fn types_other_than_access_tokens_are_refused() {
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
            assert_eq!(cause(&token(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#), "{}")), None, "{typ}");
        }
        for typ in ["", "JWS", "JOSE", "id+jwt", "dpop+jwt", "logout+jwt", "application/jwt", "at+jwt "] {
            assert_eq!(
                cause(&token(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#), "{}")),
                Some(Cause::TokenType),
                "{typ}"
            );
        }
    }

    #[test]
    fn broken_jwts_are_malformed_not_opaque() {
        let deep =
            |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
        let good = r#"{"alg":"RS256"}"#;
        for (header, claims) in [
            (r#"{"alg":"RS256","alg":"RS256"}"#, "{}"),
            (r#"{"alg":256}"#, "{}"),
            (r#"{"alg":"RS256","kid":1}"#, "{}"),
            (r#"{"alg":"RS256","typ":1}"#, "{}"),
            (r#"{"alg":"RS256","crit":["exp"]}"#, "{}"),
            (r#"{"alg":"RS256","b64":false}"#, "{}"),
            (r#"{"alg":"RS256","b64":true}"#, "{}"),
            (r#"{"alg":"RS256", broken"#, "{}"),
            (r#"{"alg":"RS256"} trailing"#, "{}"),
            (good, "[]"),
            (good, "not JSON"),
            (good, ""),
            (good, r#"{"iss":"a","iss":"a"}"#),
            (good, r#"{"a":{"b":1,"b":1}}"#),
            (good, &deep(33)),
        ] {
            assert_eq!(cause(&token(header, claims)), Some(Cause::MalformedToken), "{header} {claims}");
        }
        assert_eq!(cause(&token(good, &deep(32))), None);
    }

    #[test]
    fn encodings_that_are_not_canonical_are_malformed_not_opaque() {
        let header = r#"{"alg":"RS256"} "#;
        let (claims, signature) = (URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("s"));
        let padded = URL_SAFE.encode(header);
        assert!(padded.ends_with('='));
        // Padding ends a bearer token (RFC 6750 §2.1): elsewhere there is none to begin with.
        assert!(BorrowedToken::new(format!("{padded}.{claims}.{signature}").as_bytes()).is_none());
        let standard = STANDARD.encode(r#"{"alg":"RS256","kid":"??>>~~"}"#);
        assert!(standard.contains(['+', '/']));
        assert_eq!(cause(&format!("{standard}.{claims}.{signature}")), Some(Cause::MalformedToken));
        let trailing_bits = format!("{}B", URL_SAFE_NO_PAD.encode(header).strip_suffix('A').unwrap());
        assert_eq!(cause(&format!("{trailing_bits}.{claims}.{signature}")), Some(Cause::MalformedToken));
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        assert!(BorrowedToken::new(format!("{header}.{claims}=.{signature}").as_bytes()).is_none());
        assert_eq!(cause(&format!("{header}.{claims}.{signature}=")), Some(Cause::MalformedToken));
        assert_eq!(cause(&format!("{header}.{claims}.a")), Some(Cause::MalformedToken));
    }

    #[test]
    fn everything_else_is_opaque() {
        let jwe = format!("{}.a.b.c.d", URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
        let without_alg = token(r#"{"typ":"JWT"}"#, "{}");
        for token in ["opaque", "ya29.a0Af_B-x.y", "a.b.c", "..", "aaa.bbb.ccc.ddd", &jwe, &without_alg] {
            assert!(matches!(classify(borrowed(token), &mut Decoded::default()), Format::Opaque), "{token}");
        }
    }
}
