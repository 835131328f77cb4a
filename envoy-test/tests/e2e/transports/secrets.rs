//! Where secrets must not be, and files that are missing.

use super::*;

#[tokio::test]
async fn a_missing_file_keeps_its_own_provider_out_and_nobody_else() {
    for (key, status) in [("authTokenFile", 401), ("caCertPath", 503)] {
        for file in ["missing", "missing/too"] {
            let world = World::new();
            let entry = world.entry(REALM, &json!({ key: world.path(file) }));
            let (gateway, probe) = world.gateway(&[entry, world.entry(OTHER, &json!({}))]).await;
            assert_eq!(gateway.request(&world.request(OTHER)).await.unwrap().status, 200);
            assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 503);
            assert_eq!(probe.ask("production-keys-callout", REALM).await.status, status);
            assert!(world.provider.requests(REALM).is_empty());
            gateway.envoy().wait_for_log("config update rejected").await;
        }
    }
}

#[tokio::test]
async fn none_is_rendered_dumped_or_logged() {
    let world = World::new();
    let secrets = ["token-0f83b1", "token-9a44c2", "secret-77ce05", "secret-d1e6aa"];
    world.write("token", secrets[0]);
    world.write("secret", secrets[2]);
    let client = json!({
        "introspectionUrl": format!("{}/realms/{REALM}/introspect", world.provider.url()),
        "clientId": "me",
        "clientSecretFile": world.path("secret"),
        "authTokenFile": world.path("token"),
    });
    let mut options = GatewayOptions::default();
    options.envoy.log_level = "trace".to_owned();
    options.envoy.component_log_level = "wasm:trace".to_owned();
    let (gateway, probe) = world.gateway_with(&[world.entry(REALM, &client)], options, |_| {}).await;
    gateway.wait_for_status(&world.request(REALM), 200).await;
    let ask = async |token: &str, secret: &str| {
        let token = format!("Bearer {token}");
        let in_use = |request: &LoggedRequest| request.header("authorization") == Some(&token);
        probe.ask_until(&world, "production-keys-callout", in_use).await;
        let basic = format!("Basic {}", STANDARD.encode(format!("me:{secret}")));
        let in_use = |request: &LoggedRequest| request.header("authorization") == Some(&basic);
        probe.ask_until(&world, "production-introspection-callout", in_use).await;
    };
    ask(secrets[0], secrets[2]).await;
    world.write("token", secrets[1]);
    world.write("secret", secrets[3]);
    ask(secrets[1], secrets[3]).await;
    // A connection that fails in the middle is told about, too.
    world.provider.present(Authority::new("another").issue(&[HOST]));
    world.provider.fail(REALM, Document::Jwks, Fault::Reset);
    assert_eq!(probe.ask("production-introspection-callout", REALM).await.status, 503);

    let envoy = gateway.envoy();
    let dump = envoy.ask_admin("/config_dump?include_eds").await;
    let told = [
        ("the bootstrap", gateway.bootstrap().to_owned()),
        ("files beside it", gateway.sds_files()),
        ("/config_dump", dump),
        ("/clusters", envoy.clusters().await),
        ("/stats", envoy.ask_admin("/stats").await),
        ("the log", envoy.log()),
    ];
    for (place, text) in told {
        assert!(!text.is_empty(), "{place}");
        for secret in secrets {
            for form in [secret.to_owned(), STANDARD.encode(secret), STANDARD.encode(format!("me:{secret}"))]
            {
                assert!(!text.contains(&form), "{form} is in {place}");
            }
        }
    }
    assert!(gateway.bootstrap().contains("production-client-secret"), "the secrets are named");
}
