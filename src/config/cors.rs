//! `cors`: cross-origin rules (SPEC R-4).

use std::time::Duration;

use super::reader::{Context, Node, optional};
use super::scopes::read_methods;
use crate::header::HeaderName;
use crate::policy::CorsPolicy;

/// Most elements of each list.
const MOST: usize = 100;

pub(super) fn read(node: &Node<'_>, context: &mut Context) -> Option<CorsPolicy> {
    let cors = node.object(&["allowOrigins", "allowMethods", "allowHeaders", "maxAge"], context)?;
    let origins = cors.required("allowOrigins", "the origins of web applications, or [\"*\"]", context);
    let origins = origins.and_then(|node| read_origins(&node, context));
    let methods = optional(cors.get("allowMethods"), |node| read_methods(&node, context));
    let headers = optional(cors.get("allowHeaders"), |node| read_headers(&node, context));
    let day = Duration::from_secs(24 * 3600);
    let max_age = optional(cors.get("maxAge"), |node| node.duration(Duration::ZERO..=day, context));
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Some(CorsPolicy {
        allow_origins: origins?,
        allow_methods: methods?.unwrap_or_else(|| owned(&["GET", "HEAD", "OPTIONS"])),
        allow_headers: headers?
            .unwrap_or_else(|| owned(&["Authorization", "Content-Type", "MCP-Protocol-Version"])),
        max_age: max_age?.unwrap_or(Duration::from_secs(600)),
    })
}

/// Serialised as browsers do (RFC 6454 §6.2), because they are compared byte for byte.
fn read_origins(node: &Node<'_>, context: &mut Context) -> Option<Vec<String>> {
    let elements = node.list(MOST, context)?;
    if elements.is_empty() {
        node.fail("at least one origin", context);
        return None;
    }
    let alone = elements.len() == 1;
    let origins: Vec<Option<String>> =
        elements.iter().map(|node| read_origin(node, alone, context)).collect();
    origins.into_iter().collect()
}

fn read_origin(node: &Node<'_>, alone: bool, context: &mut Context) -> Option<String> {
    let text = node.text("an origin such as https://app.example.com", context)?;
    if text == "*" {
        if !alone {
            node.fail("* as the only origin", context);
        }
        return alone.then(|| text.to_owned());
    }
    let origin = node.url(context)?.origin();
    if origin != text {
        node.fail(format_args!("an origin as browsers send it: {origin}"), context);
        return None;
    }
    Some(origin)
}

fn read_headers(node: &Node<'_>, context: &mut Context) -> Option<Vec<String>> {
    let headers: Vec<Option<String>> = node
        .list(MOST, context)?
        .iter()
        .map(|node| {
            let text = node.text("a header name", context)?;
            match HeaderName::parse(text) {
                Ok(_) => Some(text.to_owned()),
                Err(error) => {
                    node.fail(error, context);
                    None
                }
            }
        })
        .collect();
    headers.into_iter().collect()
}
