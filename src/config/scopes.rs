//! `scopesSupported` and `requiredScopes`.

use super::auth::read_paths;
use super::reader::{Context, Node, optional};
use crate::policy::{RequiredScopes, ScopeRule};
use crate::public_path::PublicPaths;

/// More than any authorization server hands out.
const MOST_SCOPES: usize = 200;

/// A list of scopes, each named once.
pub(super) fn read_list(node: &Node<'_>, context: &mut Context) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    let mut sound = true;
    for node in node.list(MOST_SCOPES, context)? {
        let scope = node.text("a scope", context).filter(|scope| {
            let fits = scope.bytes().all(is_scope_byte);
            if !fits {
                node.fail("one scope: printable ASCII characters without blanks, \" and \\", context);
            } else if scopes.iter().any(|known| known == scope) {
                node.fail("each scope once", context);
                return false;
            }
            fits
        });
        sound &= scope.is_some();
        scopes.extend(scope.map(str::to_owned));
    }
    sound.then_some(scopes)
}

/// RFC 6749 §3.3.
const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// SPEC C-7: a list of scopes for all requests, or a list of rules.
pub(super) fn read_required(node: &Node<'_>, context: &mut Context) -> Option<RequiredScopes> {
    let elements = node.list(MOST_SCOPES, context)?;
    if elements.is_empty() {
        node.fail(
            "at least one scope or rule (a registry that needs no scope leaves requiredScopes out)",
            context,
        );
        return None;
    }
    if !elements.iter().any(Node::is_object) {
        return read_list(node, context).map(RequiredScopes::All);
    }
    if !elements.iter().all(Node::is_object) {
        node.fail("either scopes or rules in one list", context);
        return None;
    }
    let rules: Vec<Option<ScopeRule>> = elements.iter().map(|node| read_rule(node, context)).collect();
    rules.into_iter().collect::<Option<Vec<ScopeRule>>>().map(RequiredScopes::Rules)
}

fn read_rule(node: &Node<'_>, context: &mut Context) -> Option<ScopeRule> {
    let rule = node.object(&["methods", "paths", "scopes"], context)?;
    // A rule without methods or paths is for all of them; an empty list might mean none, so it means nothing.
    let methods = optional(rule.get_strictly("methods"), |node| {
        not_empty(&node, context).then(|| read_methods(&node, context))?
    });
    let paths = optional(rule.get_strictly("paths"), |node| {
        not_empty(&node, context).then(|| read_paths(&node, context))?
    });
    let scopes = rule.required("scopes", "the scopes this rule needs, or []", context);
    let scopes = scopes.and_then(|node| read_list(&node, context));
    Some(ScopeRule {
        methods: methods?.unwrap_or_default(),
        paths: paths?.unwrap_or_else(PublicPaths::default),
        scopes: scopes?,
    })
}

fn not_empty(node: &Node<'_>, context: &mut Context) -> bool {
    let empty = node.list(MOST_SCOPES, context).is_none_or(|list| {
        if list.is_empty() {
            node.fail("at least one element, or no such key", context);
        }
        list.is_empty()
    });
    !empty
}

/// A list of methods, each named once.
pub(super) fn read_methods(node: &Node<'_>, context: &mut Context) -> Option<Vec<String>> {
    let mut methods: Vec<String> = Vec::new();
    let mut sound = true;
    for node in node.list(50, context)? {
        let method = node.text("a method", context).filter(|method| {
            let fits =
                method.len() <= 32 && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
            if !fits {
                node.fail("a method in upper case, such as GET", context);
            } else if methods.iter().any(|known| known == method) {
                node.fail("each method once", context);
                return false;
            }
            fits
        });
        sound &= method.is_some();
        methods.extend(method.map(str::to_owned));
    }
    sound.then_some(methods)
}
