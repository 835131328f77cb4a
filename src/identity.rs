//! The identity that the upstream may see, as headers (SPEC I-1).
//!
//! Values are encoded so that no two identities look alike: every byte outside 0x21–0x7E and `%` itself is percent-encoded, and `,` too inside a
//! list's elements. Identity is provider and subject; `x-auth-user` is for display.

use crate::claims::VerifiedClaims;
use crate::json::Value;
use crate::policy::ClaimHeader;

/// Header values of one identity, encoded; absent ones are empty.
///
/// Packed in one allocation, because a worker remembers thousands of them: before each value stands its length, in three digits of base 128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Box<str>);

impl Identity {
    /// Encodes what `provider`'s claims say. `claims_to_headers` adds its headers after [`IDENTITY_HEADERS`](crate::header::IDENTITY_HEADERS), in order.
    pub fn new(provider: &str, claims: &VerifiedClaims<'_>, claims_to_headers: &[ClaimHeader]) -> Self {
        let all = claims.all();
        let text = |name: &str| all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut packed = String::with_capacity(160);
        let mut value = String::with_capacity(80);
        let mut field = |encode: &dyn Fn(&mut String)| {
            value.clear();
            encode(&mut value);
            // Tokens are bounded, and so are values; one that were too long for three digits would be left out.
            let length = u32::try_from(value.len()).ok().filter(|length| *length < 1 << 21);
            let value = if length.is_some() { value.as_str() } else { "" };
            let digit = |shift: u32| char::from((length.unwrap_or(0) >> shift) as u8 & 0x7f);
            packed.extend([digit(14), digit(7), digit(0)]);
            packed.push_str(value);
        };
        field(&|out| encode(out, provider, false));
        field(&|out| encode(out, text("sub").unwrap_or_default(), false));
        field(&|out| {
            encode(
                out,
                text("name")
                    .or_else(|| text("preferred_username"))
                    .or_else(|| text("email"))
                    .unwrap_or_default(),
                false,
            )
        });
        field(&|out| encode_list(out, scopes(all.get("scope"), all.get("scp"))));
        for ClaimHeader { claim, .. } in claims_to_headers {
            field(&|out| {
                encode_claim(
                    out,
                    lookup(
                        all.get(claim.first().map_or("", String::as_str)),
                        claim.get(1..).unwrap_or_default(),
                    ),
                )
            });
        }
        Self(packed.into_boxed_str())
    }

    /// The values: [`IDENTITY_HEADERS`](crate::header::IDENTITY_HEADERS) first, then `claims_to_headers`; absent ones are empty.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (digits, after) = rest.split_at_checked(3)?;
            let length = digits.bytes().fold(0, |length, digit| length << 7 | usize::from(digit));
            let (value, after) = after.split_at_checked(length)?;
            rest = after;
            Some(value)
        })
    }

    /// Whether `scope` was granted. `scope` is encoded as [`encode_scope`] does.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.values().nth(3).is_some_and(|scopes| scopes.split(',').any(|granted| granted == scope))
    }

    /// Bytes of memory behind this value.
    pub const fn size(&self) -> usize {
        self.0.len()
    }
}

/// A scope as it stands in an identity.
pub fn encode_scope(scope: &str) -> String {
    let mut out = String::new();
    encode(&mut out, scope, true);
    out
}

/// RFC 6749 §3.3's `scope`, and `scp` as Okta (array) and Entra ID (string) send it. Duplicates are told once.
fn scopes<'a>(scope: Option<&'a Value<'_>>, scp: Option<&'a Value<'_>>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for claim in [scope, scp].into_iter().flatten() {
        let elements: &mut dyn Iterator<Item = &'a str> = match claim {
            Value::String(list) => &mut list.split(' '),
            Value::Array(list) => {
                &mut list.iter().filter_map(Value::as_str).flat_map(|element| element.split(' '))
            }
            _ => continue,
        };
        for element in elements {
            if !element.is_empty() && !found.contains(&element) {
                found.push(element);
            }
        }
    }
    found
}

fn lookup<'a, 'b>(value: Option<&'a Value<'b>>, path: &[String]) -> Option<&'a Value<'b>> {
    path.iter().try_fold(value?, |value, name| value.get(name))
}

/// Text as it is, numbers and booleans as JSON writes them, arrays as lists, objects as JSON.
fn encode_claim(out: &mut String, claim: Option<&Value<'_>>) {
    match claim {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => encode(out, text, false),
        Some(Value::Array(list)) => {
            let elements: Vec<String> = list
                .iter()
                .map(|element| element.as_str().map_or_else(|| element.to_string(), str::to_owned))
                .collect();
            encode_list(out, elements.iter().map(String::as_str).collect());
        }
        Some(other) => encode(out, &other.to_string(), false),
    }
}

