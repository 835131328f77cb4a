//! A Kubernetes API server as the issuer of service accounts' tokens: keys for those who authenticate only, under an authority of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::super::{Algorithm, SigningKey, TokenSpec, unix_time};
use super::{Vendor, line, with_header};
use crate::message::{RawRequest, RawResponse};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The API server of a cluster.
#[derive(Debug)]
pub struct Kubernetes {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last one signs.
    keys: Vec<Arc<SigningKey>>,
    /// Whoever presents one of these may see the keys.
    accepted: Vec<String>,
    /// What is in the file.
    ours: String,
}

impl Kubernetes {
    /// Where a pod finds its own token.
    pub const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// With a new key, and a token of our own.
    pub fn new() -> Arc<Self> {
        let keys = vec![Arc::new(SigningKey::generate(Algorithm::Rs256, None))];
        let kubernetes =
            Self { state: Mutex::new(State { keys, accepted: Vec::new(), ours: String::new() }) };
        kubernetes.issue_our_token();
        Arc::new(kubernetes)
    }

    /// A new token of ours, accepted beside the former ones.
    pub fn issue_our_token(&self) -> String {
        let number = self.lock().accepted.len();
        let token = self.token().audience(json!([ISSUER])).claim("jti", format!("{number}")).mint();
        let mut state = self.lock();
        state.accepted.push(token.clone());
        state.ours.clone_from(&token);
        token
    }

    /// Accepts only the newest of our tokens.
    pub fn expire_our_former_tokens(&self) {
        let mut state = self.lock();
        let newest = state.accepted.pop();
        state.accepted = newest.into_iter().collect();
    }

    /// Accepts none of our tokens: the cluster was set up anew.
    pub fn forget_us(&self) {
        self.lock().accepted.clear();
    }

    /// Another key signs from now on; the former ones stay published.
    pub fn rotate(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let key = Arc::new(SigningKey::generate(algorithm, None));
        self.lock().keys.push(Arc::clone(&key));
        key
    }

    /// A client's projected token for the registry.
    pub fn token(&self) -> TokenSpec {
        let now = unix_time();
        let claims = json!({
            "aud": ["registry-server"],
            "exp": now + 3600,
            "iat": now,
            "iss": ISSUER,
            "jti": "0d1f2e3c-4b5a-4697-8877-665544332211",
            "kubernetes.io": {
                "namespace": "default",
                "node": { "name": "node-1", "uid": "5b1f4d46-1c3a-4f43-9c9c-2b6f1c1a7a01" },
                "pod": { "name": "my-client-0", "uid": "6c2f5e57-2d4b-4054-8d8d-3c70202b8b12" },
                "serviceaccount": { "name": "my-client-sa", "uid": "01e9ca7c-0904-4ad8-b106-f8993a40553d" },
                "warnafter": now + 3607,
            },
            "nbf": now,
            "sub": "system:serviceaccount:default:my-client-sa",
        });
        let key = self.lock().keys.last().cloned().expect("a key");
        TokenSpec::signed_by(&key, claims).without_header("typ")
    }

    /// What service accounts had before Kubernetes 1.24: a Secret, for ever and for everybody.
    pub fn legacy_token(&self) -> TokenSpec {
        let key = self.lock().keys.last().cloned().expect("a key");
        let claims = json!({
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "my-client-sa-token-x7k2p",
            "kubernetes.io/serviceaccount/service-account.name": "my-client-sa",
            "kubernetes.io/serviceaccount/service-account.uid": "01e9ca7c-0904-4ad8-b106-f8993a40553d",
            "sub": "system:serviceaccount:default:my-client-sa",
        });
        TokenSpec::signed_by(&key, claims).without_header("typ")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The API server's own form of errors.
fn status(code: u16, reason: &str, message: &str) -> RawResponse {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": {}, "code": code,
    });
    with_header(super::json(code, &body), "Cache-Control", "no-cache, private")
}

impl Vendor for Kubernetes {
    fn hosts(&self) -> &'static [&'static str] {
        &["kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        vec![(Self::TOKEN_FILE, format!("{}\n", self.lock().ours))]
    }

    fn answer(&self, _: &str, request: &RawRequest) -> RawResponse {
        let state = self.lock();
        let authorization = request.values("authorization");
        let Some(authorization) = authorization.first() else {
            let path = String::from_utf8_lossy(&request.target);
            let message = format!("forbidden: User \"system:anonymous\" cannot get path \"{path}\"");
            return status(403, "Forbidden", &message);
        };
        if !state.accepted.iter().any(|token| *authorization == format!("Bearer {token}")) {
            return status(401, "Unauthorized", "Unauthorized");
        }
        match line(request).as_str() {
            "GET /.well-known/openid-configuration" => super::json(
                200,
                &json!({
                    "issuer": ISSUER,
                    // Where the API server believes itself to be: a node's own address.
                    "jwks_uri": "https://10.0.0.12:6443/openid/v1/jwks",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            "GET /openid/v1/jwks" => {
                let accepted = request.values("accept").join(",");
                let fits = ["*/*", "application/*", "application/jwk-set+json"];
                if !accepted.split(',').any(|kind| fits.contains(&kind.trim())) {
                    return status(406, "NotAcceptable", "406: Not Acceptable");
                }
                let keys: Vec<Value> = state.keys.iter().map(|key| key.jwk()).collect();
                let response = super::json(200, &json!({ "keys": keys }));
                let response = with_header(response, "Content-Type", "application/jwk-set+json");
                with_header(response, "Cache-Control", "public, max-age=3600")
            }
            _ => status(404, "NotFound", "the server could not find the requested resource"),
        }
    }
}
