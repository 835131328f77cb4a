use serde_json::{Value, json};

use super::*;
use crate::catalog::Globs;

const OFFICIAL: &str = "io.modelcontextprotocol.registry/official";

fn parse(value: &Value) -> Result<Snapshot, LoadError> {
    super::parse(value.to_string().as_bytes(), Format::Auto, &Filter::default())
}

fn server(name: &str, version: &str) -> Value {
    json!({"name": name, "version": version, "description": "d"})
}

/// A server.json with one member replaced, or removed by `Null`.
fn server_with(key: &str, value: Value) -> Value {
    let mut server = server("a/b", "1.0.0");
    let members = server.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(key);
    } else {
        members.insert(key.to_owned(), value);
    }
    server
}

/// The errors of a file of a good entry and this one.
fn entry_errors(entry: &Value) -> Vec<EntryError> {
    match parse(&json!([server("z/z", "1.0.0"), entry])) {
        Err(LoadError::Entries(errors)) => errors,
        other => panic!("{other:?}"),
    }
}

fn meta_of(entry: &Entry) -> Value {
    let json: Value = serde_json::from_slice(&entry.json).unwrap();
    json["_meta"][OFFICIAL].clone()
}

#[test]
fn dates_come_from_the_catalog_where_an_entry_has_none() {
    let catalog = json!({
        "meta": {"last_updated": "2025-09-12T02:00:00+02:00"},
        "data": {"servers": [server("a/b", "1.0.0")]},
    });
    let snapshot = parse(&catalog).unwrap();
    let date = "2025-09-12T00:00:00Z";
    let expected = json!({
        "status": "active", "statusChangedAt": date, "publishedAt": date, "updatedAt": date, "isLatest": true,
    });
    assert_eq!(meta_of(&snapshot.entries[0]), expected);
}

#[test]
fn what_has_no_date_at_all_is_as_old_as_can_be() {
    let snapshot = parse(&json!([server("a/b", "1.0.0")])).unwrap();
    assert_eq!(meta_of(&snapshot.entries[0])["publishedAt"], "1970-01-01T00:00:00Z");
}

#[test]
fn official_metadata_is_taken_where_present() {
    let official = json!({
        "status": "deprecated", "statusMessage": "use \"c\"\n", "publishedAt": "2025-01-01T00:00:00Z",
        "updatedAt": "2025-02-01T00:00:00.5Z", "statusChangedAt": "2025-03-01T00:00:00Z", "isLatest": false,
    });
    let list = json!({"servers": [{
        "server": server("a/b", "1.0.0"),
        "_meta": {OFFICIAL: official, "com.example/more": {"kept": [1, 2]}},
    }]});
    let snapshot = parse(&list).unwrap();
    let json: Value = serde_json::from_slice(&snapshot.entries[0].json).unwrap();
    let mut expected = official.clone();
    expected["isLatest"] = json!(true);
    assert_eq!(json["_meta"][OFFICIAL], expected);
    assert_eq!(json["_meta"]["com.example/more"], json!({"kept": [1, 2]}));
}

#[test]
fn dates_that_are_missing_follow_the_publication() {
    let list = json!({"servers": [{
        "server": server("a/b", "1.0.0"),
        "_meta": {OFFICIAL: {"publishedAt": "2025-01-01T00:00:00Z"}},
    }]});
    let meta = meta_of(&parse(&list).unwrap().entries[0]);
    assert_eq!(meta["updatedAt"], "2025-01-01T00:00:00Z");
    assert_eq!(meta["statusChangedAt"], "2025-01-01T00:00:00Z");
}

#[test]
fn a_publisher_cannot_claim_official_metadata() {
    let mut claiming = server("a/b", "1.0.0");
    claiming["_meta"] = json!({OFFICIAL: {"status": "deleted"}});
    let listed = json!({"servers": [{"server": claiming}]});
    assert_eq!(meta_of(&parse(&listed).unwrap().entries[0])["status"], "active");
    // In an array there is no other place for it.
    assert_eq!(meta_of(&parse(&json!([claiming])).unwrap().entries[0])["status"], "deleted");
}

#[test]
fn server_json_is_kept_to_the_letter() {
    let text = r#"[ {"version" : "1.0.0", "zeta": 1.0, "alpha": 1E2, "big": 123456789012345678901234567890,
        "name":"a/b", "description":"\u0064 \" \\ x", "unknown": {"b": [ ], "a": null} } ]"#;
    let snapshot = super::parse(text.as_bytes(), Format::Auto, &Filter::default()).unwrap();
    let kept = r#"{"server":{"version":"1.0.0","zeta":1.0,"alpha":1E2,"big":123456789012345678901234567890,"name":"a/b","description":"\u0064 \" \\ x","unknown":{"b":[],"a":null}},"_meta":"#;
    let json = std::str::from_utf8(&snapshot.entries[0].json).unwrap();
    assert!(json.starts_with(kept), "{json}");
}

#[test]
fn entries_are_sorted_and_one_version_a_server_is_latest() {
    let snapshot = parse(&json!([
        server("b/b", "1.10.0"),
        server("b/b", "1.9.0"),
        server("b/b", "nightly"),
        server("a/b", "2.0.0"),
    ]))
    .unwrap();
    let order: Vec<_> = snapshot
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.version.as_str(), entry.is_latest))
        .collect();
    let expected =
        [("a/b", "2.0.0", true), ("b/b", "nightly", false), ("b/b", "1.9.0", false), ("b/b", "1.10.0", true)];
    assert_eq!(order, expected);
}

