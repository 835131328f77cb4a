//! Rules of proxy hosts (`docs/hosts.md`) that are about what the filter's source may say, because a host that breaks them is not at hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

/// The files of `src/filter`, without comments.
fn sources() -> BTreeMap<String, String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/filter");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
        (path.file_name().unwrap().to_string_lossy().into_owned(), code.join("\n"))
    };
    let sources: BTreeMap<String, String> = std::fs::read_dir(directory).unwrap().map(read).collect();
    assert!(sources.len() >= 6);
    sources
}

/// How often `text` stands in each file where it does.
fn places(text: &str) -> Vec<(String, usize)> {
    let count = |(file, code): (String, String)| (file, code.matches(text).count());
    sources().into_iter().map(count).filter(|(_, count)| *count > 0).collect()
}

fn function<'a>(code: &'a str, name: &str) -> &'a str {
    let start = code.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("no {name}"));
    let end = code[start..].find("\n    }").unwrap();
    &code[start..start + end]
}

#[test]
fn hosts_2_the_sdk_only_dispatches() {
    assert_eq!(places("hostcalls::"), [("callout.rs".to_owned(), 1)]);
    assert_eq!(places("hostcalls::dispatch_http_call"), [("callout.rs".to_owned(), 1)]);
    // The traits' own methods are wrappers that panic, too.
    for method in ["self.get_", "self.set_", "self.add_", "self.send_http", "self.dispatch_", "self.resume_"]
    {
        assert_eq!(places(method), [], "{method}");
    }
    assert_eq!(places("unsafe").into_iter().map(|(file, _)| file).collect::<Vec<_>>(), ["host.rs"]);
}

#[test]
fn hosts_6_nothing_is_asked_of_the_plugin_and_nothing_foreign_is_called() {
    for text in ["plugin_name", "plugin_vm_id", "foreign_function"] {
        assert_eq!(places(text), [], "{text}");
    }
    let host = &sources()["host.rs"];
    let initialize =
        &host[host.find("proxy_wasm::main!").unwrap()..host.find("pub(super) struct Status").unwrap()];
    assert!(!initialize.contains("proxy_set") && !initialize.contains("proxy_get"), "{initialize}");
}

#[test]
fn hosts_7_and_9_configuring_neither_dispatches_nor_shares() {
    let root = &sources()["root.rs"];
    let configure = function(root, "configure");
    for text in ["dispatch", "begin", ".acquire", ".publish", "set_shared_data", ".tick("] {
        assert!(!configure.contains(text), "{text}");
    }
}

#[test]
fn hosts_8_the_tick_period_is_set_once() {
    assert_eq!(places("set_tick_period("), [("host.rs".to_owned(), 1), ("root.rs".to_owned(), 1)]);
    assert!(
        function(&sources()["root.rs"], "configure").contains("set_tick_period(TICK).is_ok()"),
        "a refusal is tolerated"
    );
}

#[test]
fn hosts_10_there_is_no_global_state() {
    assert_eq!(places("static "), [("host.rs".to_owned(), 1)], "the logger, which has no state");
    assert_eq!(places("thread_local!"), []);
    assert_eq!(places("OnceLock"), []);
}

#[test]
fn hosts_13_identity_headers_are_cleaned_before_anything_is_begun() {
    let worker = &sources()["worker.rs"];
    let obtain = function(worker, "obtain");
    let place = |text: &str| obtain.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(
        place("take_removed_headers") < place("self.errand(") && place("self.errand(") < place("self.send(")
    );
}

#[test]
fn hosts_16_time_is_the_systems() {
    assert_eq!(places("SystemTime::now"), [("host.rs".to_owned(), 1)]);
    assert_eq!(places("current_time"), []);
}
