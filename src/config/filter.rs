//! `filter`: what only a proxy needs (SPEC C-8).

use std::time::Duration;

use serde_json::{Map, Value};

use super::reader::{Context, Node, optional};
use crate::policy::{FilterPolicy, Purpose, UpstreamOverride};
use crate::url::Url;

pub(super) const KEYS: &[&str] = &["upstreams", "sharedData", "calloutTimeout"];

const PLACEHOLDERS: [&str; 4] = ["{provider}", "{purpose}", "{host}", "{port}"];

pub(super) fn read(root: &Map<String, Value>, context: &mut Context) -> Option<FilterPolicy> {
    let default = FilterPolicy::default();
    let Some(filter) = root.get("filter").filter(|filter| !filter.is_null()) else {
        return Some(default);
    };
    let filter = Node::new("filter".to_owned(), filter).object(KEYS, context)?;
    let upstreams = optional(filter.get("upstreams"), |node| read_upstreams(&node, context));
    let shared_data = optional(filter.get("sharedData"), |node| node.boolean(context));
    let timeouts = Duration::from_millis(100)..=Duration::from_secs(60);
    let callout_timeout = optional(filter.get("calloutTimeout"), |node| node.duration(timeouts, context));
    let (template, overrides) = upstreams?.unwrap_or_default();
    Some(FilterPolicy {
        upstream_template: template.unwrap_or(default.upstream_template),
        upstream_overrides: overrides,
        shared_data: shared_data?.unwrap_or(default.shared_data),
        callout_timeout: callout_timeout?.unwrap_or(default.callout_timeout),
    })
}

fn read_upstreams(node: &Node<'_>, context: &mut Context) -> Option<(Option<String>, Vec<UpstreamOverride>)> {
    let upstreams = node.object(&["template", "overrides"], context)?;
    let template = optional(upstreams.get("template"), |node| read_template(&node, context));
    let overrides = optional(upstreams.get("overrides"), |node| {
        let overrides: Vec<Option<UpstreamOverride>> =
            node.list(1000, context)?.iter().map(|node| read_override(node, context)).collect();
        overrides.into_iter().collect::<Option<Vec<_>>>()
    });
    Some((template?, overrides?.unwrap_or_default()))
}

fn read_template(node: &Node<'_>, context: &mut Context) -> Option<String> {
    let expected = format!("the name of an upstream with the placeholders {}", PLACEHOLDERS.join(", "));
    let template = node.text(&expected, context)?;
    let rest =
        PLACEHOLDERS.iter().fold(template.to_owned(), |rest, placeholder| rest.replace(placeholder, ""));
    let sound = !rest.contains(['{', '}']);
    if !sound {
        node.fail(expected, context);
    }
    sound.then(|| template.to_owned())
}

fn read_override(node: &Node<'_>, context: &mut Context) -> Option<UpstreamOverride> {
    let object = node.object(&["provider", "purpose", "origin", "name"], context)?;
    let provider = optional(object.get("provider"), |node| read_provider(&node, context));
    let purpose = optional(object.get("purpose"), |node| {
        let purposes = [Purpose::Keys, Purpose::Introspection];
        let text = node.text("keys or introspection", context)?;
        let purpose = purposes.into_iter().find(|purpose| purpose.as_str() == text);
        if purpose.is_none() {
            node.fail_word("a purpose", &purposes.map(Purpose::as_str), context);
        }
        purpose
    });
    let origin = optional(object.get("origin"), |node| read_origin(&node, context));
    let name = object.required("name", "the name of an upstream", context);
    let name = name.and_then(|node| node.text("the name of an upstream", context));
    Some(UpstreamOverride { provider: provider?, purpose: purpose?, origin: origin?, name: name?.to_owned() })
}

fn read_provider(node: &Node<'_>, context: &mut Context) -> Option<String> {
    let name = node.text("the name of a provider", context)?;
    // Anonymous documents have no providers to compare with.
    let known = context.provider_names.clone().unwrap_or_else(|| vec![name.to_owned()]);
    let sound = known.iter().any(|known| known == name);
    if !sound {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        node.fail_word("the name of a provider", &known, context);
    }
    sound.then(|| name.to_owned())
}

/// The address rules of the provider apply where the URL is used, not here.
fn read_origin(node: &Node<'_>, context: &mut Context) -> Option<Url> {
    let url = node.url(context)?;
    if url.path_and_query() != "/" {
        node.fail(format_args!("an origin: {}", url.origin()), context);
        return None;
    }
    Some(url)
}
