//! The requests that are measured, and how each must end.

use serde_json::json;

use crate::abi::HeaderMap;
use crate::counts::Counts;
use crate::error::GateError;
use crate::keys::Signer;
use crate::limits::Limit;
use crate::plugin::{Filter, Outcome, Plugin};
use crate::token::Token;
use crate::world::{self, NOW};

/// Before the measured one.
const WARM_REQUESTS: u64 = 5;

/// A kind of request.
pub(crate) struct Scenario {
    pub(crate) name: String,
    configuration: String,
    /// Tokens that are recognised already.
    live_tokens: u64,
    /// The request of this number: 0 to 4 warm, 5 measured.
    request: Box<dyn Fn(u64) -> Result<HeaderMap, GateError>>,
    expected: Expected,
    pub(crate) limit: Limit,
}

enum Expected {
    /// With exactly these identity headers.
    Forwarded { identity: bool },
    /// With this status, and this text in the challenge, or in the body where there is none.
    Answered { status: u32, text: &'static str },
}

/// What a scenario cost.
pub(crate) struct Measured {
    pub(crate) counts: Counts,
    /// Bytes of the measured request's `Authorization`.
    pub(crate) token: usize,
}

impl Scenario {
    fn new(
        name: &str,
        limit: Limit,
        expected: Expected,
        request: impl Fn(u64) -> Result<HeaderMap, GateError> + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            configuration: world::configuration(),
            live_tokens: 0,
            request: Box::new(request),
            expected,
            limit,
        }
    }

    /// Runs it in an instance of its own, so that no scenario changes another's counts.
    pub(crate) fn measure(&self, filter: &Filter) -> Result<Measured, GateError> {
        let mut plugin = Plugin::start(filter, &self.configuration)?;
        plugin.fetch_keys()?;
        for number in 0..self.live_tokens {
            self.check(&plugin.request(&with_token(&Token::new(Signer::EdDsa, 1000 + number))?)?, &plugin)?;
        }
        let mut last = Measured { counts: Counts::default(), token: 0 };
        for number in 0..=WARM_REQUESTS {
            let headers = (self.request)(number)?;
            plugin.take_counts();
            let outcome = plugin.request(&headers)?;
            let counts = plugin.take_counts();
            self.check(&outcome, &plugin)?;
            let token = headers.iter().find(|(name, _)| name == "authorization");
            last = Measured { counts, token: token.map_or(0, |(_, value)| value.len()) };
        }
        Ok(last)
    }

    fn check(&self, outcome: &Outcome, plugin: &Plugin) -> Result<(), GateError> {
        let is_right = match (&self.expected, outcome) {
            (Expected::Forwarded { identity }, Outcome::Forwarded(headers)) => {
                names_user(headers) == *identity
                    && headers.iter().any(|(name, _)| name.starts_with("x-auth-")) == *identity
            }
            (Expected::Answered { status, text }, Outcome::Answered(response)) => {
                let challenge = response.headers.iter().find(|(name, _)| name == "www-authenticate");
                let body = String::from_utf8_lossy(&response.body);
                response.status == *status && challenge.map_or(&*body, |(_, value)| value).contains(text)
            }
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        let found = format!("{outcome:?}\n{}", plugin.log().join("\n"));
        Err(GateError::Outcome { scenario: self.name.clone(), found })
    }
}

fn names_user(headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value);
    value("x-auth-provider") == "keycloak"
        && value("x-auth-subject").starts_with("3f2b7c1e-52f7-4f6f-8f44-")
        && value("x-auth-user") == "Alice%20Example"
        && value("x-auth-scopes").contains("mcp-registry:read")
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut scenarios = recognised();
    scenarios.extend(without_token());
    scenarios.extend(refused_by_form());
    scenarios.extend(refused_by_claims());
    scenarios.extend(verified());
    scenarios
}

fn recognised() -> Vec<Scenario> {
    let same_token = |_| with_token(&Token::new(Signer::Rs256, 1));
    let forwarded = || Expected::Forwarded { identity: true };
    let limit = Limit::Recognised;
    vec![
        Scenario::new("recognised token", limit, forwarded(), same_token),
        Scenario {
            live_tokens: 2000,
            ..Scenario::new("recognised, 2,000 live tokens", limit, forwarded(), same_token)
        },
        Scenario {
            configuration: world::configuration_with_scopes(),
            ..Scenario::new("recognised, scope rules", limit, forwarded(), same_token)
        },
    ]
}

