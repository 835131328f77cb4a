//! `auth.oauth.providers[]`.

use std::time::Duration;

use super::claim_header;
use super::error::WarningKind;
use super::reader::{Context, Node, Object, optional};
use crate::address::AddressRule;
use crate::policy::{HttpRule, JwksPolicy, Provider};
use crate::signature::Algorithm;
use crate::url::Url;

pub(super) const KEYS: &[&str] = &[
    "name",
    "issuerUrl",
    "audience",
    "jwksUrl",
    "introspectionUrl",
    "clientId",
    "clientSecretFile",
    "caCertPath",
    "authTokenFile",
    "allowPrivateIP",
    "allowedAlgorithms",
    "clockSkew",
    "jwks",
    "claimsToHeaders",
];

/// Most providers of one document.
const MOST: usize = 100;

/// At least one, names unique.
pub(super) fn read_all(oauth: &Object<'_>, context: &mut Context) -> Option<Vec<Provider>> {
    let node = oauth.required("providers", "at least one identity provider", context)?;
    let nodes = node.list(MOST, context)?;
    if nodes.is_empty() {
        node.fail("at least one identity provider", context);
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    let providers: Vec<Option<Provider>> = nodes.iter().map(|node| read(node, &mut names, context)).collect();
    context.provider_names = Some(names);
    let providers: Vec<Provider> = providers.into_iter().collect::<Option<_>>()?;
    if providers.iter().filter(|provider| provider.introspection_url.is_some()).count() > 1 {
        context.warn(&node.path, WarningKind::SeveralIntrospectingProviders);
    }
    Some(providers)
}

fn read(node: &Node<'_>, names: &mut Vec<String>, context: &mut Context) -> Option<Provider> {
    let object = node.object(KEYS, context)?;
    // Everything is read before the first `?`, so that all errors are found.
    let name = read_name(&object, names, context);
    let issuer = object.required("issuerUrl", "the issuer's URL", context);
    let issuer_url = issuer.as_ref().and_then(|node| read_issuer(node, context));
    let audience = object.required("audience", "the audience tokens are issued for", context);
    let audience = audience.and_then(|node| node.text("the audience tokens are issued for", context));
    let jwks_url = object.get("jwksUrl");
    let jwks = optional(jwks_url.as_ref(), |node| node.url(context));
    let introspection_url = object.get("introspectionUrl");
    let introspection = optional(introspection_url.as_ref(), |node| node.url(context));
    let client_id =
        optional(object.get("clientId"), |node| node.text("an OAuth client ID", context).map(str::to_owned));
    let [client_secret_file, ca_cert_path, auth_token_file] =
        ["clientSecretFile", "caCertPath", "authTokenFile"].map(|key| {
            optional(object.get_hidden(key), |node| {
                node.text("the name of a file", context).map(str::to_owned)
            })
        });
    let addresses = read_addresses(&object, issuer_url.as_ref(), context);
    if let Some(rule) = addresses {
        let urls = [
            (issuer.as_ref(), issuer_url.as_ref()),
            (jwks_url.as_ref(), jwks.as_ref().and_then(Option::as_ref)),
            (introspection_url.as_ref(), introspection.as_ref().and_then(Option::as_ref)),
        ];
        for (node, url) in urls {
            if let (Some(node), Some(url)) = (node, url) {
                check_address(node, url, rule, context);
            }
        }
    }
    let allowed_algorithms =
        optional(object.get_strictly("allowedAlgorithms"), |node| read_algorithms(&node, context));
    let most_skew = Duration::from_secs(300);
    let clock_skew =
        optional(object.get("clockSkew"), |node| node.duration(Duration::ZERO..=most_skew, context));
    let jwks_policy = optional(object.get("jwks"), |node| read_jwks(&node, context));
    let claims_to_headers =
        optional(object.get("claimsToHeaders"), |node| claim_header::read_all(&node, context));
    let provider = Provider {
        name: name?,
        issuer: issuer_url.as_ref()?.as_str().to_owned(),
        issuer_url: issuer_url?,
        audience: audience?.to_owned(),
        jwks_url: jwks?,
        introspection_url: introspection?,
        client_id: client_id?,
        client_secret_file: client_secret_file?,
        ca_cert_path: ca_cert_path?,
        auth_token_file: auth_token_file?,
        addresses: addresses?,
        allow_http: if context.environment.insecure_http { HttpRule::Anywhere } else { HttpRule::Loopback },
        allowed_algorithms: allowed_algorithms?.unwrap_or_else(|| Algorithm::ALL.to_vec()),
        clock_skew: clock_skew?.unwrap_or(Duration::from_secs(10)),
        jwks: jwks_policy?.unwrap_or_default(),
        claims_to_headers: claims_to_headers?.unwrap_or_default(),
    };
    if provider.introspection_url.is_some()
        && provider.client_id.is_some() != provider.client_secret_file.is_some()
    {
        context.warn(&node.path, WarningKind::HalfAClient);
    }
    Some(provider)
}

fn read_name(object: &Object<'_>, names: &mut Vec<String>, context: &mut Context) -> Option<String> {
    let expected = "a name of 1 to 64 letters, digits, dots, hyphens and underscores";
    let node = object.required("name", expected, context)?;
    let name = node.text(expected, context)?;
    if name.len() > 64
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    {
        node.fail(expected, context);
        return None;
    }
    if names.iter().any(|known| known == name) {
        node.fail("a name no other provider has", context);
        return None;
    }
    names.push(name.to_owned());
    Some(name.to_owned())
}

/// RFC 8414 §2: an issuer has neither query nor fragment.
fn read_issuer(node: &Node<'_>, context: &mut Context) -> Option<Url> {
    let url = node.url(context)?;
    if url.query().is_some() {
        node.fail("an issuer without a query (?)", context);
        return None;
    }
    Some(url)
}

/// SPEC C-5.
fn read_addresses(object: &Object<'_>, issuer: Option<&Url>, context: &mut Context) -> Option<AddressRule> {
    let node = object.get("allowPrivateIP");
    let allow = match &node {
        Some(node) => node.boolean(context)?,
        None => false,
    };
    let loopback_issuer = issuer.is_some_and(|issuer| issuer.host().is_loopback());
    if loopback_issuer {
        context.warn(&format!("{}.issuerUrl", object.path), WarningKind::LoopbackIssuer);
    }
    if allow {
        context.warn(&format!("{}.allowPrivateIP", object.path), WarningKind::PrivateAddresses);
    }
    Some(match (allow, loopback_issuer) {
        (true, _) => AddressRule::Private,
        (false, true) => AddressRule::LoopbackOnlyPlusPublic,
        (false, false) => AddressRule::PublicOnly,
    })
}

fn check_address(node: &Node<'_>, url: &Url, rule: AddressRule, context: &mut Context) {
    if let Err(error) = rule.permits_url(url) {
        node.fail(error, context);
    }
}

fn read_algorithms(node: &Node<'_>, context: &mut Context) -> Option<Vec<Algorithm>> {
    let nodes = node.list(Algorithm::ALL.len(), context)?;
    if nodes.is_empty() {
        node.fail("at least one algorithm, or no such key for all", context);
        return None;
    }
    let mut algorithms: Vec<Algorithm> = Vec::new();
    let mut sound = true;
    for node in nodes {
        let algorithm = node.text("a signature algorithm", context).and_then(|name| {
            let algorithm = Algorithm::parse(name);
            if algorithm.is_none() {
                node.fail_word("a signature algorithm", &Algorithm::ALL.map(Algorithm::as_str), context);
            } else if algorithm.is_some_and(|algorithm| algorithms.contains(&algorithm)) {
                node.fail("each algorithm once", context);
                return None;
            }
            algorithm
        });
        sound &= algorithm.is_some();
        algorithms.extend(algorithm);
    }
    sound.then_some(algorithms)
}

/// SPEC J-8.
fn read_jwks(node: &Node<'_>, context: &mut Context) -> Option<JwksPolicy> {
    let keys = ["minRefresh", "maxAge", "maxStale", "unknownKidBurst", "unknownKidInterval"];
    let object = node.object(&keys, context)?;
    let default = JwksPolicy::default();
    let day = Duration::from_secs(24 * 3600);
    let [least, hour] = [Duration::from_millis(100), Duration::from_secs(3600)];
    let min_refresh = optional(object.get("minRefresh"), |node| node.duration(least..=day, context));
    let max_age = optional(object.get("maxAge"), |node| node.duration(least..=day * 7, context));
    let max_stale = optional(object.get("maxStale"), |node| node.duration(least..=day * 30, context));
    let burst = optional(object.get("unknownKidBurst"), |node| node.integer(1..=100, context));
    let interval = optional(object.get("unknownKidInterval"), |node| node.duration(least..=hour, context));
    let policy = JwksPolicy {
        min_refresh: min_refresh?.unwrap_or(default.min_refresh),
        max_age: max_age?.unwrap_or(default.max_age),
        max_stale: max_stale?.unwrap_or(default.max_stale),
        unknown_kid_burst: burst?.unwrap_or(default.unknown_kid_burst),
        unknown_kid_interval: interval?.unwrap_or(default.unknown_kid_interval),
    };
    let ordered = policy.min_refresh <= policy.max_age && policy.max_age <= policy.max_stale;
    if !ordered {
        node.fail("minRefresh (default 1m), maxAge (1h) and maxStale (24h) in rising order", context);
    }
    ordered.then_some(policy)
}
