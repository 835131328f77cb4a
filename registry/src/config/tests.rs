use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

const GOOD: &str = "
auth: {mode: anonymous}
sources:
  - name: official
    file: {path: ./catalog.json}
    syncPolicy: {interval: 30m}
    filter: {names: {include: ['io.github.*'], exclude: []}, tags: {include: [], exclude: [beta]}}
  - name: local
    file: {path: /data/local.json, format: array}
registries:
  - {name: default, sources: [local, official]}
";

fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
    Config::parse(text, Path::new("/etc/registry"), &Overrides::default())
}

/// `path: expected…` of every error.
fn errors(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The only error of [`GOOD`] with one piece replaced.
fn error_with(good: &str, bad: &str) -> ConfigError {
    assert!(GOOD.contains(good), "{good}");
    let mut errors = parse(&GOOD.replacen(good, bad, 1)).unwrap_err();
    assert_eq!(errors.len(), 1, "{bad}: {errors:?}");
    errors.remove(0)
}

#[test]
fn a_whole_document_is_read() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.auth_mode, AuthMode::Anonymous);
    assert_eq!(config.address, Address::AllInterfaces(8080));
    assert_eq!(config.internal_address, Address::AllInterfaces(8081));
    let [official, local] = &config.sources[..] else { panic!() };
    assert_eq!(official.path, PathBuf::from("/etc/registry/./catalog.json"));
    assert_eq!(official.interval, Some(Duration::from_secs(1800)));
    assert_eq!((official.format, local.format), (Format::Auto, Format::Array));
    assert!(official.filter.names.takes("io.github.x/y"));
    assert!(!official.filter.names.takes("com.example/y"));
    assert!(!official.filter.tags.takes("beta"));
    assert_eq!(local.path, PathBuf::from("/data/local.json"));
    assert_eq!(config.registries[0].name, "default");
    assert_eq!(config.registries[0].sources, [1, 0]);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn no_mode_means_oauth() {
    for auth in ["", "auth:", "auth: {}", "auth: {mode: }", "auth: {mode: oauth}", "auth: {oauth: {}}"] {
        let text = GOOD.replace("auth: {mode: anonymous}", auth);
        assert_eq!(parse(&text).unwrap().auth_mode, AuthMode::Oauth, "{auth}");
    }
}

#[test]
fn a_mode_is_one_of_two_words() {
    for mode in ["Anonymous", "OAUTH", "none", "''", "3", "[oauth]"] {
        let error = error_with("mode: anonymous", &format!("mode: {mode}"));
        assert_eq!(error.path, "auth.mode", "{mode}");
    }
}

#[test]
fn unknown_keys_name_the_nearest() {
    for (good, bad, path, nearest) in [
        ("registries:", "Registries: []\nregistries:", "Registries", Some("registries")),
        ("file: {path: ./", "fil: {}\n    file: {path: ./", "sources[0].fil", Some("file")),
        ("format: array", "fromat: array", "sources[1].file.fromat", Some("format")),
        ("{interval: 30m}", "{intervall: 30m}", "sources[0].syncPolicy.intervall", Some("interval")),
        ("{names: {include", "{name: {}, names: {include", "sources[0].filter.name", Some("names")),
        ("exclude: []}, tags", "excludes: []}, tags", "sources[0].filter.names.excludes", Some("exclude")),
        ("{name: default,", "{name: default, zzzzzzzz: 1,", "registries[0].zzzzzzzz", None),
    ] {
        let error = error_with(good, bad);
        assert_eq!(error.path, path);
        assert_eq!(error.nearest.as_deref(), nearest, "{path}");
    }
}

#[test]
fn secrets_in_urls_are_not_shown() {
    let error = error_with("name: default", "name: 'https://admin:hunter2@host.example/x?token=hunter2'");
    assert_eq!(error.path, "registries[0].name");
    assert_eq!(error.value.as_deref(), Some("\"https://…@host.example/x?…\""));
}

#[test]
fn names_are_used_once_and_are_path_segments() {
    for (good, bad, path) in [
        ("name: local", "name: official", "sources[1].name"),
        (
            "{name: default, sources: [local, official]}",
            "{name: a, sources: [local, official]}\n  - {name: a, sources: [local]}",
            "registries[1].name",
        ),
        ("name: default", "name: a/b", "registries[0].name"),
        ("name: default", "name: '..'", "registries[0].name"),
        ("name: default", "name: 'a b'", "registries[0].name"),
        ("name: default", "name: ' '", "registries[0].name"),
        ("name: default", "name: 3", "registries[0].name"),
    ] {
        if path == "sources[1].name" {
            // `local` is then unknown, too.
            assert!(errors(&GOOD.replace(good, bad))[0].starts_with(path));
        } else {
            assert_eq!(error_with(good, bad).path, path, "{bad}");
        }
    }
}

#[test]
fn registries_need_sources_that_exist() {
    assert_eq!(error_with("sources: [local, official]", "sources: []").path, "registries[0].sources");
    assert_eq!(error_with(", sources: [local, official]", "").path, "registries[0].sources");
    assert_eq!(error_with("[local, official]", "[local, local]").path, "registries[0].sources[1]");
    let error = error_with("[local, official]", "[local, oficial]");
    assert_eq!(error.path, "registries[0].sources[1]");
    assert_eq!(error.value.as_deref(), Some("\"oficial\""));
    assert_eq!(error.nearest.as_deref(), Some("official"));
}