fn encode_list(out: &mut String, elements: Vec<&str>) {
    for (place, element) in elements.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        encode(out, element, true);
    }
}

fn encode(out: &mut String, text: &str, in_list: bool) {
    let is_plain = |byte: u8| matches!(byte, 0x21..=0x7e) && byte != b'%' && !(in_list && byte == b',');
    // Most values are.
    if text.bytes().all(is_plain) {
        out.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex(byte >> 4));
            out.push(hex(byte & 15));
        }
    }
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;
    use crate::claims::Validity;
    use crate::header::HeaderName;
    use crate::time::UnixTime;

    fn identity(claims: serde_json::Value, claims_to_headers: &[(&[&str], &str)]) -> Vec<String> {
        let Value::Object(claims) = claims.into() else { panic!("an object") };
        let validity = Validity { not_before: UnixTime::EPOCH, expires: UnixTime::EPOCH };
        let rules: Vec<ClaimHeader> = claims_to_headers
            .iter()
            .map(|(claim, header)| ClaimHeader {
                claim: claim.iter().map(|&name| name.to_owned()).collect(),
                header: HeaderName::parse(header).unwrap(),
            })
            .collect();
        Identity::new("p", &VerifiedClaims::new(claims, validity), &rules)
            .values()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_user_is_the_first_name_there_is() {
        let all = json!({"sub": "s", "name": "Ada Lovelace", "preferred_username": "ada", "email": "ada@example.com"});
        assert_eq!(identity(all, &[]), ["p", "s", "Ada%20Lovelace", ""]);
        assert_eq!(
            identity(json!({"sub": "s", "name": "", "preferred_username": "ada", "email": "a@b"}), &[]),
            ["p", "s", "ada", ""]
        );
        assert_eq!(identity(json!({"email": "ada@example.com"}), &[]), ["p", "", "ada@example.com", ""]);
    }

    #[test]
    fn no_two_subjects_are_encoded_alike() {
        let subjects = ["a b", "a%20b", "a+b", "a\nb", "a\u{a0}b", "é", "%C3%A9", "a,b", "ａ"];
        let encoded: std::collections::BTreeSet<String> =
            subjects.iter().map(|sub| identity(json!({"sub": sub}), &[]).remove(1)).collect();
        assert_eq!(encoded.len(), subjects.len());
        assert!(
            encoded.iter().all(|value| value.bytes().all(|byte| (0x21..=0x7e).contains(&byte))),
            "{encoded:?}"
        );
        assert_eq!(identity(json!({"sub": "a%,é\n"}), &[])[1], "a%25,%C3%A9%0A");
    }

    #[test]
    fn scopes_are_read_in_every_providers_form() {
        for claims in [
            json!({"scope": "a b,c a"}),
            json!({"scp": ["a", "b,c"]}),
            json!({"scp": "a b,c"}),
            json!({"scope": "a", "scp": ["b,c", 7]}),
        ] {
            assert_eq!(identity(claims.clone(), &[])[3], "a,b%2Cc", "{claims}");
        }
        assert_eq!(identity(json!({"scope": 7, "scp": {"a": "b"}}), &[])[3], "");
    }

    #[test]
    fn claims_are_found_by_path_and_told_by_kind() {
        let claims = json!({"kubernetes.io": {"namespace": "default"}, "groups": ["a", "b,c", 1], "n": 1.5, "b": true, "o": {"k": "v"}, "z": null});
        let rules: &[(&[&str], &str)] = &[
            (&["kubernetes.io", "namespace"], "x-ns"),
            (&["groups"], "x-groups"),
            (&["n"], "x-n"),
            (&["b"], "x-b"),
            (&["o"], "x-o"),
            (&["z"], "x-z"),
            (&["none", "x"], "x-none"),
            (&["n", "x"], "x-deep"),
        ];
        assert_eq!(
            identity(claims, rules)[4..],
            ["default", "a,b%2Cc,1", "1.5", "true", r#"{"k":"v"}"#, "", "", ""]
        );
    }

    #[test]
    fn a_scope_is_granted_whole_or_not_at_all() {
        let Value::Object(claims) = json!({"scope": "mcp-registry:read a,b"}).into() else {
            panic!("an object")
        };
        let validity = Validity { not_before: UnixTime::EPOCH, expires: UnixTime::EPOCH };
        let identity = Identity::new("p", &VerifiedClaims::new(claims, validity), &[]);
        assert!(identity.has_scope("mcp-registry:read") && identity.has_scope(&encode_scope("a,b")));
        for scope in ["mcp-registry", "read", "", "a", "b", "a,b", "MCP-registry:read"] {
            assert!(!identity.has_scope(scope), "{scope}");
        }
    }
}
