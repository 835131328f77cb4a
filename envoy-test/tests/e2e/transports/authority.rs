//! `caCertPath`, and the names in certificates.

use super::*;

async fn answer(world: &World, entry: Value) -> (u16, Gateway) {
    let (gateway, _) = world.gateway(&[entry]).await;
    let response = gateway.request(&world.request(REALM)).await.unwrap();
    (response.status, gateway)
}

#[tokio::test]
async fn a_certificate_of_the_authority_for_the_name_is_accepted() {
    let world = World::new();
    assert_eq!(answer(&world, world.entry(REALM, &json!({}))).await.0, 200);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let world = World::new();
    world.write("ca.pem", &Authority::new("first").pem());
    let (status, gateway) = answer(&world, world.entry(REALM, &json!({}))).await;
    assert_eq!(status, 503);
    assert!(gateway.envoy().stat("cluster.production-keys.ssl.fail_verify_error").await > 0);
    assert!(world.provider.requests(REALM).is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for names in
        [&["other.example.test"][..], &["example.test"], &["127.0.0.1", "localhost"], &["*.idp.example.test"]]
    {
        let world = World::certified_for(names);
        let (status, gateway) = answer(&world, world.entry(REALM, &json!({}))).await;
        assert_eq!(status, 503, "{names:?}");
        assert!(gateway.envoy().stat("cluster.production-keys.ssl.fail_verify_san").await > 0, "{names:?}");
        assert!(world.provider.requests(REALM).is_empty(), "{names:?}");
    }
}

#[tokio::test]
async fn an_address_is_verified_as_one() {
    for (names, status) in [(&["127.0.0.1"][..], 200), (&["127.0.0.2", "localhost"], 503)] {
        let authority = Authority::new("first");
        let world = World {
            provider: provider("127.0.0.1", authority.issue(names)),
            authority,
            names: NameServer::start(LOOPBACK).unwrap(),
            files: TempDir::with_prefix("files-").unwrap(),
        };
        world.write("ca.pem", &world.authority.pem());
        assert_eq!(answer(&world, world.entry(REALM, &json!({}))).await.0, status, "{names:?}");
    }
}

#[tokio::test]
async fn the_systems_authorities_are_not_trusted_beside_the_providers_own() {
    let world = World::new();
    let system = world.path("system.pem");
    std::fs::write(&system, world.authority.pem()).unwrap();
    world.write("ca.pem", &Authority::new("another").pem());
    let render = || vec!["--system-ca".to_owned(), system.display().to_string()];
    for (own, status) in [(true, 503), (false, 200)] {
        let mut entry = world.entry(REALM, &json!({}));
        if !own {
            entry.as_object_mut().unwrap().remove("caCertPath");
        }
        let options = GatewayOptions { render: render(), ..GatewayOptions::default() };
        let (gateway, _) = world.gateway_with(&[entry], options, |_| {}).await;
        assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_replaced_authority_is_in_use_within_two_seconds_and_no_request_fails() {
    let world = World::new();
    let volume = world.path("volume");
    let mut mounted = Volume::new(&volume, &[("ca.crt", &world.authority.pem())]);
    for file in [world.path("ca.pem"), volume.join("ca.crt")] {
        world.provider.present(world.authority.issue(&[HOST]));
        mounted.publish(&[("ca.crt", &world.authority.pem())]);
        world.write("ca.pem", &world.authority.pem());
        let entry = world.entry(REALM, &json!({ "caCertPath": file }));
        // A connection a request, so that each verifies.
        let (gateway, probe) =
            world.gateway_with(&[entry], GatewayOptions::default(), one_request_a_connection).await;
        let cluster = "production-keys-callout";
        assert_eq!(probe.ask(cluster, REALM).await.status, 200);

        // The new authority beside the old one, then its certificate, then the new one alone: how authorities are exchanged.
        let next = Authority::new("second");
        let both = format!("{}{}", world.authority.pem(), next.pem());
        let replace = |mounted: &mut Volume, pem: &str| {
            mounted.publish(&[("ca.crt", pem)]);
            world.write("ca.pem", pem);
        };
        replace(&mut mounted, &both);
        for _ in 0..20 {
            assert_eq!(probe.ask(cluster, REALM).await.status, 200);
            tokio::time::sleep(IN_USE_WITHIN / 20).await;
        }
        world.provider.present(next.issue(&[HOST]));
        replace(&mut mounted, &next.pem());
        let started = Instant::now();
        while started.elapsed() < IN_USE_WITHIN {
            assert_eq!(probe.ask(cluster, REALM).await.status, 200);
        }
        // And the old one is out.
        world.provider.present(world.authority.issue(&[HOST]));
        assert_eq!(probe.ask(cluster, REALM).await.status, 503);
        assert!(gateway.envoy().stat("cluster.production-keys.ssl.fail_verify_error").await > 0);
    }
}

#[tokio::test]
async fn a_broken_authority_changes_nothing_and_none_at_the_start_trusts_nobody() {
    let world = World::new();
    let entry = world.entry(REALM, &json!({}));
    let (gateway, probe) = world
        .gateway_with(std::slice::from_ref(&entry), GatewayOptions::default(), one_request_a_connection)
        .await;
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    world.write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    gateway.envoy().wait_for_log("Failed to reload").await;
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    drop(gateway);

    let asked = world.provider.requests(REALM).len();
    let (gateway, probe) = world.gateway(std::slice::from_ref(&entry)).await;
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 503);
    assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 503);
    assert_eq!(world.provider.requests(REALM).len(), asked);
}

fn one_request_a_connection(bootstrap: &mut Value) {
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
    for cluster in clusters.iter_mut().filter(|cluster| cluster["name"] == "production-keys") {
        let options = &mut cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        options["common_http_protocol_options"]["max_requests_per_connection"] = json!(1);
    }
}
