//! `auth` and `auth.oauth`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{ConfigError, WarningKind};
use super::nearest::nearest;
use super::reader::{Context, Node, Object, optional};
use super::{cors, provider, scopes};
use crate::policy::{
    IntrospectionCachePolicy, IntrospectionLimits, OauthPolicy, Policy, ResourcePolicy, SignatureLimits,
};
use crate::public_path::PublicPaths;

pub(super) const KEYS: &[&str] = &["mode", "oauth", "publicPaths"];

pub(super) const OAUTH_KEYS: &[&str] = &[
    "resourceUrl",
    "realm",
    "scopesSupported",
    "resourceDocumentation",
    "publicPaths",
    "providers",
    "forwardToken",
    "requiredScopes",
    "cors",
    "tokenCache",
    "introspectionCache",
    "introspectionLimits",
    "signatureLimits",
];

const MODES: [&str; 2] = ["oauth", "anonymous"];

/// SPEC C-2: whatever is not spelled out to be anonymous is oauth.
pub(super) fn read(root: &Map<String, Value>, context: &mut Context) -> Option<Policy> {
    let auth = match root.get("auth").filter(|auth| !auth.is_null()) {
        Some(auth) => Node::new("auth".to_owned(), auth).object(KEYS, context)?,
        None => Object::empty("auth".to_owned()),
    };
    let mode = match auth.get("mode") {
        None => "oauth",
        Some(mode) => mode.text("oauth or anonymous", context).and_then(|text| {
            let known = MODES.into_iter().find(|known| *known == text);
            if known.is_none() {
                mode.fail_word("a mode, in lower case", &MODES, context);
            }
            known
        })?,
    };
    if mode == "anonymous" {
        for node in [auth.get("oauth"), auth.get("publicPaths")].into_iter().flatten() {
            context.warn(&node.path, WarningKind::IgnoredInAnonymousMode);
        }
        return Some(Policy::Anonymous);
    }
    let Some(oauth) = auth.get("oauth") else {
        let others: Vec<&str> = root.keys().map(String::as_str).filter(|key| *key != "auth").collect();
        context.error(ConfigError {
            path: "auth.oauth".to_owned(),
            value: Some("nothing".to_owned()),
            expected:
                "resourceUrl and providers (a registry without authentication says auth.mode: anonymous)"
                    .to_owned(),
            nearest: if root.contains_key("auth") { None } else { misspelled_auth(&others) },
        });
        return None;
    };
    let oauth = oauth.object(OAUTH_KEYS, context)?;
    read_oauth(&oauth, auth.get("publicPaths"), context).map(|policy| Policy::Oauth(Box::new(policy)))
}

/// Other top-level keys are the registry's; one that was meant to be `auth` should be named all the same.
fn misspelled_auth(others: &[&str]) -> Option<String> {
    others.iter().find(|key| nearest(key, &["auth"]).is_some()).map(|key| format!("auth instead of {key}"))
}

fn read_oauth(oauth: &Object<'_>, outer: Option<Node<'_>>, context: &mut Context) -> Option<OauthPolicy> {
    // Everything is read before the first `?`, so that all errors are found.
    let resource = read_resource(oauth, context);
    let public_paths = read_public_paths(oauth.get("publicPaths"), outer, context);
    let providers = provider::read_all(oauth, context);
    let forward_token = optional(oauth.get("forwardToken"), |node| node.boolean(context));
    let required_scopes =
        optional(oauth.get_strictly("requiredScopes"), |node| scopes::read_required(&node, context));
    let cors = optional(oauth.get("cors"), |node| cors::read(&node, context));
    let token_cache_size = read_token_cache(oauth, context);
    let introspection_cache = read_introspection_cache(oauth, context);
    let introspection_limits = read_introspection_limits(oauth, context);
    let signature_limits = read_signature_limits(oauth, context);
    Some(OauthPolicy {
        resource: resource?,
        public_paths: public_paths?,
        providers: providers?,
        forward_token: forward_token?.unwrap_or(true),
        required_scopes: required_scopes?.unwrap_or_default(),
        cors: cors?,
        token_cache_size: token_cache_size?,
        introspection_cache: introspection_cache?,
        introspection_limits: introspection_limits?,
        signature_limits: signature_limits?,
    })
}

fn read_resource(oauth: &Object<'_>, context: &mut Context) -> Option<ResourcePolicy> {
    let url = oauth.required("resourceUrl", "the URL of the protected registry", context);
    let url = url.and_then(|node| node.url(context));
    let realm = optional(oauth.get("realm"), |node| {
        let realm = node.text("a realm", context)?;
        let printable = realm.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !printable {
            node.fail("a realm of printable ASCII characters", context);
        }
        printable.then(|| realm.to_owned())
    });
    let scopes_supported = optional(oauth.get("scopesSupported"), |node| scopes::read_list(&node, context));
    let documentation = optional(oauth.get("resourceDocumentation"), |node| node.url(context));
    Some(ResourcePolicy {
        url: url?,
        realm: realm?.unwrap_or_else(|| "mcp-registry".to_owned()),
        scopes_supported: scopes_supported?
            .unwrap_or_else(|| vec!["mcp-registry:read".to_owned(), "mcp-registry:write".to_owned()]),
        documentation: documentation?,
    })
}

