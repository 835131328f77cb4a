use serde_json::{Value, json};

use super::*;
use crate::catalog::{Filter, parse};
use crate::config::Format;

const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

/// `(name, version, updated, status)`.
fn snapshot(entries: &[(&str, &str, &str, &str)]) -> Snapshot {
    let servers: Vec<Value> = entries
        .iter()
        .map(|(name, version, updated, status)| {
            json!({
                "server": {"name": name, "version": version, "title": "The Title", "description": format!("About {name} ÄÖ.*")},
                "_meta": {OFFICIAL: {"updatedAt": updated, "publishedAt": updated, "status": status}},
            })
        })
        .collect();
    let text = json!({"servers": servers}).to_string();
    parse(text.as_bytes(), Format::Official, &Filter::default()).unwrap()
}

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2025-06-01T00:00:00Z";

fn view() -> View {
    View::merge([&snapshot(&[
        ("a/a", "1.0.0", OLD, "active"),
        ("a/a", "2.0.0", NEW, "active"),
        ("b/b", "1.0.0", NEW, "deprecated"),
        ("c/c", "1.0.0", OLD, "active"),
        ("c/c", "2.0.0", NEW, "deleted"),
        ("d/d", "1.0.0", OLD, "deleted"),
    ])])
}

fn query() -> Query {
    Query {
        after: None,
        limit: 100,
        search: None,
        updated_since: None,
        version: None,
        include_deleted: false,
    }
}

fn shown(entries: &[Arc<Entry>]) -> Vec<String> {
    entries.iter().map(|entry| format!("{}@{}", entry.name, entry.version.as_str())).collect()
}

fn list(query: &Query) -> Vec<String> {
    shown(&view().page(query).entries)
}

fn name(text: &str) -> ServerName {
    ServerName::from_text(text).unwrap()
}

#[test]
fn deleted_versions_are_shown_on_request_only() {
    let visible = ["a/a@1.0.0", "a/a@2.0.0", "b/b@1.0.0", "c/c@1.0.0"];
    assert_eq!(list(&query()), visible);
    let all = list(&Query { include_deleted: true, ..query() });
    assert_eq!(all, [&visible[..], &["c/c@2.0.0", "d/d@1.0.0"]].concat());
}

#[test]
fn updated_since_is_strict_and_shows_deletions() {
    let since = |text: &str| list(&Query { updated_since: Timestamp::from_text(text), ..query() });
    assert_eq!(since("2025-05-31T23:59:59.999Z"), ["a/a@2.0.0", "b/b@1.0.0", "c/c@2.0.0"]);
    assert_eq!(since(NEW), [""; 0]);
    assert_eq!(since("2025-06-01T02:00:00+02:00"), [""; 0]);
}

#[test]
fn latest_is_one_a_server_and_never_a_deleted_one() {
    let latest = Query { version: Some(VersionFilter::Latest), ..query() };
    assert_eq!(list(&latest), ["a/a@2.0.0", "b/b@1.0.0", "c/c@1.0.0"]);
    let exact = Query { version: Some(VersionFilter::Exact("1.0.0".to_owned())), ..query() };
    assert_eq!(list(&exact), ["a/a@1.0.0", "b/b@1.0.0", "c/c@1.0.0"]);
}

#[test]
fn search_is_literal_and_ignores_case() {
    let search = |needle: &str| {
        let search = Some(needle.to_lowercase());
        list(&Query { search, ..query() }).len()
    };
    for (needle, hits) in
        [("A/A", 2), ("the title", 4), ("äö.*", 4), ("B/B", 1), ("a.a", 0), ("%", 0), ("title\u{0}", 0)]
    {
        assert_eq!(search(needle), hits, "{needle}");
    }
}

#[test]
fn next_is_there_only_when_there_is_more() {
    for limit in 1..=5 {
        let page = view().page(&Query { limit, ..query() });
        assert_eq!(page.entries.len(), limit.min(4));
        assert_eq!(page.next.is_some(), limit < 4, "{limit}");
    }
    // What is left is deleted: nothing more to show.
    let after = Some(Position { name: name("b/b"), version: Version::from_text("1.0.0") });
    assert!(view().page(&Query { after, limit: 1, ..query() }).next.is_none());
}

