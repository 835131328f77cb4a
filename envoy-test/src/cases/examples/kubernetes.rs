//! Kubernetes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::expected::Expected;
use super::refused::refused;
use super::{Scenario, unknown_key, wrong_audience, wrong_issuer};
use crate::cases::Host;
use crate::provider::Algorithm;
use crate::provider::vendor::{Exchange, Kubernetes};

fn client() -> Expected {
    Expected::forwarded()
        .upstream("x-auth-provider", "kubernetes")
        .upstream("x-auth-subject", "system:serviceaccount:default:my-client-sa")
        .not_upstream("x-auth-user")
        .not_upstream("x-auth-scopes")
        .upstream("x-kubernetes-namespace", "default")
        .upstream("x-kubernetes-service-account", "my-client-sa")
}

/// The document as it is.
pub fn kubernetes() -> Scenario {
    let kubernetes = Kubernetes::new();
    let first = kubernetes.token().mint();
    // Two keys, as during a rotation.
    kubernetes.rotate(Algorithm::Es256);
    Scenario::new("kubernetes", Arc::clone(&kubernetes) as _, move |table| {
        let issuer = "https://kubernetes.default.svc.cluster.local";
        table
            .case("a projected token, without typ", kubernetes.token(), client())
            .case("by the older key", first.clone(), client())
            .case("for the API server as well", kubernetes.token().audience(json!([issuer, "registry-server"])), client())
            .case("an audience as a text", kubernetes.token().audience("registry-server"), client())
            .case(
                "of a pod in another namespace",
                kubernetes
                    .token()
                    .subject("system:serviceaccount:team-a:agent")
                    .claim("kubernetes.io", json!({ "namespace": "team-a", "serviceaccount": { "name": "agent" } })),
                Expected::forwarded()
                    .upstream("x-auth-subject", "system:serviceaccount:team-a:agent")
                    .upstream("x-kubernetes-namespace", "team-a")
                    .upstream("x-kubernetes-service-account", "agent"),
            )
            .case(
                "claims with the same names, nested",
                kubernetes.token().without("kubernetes.io").claim("kubernetes", json!({ "io": { "namespace": "kube-system" } })),
                Expected::forwarded().not_upstream("x-kubernetes-namespace").not_upstream("x-kubernetes-service-account"),
            )
            .case("the token every pod has, for the API server", kubernetes.token().audience(json!([issuer])), wrong_audience())
            .logs(
                r#"401 (provider kubernetes): token audience not accepted: aud ["https://kubernetes.default.svc.cluster.local"], expected "registry-server""#,
            )
            .case("for another service", kubernetes.token().audience(json!(["other"])), wrong_audience())
            .case("a legacy token", kubernetes.legacy_token(), wrong_issuer())
            .logs(r#"401: token issuer not accepted: iss "kubernetes/serviceaccount", expected "https://kubernetes.default.svc.cluster.local""#)
            .case("a legacy token under the new issuer", kubernetes.legacy_token().issuer(issuer), wrong_audience())
            .case(
                "without an expiry",
                kubernetes.legacy_token().issuer(issuer).audience(json!(["registry-server"])),
                Expected::malformed(),
            )
            .logs("401 (provider kubernetes): token is malformed: exp is missing")
            .case("another cluster's", kubernetes.token().issuer("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B7"), wrong_issuer())
            .case("the issuer with a port", kubernetes.token().issuer("https://kubernetes.default.svc.cluster.local:443"), wrong_issuer())
            .case("the shorter name of the API server", kubernetes.token().issuer("https://kubernetes.default.svc"), wrong_issuer())
            .case("ML-DSA", kubernetes.token().header("alg", "ML-DSA-65"), Expected::bad_signature())
            .case("a key of another cluster with the same issuer", kubernetes.token().kid("VSMQb67stqrsgPU8Exhh0nvdtODKegQK05keYjmKGaU"), unknown_key())
            .logs(r#"401 (provider kubernetes): token signing key unknown: kid "VSMQb67stqrsgPU8Exhh0nvdtODKegQK05keYjmKGaU", alg ES256"#);
        refused(table, "registry-server", &|| kubernetes.token().header("typ", "JWT"));
    })
    .seen(we_authenticate_and_ask_for_jwk_sets)
}

fn we_authenticate_and_ask_for_jwk_sets(exchanges: &[Exchange]) -> Result<(), String> {
    let wrong = exchanges.iter().find(|exchange| {
        let request = &exchange.request;
        let bearer =
            request.values("authorization").first().is_some_and(|value| value.starts_with("Bearer ey"));
        exchange.status != 200
            || !bearer
            || exchange.host != "kubernetes.default.svc"
            || request.target != b"/openid/v1/jwks"
    });
    wrong.map_or(Ok(()), |exchange| Err(format!("{exchange:?}")))
}

/// `authTokenFile` is forgotten: anonymous requests for keys are refused.
pub fn kubernetes_without_our_token() -> Scenario {
    let kubernetes = Kubernetes::new();
    Scenario::new("kubernetes", Arc::clone(&kubernetes) as _, move |table| {
        table
            .case("a good token", kubernetes.token(), Expected::unavailable())
            .logs("provider kubernetes: failed to fetch JWKS: https://kubernetes.default.svc/openid/v1/jwks: status 403")
            .case("a token for somebody else", kubernetes.token().audience("other"), wrong_audience());
    })
    .changed(|document| remove(document, "authTokenFile"))
}

/// What is in `authTokenFile` was copied from another cluster, or is of one that was set up anew.
pub fn kubernetes_with_a_token_of_before() -> Scenario {
    let kubernetes = Kubernetes::new();
    kubernetes.forget_us();
    Scenario::new("kubernetes", Arc::clone(&kubernetes) as _, move |table| {
        table.case("a good token", kubernetes.token(), Expected::unavailable()).logs(
            "provider kubernetes: failed to fetch JWKS: https://kubernetes.default.svc/openid/v1/jwks: status 401",
        );
    })
}

/// `jwksUrl` is forgotten: the discovery document leads to a node's own address, where our token does not go.
pub fn kubernetes_by_discovery() -> Scenario {
    let kubernetes = Kubernetes::new();
    Scenario::new("kubernetes", Arc::clone(&kubernetes) as _, move |table| {
        table.case("a good token", kubernetes.token(), Expected::unavailable()).logs(
            r#"provider kubernetes: failed to fetch JWKS: https://10.0.0.12:6443/openid/v1/jwks: the proxy has no upstream "10.0.0.12:6443": add one that leads to https://10.0.0.12:6443"#,
        );
    })
    .changed(|document| remove(document, "jwksUrl"))
    .seen(|exchanges| {
        let told = exchanges.iter().any(|exchange| {
            exchange.host.starts_with("10.") && !exchange.request.values("authorization").is_empty()
        });
        if told { Err("our token went to a discovered host".to_owned()) } else { Ok(()) }
    })
    // The server by itself would connect to that address.
    .only_in(&[Host::Core, Host::Envoy])
}

/// `jwksUrl` and `allowPrivateIP` are forgotten. On loopback everything is private, so that only the core can show it.
pub fn kubernetes_on_public_addresses() -> Scenario {
    let kubernetes = Kubernetes::new();
    Scenario::new("kubernetes", Arc::clone(&kubernetes) as _, move |table| {
        table.case("a good token", kubernetes.token(), Expected::unavailable());
    })
    .changed(|document| {
        remove(document, "jwksUrl");
        remove(document, "allowPrivateIP");
    })
    .seen(|exchanges| {
        let followed = exchanges.iter().any(|exchange| exchange.host.starts_with("10."));
        if followed { Err("a private address was asked".to_owned()) } else { Ok(()) }
    })
    .only_in(&[Host::Core])
}

fn remove(document: &mut Value, key: &str) {
    document["auth"]["oauth"]["providers"][0].as_object_mut().expect("a provider").remove(key);
}
