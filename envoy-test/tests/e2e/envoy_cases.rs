//! The table of cases through the filter in a real Envoy: one Envoy for each document.

use envoy_test::cases::{Document, World, run};
use envoy_test::{Gateway, GatewayOptions, RawRequest};

async fn through_envoy(document: Document) {
    let world = World::start().unwrap();
    let gateway = Gateway::start(&document.configuration(&world), &GatewayOptions::default()).await;
    let passed = run(document, &world, &gateway).await;
    assert!(passed > 0);
    let health = gateway.request(&RawRequest::get("/.well-known/x")).await.unwrap();
    assert_eq!(health.status, 200, "the filter is still there");
}

macro_rules! documents {
    ($($name:ident: $document:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                through_envoy(Document::$document).await;
            }
        )*

        #[test]
        fn every_document_has_its_test() {
            assert_eq!([$(Document::$document),*], Document::ALL);
        }
    };
}

documents! {
    complete: Complete;
    anonymous: Anonymous;
    a_resource_with_a_path: Path;
    everything_public: EverythingPublic;
    one_issuer_two_audiences: SharedIssuer;
    strict: Strict;
    claims_to_headers: Claims;
    required_scopes: Scopes;
    scope_rules: ScopeRules;
    cors: Cors;
    providers_in_trouble: Troubled;
}
