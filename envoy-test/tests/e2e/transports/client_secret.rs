//! `clientId` and `clientSecretFile`: HTTP Basic, for introspection only.

use super::*;

/// Of the introspection cluster. What it asks for does not matter here.
const CLUSTER: &str = "production-introspection-callout";

fn introspecting(world: &World, client_id: &str) -> Value {
    let introspection = format!("{}/realms/{REALM}/introspect", world.provider.url());
    let client = json!({
        "introspectionUrl": introspection,
        "clientId": client_id,
        "clientSecretFile": world.path("secret"),
    });
    world.entry(REALM, &client)
}

fn basic(parts: &str) -> String {
    format!("Basic {}", STANDARD.encode(parts))
}

#[tokio::test]
async fn it_is_sent_as_basic_whatever_characters_it_has() {
    // RFC 6749 §2.3.1 and appendix B: both form-urlencoded, then joined by a colon.
    let cases = [
        ("registry-client", "s3cr3t\n", "registry-client:s3cr3t"),
        ("a:b c+d\"\\%ü~*", "plain", "a%3Ab+c%2Bd%22%5C%25%C3%BC%7E*:plain"),
        ("id", "two words: 100% +&=?/#\"'\\`", "id:two+words%3A+100%25+%2B%26%3D%3F%2F%23%22%27%5C%60"),
        ("id", "pä$$wörd€", "id:p%C3%A4%24%24w%C3%B6rd%E2%82%AC"),
        ("id", "  \tblanks around\t \r\n", "id:blanks+around"),
        ("id", "%41~-._*", "id:%2541%7E-._*"),
        ("id", &"x".repeat(4000), &format!("id:{}", "x".repeat(4000))),
    ];
    for (client_id, secret, expected) in cases {
        let world = World::new();
        world.write("secret", secret);
        let (_gateway, probe) = world.gateway(&[introspecting(&world, client_id)]).await;
        let path = format!("/{CLUSTER}/realms/{REALM}/protocol/openid-connect/certs");
        let forged = RawRequest::get(&path).bearer("a-token-of-somebody");
        assert_eq!(probe.send(forged).await.status, 200);
        let requests = world.provider.requests(REALM);
        let arrived = requests.last().unwrap();
        let values: Vec<&str> = arrived
            .headers
            .iter()
            .filter(|(name, _)| name == "authorization")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values, [basic(expected)], "{client_id:?} {secret:?}");
        let others = arrived.headers.iter().filter(|(name, _)| name != "authorization");
        for (name, value) in others {
            assert!(!value.contains(secret.trim()), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn it_takes_the_place_of_the_token_file_with_introspection() {
    let world = World::new();
    world.write("secret", "s3cr3t");
    world.write("token", "service-account-token");
    let mut entry = introspecting(&world, "me");
    entry["authTokenFile"] = json!(world.path("token"));
    let (_gateway, probe) = world.gateway(&[entry]).await;
    assert_eq!(probe.ask(CLUSTER, REALM).await.status, 200);
    assert_eq!(world.authorizations(REALM).last().unwrap().as_deref(), Some(basic("me:s3cr3t").as_str()));
    assert_eq!(probe.ask("production-keys-callout", REALM).await.status, 200);
    let token = Some("Bearer service-account-token");
    assert_eq!(world.authorizations(REALM).last().unwrap().as_deref(), token);
}

#[tokio::test]
async fn it_is_sent_with_introspection_only() {
    let world = World::new();
    world.write("secret", "s3cr3t");
    let (gateway, probe) =
        world.gateway(&[introspecting(&world, "me"), world.entry(OTHER, &json!({}))]).await;
    for realm in [REALM, OTHER] {
        gateway.wait_for_status(&world.request(realm), 200).await;
    }
    assert_eq!(world.authorizations(REALM), [None, None]);
    assert_eq!(world.authorizations(OTHER), [None, None]);
    assert_eq!(probe.ask(CLUSTER, REALM).await.status, 200);
    assert_eq!(world.authorizations(REALM).last().unwrap().as_deref(), Some(basic("me:s3cr3t").as_str()));
}

#[tokio::test]
async fn a_replaced_file_is_in_use_within_two_seconds() {
    let world = World::new();
    let volume = world.path("volume");
    let mut mounted = Volume::new(&volume, &[("secret", "first")]);
    world.write("secret", "first");
    for file in [world.path("secret"), volume.join("secret")] {
        let mut entry = introspecting(&world, "me");
        entry["clientSecretFile"] = json!(file);
        let (_gateway, probe) = world.gateway(&[entry]).await;
        for secret in ["first", "second", "third"] {
            mounted.publish(&[("secret", secret)]);
            world.write("secret", secret);
            let expected = basic(&format!("me:{secret}"));
            let in_use = |request: &LoggedRequest| request.header("authorization") == Some(&expected);
            let taken = probe.ask_until(&world, CLUSTER, in_use).await;
            assert!(taken < IN_USE_WITHIN, "{taken:?}");
        }
    }
}

#[tokio::test]
async fn without_a_secret_nothing_is_asked() {
    let world = World::new();
    world.write("secret", " \n");
    let (_gateway, probe) = world.gateway(&[introspecting(&world, "me")]).await;
    let asked = world.provider.requests(REALM).len();
    assert_eq!(probe.ask(CLUSTER, REALM).await.status, 401);
    assert_eq!(world.provider.requests(REALM).len(), asked);
}
