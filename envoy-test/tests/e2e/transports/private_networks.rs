//! `allowPrivateIP`, for what names resolve to.

use super::*;

/// Asks with a token of the provider, and by the way of the callouts; then how many connections were begun.
async fn answers(world: &World, entry: Value) -> (u16, u16, u64) {
    let (gateway, probe) = world.gateway(&[entry]).await;
    let by_token = gateway.request(&world.request(REALM)).await.unwrap().status;
    let by_callout = probe.ask("production-keys-callout", REALM).await.status;
    let connections = gateway.envoy().stat("cluster.production-keys.upstream_cx_total").await;
    (by_token, by_callout, connections)
}

#[tokio::test]
async fn a_name_may_not_lead_to_a_private_address_unless_allowed() {
    for address in [
        "127.0.0.1",
        "127.8.9.10",
        "10.1.2.3",
        "192.168.0.1",
        "172.31.255.254",
        "100.64.0.1",
        "::1",
        "fd00::1",
    ] {
        let world = World::new();
        world.names.answer(&[address.parse().unwrap()]);
        let (by_token, by_callout, connections) =
            answers(&world, world.entry(REALM, &json!({ "allowPrivateIP": false }))).await;
        assert_eq!((by_token, by_callout, connections), (503, 403, 0), "{address}");
        assert!(world.provider.requests(REALM).is_empty());
    }
    let world = World::new();
    let (by_token, by_callout, _) = answers(&world, world.entry(REALM, &json!({}))).await;
    assert_eq!((by_token, by_callout), (200, 200), "allowed, and TLS verified to the end");
}

#[tokio::test]
async fn some_addresses_are_never_allowed() {
    // The last two would reach the provider: Linux takes 0.0.0.0 for this host, and an embedded address for what it embeds.
    for address in [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1",
        "fd00:ec2::254",
        "64:ff9b::7f00:1",
        "0.0.0.0",
        "::ffff:127.0.0.1",
    ] {
        let world = World::new();
        world.names.answer(&[address.parse().unwrap()]);
        let (by_token, by_callout, connections) = answers(&world, world.entry(REALM, &json!({}))).await;
        assert_eq!((by_token, by_callout, connections), (503, 403, 0), "{address}");
        assert!(world.provider.requests(REALM).is_empty());
    }
}

#[tokio::test]
async fn each_address_of_a_name_is_judged() {
    let dead = IpAddr::from([127, 0, 0, 2]);
    // Nobody listens on the first; the second one is the provider's, by a way that is forbidden.
    let world = World::new();
    world.names.answer(&[dead, Ipv4Addr::UNSPECIFIED.into()]);
    let (gateway, probe) = world.gateway(&[world.entry(REALM, &json!({}))]).await;
    for _ in 0..10 {
        assert!(matches!(probe.ask("production-keys-callout", REALM).await.status, 403 | 503));
    }
    assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 503);
    assert!(world.provider.requests(REALM).is_empty());
    assert!(gateway.envoy().stat("cluster.production-keys.rbac.denied").await > 0);
    drop(gateway);

    // A permitted one is found behind a dead one.
    world.names.answer(&[dead, Ipv4Addr::LOCALHOST.into()]);
    let (gateway, probe) = world.gateway(&[world.entry(REALM, &json!({}))]).await;
    for _ in 0..10 {
        assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    }
    assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_again() {
    let world = World::new();
    let (_gateway, probe) = world.gateway(&[world.entry(REALM, &json!({}))]).await;
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    world.names.answer(&[Ipv4Addr::UNSPECIFIED.into()]);
    let started = Instant::now();
    while probe.ask("production-keys-callout", REALM).await.status != 403 {
        assert!(started.elapsed() < Duration::from_secs(30), "the former address is still in use");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asked = world.provider.requests(REALM).len();
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 403);
    assert_eq!(world.provider.requests(REALM).len(), asked);
}

#[tokio::test]
async fn callouts_arrive_as_the_filter_sent_them() {
    let world = World::new();
    let (gateway, _) = world.gateway(&[world.entry(REALM, &json!({}))]).await;
    gateway.wait_for_status(&world.request(REALM), 200).await;
    for request in world.provider.requests(REALM) {
        let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "user-agent"]);
        assert_eq!(request.header("host"), Some(super::authority(&world.provider).as_str()));
    }
}

/// Envoy's main thread ticks as the workers do, and has no listeners inside.
#[tokio::test]
async fn keys_are_refreshed_in_the_background() {
    let world = World::new();
    world.provider.set_cache_control(REALM, "max-age=1");
    let entry = world.entry(REALM, &json!({ "jwks": { "minRefresh": "1s", "maxAge": "1s" } }));
    for concurrency in [1, 2] {
        let mut options = GatewayOptions::default();
        options.envoy.concurrency = concurrency;
        let before = world.provider.count(REALM, Document::Jwks).total;
        let (gateway, _) = world.gateway_with(std::slice::from_ref(&entry), options, |_| {}).await;
        // Nobody asks yet.
        world.provider.wait_until(REALM, Document::Jwks, |count| count.total > before).await;
        for _ in 0..20 {
            assert_eq!(gateway.request(&world.request(REALM)).await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let fetches = world.provider.count(REALM, Document::Jwks).total - before;
        assert!((4..=8).contains(&fetches), "{fetches} in five seconds");
        let failures = gateway.envoy().log_lines("failed to fetch");
        assert!(failures.is_empty(), "{failures:?}");
    }
}

#[tokio::test]
async fn the_way_inside_leads_to_one_origin_only() {
    let world = World::new();
    let elsewhere = Probe { address: port::free(), authority: "elsewhere.example.test".to_owned() };
    let added = elsewhere.clone();
    let edit = move |bootstrap: &mut Value| added.add_to(bootstrap);
    let entries = [world.entry(REALM, &json!({}))];
    let (_gateway, probe) = world.gateway_with(&entries, GatewayOptions::default(), edit).await;
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    assert_eq!(elsewhere.ask("production-keys-callout", REALM).await.status, 404);
}