#[test]
fn a_page_starts_after_its_position_also_where_nothing_is_any_more() {
    for (at, version, first) in [
        ("a/a", "1.0.0", Some("a/a@2.0.0")),
        ("a/a", "1.5.0", Some("a/a@2.0.0")),
        ("a/a", "nightly", Some("a/a@1.0.0")),
        ("a/a", "9.0.0", Some("b/b@1.0.0")),
        ("bb/b", "1.0.0", Some("c/c@1.0.0")),
        ("0/0", "1.0.0", Some("a/a@1.0.0")),
        ("z/z", "1.0.0", None),
    ] {
        let after = Some(Position { name: name(at), version: Version::from_text(version) });
        let found = list(&Query { after, ..query() });
        assert_eq!(found.first().map(String::as_str), first, "{at}@{version}");
    }
}

#[test]
fn a_server_is_listed_once_though_it_gets_a_newer_version_between_pages() {
    let latest = Query { version: Some(VersionFilter::Latest), limit: 1, ..query() };
    let next = view().page(&latest).next;
    let reloaded =
        View::merge([&snapshot(&[("a/a", "3.0.0", NEW, "active"), ("b/b", "1.0.0", NEW, "active")])]);
    let page = reloaded.page(&Query { after: next, ..latest });
    assert_eq!(shown(&page.entries), ["b/b@1.0.0"]);
}

#[test]
fn the_first_source_shadows_the_whole_server() {
    let first = snapshot(&[("b/b", "1.0.0", OLD, "active")]);
    let second = snapshot(&[("b/b", "9.0.0", NEW, "active"), ("a/a", "1.0.0", OLD, "active")]);
    let merged = |snapshots: [&Snapshot; 2]| {
        let all = Query { include_deleted: true, ..query() };
        shown(&View::merge(snapshots).page(&all).entries)
    };
    assert_eq!(merged([&first, &second]), ["a/a@1.0.0", "b/b@1.0.0"]);
    assert_eq!(merged([&second, &first]), ["a/a@1.0.0", "b/b@9.0.0"]);
}

#[test]
fn versions_are_listed_last_published_first() {
    let view = View::merge([&snapshot(&[
        ("a/a", "1.0.0", NEW, "active"),
        ("a/a", "2.0.0", OLD, "active"),
        ("a/a", "1.10.0", OLD, "active"),
        ("a/a", "1.9.0", OLD, "deleted"),
        ("b/b", "1.0.0", OLD, "active"),
    ])]);
    let a = name("a/a");
    assert_eq!(shown(&view.versions(&a, false)), ["a/a@1.0.0", "a/a@2.0.0", "a/a@1.10.0"]);
    assert_eq!(view.versions(&a, true).len(), 4);
    assert!(view.versions(&name("a/b"), true).is_empty());
}

#[test]
fn one_version_is_found_by_its_exact_text_or_as_latest() {
    let view = view();
    let find = |server: &str, version: &str, deleted: bool| {
        let version = match version {
            "latest" => VersionFilter::Latest,
            exact => VersionFilter::Exact(exact.to_owned()),
        };
        view.version(&name(server), &version, deleted).map(|entry| entry.version.as_str().to_owned())
    };
    assert_eq!(find("a/a", "latest", false).as_deref(), Some("2.0.0"));
    assert_eq!(find("a/a", "1.0.0", false).as_deref(), Some("1.0.0"));
    assert_eq!(find("c/c", "2.0.0", true).as_deref(), Some("2.0.0"));
    assert_eq!(find("d/d", "latest", true).as_deref(), Some("1.0.0"));
    for (server, version) in
        [("c/c", "2.0.0"), ("d/d", "latest"), ("a/a", "1.0"), ("a/a", "v1.0.0"), ("A/a", "1.0.0")]
    {
        assert_eq!(find(server, version, false), None, "{server}@{version}");
    }
}