#[test]
fn what_is_not_supported_yet_says_what_is() {
    let local = "file: {path: /data/local.json, format: array}";
    for (bad, path) in [
        ("api: {endpoint: 'https://registry.example'}", "sources[1].api"),
        ("managed: {}", "sources[1].managed"),
        ("git: {repository: x}", "sources[1].git"),
        ("kubernetes: {}", "sources[1].kubernetes"),
        ("file: {url: 'https://catalog.example/c.json'}", "sources[1].file.url"),
    ] {
        let error = error_with(local, bad);
        assert_eq!(error.path, path);
        assert!(error.expected.contains("not supported yet"), "{error}");
        assert!(error.expected.contains("path"), "{error}");
    }
}

#[test]
fn a_database_is_refused_without_showing_its_password() {
    let text = format!("{GOOD}\ndatabase: {{url: 'postgres://user:hunter2@db.example/x'}}");
    let found = errors(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("database: "), "{found:?}");
    assert!(!found[0].contains("hunter2"));
}

#[test]
fn a_source_has_exactly_one_kind() {
    let local = "file: {path: /data/local.json, format: array}";
    assert_eq!(error_with(local, "filter: {}").path, "sources[1]");
    let both = error_with(local, "file: {path: x}\n    api: {}");
    assert!(both.expected.contains("exactly one kind"), "{both}");
}

#[test]
fn intervals_are_durations_within_bounds() {
    for bad in
        ["0s", "999ms", "30", "30 m", "-1s", "1.5h", "1h30m", "9000h", "m", "''", "99999999999999999999s"]
    {
        let error = error_with("30m", bad);
        assert_eq!(error.path, "sources[0].syncPolicy.interval", "{bad}");
    }
    for good in ["1s", "1000ms", "8784h"] {
        assert!(parse(&GOOD.replace("30m", good)).is_ok(), "{good}");
    }
}

#[test]
fn patterns_are_checked() {
    for bad in ["['[']", "['{a']", "['']", "[3]"] {
        let error = error_with("['io.github.*']", bad);
        assert_eq!(error.path, "sources[0].filter.names.include[0]", "{bad}");
    }
    assert_eq!(error_with("['io.github.*']", "x").path, "sources[0].filter.names.include");
}

#[test]
fn an_empty_document_lacks_everything() {
    for text in ["", "{}", "sources:\nregistries:", "sources: []\nregistries: []"] {
        let found = errors(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("sources: ") && found[1].starts_with("registries: "));
    }
}

#[test]
fn wrong_types_are_named() {
    for (text, path) in [
        ("3", "document"),
        ("[a]", "document"),
        ("auth: 3", "auth"),
        ("sources: {}", "sources"),
        ("sources: [x]", "sources[0]"),
        ("registries: x", "registries"),
        ("address: 8080", "address"),
        ("internalAddress: x", "internalAddress"),
    ] {
        let found = errors(text);
        assert!(found.iter().any(|error| error.starts_with(&format!("{path}: "))), "{found:?}");
    }
}

#[test]
fn all_errors_come_at_once() {
    let found = errors(
        "
auth: {mode: Oauth}
adress: ':1'
sources:
  - {name: a, file: {path: ''}}
  - {name: a, git: {}, syncPolicy: {interval: soon}}
registries:
  - {name: r, sources: [b]}
",
    );
    let paths: Vec<&str> = found.iter().filter_map(|error| error.split(": ").next()).collect();
    let expected = [
        "adress",
        "auth.mode",
        "sources[0].file.path",
        "sources[1].name",
        "sources[1].git",
        "sources[1].syncPolicy.interval",
        "registries[0].sources[0]",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn what_is_not_yaml_is_one_error_without_an_excerpt() {
    for text in ["a: [", "a: 1\na: 2", "\tx: 1\n- y", "a: b: c # hunter2"] {
        let found = errors(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("line "), "{found:?}");
        assert!(!found[0].contains("hunter2"));
    }
}

#[test]
fn a_source_that_no_registry_serves_is_a_warning() {
    let config = parse(&GOOD.replace("[local, official]", "[official]")).unwrap();
    assert_eq!(config.warnings, ["sources[1]: no registry serves `local`"]);
}

#[test]
fn overrides_replace_the_document_and_have_errors_of_their_own() {
    let flag = |origin, text: &str| Some(Override { origin, text: text.to_owned() });
    let text = format!("address: ':1'\ninternalAddress: ':2'\n{GOOD}");
    let overrides = Overrides { address: flag("--address", "127.0.0.1:3"), ..Overrides::default() }
        .or_environment(|name| match name {
            "REGISTRY_ADDRESS" => Some(":4".to_owned()),
            "REGISTRY_INTERNAL_ADDRESS" => Some(":5".to_owned()),
            "REGISTRY_AUTH_MODE" => Some(String::new()),
            _ => None,
        });
    let config = Config::parse(&text, Path::new(""), &overrides).unwrap();
    assert_eq!(config.address.to_string(), "127.0.0.1:3");
    assert_eq!(config.internal_address, Address::AllInterfaces(5));
    assert_eq!(overrides.wanted_mode(), None);

    let overrides = Overrides {
        address: flag("--address", "x"),
        internal_address: flag("REGISTRY_INTERNAL_ADDRESS", ":y"),
        auth_mode: flag("--auth-mode", "open"),
    };
    let errors = Config::parse(&text, Path::new(""), &overrides).unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["--auth-mode", "--address", "REGISTRY_INTERNAL_ADDRESS"]);
}