fn without_token() -> Vec<Scenario> {
    let challenged = Expected::Answered {
        status: 401,
        text: r#"Bearer realm="mcp-registry", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource""#,
    };
    let document = Expected::Answered { status: 200, text: r#""resource":"https://registry.example.com""# };
    vec![
        Scenario::new("public path", Limit::None, Expected::Forwarded { identity: false }, |_| {
            Ok(world::request("GET", "/health", None))
        }),
        Scenario::new("metadata document", Limit::None, document, |_| {
            Ok(world::request("GET", "/.well-known/oauth-protected-resource", None))
        }),
        Scenario::new("missing token", Limit::ByForm, challenged, |_| Ok(world::request("GET", PATH, None))),
    ]
}

fn refused_by_form() -> Vec<Scenario> {
    let malformed = || Expected::Answered {
        status: 401,
        text: r#"error="invalid_token", error_description="token is malformed""#,
    };
    let malformed_authorization = Expected::Answered {
        status: 401,
        text: r#"error="invalid_request", error_description="malformed authorization header""#,
    };
    vec![
        Scenario::new("malformed Authorization", Limit::ByForm, malformed_authorization, |_| {
            Ok(with_authorization("Bearer  two-blanks"))
        }),
        Scenario::new("malformed token, no JWT", Limit::ByForm, malformed(), |number| {
            Ok(with_authorization(&format!("Bearer {number}.{}", "not-a-jwt".repeat(100))))
        }),
        Scenario::new("malformed token, claims cut off", Limit::ByClaims, malformed(), |number| {
            let token = Token::new(Signer::Rs256, number).sign()?;
            let mut parts = token.split('.');
            let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let claims = claims.get(..claims.len() - 8).unwrap_or_default();
            Ok(with_authorization(&format!("Bearer {header}.{claims}.{}", parts.next().unwrap_or_default())))
        }),
        Scenario::new("token over 16 KiB", Limit::ByForm, malformed(), |number| {
            with_token(&Token::new(Signer::Rs256, number).claim("groups", json!("x".repeat(16_384))))
        }),
    ]
}

fn refused_by_claims() -> Vec<Scenario> {
    let refused = |name: &str, text, request: fn(u64) -> Token| {
        let expected = Expected::Answered { status: 401, text };
        Scenario::new(name, Limit::ByClaims, expected, move |number| with_token(&request(number)))
    };
    vec![
        refused("unknown alg", "token signature invalid", |number| {
            Token::new(Signer::Rs256, number).header("alg", json!("HS256"))
        }),
        refused("alg none", "token signature invalid", |number| {
            Token::new(Signer::Rs256, number).header("alg", json!("none"))
        }),
        refused("expired", "token expired", |number| {
            Token::new(Signer::Rs256, number).claim("exp", json!(NOW - 60))
        }),
        refused("wrong audience", "token audience not accepted", |number| {
            Token::new(Signer::Rs256, number).claim("aud", json!(["account", "another-api"]))
        }),
        refused("unknown issuer", "token issuer not accepted", |number| {
            Token::new(Signer::Rs256, number).claim("iss", json!("https://idp.example.com/realms/other"))
        }),
        refused("unknown kid, looked for before", "token signing key unknown", |number| {
            Token::new(Signer::Rs256, number)
                .header("kid", json!("m1Gs7WCGFbcu6PSV5PZCe5nZAwpVQ5Aqk3iW0ZcYk0A"))
        }),
    ]
}

fn verified() -> Vec<Scenario> {
    let uncached = Signer::ALL.map(|signer| {
        let name = format!(
            "uncached {}",
            if signer == Signer::Rs256With4096 { "RS256, 4096 bits" } else { signer.algorithm() }
        );
        let request = move |number| with_token(&Token::new(signer, number));
        Scenario::new(&name, Limit::None, Expected::Forwarded { identity: true }, request)
    });
    let forged = [Signer::Rs256, Signer::Es256, Signer::EdDsa].map(|signer| {
        let expected = Expected::Answered { status: 401, text: "token signature invalid" };
        Scenario::new(&format!("forged {}", signer.algorithm()), Limit::None, expected, move |number| {
            // The signature of another user's token.
            let (good, other) =
                (Token::new(signer, number).sign()?, Token::new(signer, number + 100).sign()?);
            let message = good.rsplit_once('.').map_or("", |(message, _)| message);
            let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
            Ok(with_authorization(&format!("Bearer {message}.{signature}")))
        })
    });
    uncached.into_iter().chain(forged).collect()
}

const PATH: &str = "/v0.1/servers?limit=50&search=filesystem";

fn with_token(token: &Token) -> Result<HeaderMap, GateError> {
    Ok(with_authorization(&format!("Bearer {}", token.sign()?)))
}

fn with_authorization(authorization: &str) -> HeaderMap {
    world::request("GET", PATH, Some(authorization))
}

/// What the start costs until the configuration is accepted, then until the keys are there, and one tick with nothing to do.
pub(crate) fn start(filter: &Filter) -> Result<Vec<(&'static str, Counts)>, GateError> {
    let mut plugin = Plugin::start(filter, &world::configuration())?;
    let configured = plugin.take_counts();
    plugin.fetch_keys()?;
    let keys = plugin.take_counts();
    plugin.tick()?;
    Ok(vec![
        ("start, until configured", configured),
        ("keys, fetched and parsed", keys),
        ("idle tick", plugin.take_counts()),
    ])
}

/// Growth of linear memory by so many distinct tokens, in bytes a token.
pub(crate) fn memory_per_token(filter: &Filter, tokens: u64) -> Result<u64, GateError> {
    let mut plugin = Plugin::start(filter, &world::configuration())?;
    plugin.fetch_keys()?;
    for number in 0..WARM_REQUESTS {
        plugin.request(&with_token(&Token::new(Signer::EdDsa, number))?)?;
    }
    let before = plugin.memory();
    for number in 0..tokens {
        if !matches!(
            plugin.request(&with_token(&Token::new(Signer::EdDsa, 1000 + number))?)?,
            Outcome::Forwarded(_)
        ) {
            return Err(GateError::Start(format!("token {number} was refused")));
        }
    }
    Ok((plugin.memory() - before).div_ceil(tokens))
}
