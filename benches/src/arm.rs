//! What is compared: a filter, and the tokens that reach it.

use envoy_test::Algorithm;
use serde_json::{Value, json};

/// Tokens in circulation where there are several.
pub const LIVE_TOKENS: usize = 2_000;

/// More than [`LIVE_TOKENS`].
const LARGE_CACHE: JwtCache = JwtCache::Of(10_000);

/// What stands before the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nothing.
    None,
    /// A WebAssembly filter that does nothing.
    NoOp,
    /// Envoy's own.
    JwtAuthn(JwtCache),
    /// Envoy's own, with four claims in headers for the upstream, as ours has the identity.
    JwtAuthnTelling(JwtCache),
    /// Ours, with its default cache, or one of the given size.
    Ours {
        /// `tokenCache.size`, instead of the default of 10,000.
        token_cache: Option<u32>,
    },
    /// Another build of ours.
    Other,
}

/// `jwt_cache_config` of `jwt_authn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtCache {
    /// Not there: what people get who do not know of it.
    Off,
    /// There, without a size: 100 tokens.
    Default,
    /// There, for so many tokens.
    Of(u32),
}

impl JwtCache {
    pub(crate) fn config(self) -> Option<Value> {
        match self {
            Self::Off => None,
            Self::Default => Some(json!({})),
            Self::Of(size) => Some(json!({ "jwt_cache_size": size })),
        }
    }
}

/// Which tokens requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Always the same one, RS256.
    Repeated,
    /// One of [`LIVE_TOKENS`], each as likely as the other, RS256.
    Live,
    /// [`LIVE_TOKENS`] of this algorithm, one after the other: a cache of one token never knows the next.
    InTurn(Algorithm),
    /// As many as a cache shall be filled with, one after the other, EdDSA.
    Filling,
}

/// One filter under one load.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    /// In tables.
    pub name: &'static str,
    /// What it is.
    pub filter: Filter,
    /// What reaches it.
    pub tokens: Tokens,
}

const fn arm(name: &'static str, filter: Filter, tokens: Tokens) -> Arm {
    Arm { name, filter, tokens }
}

const OURS: Filter = Filter::Ours { token_cache: None };

/// The arms of [`ARMS`] and [`CHAINED`] that ratios refer to.
pub const NO_FILTER: &str = "no filter";
/// See [`NO_FILTER`].
pub const JWT_AUTHN_OFF: &str = "jwt_authn, no cache";
/// See [`NO_FILTER`].
pub const JWT_AUTHN_LARGE: &str = "jwt_authn, large cache";
/// See [`NO_FILTER`].
pub const JWT_AUTHN_TELLING: &str = "jwt_authn, large cache, claims in headers";
/// See [`NO_FILTER`].
pub const JWT_AUTHN_DEFAULT_LIVE: &str = "jwt_authn, default cache, 2,000 live tokens";
/// See [`NO_FILTER`].
pub const JWT_AUTHN_LARGE_LIVE: &str = "jwt_authn, large cache, 2,000 live tokens";
/// See [`NO_FILTER`].
pub const NO_OP: &str = "no-op wasm filter";
/// See [`NO_FILTER`].
pub const OURS_REPEATED: &str = "this filter, one token";
/// See [`NO_FILTER`].
pub const OURS_LIVE: &str = "this filter, 2,000 live tokens";
/// See [`NO_FILTER`].
pub const OTHER_REPEATED: &str = "the other build, one token";

/// Another build of this filter, to see what a change does.
pub const OTHER: Arm = arm(OTHER_REPEATED, Filter::Other, Tokens::Repeated);

/// Whole requests, through Envoy to an upstream.
pub const ARMS: [Arm; 9] = [
    arm(NO_FILTER, Filter::None, Tokens::Repeated),
    arm(NO_OP, Filter::NoOp, Tokens::Repeated),
    arm(JWT_AUTHN_OFF, Filter::JwtAuthn(JwtCache::Off), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE, Filter::JwtAuthn(LARGE_CACHE), Tokens::Repeated),
    arm(JWT_AUTHN_TELLING, Filter::JwtAuthnTelling(LARGE_CACHE), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE_LIVE, Filter::JwtAuthn(LARGE_CACHE), Tokens::Live),
    arm(JWT_AUTHN_DEFAULT_LIVE, Filter::JwtAuthn(JwtCache::Default), Tokens::Live),
    arm(OURS_REPEATED, OURS, Tokens::Repeated),
    arm(OURS_LIVE, OURS, Tokens::Live),
];

/// Arms of [`ARMS`] whose throughput and latency are measured.
pub const PACED: [&str; 7] =
    [NO_FILTER, NO_OP, JWT_AUTHN_OFF, JWT_AUTHN_LARGE, JWT_AUTHN_LARGE_LIVE, OURS_REPEATED, OURS_LIVE];

/// Filters alone, several copies in one chain.
pub const CHAINED: [Arm; 6] = [
    arm(NO_FILTER, Filter::None, Tokens::Repeated),
    arm(NO_OP, Filter::NoOp, Tokens::Repeated),
    arm(JWT_AUTHN_OFF, Filter::JwtAuthn(JwtCache::Off), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE, Filter::JwtAuthn(LARGE_CACHE), Tokens::Repeated),
    arm(JWT_AUTHN_TELLING, Filter::JwtAuthnTelling(LARGE_CACHE), Tokens::Repeated),
    arm(OURS_REPEATED, OURS, Tokens::Repeated),
];

/// One algorithm, and the arms that verify each of its tokens.
#[derive(Clone, Copy, Debug)]
pub struct Verifying {
    /// `alg`.
    pub algorithm: Algorithm,
    /// Envoy's own filter, without cache.
    pub native: Arm,
    /// Ours, with a cache of one token, the least it can be given.
    pub ours: Arm,
}

const fn verifying(algorithm: Algorithm, native: &'static str, ours: &'static str) -> Verifying {
    let tokens = Tokens::InTurn(algorithm);
    Verifying {
        algorithm,
        native: arm(native, Filter::JwtAuthn(JwtCache::Off), tokens),
        ours: arm(ours, Filter::Ours { token_cache: Some(1) }, tokens),
    }
}

/// Every token verified.
pub const VERIFYING: [Verifying; 4] = [
    verifying(Algorithm::Rs256, "jwt_authn, RS256", "this filter, RS256"),
    verifying(Algorithm::Ps256, "jwt_authn, PS256", "this filter, PS256"),
    verifying(Algorithm::Es256, "jwt_authn, ES256", "this filter, ES256"),
    verifying(Algorithm::EdDsa, "jwt_authn, EdDSA", "this filter, EdDSA"),
];

/// No filter, under the tokens of the first of [`VERIFYING`].
pub const NOT_VERIFYING: Arm = arm(NO_FILTER, Filter::None, Tokens::InTurn(Algorithm::Rs256));

/// Caches that hold `size` tokens, to be filled.
pub const fn caching(size: u32) -> [Arm; 2] {
    [
        arm("jwt_authn", Filter::JwtAuthn(JwtCache::Of(size)), Tokens::Filling),
        arm("this filter", Filter::Ours { token_cache: Some(size) }, Tokens::Filling),
    ]
}
