//! `authTokenFile`: sent to its own provider, followed, and never replaced by nothing.

use super::*;

#[tokio::test]
async fn it_is_sent_to_its_own_provider_and_to_nobody_else() {
    let world = World::new();
    world.write("token", "service-account-token\n");
    let with_token = world.entry(REALM, &json!({ "authTokenFile": world.path("token") }));
    let (gateway, _) = world.gateway(&[with_token, world.entry(OTHER, &json!({}))]).await;
    for realm in [REALM, OTHER] {
        let response = gateway.wait_for_status(&world.request(realm), 200).await;
        assert!(!response.text().contains("service-account-token"));
    }
    let sent = Some("Bearer service-account-token".to_owned());
    assert_eq!(world.authorizations(REALM), [sent.clone(), sent], "discovery and keys");
    assert_eq!(world.authorizations(OTHER), [None, None], "the same host, another provider");
    for arrival in gateway.upstream().arrivals() {
        for (name, value) in &arrival.request.headers {
            assert!(!String::from_utf8_lossy(value).contains("service-account-token"), "{name}");
        }
    }
}

#[tokio::test]
async fn it_does_not_follow_discovery_to_another_origin() {
    let world = World::new();
    world.write("token", "service-account-token");
    let elsewhere = Provider::builder()
        .realm(RealmOptions::new(REALM, "registry-api").algorithms(&[Algorithm::Es256]))
        .start()
        .unwrap();
    let leads_elsewhere = Fault::JwksUri(elsewhere.jwks_url(REALM));
    world.provider.fail(REALM, Document::OpenidConfiguration, leads_elsewhere);
    let entry = world.entry(REALM, &json!({ "authTokenFile": world.path("token") }));
    let address = elsewhere.address();
    let overrides = json!([{ "provider": REALM, "origin": elsewhere.url(), "name": "elsewhere" }]);
    let options = GatewayOptions {
        filter: Some(json!({ "upstreams": { "overrides": overrides } })),
        ..GatewayOptions::default()
    };
    let cluster = move |bootstrap: &mut Value| {
        let endpoint = json!({ "endpoint": { "address": { "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } } } });
        let cluster = json!({ "name": "elsewhere", "type": "STATIC", "load_assignment": { "cluster_name": "elsewhere", "endpoints": [{ "lb_endpoints": [endpoint] }] } });
        bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().push(cluster);
    };
    let (gateway, _) = world.gateway_with(&[entry], options, cluster).await;
    let token = elsewhere.token(REALM).issuer(&world.provider.issuer(REALM)).mint();
    let request = RawRequest::get("/registry/default/v0.1/servers").bearer(&token);
    gateway.wait_for_status(&request, 200).await;
    let asked = elsewhere.requests(REALM);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|request| request.header("authorization").is_none()), "{asked:?}");
    assert!(world.authorizations(REALM).iter().all(Option::is_some));
}

#[tokio::test]
async fn a_renamed_file_is_in_use_within_two_seconds() {
    let world = World::new();
    world.write("token", "first");
    let entry = world.entry(REALM, &json!({ "authTokenFile": world.path("token") }));
    let (_gateway, probe) = world.gateway(&[entry]).await;
    probe.ask_until(&world, "production-keys-callout", bearer("first")).await;
    for (text, token) in [("second\n", "second"), ("third", "third")] {
        world.write("token", text);
        let taken = probe.ask_until(&world, "production-keys-callout", bearer(token)).await;
        assert!(taken < IN_USE_WITHIN, "{taken:?}");
    }
}

#[tokio::test]
async fn a_volume_of_the_kubelets_is_followed() {
    let world = World::new();
    let ca = world.authority.pem();
    let volume = world.path("volume");
    let mut mounted = Volume::new(&volume, &[("token", "first"), ("ca.crt", &ca)]);
    let files = json!({ "authTokenFile": volume.join("token"), "caCertPath": volume.join("ca.crt") });
    let (_gateway, probe) = world.gateway(&[world.entry(REALM, &files)]).await;
    probe.ask_until(&world, "production-keys-callout", bearer("first")).await;
    for token in ["second", "third"] {
        mounted.publish(&[("token", token), ("ca.crt", &ca)]);
        let taken = probe.ask_until(&world, "production-keys-callout", bearer(token)).await;
        assert!(taken < IN_USE_WITHIN, "{taken:?}");
    }
}

#[tokio::test]
async fn it_is_trimmed_and_must_be_one() {
    for (text, status) in
        [("abc\r\n", 200), ("  abc\t \n\n", 200), (" \n", 401), ("\r\n", 401), ("abc\r\nX-Forged: 1", 401)]
    {
        let world = World::new();
        world.write("token", text);
        let entry = world.entry(REALM, &json!({ "authTokenFile": world.path("token") }));
        let (_gateway, probe) = world.gateway(&[entry]).await;
        assert_eq!(probe.ask("production-keys-callout", REALM).await.status, status, "{text:?}");
        let arrived = world.authorizations(REALM);
        assert_eq!(arrived.is_empty(), status != 200, "{text:?}");
        assert!(arrived.iter().all(|value| value.as_deref() == Some("Bearer abc")), "{text:?}: {arrived:?}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    let world = World::new();
    world.write("token", "\n");
    let entry = world.entry(REALM, &json!({ "authTokenFile": world.path("token") }));
    let (gateway, probe) = world.gateway(&[entry, world.entry(OTHER, &json!({}))]).await;
    assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 503);
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 401);
    gateway.wait_for_status(&world.request(OTHER), 200).await;
    assert!(world.provider.requests(REALM).is_empty());
    // It comes late, and still in time.
    world.write("token", "late");
    gateway.wait_for_status(&world.request(REALM), 200).await;
    assert!(world.provider.requests(REALM).iter().all(bearer("late")));
    // It goes again.
    world.write("token", "");
    let started = Instant::now();
    while probe.ask("production-keys-callout", REALM).await.status != 401 {
        assert!(started.elapsed() < Duration::from_secs(20), "an empty file is used");
    }
    let asked = world.provider.requests(REALM);
    assert!(asked.iter().all(bearer("late")), "{asked:?}");
}
