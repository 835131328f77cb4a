//! Raw paths to routes. Nothing is decoded here: what is percent-encoded matches no literal segment.

/// What a path of the public listener means; borrowed segments are still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'p> {
    List {
        registry: &'p str,
    },
    Versions {
        registry: &'p str,
        server: &'p str,
    },
    Version {
        registry: &'p str,
        server: &'p str,
        version: &'p str,
    },
    OpenapiJson,
    OpenapiYaml {
        registry: &'p str,
    },
    /// A part of the API that comes later.
    NotSupported(&'static str),
    /// Below `servers/`, but of another form: mostly a server's name with a bare slash.
    UnknownUnderServers,
    Unknown,
}

impl<'p> Route<'p> {
    /// Routes a path.
    pub(super) fn of(path: &'p str) -> Self {
        let mut segments = path.split('/');
        if segments.next() != Some("") {
            return Self::Unknown;
        }
        let segments: Vec<&str> = segments.take(9).collect();
        match segments.as_slice() {
            ["openapi.json"] => Self::OpenapiJson,
            ["registry", registry, "openapi.yaml"] => Self::OpenapiYaml { registry },
            ["registry", registry, "v0" | "v0.1", rest @ ..] => Self::of_registry(registry, rest),
            ["v1", ..] => Self::NotSupported("/v1"),
            _ => Self::Unknown,
        }
    }

    fn of_registry(registry: &'p str, rest: &[&'p str]) -> Self {
        match rest {
            ["servers"] => Self::List { registry },
            ["servers", server, "versions"] if !server.is_empty() => Self::Versions { registry, server },
            ["servers", server, "versions", version] if !server.is_empty() && !version.is_empty() => {
                Self::Version { registry, server, version }
            }
            ["servers", _, "status"] | ["servers", _, "versions", _, "status"] => {
                Self::NotSupported("Changing a status")
            }
            ["publish"] => Self::NotSupported("Publishing"),
            ["servers", _, _, ..] => Self::UnknownUnderServers,
            _ => Self::Unknown,
        }
    }

    /// For metrics: a fixed set of names.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::List { .. } => "list",
            Self::Versions { .. } => "versions",
            Self::Version { .. } => "version",
            Self::OpenapiJson | Self::OpenapiYaml { .. } => "openapi",
            Self::NotSupported(_) => "not_supported",
            Self::UnknownUnderServers | Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_prefixes_lead_to_the_same_routes() {
        for prefix in ["/registry/r/v0", "/registry/r/v0.1"] {
            let of = |rest: &str| Route::of(&format!("{prefix}{rest}")).name();
            assert_eq!(of("/servers"), "list");
            assert_eq!(of("/servers/a%2Fb/versions"), "versions");
            assert_eq!(of("/servers/a%2Fb/versions/1%2F0"), "version");
        }
    }

    #[test]
    fn segments_stay_encoded() {
        let path = "/registry/r/v0.1/servers/a%2Fb/versions/1%2B2";
        let route = Route::Version { registry: "r", server: "a%2Fb", version: "1%2B2" };
        assert_eq!(Route::of(path), route);
    }

    #[test]
    fn what_is_not_exactly_a_route_is_unknown() {
        for path in [
            "",
            "*",
            "/",
            "//",
            "/registry",
            "/registry/r",
            "/registry/r/v0.1",
            "/registry/r/v0.1/",
            "/registry/r/v0.1/servers/",
            "/registry/r/v0.1/servers/a%2Fb",
            "/registry/r/v0.2/servers",
            "/registry/r/v0%2E1/servers",
            "/registry/r//v0.1/servers",
            "//registry/r/v0.1/servers",
            "/Registry/r/v0.1/servers",
            "/registry/r/v0.1/Servers",
            "/v0.1/servers",
            "/openapi.json/",
            "/openapi%2Ejson",
            "/registry/r/openapi.json",
            "/health",
            "/metrics",
            "/readiness",
            "registry/r/v0.1/servers",
            "/registry/r/./v0.1/servers",
            "/x/../openapi.json",
        ] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn a_bare_slash_in_a_name_is_told_apart() {
        for path in [
            "/registry/r/v0.1/servers/a/b/versions",
            "/registry/r/v0.1/servers/a/b/versions/1/x/y/z/1/2/3",
            "/registry/r/v0.1/servers//versions/",
            "/registry/r/v0.1/servers/a%2Fb/versions/",
        ] {
            assert_eq!(Route::of(path), Route::UnknownUnderServers, "{path}");
        }
    }

    #[test]
    fn what_comes_later_is_named() {
        for path in [
            "/v1/entries",
            "/v1",
            "/registry/r/v0.1/publish",
            "/registry/r/v0/servers/a%2Fb/status",
            "/registry/r/v0.1/servers/a%2Fb/versions/1/status",
        ] {
            assert!(matches!(Route::of(path), Route::NotSupported(_)), "{path}");
        }
    }
}
