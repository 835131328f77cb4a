//! Tokens, good ones and all the bad ones a test can think of.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::key::SigningKey;
use super::realm::Realm;

/// A token to be: an access token shaped like Keycloak's, valid for five minutes, unless told otherwise. Times are relative to now.
#[must_use]
pub struct TokenSpec {
    keys: Keys,
    algorithm: Algorithm,
    key: Option<Arc<SigningKey>>,
    kid: Kid,
    signing: Signing,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    edit_header: Option<Edit>,
    edit_claims: Option<Edit>,
    damage: Vec<Damage>,
}

/// What signs, unless told otherwise.
enum Keys {
    /// The realm's newest key for the algorithm.
    Realm(Arc<Realm>),
    /// This one.
    One(Arc<SigningKey>),
}

impl Keys {
    fn signing_key(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        match self {
            Self::Realm(realm) => realm.signing_key(algorithm),
            Self::One(key) => Arc::clone(key),
        }
    }
}

type Edit = Box<dyn FnOnce(String) -> String + Send>;

#[derive(Clone, Debug)]
enum Kid {
    OfTheKey,
    Absent,
    Value(Value),
}

#[derive(Clone, Copy, Debug)]
enum Signing {
    Key,
    /// RFC 7518 §3.6.
    None,
    /// HS256 under the bytes of the public key's PEM.
    HmacOfPem,
    /// HS256 under the bytes of the public key's JWK.
    HmacOfJwk,
}

/// What happens to a token after it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Another `sub`.
    PayloadChanged,
    /// Another member in the header.
    HeaderChanged,
    /// One bit of the signature's first byte.
    SignatureBitFlipped,
    /// The signature lacks its last byte.
    SignatureTruncated,
    /// The signature has one more byte.
    SignatureExtended,
    /// Nothing after the second dot.
    SignatureEmpty,
    /// All bytes of the signature are zero (CVE-2022-21449 for ECDSA).
    SignatureZero,
}

impl Damage {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::PayloadChanged,
        Self::HeaderChanged,
        Self::SignatureBitFlipped,
        Self::SignatureTruncated,
        Self::SignatureExtended,
        Self::SignatureEmpty,
        Self::SignatureZero,
    ];
}