#[test]
fn each_rule_of_the_schema_has_its_error() {
    for (key, value) in [
        ("name", Value::Null),
        ("name", json!(3)),
        ("name", json!("ab")),
        ("name", json!("a/b/c")),
        ("name", json!("-a/b")),
        ("version", Value::Null),
        ("version", json!(1.0)),
        ("version", json!("")),
        ("version", json!("latest")),
        ("version", json!("1".repeat(256))),
        ("description", Value::Null),
        ("description", json!(["d"])),
        ("description", json!("")),
        ("description", json!("ü".repeat(101))),
    ] {
        let errors = entry_errors(&server_with(key, value.clone()));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((errors[0].index, errors[0].field.as_str()), (1, key), "{value}");
    }
    assert!(parse(&json!([server_with("description", json!("ü".repeat(100)))])).is_ok());
}

#[test]
fn an_error_names_index_name_and_field() {
    let errors = entry_errors(&server_with("description", Value::Null));
    assert_eq!(errors[0].to_string(), "entry 1 (\"a/b\"): description: missing");
}

#[test]
fn official_metadata_is_checked() {
    for (field, value) in [
        ("status", json!("Active")),
        ("statusMessage", json!(3)),
        ("publishedAt", json!("2025-01-01")),
        ("updatedAt", json!(1735689600)),
        ("statusChangedAt", json!("")),
    ] {
        let errors = entry_errors(&server_with("_meta", json!({OFFICIAL: {field: value}})));
        assert_eq!(errors[0].field, format!("_meta.{OFFICIAL}.{field}"));
    }
    let errors = entry_errors(&server_with("_meta", json!({OFFICIAL: 3})));
    assert_eq!(errors[0].field, format!("_meta.{OFFICIAL}"));
}

#[test]
fn a_version_is_given_once() {
    let errors = entry_errors(&server("z/z", "1.0.0"));
    assert_eq!(errors[0].field, "version");
    assert!(errors[0].problem.contains("twice"));
}

#[test]
fn entries_that_other_readers_may_see_differently_are_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for entry in [
        r#"{"name":"a/b","name":"a/c","version":"1","description":"d"}"#.to_owned(),
        r#"{"name":"a/b","version":"1","description":"d","x":"\ud800"}"#.to_owned(),
        format!(r#"{{"name":"a/b","version":"1","description":"d","x":{deep}}}"#),
        "3".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
    ] {
        let text = format!("[{entry}]");
        let result = super::parse(text.as_bytes(), Format::Auto, &Filter::default());
        assert!(matches!(result, Err(LoadError::Entries(_))), "{entry}: {result:?}");
    }
}

#[test]
fn list_entries_need_a_server() {
    for entry in [
        json!({}),
        json!({"server": 3}),
        json!(null),
        server("a/b", "1"),
        json!({"server": server("a/b", "1"), "_meta": 3}),
    ] {
        let result = parse(&json!({"servers": [entry]}));
        assert!(matches!(result, Err(LoadError::Entries(_))), "{entry}");
    }
}

#[test]
fn all_errors_are_counted_and_the_first_are_shown() {
    let bad: Vec<Value> = (0..25).map(|_| json!({})).collect();
    let error = parse(&json!(bad)).unwrap_err().to_string();
    assert!(error.starts_with("entry 0: name: missing; entry 0: version: missing"), "{error}");
    assert!(error.ends_with("; and 55 more"), "{error}");
}

#[test]
fn an_entry_left_out_by_name_is_not_checked() {
    let catalog = json!([{"name": "bad/entry"}, server("good/entry", "1.0.0")]);
    assert!(parse(&catalog).is_err());
    let names = Globs::new(Vec::new(), vec![crate::catalog::glob("bad/*").unwrap()]);
    let filter = Filter { names, ..Filter::default() };
    let snapshot = super::parse(catalog.to_string().as_bytes(), Format::Auto, &filter).unwrap();
    assert_eq!(snapshot.entries.len(), 1);
}

#[test]
fn tags_filter_versions_and_latest_is_what_is_left() {
    let mut new = server("a/b", "2.0.0");
    new["_meta"] = json!({"io.modelcontextprotocol.registry/publisher-provided": {"tags": ["beta"]}});
    let tags = Globs::new(Vec::new(), vec![crate::catalog::glob("beta").unwrap()]);
    let filter = Filter { tags, ..Filter::default() };
    let catalog = json!([server("a/b", "1.0.0"), new]).to_string();
    let snapshot = super::parse(catalog.as_bytes(), Format::Auto, &filter).unwrap();
    assert_eq!(snapshot.entries.len(), 1);
    assert!(snapshot.entries[0].is_latest);
}

#[test]
fn the_shipped_examples_are_catalogs() {
    let read = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        load(&path, Format::Auto, &Filter::default()).unwrap().entries.len()
    };
    assert_eq!(read("catalog-large.json"), 293);
    assert_eq!(read("upstream-registry.json"), 12);
    assert_eq!(read("seed-official.json"), 4);
}

#[test]
fn a_byte_order_mark_is_ignored_and_other_encodings_are_not() {
    let filter = Filter::default();
    assert!(super::parse(b"\xef\xbb\xbf[]", Format::Auto, &filter).is_ok());
    assert!(matches!(super::parse(b"[\"\xff\"]", Format::Auto, &filter), Err(LoadError::NotUtf8)));
    assert!(super::parse(b"\xff\xfe[\0]\0", Format::Auto, &filter).is_err());
}

#[test]
fn only_regular_files_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let filter = Filter::default();
    let missing = directory.path().join("missing.json");
    assert!(matches!(load(directory.path(), Format::Auto, &filter), Err(LoadError::NotAFile)));
    assert!(matches!(load(&missing, Format::Auto, &filter), Err(LoadError::Read(_))));
    assert!(matches!(load(Path::new("/dev/zero"), Format::Auto, &filter), Err(LoadError::NotAFile)));
}
