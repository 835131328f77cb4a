//! `claimsToHeaders`: which claims the upstream sees, and where.
//!
//! A claim is a text whose dots lead into objects (`realm_access.roles`), or a list of member names, each taken as it is
//! (`["kubernetes.io", "namespace"]`).

use super::reader::{Context, Node};
use crate::header::{HeaderName, same_name};
use crate::policy::ClaimHeader;

/// Most entries of a provider, and most steps of a claim.
const MOST: usize = 32;

pub(super) fn read_all(node: &Node<'_>, context: &mut Context) -> Option<Vec<ClaimHeader>> {
    let mut headers: Vec<ClaimHeader> = Vec::new();
    let mut sound = true;
    for node in node.list(MOST, context)? {
        match read(&node, &headers, context) {
            Some(header) => headers.push(header),
            None => sound = false,
        }
    }
    sound.then_some(headers)
}

fn read(node: &Node<'_>, earlier: &[ClaimHeader], context: &mut Context) -> Option<ClaimHeader> {
    let entry = node.object(&["claim", "header"], context)?;
    let claim = entry.required("claim", "the name of a claim", context);
    let claim = claim.and_then(|node| read_claim(&node, context));
    let header = entry.required("header", "the name of a header", context);
    let header = header.and_then(|node| {
        let name = match HeaderName::for_claim(node.text("a header name", context)?) {
            Ok(name) => name,
            Err(error) => {
                node.fail(error, context);
                return None;
            }
        };
        if earlier.iter().any(|earlier| same_name(earlier.header.as_bytes(), name.as_bytes())) {
            node.fail("each header once (_ and - are alike)", context);
            return None;
        }
        Some(name)
    });
    Some(ClaimHeader { claim: claim?, header: header? })
}

fn read_claim(node: &Node<'_>, context: &mut Context) -> Option<Vec<String>> {
    let expected = "a claim: member names joined by dots, or a list of member names";
    if !node.is_list() {
        let claim: Vec<String> = node.text(expected, context)?.split('.').map(str::to_owned).collect();
        let sound = claim.len() <= MOST && claim.iter().all(|step| !step.is_empty());
        if !sound {
            node.fail(expected, context);
        }
        return sound.then_some(claim);
    }
    let steps = node.list(MOST, context)?;
    if steps.is_empty() {
        node.fail(expected, context);
        return None;
    }
    let steps: Vec<Option<String>> =
        steps.iter().map(|step| step.text("a member name", context).map(str::to_owned)).collect();
    steps.into_iter().collect()
}
