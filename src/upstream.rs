//! Which of the host's upstreams a provider is asked through (SPEC C-8).

use crate::fetch::FetchRequest;
use crate::policy::{FilterPolicy, Purpose, UpstreamOverride};

/// Names the host's upstream for a request to `provider`: the first override that matches, else the template.
pub fn name(policy: &FilterPolicy, provider: &str, request: &FetchRequest) -> String {
    let matches = |entry: &&UpstreamOverride| {
        entry.provider.as_deref().is_none_or(|name| name == provider)
            && entry.purpose.is_none_or(|purpose| purpose == request.purpose)
            && entry.origin.as_ref().is_none_or(|origin| origin.origin() == request.url.origin())
    };
    match policy.upstream_overrides.iter().find(matches) {
        Some(entry) => entry.name.clone(),
        None => expand(
            &policy.upstream_template,
            provider,
            request.purpose,
            &request.url.host_str(),
            request.url.port(),
        ),
    }
}

/// Replaces each placeholder once over, so that no value is taken for a placeholder.
fn expand(template: &str, provider: &str, purpose: Purpose, host: &str, port: u16) -> String {
    let mut name = String::with_capacity(template.len() + host.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        name.push_str(before);
        let Some((placeholder, after_it)) = after.split_once('}') else {
            name.push('{');
            rest = after;
            continue;
        };
        match placeholder {
            "provider" => name.push_str(provider),
            "purpose" => name.push_str(purpose.as_str()),
            "host" => name.push_str(host),
            "port" => name.push_str(&port.to_string()),
            other => {
                name.push('{');
                name.push_str(other);
                name.push('}');
            }
        }
        rest = after_it;
    }
    name.push_str(rest);
    name
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::fetch::Document;
    use crate::url::Url;

    fn request(url: &str) -> FetchRequest {
        FetchRequest {
            provider: 0,
            purpose: Purpose::Keys,
            document: Document::JwkSet,
            url: Url::parse(url).unwrap(),
            accept: "",
            form: None,
            max_body: 0,
        }
    }

    #[test]
    fn the_template_names_each_hosts_upstream() {
        let name = |template: &str, url| {
            let policy = FilterPolicy { upstream_template: template.to_owned(), ..FilterPolicy::default() };
            super::name(&policy, "keycloak", &request(url))
        };
        assert_eq!(name("{host}:{port}", "https://idp.example.com/jwks"), "idp.example.com:443");
        assert_eq!(
            name("outbound|{port}||{host}", "https://idp.example.com:8443/jwks"),
            "outbound|8443||idp.example.com"
        );
        assert_eq!(name("{provider}-{purpose}", "https://idp.example.com/"), "keycloak-keys");
        assert_eq!(name("{unknown}-{", "https://idp.example.com/"), "{unknown}-{");
    }

    #[test]
    fn the_first_override_whose_fields_all_match_wins() {
        let entry = |provider: Option<&str>, purpose, origin: Option<&str>, name: &str| UpstreamOverride {
            provider: provider.map(str::to_owned),
            purpose,
            origin: origin.map(|origin| Url::parse(origin).unwrap()),
            name: name.to_owned(),
        };
        let policy = FilterPolicy {
            upstream_overrides: vec![
                entry(Some("other"), None, None, "a"),
                entry(None, Some(Purpose::Introspection), None, "b"),
                entry(None, None, Some("https://idp.example.com:8443"), "c"),
                entry(Some("keycloak"), Some(Purpose::Keys), Some("https://idp.example.com:443"), "d"),
            ],
            ..FilterPolicy::default()
        };
        assert_eq!(name(&policy, "keycloak", &request("https://idp.example.com/jwks")), "d");
        assert_eq!(name(&policy, "keycloak", &request("https://idp.example.com:8443/jwks")), "c");
        assert_eq!(
            name(&policy, "keycloak", &request("https://else.example.com/jwks")),
            "else.example.com:443"
        );
    }
}
