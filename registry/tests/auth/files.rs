//! The files that providers name (SPEC C-3, C-6).

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use registry::auth::{self, StartError};
use registry_auth::fetch::{FetchError, FetchResult};
use registry_auth::policy::Policy;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::gateway::{Gateway, document, entry, key_request, policy, tuning};
use crate::provider::Provider;

/// An authority's certificate as PEM, and TLS for `localhost` under it.
fn authority() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (issuer.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_certificate_is_trusted_for_its_provider_only() {
    let (pem, tls) = authority();
    let named = |address: std::net::SocketAddr| format!("https://localhost:{}", address.port());
    let [trusted, other] = [
        Provider::with_issuer(1, named, Some(tls.clone())).await,
        Provider::with_issuer(1, named, Some(tls)).await,
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.crt");
    std::fs::write(&file, pem).unwrap();
    let mut with_ca = entry("trusted", &trusted);
    with_ca["caCertPath"] = json!(file.to_str().unwrap());
    let gateway = Gateway::of(&[with_ca, entry("other", &other)]);
    assert_eq!(gateway.ask(&trusted.token(1)).await.status, 200);
    assert_eq!(gateway.ask(&other.token(1)).await.status, 503);
    assert_eq!(other.fetches(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_refused_in_searchable_words() {
    let (_, tls) = authority();
    let named = |address: std::net::SocketAddr| format!("https://localhost:{}", address.port());
    let provider = Provider::with_issuer(1, named, Some(tls)).await;
    let Policy::Oauth(oauth) = policy(&document(&[entry("a", &provider)])) else { panic!("oauth") };
    let fetcher =
        auth::Fetcher::new(&oauth.providers, Vec::new(), std::path::Path::new("."), &tuning()).unwrap();
    let FetchResult::Failed(error) = fetcher.fetch(&key_request(provider.issuer(), 10)).await else {
        panic!("refused")
    };
    assert_eq!(error, FetchError::Unreachable("x509: certificate signed by unknown authority".to_owned()));
}

#[tokio::test]
async fn every_file_that_cannot_be_used_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(directory.path().join(name), content).unwrap();
    write("pasted-blank", b" \n\t");
    write("pasted-long", &vec![b'x'; 64 * 1024 + 1]);
    write("pasted-binary", b"\xff\xfe");
    write("secret", b"secret\n");
    write("text", b"no certificate");
    write("broken", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let provider = |name: &str, secret: &str, token: &str, certificate: &str| {
        json!({"name": name, "issuerUrl": format!("https://{name}.example.com"), "audience": "a", "clientSecretFile": secret,
            "authTokenFile": token, "caCertPath": certificate})
    };
    let document = document(&[
        provider("a", "pasted-absent", "pasted-blank", "absent"),
        provider("b", "pasted-long", "pasted-binary", "text"),
        provider("c", "secret", "", "broken"),
        provider("d", "secret", ".", "."),
    ]);
    let mut document = document;
    document["auth"]["oauth"]["providers"][2].as_object_mut().unwrap().remove("authTokenFile");
    let error = auth::start(policy(&document), directory.path(), &tuning()).unwrap_err();
    let StartError::Files(errors) = error else { panic!("{error}") };
    let paths: Vec<&str> =
        errors.iter().map(|error| error.path.strip_prefix("auth.oauth.providers").unwrap()).collect();
    let expected = [
        "[0].clientSecretFile",
        "[0].authTokenFile",
        "[0].caCertPath",
        "[1].clientSecretFile",
        "[1].authTokenFile",
        "[1].caCertPath",
        "[2].caCertPath",
        "[3].authTokenFile",
        "[3].caCertPath",
    ];
    assert_eq!(paths, expected);
    // A secret pasted in place of a file's name is not repeated.
    assert!(!errors.iter().any(|error| error.to_string().contains("pasted")), "{errors:?}");
    assert!(errors[2].to_string().contains(r#"found "absent" (No such file"#), "{}", errors[2]);
}

#[tokio::test]
async fn a_relative_file_is_taken_from_the_documents_directory() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), "x").unwrap();
    let entry = json!({"name": "a", "issuerUrl": "https://idp.example.com", "audience": "a", "clientSecretFile": "secret"});
    let document = document(&[entry]);
    assert!(auth::start(policy(&document), directory.path(), &tuning()).is_ok());
    assert!(auth::start(policy(&document), Path::new("elsewhere"), &tuning()).is_err());
}
