//! What strangers may send, and how its refusal reads.

use super::*;
use serde_json::json;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn parse_str(text: &str) -> Result<Value<'_>, JsonError> {
    parse(text.as_bytes(), MAX_DEPTH)
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn sound_documents_are_what_serde_json_makes_of_them() {
    let text = r#" {"a":[1,-2,3.5,1e3,true,false,null,"é\n\u00e9\ud83d\ude00"],"b":{"c":{}},"":18446744073709551615} "#;
    let expected = serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(serde_json::Value::from(parse_str(text).unwrap()), expected);
    assert_eq!(parse_str(text).unwrap().to_string(), expected.to_string());
    assert_eq!(serde_json::Value::from(parse_str("1e-999").unwrap()), json!(0.0));
}

#[test]
fn a_member_may_appear_once_whatever_its_spelling() {
    for (text, expected) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"alg":"RS256","\u0061lg":"none"}"#, "alg"),
        (r#"{"keys":[{},{"kid":"1","x":[],"kid":"2"}]}"#, "keys[1].kid"),
        (r#"[[{"b":{"a":[0,{"c":0,"c":0}]}}]]"#, "[0][0].b.a[1].c"),
        (r#"{"a":{"b":1},"a":{"b":2}}"#, "a"),
    ] {
        let error = parse_str(text).unwrap_err();
        assert!(matches!(&error, JsonError::DuplicateMember { path } if path == expected), "{text}: {error}");
    }
    assert!(parse_str(r#"{"a":{"a":{"a":[{"a":1},{"a":1}]}},"A":2}"#).is_ok());
}

#[test]
fn a_member_may_appear_once_however_many_there_are() {
    for count in [2, 3, 31, 32, 33, 34, 100, 5_000] {
        let name = |number: usize| format!(r#""{:x}":{number}"#, number * 0x9e37 % 0x1_0001);
        let mut members: Vec<String> = (0..count).map(name).collect();
        assert!(parse_str(&format!("{{{}}}", members.join(","))).is_ok(), "{count}");
        for (from, to) in [(0, count - 1), (count - 1, 0), (count / 2, 0), (0, 1), (count - 1, count - 2)] {
            let again = members[from].clone();
            let kept = std::mem::replace(&mut members[to], again);
            let text = format!("{{{}}}", members.join(","));
            let is_refused = matches!(parse_str(&text), Err(JsonError::DuplicateMember { .. }));
            assert_eq!(is_refused, from != to, "{count} members, {from} again at {to}");
            members[to] = kept;
        }
    }
}

#[test]
fn what_has_no_escapes_is_not_copied() {
    let object = parse_object(br#"{"a":"b","\u0063":"d\n"}"#, 1).unwrap();
    let is_borrowed: Vec<(bool, bool)> = object
        .0
        .iter()
        .map(|(name, value)| {
            let value = matches!(value, Value::String(Cow::Borrowed(_)));
            (matches!(name, Cow::Borrowed(_)), value)
        })
        .collect();
    assert_eq!(is_borrowed, [(true, true), (false, false)]);
    assert_eq!(object.get("c").and_then(Value::as_str), Some("d\n"));
}

#[test]
fn members_of_anything_else_are_absent() {
    let value = parse_str(r#"{"a":{"b":null}}"#).unwrap();
    assert_eq!(value.get("a").and_then(|a| a.get("b")), Some(&Value::Null));
    assert_eq!(value.get("a").and_then(|a| a.get("b")).and_then(|b| b.get("c")), None);
    assert!(value.get("b").is_none());
}

#[test]
fn shown_names_are_short_and_cannot_break_a_log_line() {
    let text = format!(r#"{{"x\n{0}":1,"x\n{0}":2}}"#, "y".repeat(100));
    let shown = parse_str(&text).unwrap_err().to_string();
    assert_eq!(shown, format!("duplicate JSON member x\\n{}…", "y".repeat(62)));
}

#[test]
fn nesting_is_bounded_and_a_megabyte_of_brackets_is_harmless() {
    assert!(parse_str(&nested("[", "]", 32)).is_ok());
    assert!(parse_str(&nested(r#"{"a":"#, "}", 32).replace(":}", ":0}")).is_ok());
    for text in
        [nested("[", "]", 33), "[".repeat(1 << 20), r#"{"a":"#.repeat(1 << 18), r#"[{"a":"#.repeat(1 << 18)]
    {
        assert!(matches!(parse_str(&text), Err(JsonError::TooDeep { limit: 32, line: 1, .. })));
    }
    assert!(matches!(parse(b"[]", 0), Err(JsonError::TooDeep { limit: 0, .. })));
    assert!(parse(b"1", 0).is_ok());
    assert!(matches!(parse("[".repeat(1 << 20).as_bytes(), usize::MAX), Err(JsonError::Syntax(_))));
    assert!(parse_str(&format!("[{}]", vec!["[]"; 1000].join(","))).is_ok());
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        r#"{"a":1,}"#,
        "{a:1}",
        "{'a':1}",
        "01",
        "+1",
        "1.",
        ".5",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "{} {}",
        "{}x",
        "[1] 2",
        "\"\u{1}\"",
        r#""\x""#,
        r#""\ud800""#,
        "\u{feff}{}",
        "/**/{}",
        "{}\0",
    ] {
        assert!(matches!(parse_str(text), Err(JsonError::Syntax(_))), "{text:?}");
    }
    assert!(matches!(parse(b"\"\xff\"", MAX_DEPTH), Err(JsonError::Syntax(_))));
    assert_eq!(
        parse_str("{\n  \"a\": x}").unwrap_err().to_string(),
        "not JSON: expected value at line 2 column 8"
    );
}

#[test]
fn numbers_no_f64_holds_are_refused() {
    for text in ["1e999", "-1e999", r#"{"exp":1e400}"#, &"9".repeat(400)] {
        assert!(matches!(parse_str(text), Err(JsonError::Syntax(_))), "{text}");
    }
}

#[test]
fn errors_never_repeat_values() {
    for text in [
        r#"{"a":"SECRET"#,
        r#"{"a":"SECRET" "b"}"#,
        r#"["SECRET",{"a":1,"a":"SECRET"}]"#,
        r#""SECRET" SECRET"#,
    ] {
        let error = parse_str(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{text}");
    }
}

#[test]
fn only_objects_are_objects() {
    assert!(parse_object(b"{}", 1).unwrap().is_empty());
    for text in ["[]", "null", "\"{}\"", "1", "true"] {
        assert!(matches!(parse_object(text.as_bytes(), 1), Err(JsonError::NotAnObject)), "{text}");
    }
}
