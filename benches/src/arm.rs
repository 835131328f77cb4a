//! What is compared: a filter, and the tokens that reach it.

use serde_json::{Value, json};

/// Tokens in circulation where there are many.
pub const LIVE_TOKENS: usize = 2_000;

/// More than [`LIVE_TOKENS`].
const LARGE_CACHE: u32 = 10_000;

/// What stands before the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nothing.
    None,
    /// A WebAssembly filter that does nothing.
    NoOp,
    /// Envoy's own.
    JwtAuthn(JwtCache),
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
    /// Larger than the tokens in circulation.
    Large,
}

impl JwtCache {
    pub(crate) fn config(self) -> Option<Value> {
        match self {
            Self::Off => None,
            Self::Default => Some(json!({})),
            Self::Large => Some(json!({ "jwt_cache_size": LARGE_CACHE })),
        }
    }
}

/// Which tokens requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Always the same one.
    Repeated,
    /// One of [`LIVE_TOKENS`], each as likely as the other.
    Live,
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
pub const OURS_VERIFYING: &str = "this filter, nearly every token verified";

/// See [`NO_FILTER`].
pub const OTHER_REPEATED: &str = "the other build, one token";

/// Another build of this filter, to see what a change does.
pub const OTHER: Arm = arm(OTHER_REPEATED, Filter::Other, Tokens::Repeated);

/// Whole requests, through Envoy to an upstream.
pub const ARMS: [Arm; 9] = [
    arm(NO_FILTER, Filter::None, Tokens::Repeated),
    arm(NO_OP, Filter::NoOp, Tokens::Repeated),
    arm(JWT_AUTHN_OFF, Filter::JwtAuthn(JwtCache::Off), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE, Filter::JwtAuthn(JwtCache::Large), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE_LIVE, Filter::JwtAuthn(JwtCache::Large), Tokens::Live),
    arm(JWT_AUTHN_DEFAULT_LIVE, Filter::JwtAuthn(JwtCache::Default), Tokens::Live),
    arm(OURS_REPEATED, OURS, Tokens::Repeated),
    arm(OURS_LIVE, OURS, Tokens::Live),
    // A cache of one token, asked for another one nearly every time.
    arm(OURS_VERIFYING, Filter::Ours { token_cache: Some(1) }, Tokens::Live),
];

/// Filters alone, several copies in one chain.
pub const CHAINED: [Arm; 5] = [
    arm(NO_FILTER, Filter::None, Tokens::Repeated),
    arm(NO_OP, Filter::NoOp, Tokens::Repeated),
    arm(JWT_AUTHN_OFF, Filter::JwtAuthn(JwtCache::Off), Tokens::Repeated),
    arm(JWT_AUTHN_LARGE, Filter::JwtAuthn(JwtCache::Large), Tokens::Repeated),
    arm(OURS_REPEATED, OURS, Tokens::Repeated),
];