/// SPEC C-1: under `auth.oauth` or under `auth`.
fn read_public_paths(
    inner: Option<Node<'_>>,
    outer: Option<Node<'_>>,
    context: &mut Context,
) -> Option<PublicPaths> {
    match (inner, outer) {
        (None, None) => Some(PublicPaths::default()),
        (Some(node), None) | (None, Some(node)) => {
            let paths = read_paths(&node, context)?;
            if paths.covers_all() {
                context.warn(&node.path, WarningKind::EverythingIsPublic);
            }
            Some(paths)
        }
        (Some(_), Some(outer)) => {
            outer.fail("publicPaths in one place only: they are under auth.oauth, too", context);
            None
        }
    }
}

/// A list of path prefixes.
pub(super) fn read_paths(node: &Node<'_>, context: &mut Context) -> Option<PublicPaths> {
    let mut paths = PublicPaths::default();
    let mut sound = true;
    for node in node.list(1000, context)? {
        let pushed = node.text("a path that starts with /", context).map(|path| paths.push(path));
        if let Some(Err(error)) = pushed {
            node.fail(error, context);
        }
        sound &= pushed == Some(Ok(()));
    }
    sound.then_some(paths)
}

/// What a worker may be asked to remember.
const CACHE_SIZE: std::ops::RangeInclusive<u32> = 1..=1_000_000;

/// More than any processor verifies in a second.
const MOST_SIGNATURES: u32 = 1_000_000;

fn read_token_cache(oauth: &Object<'_>, context: &mut Context) -> Option<usize> {
    let size = optional(oauth.get("tokenCache"), |node| {
        let cache = node.object(&["size"], context)?;
        optional(cache.get("size"), |node| node.integer(CACHE_SIZE, context))
    })?;
    usize::try_from(size.flatten().unwrap_or(10_000)).ok()
}

fn read_introspection_cache(oauth: &Object<'_>, context: &mut Context) -> Option<IntrospectionCachePolicy> {
    let default = IntrospectionCachePolicy::default();
    let Some(node) = oauth.get("introspectionCache") else {
        return Some(default);
    };
    let cache = node.object(&["ttl", "negativeTtl", "size"], context)?;
    let life = Duration::ZERO..=Duration::from_secs(3600);
    let ttl = optional(cache.get("ttl"), |node| node.duration(life.clone(), context));
    let negative_ttl = optional(cache.get("negativeTtl"), |node| node.duration(life, context));
    let size = optional(cache.get("size"), |node| usize::try_from(node.integer(CACHE_SIZE, context)?).ok());
    Some(IntrospectionCachePolicy {
        ttl: ttl?.unwrap_or(default.ttl),
        negative_ttl: negative_ttl?.unwrap_or(default.negative_ttl),
        size: size?.unwrap_or(default.size),
    })
}

fn read_introspection_limits(oauth: &Object<'_>, context: &mut Context) -> Option<IntrospectionLimits> {
    let default = IntrospectionLimits::default();
    let Some(node) = oauth.get("introspectionLimits") else {
        return Some(default);
    };
    let limits = node.object(&["inFlight", "perSecond"], context)?;
    let mut limit = |name| optional(limits.get(name), |node| node.integer(1..=10_000, context));
    let (in_flight, per_second) = (limit("inFlight"), limit("perSecond"));
    Some(IntrospectionLimits {
        in_flight: in_flight?.unwrap_or(default.in_flight),
        per_second: per_second?.unwrap_or(default.per_second),
    })
}

fn read_signature_limits(oauth: &Object<'_>, context: &mut Context) -> Option<SignatureLimits> {
    let Some(node) = oauth.get("signatureLimits") else {
        return Some(SignatureLimits::default());
    };
    let limits = node.object(&["perSecond", "perClient"], context)?;
    let per_second = optional(limits.get("perSecond"), |node| node.integer(1..=MOST_SIGNATURES, context));
    let default = SignatureLimits::default().per_second;
    let most = per_second.map_or(MOST_SIGNATURES, |given| given.unwrap_or(default));
    let per_client = optional(limits.get("perClient"), |node| node.integer(1..=most, context));
    let limits = SignatureLimits::new(per_second?.unwrap_or(default));
    Some(SignatureLimits { per_client: per_client?.unwrap_or(limits.per_client), ..limits })
}
