//! What happens to a request between the choice of a provider's address and the wire: the address is judged, and credentials are added.

use registry_auth::address::{AddressBlock, AddressRule};
use registry_auth::form;

use super::upstream::Credential;
use crate::tree::Tree;
use crate::{list, map};

/// The filters of a cluster; without any, Envoy's own default.
pub(super) fn chain(filters: impl IntoIterator<Item = Tree>) -> Option<Tree> {
    let mut filters: Vec<Tree> = filters.into_iter().collect();
    if filters.is_empty() {
        return None;
    }
    filters.push(filter(
        "envoy.filters.http.upstream_codec",
        map! { "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec" },
    ));
    Some(Tree::List(filters))
}

/// SPEC C-5, on the address that was chosen and before it is connected to. It allows rather than denies: an address that is not known is refused.
pub(super) fn check_address(rule: AddressRule) -> Tree {
    let blocks = rule.blocks();
    let any = |blocks: Vec<AddressBlock>| {
        let rules: Vec<Tree> = blocks.into_iter().map(upstream_ip).collect();
        map! { "or_rules": map! { "rules": rules } }
    };
    let permission = map! {
        "and_rules": map! {
            "rules": list![any(blocks.permitted), map! { "not_rule": any(blocks.refused) }],
        },
    };
    let policy = map! {
        "permissions": list![permission],
        "principals": list![map! { "any": true }],
    };
    filter(
        "envoy.filters.http.upstream_rbac",
        map! {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": map! { "action": "ALLOW", "policies": map! { "permitted-addresses": policy } },
        },
    )
}

fn upstream_ip(block: AddressBlock) -> Tree {
    let matcher = map! {
        "name": "envoy.rbac.matchers.upstream_ip_port",
        "typed_config": map! {
            "@type": "type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher",
            "upstream_ip": map! { "address_prefix": block.address.to_string(), "prefix_len": block.prefix_length },
        },
    };
    map! { "matcher": matcher }.on_one_line()
}

/// Adds the credential, in the place of any other. Without one, such as when the file is empty, no request leaves. The secret itself stands in
/// Authorization only between the two filters, the second of which makes what is sent of it, so that no header of ours is left behind.
pub(super) fn authenticate(credential: &Credential<'_>, secret: Tree) -> [Tree; 2] {
    let code = match credential {
        Credential::BearerToken { .. } => bearer(),
        Credential::Client { id, .. } => basic(id),
    };
    [inject(secret), lua(&code)]
}

fn inject(secret: Tree) -> Tree {
    let generic = map! {
        "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
        "credential": secret,
        "header": "authorization",
    };
    filter(
        "envoy.filters.http.credential_injector",
        map! {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "allow_request_without_credential": false,
            "credential": map! {
                "name": "envoy.http.injected_credentials.generic",
                "typed_config": generic,
            },
        },
    )
}

/// RFC 6750 §2.1.
fn bearer() -> String {
    script(r#"return "Bearer " .. secret"#)
}

/// RFC 6749 §2.3.1: both parts form-urlencoded, then RFC 7617.
fn basic(client_id: &str) -> String {
    // Nothing in it means anything to Lua.
    let id = form::encode(client_id);
    format!(
        r#"-- application/x-www-form-urlencoded, RFC 6749 appendix B
local function encode(text)
  local octet = function(c) return string.format("%%%02X", string.byte(c)) end
  return (string.gsub(string.gsub(text, "[^A-Za-z0-9*._ -]", octet), " ", "+"))
end

{}"#,
        script(&format!(r#"return "Basic " .. handle:base64Escape("{id}:" .. encode(secret))"#))
    )
}

/// Trims the secret (SPEC C-6) and replaces Authorization by what `credential` returns.
fn script(credential: &str) -> String {
    format!(
        r#"local function credential(handle, secret)
  {credential}
end

function envoy_on_request(handle)
  local secret = string.match(handle:headers():get("authorization"), "^%s*(.-)%s*$")
  if secret == "" or string.find(secret, "%c") then
    handle:respond({{[":status"] = "401"}}, "the file with the secret has none")
    return
  end
  handle:headers():replace("authorization", credential(handle, secret))
end
"#
    )
}

fn lua(code: &str) -> Tree {
    filter(
        "envoy.filters.http.lua",
        map! {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": map! { "inline_string": code },
        },
    )
}

fn filter(name: &str, typed_config: Tree) -> Tree {
    map! { "name": name, "typed_config": typed_config }
}
