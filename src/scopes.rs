//! Which scopes a request needs (SPEC C-7, `requiredScopes`).

use crate::identity::{Identity, encode_scope};
use crate::policy::{RequiredScopes, ScopeRule};
use crate::public_path::PathClass;

/// Scopes that a request needs, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// As configured, for challenges.
    pub scopes: Vec<String>,
    encoded: Vec<String>,
}

impl Requirement {
    fn new(scopes: Vec<String>) -> Self {
        let encoded = scopes.iter().map(|scope| encode_scope(scope)).collect();
        Self { scopes, encoded }
    }

    /// Whether `identity` was granted all of them.
    pub fn is_met_by(&self, identity: &Identity) -> bool {
        self.encoded.iter().all(|scope| identity.has_scope(scope))
    }
}

/// The requirements of a configuration, made once.
#[derive(Debug)]
pub struct Requirements {
    rules: Vec<(ScopeRule, Requirement)>,
    otherwise: Requirement,
}

/// Names a [`Requirement`] of its [`Requirements`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequirementId(usize);

impl Requirements {
    /// From what is configured.
    pub fn new(required: &RequiredScopes) -> Self {
        match required {
            RequiredScopes::None => Self { rules: Vec::new(), otherwise: Requirement::default() },
            RequiredScopes::All(scopes) => {
                Self { rules: Vec::new(), otherwise: Requirement::new(scopes.clone()) }
            }
            RequiredScopes::Rules(rules) => {
                let mut all: Vec<String> = Vec::new();
                for scope in rules.iter().flat_map(|rule| &rule.scopes) {
                    if !all.contains(scope) {
                        all.push(scope.clone());
                    }
                }
                Self {
                    rules: rules
                        .iter()
                        .map(|rule| (rule.clone(), Requirement::new(rule.scopes.clone())))
                        .collect(),
                    otherwise: Requirement::new(all),
                }
            }
        }
    }

    /// The requirement of a request: the first rule that matches, else everything. A path with several readings matches no rule that names paths.
    pub fn select(&self, method: &[u8], path: PathClass<'_>) -> RequirementId {
        let path = match path {
            PathClass::Canonical(path) | PathClass::EscapedSlash(path) => Some(path),
            PathClass::Rejected | PathClass::NotCanonical(_) => None,
        };
        let matches = |rule: &ScopeRule| {
            (rule.methods.is_empty() || rule.methods.iter().any(|allowed| allowed.as_bytes() == method))
                && (rule.paths.is_empty() || path.is_some_and(|path| rule.paths.matches(path)))
        };
        RequirementId(self.rules.iter().position(|(rule, _)| matches(rule)).unwrap_or(usize::MAX))
    }

    /// What it demands.
    pub fn get(&self, id: RequirementId) -> &Requirement {
        self.rules.get(id.0).map_or(&self.otherwise, |(_, requirement)| requirement)
    }
}