impl fmt::Debug for TokenSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSpec").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl TokenSpec {
    pub(crate) fn new(realm: Arc<Realm>) -> Self {
        let algorithm = realm.options.algorithms.first().copied().unwrap_or(Algorithm::Rs256);
        let now = unix_time();
        let claims = json!({
            "exp": now + 300,
            "iat": now,
            "jti": "onrtac:9e3c1c0b-6b2c-4f0e-9d3c-2f1d8f0b7a11",
            "iss": realm.issuer(),
            "aud": realm.options.audience,
            "sub": "3f2b7c1e-52f7-4f6f-8f44-6f2b0f1f9a77",
            "typ": "Bearer",
            "azp": "mcp-client",
            "scope": "openid mcp-registry:read",
            "realm_access": { "roles": ["offline_access", "publisher"] },
            "resource_access": { "account": { "roles": ["view-profile"] } },
            "name": "Alice Example",
            "preferred_username": "alice",
            "email": "alice@example.com",
            "email_verified": true,
        });
        Self::of(Keys::Realm(realm), algorithm, claims)
    }

    /// A token with these claims and no others, to be signed with `key`.
    pub fn signed_by(key: &Arc<SigningKey>, claims: Value) -> Self {
        Self::of(Keys::One(Arc::clone(key)), key.algorithm(), claims)
    }

    fn of(keys: Keys, algorithm: Algorithm, claims: Value) -> Self {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        Self {
            keys,
            algorithm,
            key: None,
            kid: Kid::OfTheKey,
            signing: Signing::Key,
            header: Map::new(),
            claims,
            edit_header: None,
            edit_claims: None,
            damage: Vec::new(),
        }
    }

    /// Signs with this algorithm and the realm's newest key for it.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Signs with this key, published or not, and names its `kid`.
    pub fn key(mut self, key: Arc<SigningKey>) -> Self {
        self.key = Some(key);
        self
    }

    /// Names a `kid` other than the key's own.
    pub fn kid(mut self, kid: impl Into<Value>) -> Self {
        self.kid = Kid::Value(kid.into());
        self
    }

    /// Names no `kid`.
    pub fn without_kid(mut self) -> Self {
        self.kid = Kid::Absent;
        self
    }

    /// Signs with a key nobody has published, under the `kid` of the realm's own.
    pub fn foreign_key(mut self) -> Self {
        let kid = self.keys.signing_key(self.algorithm).kid().to_owned();
        self.key = Some(Arc::new(SigningKey::generate(self.algorithm, Some(&kid))));
        self
    }

    /// `alg: none` and no signature.
    pub fn unsigned(mut self) -> Self {
        self.signing = Signing::None;
        self.header("alg", "none")
    }

    /// HS256 keyed with the public key's PEM: the classic algorithm confusion.
    pub fn hmac_of_public_pem(mut self) -> Self {
        self.signing = Signing::HmacOfPem;
        self.header("alg", "HS256")
    }

    /// HS256 keyed with the public key's JWK.
    pub fn hmac_of_public_jwk(mut self) -> Self {
        self.signing = Signing::HmacOfJwk;
        self.header("alg", "HS256")
    }

    /// A member of the JOSE header, instead of the usual one of that name.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves out a member of the JOSE header (`typ`).
    pub fn without_header(self, name: &str) -> Self {
        let absent = Value::Null;
        self.header(name, absent)
    }

    /// A claim, instead of the usual one of that name.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves out a claim.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// `iss`.
    pub fn issuer(self, issuer: &str) -> Self {
        self.claim("iss", issuer)
    }

    /// `aud`: a string or an array.
    pub fn audience(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// `scope`, separated by spaces.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// `sub`.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// `exp`, this many seconds from now; negative ones are past.
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", unix_time() + seconds)
    }

    /// `nbf`, this many seconds from now.
    pub fn not_before_in(self, seconds: i64) -> Self {
        self.claim("nbf", unix_time() + seconds)
    }

    /// `iat`, this many seconds from now.
    pub fn issued_in(self, seconds: i64) -> Self {
        self.claim("iat", unix_time() + seconds)
    }

    /// Changes the header's JSON text before it is signed.
    pub fn edit_header(mut self, edit: impl FnOnce(String) -> String + Send + 'static) -> Self {
        self.edit_header = Some(Box::new(edit));
        self
    }

    /// Changes the claims' JSON text before it is signed.
    pub fn edit_claims(mut self, edit: impl FnOnce(String) -> String + Send + 'static) -> Self {
        self.edit_claims = Some(Box::new(edit));
        self
    }

    /// A second member of this name after all others, as JSON text.
    pub fn duplicate_claim(self, name: &str, value: &Value) -> Self {
        let member = format!(",{}:{value}}}", json!(name));
        self.edit_claims(move |text| append_member(&text, &member))
    }

    /// A second member of this name in the header.
    pub fn duplicate_header(self, name: &str, value: &Value) -> Self {
        let member = format!(",{}:{value}}}", json!(name));
        self.edit_header(move |text| append_member(&text, &member))
    }

    /// Damages the token after it was signed.
    pub fn damage(mut self, damage: Damage) -> Self {
        self.damage.push(damage);
        self
    }

    /// The token in compact serialisation (RFC 7515 §7.1).
    pub fn mint(self) -> String {
        let key = self.key.clone().unwrap_or_else(|| self.keys.signing_key(self.algorithm));
        let mut header = Map::new();
        header.insert("alg".to_owned(), json!(self.algorithm.as_str()));
        header.insert("typ".to_owned(), json!("JWT"));
        match &self.kid {
            Kid::OfTheKey => header.insert("kid".to_owned(), json!(key.kid())),
            Kid::Value(kid) => header.insert("kid".to_owned(), kid.clone()),
            Kid::Absent => None,
        };
        header.extend(self.header);
        header.retain(|_, value| !value.is_null());
        let header = apply(self.edit_header, Value::Object(header).to_string());
        let claims = apply(self.edit_claims, Value::Object(self.claims.clone()).to_string());
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(claims));
        let signature = match self.signing {
            Signing::Key => key.sign(self.algorithm, signed.as_bytes()),
            Signing::None => Vec::new(),
            Signing::HmacOfPem => hs256(key.public_pem().as_bytes(), signed.as_bytes()),
            Signing::HmacOfJwk => hs256(key.jwk().to_string().as_bytes(), signed.as_bytes()),
        };
        let mut token = Parts { signed, header, claims: self.claims, signature };
        for damage in self.damage {
            token.damage(damage);
        }
        format!("{}.{}", token.signed, URL_SAFE_NO_PAD.encode(token.signature))
    }
}

impl From<TokenSpec> for String {
    fn from(spec: TokenSpec) -> Self {
        spec.mint()
    }
}

struct Parts {
    signed: String,
    header: String,
    claims: Map<String, Value>,
    signature: Vec<u8>,
}

impl Parts {
    fn damage(&mut self, damage: Damage) {
        match damage {
            Damage::PayloadChanged => {
                self.claims.insert("sub".to_owned(), json!("administrator"));
                let claims = Value::Object(self.claims.clone()).to_string();
                self.signed =
                    format!("{}.{}", URL_SAFE_NO_PAD.encode(&self.header), URL_SAFE_NO_PAD.encode(claims));
            }
            Damage::HeaderChanged => {
                let header = append_member(&self.header, r#","note":"added"}"#);
                let (_, claims) = self.signed.split_once('.').expect("two parts");
                self.signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
            }
            Damage::SignatureBitFlipped => self.signature[0] ^= 1,
            Damage::SignatureTruncated => self.signature.truncate(self.signature.len() - 1),
            Damage::SignatureExtended => self.signature.push(0),
            Damage::SignatureEmpty => self.signature.clear(),
            Damage::SignatureZero => self.signature.fill(0),
        }
    }
}

/// Seconds since 1970.
pub fn unix_time() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(now.as_secs()).expect("a clock before the end of time")
}

fn append_member(object: &str, member: &str) -> String {
    format!("{}{member}", object.strip_suffix('}').expect("a JSON object"))
}

fn apply(edit: Option<Edit>, text: String) -> String {
    match edit {
        Some(edit) => edit(text),
        None => text,
    }
}

fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}
