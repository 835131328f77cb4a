//! `filter`: which entries of a source are taken.

use globset::{GlobBuilder, GlobMatcher};
use serde_json::Value;

/// Where publishers, and ToolHive's catalogs, put what the schema does not know.
const PUBLISHER: &str = "io.modelcontextprotocol.registry/publisher-provided";
/// Publisher, namespace, package: as deep as ToolHive's catalogs put `tags`.
const TAG_DEPTH: usize = 3;

/// `filter.names` and `filter.tags`; an entry must pass both.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// On the server's name. `*` also matches the slash: `io.github.*` matches `io.github.user/name`.
    pub names: Globs,
    /// On the entry's tags: `tags` lists in the server.json itself and, up to three levels deep, under its publisher-provided `_meta`.
    pub tags: Globs,
}

/// Patterns to include and to exclude. Exclusion wins; no inclusion includes everything.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    include: Vec<GlobMatcher>,
    exclude: Vec<GlobMatcher>,
}

/// A pattern of `*`, `?`, `[…]` and `{a,b}`, case-sensitive.
///
/// # Errors
/// When the pattern is not well-formed.
pub fn glob(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let glob = GlobBuilder::new(pattern).literal_separator(false).build()?;
    Ok(glob.compile_matcher())
}

impl Globs {
    /// Takes patterns as they are.
    pub fn new(include: Vec<GlobMatcher>, exclude: Vec<GlobMatcher>) -> Self {
        Self { include, exclude }
    }

    /// Whether `value` is taken.
    pub fn takes(&self, value: &str) -> bool {
        self.takes_any(&[value])
    }

    /// Whether something with all of these values is taken: none excluded and, where something must be included, one of them is.
    pub fn takes_any(&self, values: &[&str]) -> bool {
        let hit =
            |globs: &[GlobMatcher]| globs.iter().any(|glob| values.iter().any(|value| glob.is_match(value)));
        (self.include.is_empty() || hit(&self.include)) && !hit(&self.exclude)
    }
}

/// All tags of a server.json.
pub(super) fn tags(server: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    collect(server, 0, &mut found);
    if let Some(publisher) = server.get("_meta").and_then(|meta| meta.get(PUBLISHER)) {
        collect(publisher, TAG_DEPTH, &mut found);
    }
    found
}

fn collect<'v>(value: &'v Value, depth: usize, found: &mut Vec<&'v str>) {
    let Value::Object(map) = value else { return };
    for (key, member) in map {
        match member {
            Value::Array(items) if key == "tags" => {
                found.extend(items.iter().filter_map(Value::as_str));
            }
            Value::Object(_) if depth > 0 => collect(member, depth - 1, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn globs(include: &[&str], exclude: &[&str]) -> Globs {
        let compile = |patterns: &[&str]| patterns.iter().map(|p| glob(p).unwrap()).collect();
        Globs::new(compile(include), compile(exclude))
    }

    #[test]
    fn no_pattern_takes_everything() {
        assert!(globs(&[], &[]).takes("a/b"));
        assert!(globs(&[], &[]).takes_any(&[]));
    }

    #[test]
    fn a_star_matches_the_slash_too() {
        let names = globs(&["io.github.*"], &[]);
        assert!(names.takes("io.github.user/name"));
        assert!(!names.takes("io.gitlab.user/name"));
        assert!(!names.takes("x.io.github.user/name"));
        assert!(!names.takes("IO.GITHUB.user/name"));
    }

    #[test]
    fn exclusion_wins() {
        let names = globs(&["a/*"], &["*/secret", "*/x?"]);
        assert!(names.takes("a/public"));
        assert!(!names.takes("a/secret"));
        assert!(!names.takes("a/xy"));
    }

    #[test]
    fn what_must_be_included_is_not_when_it_has_no_value() {
        assert!(!globs(&["*"], &[]).takes_any(&[]));
        assert!(globs(&[], &["*"]).takes_any(&[]));
    }

    #[test]
    fn broken_patterns_are_errors() {
        for pattern in ["[", "a[", "{a", "[z-a]"] {
            assert!(glob(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn tags_are_found_where_toolhive_puts_them() {
        let server = json!({
            "tags": ["top"],
            "packages": [{"tags": ["not a tag"]}],
            "_meta": {
                "other": {"tags": ["no"]},
                PUBLISHER: {
                    "tags": ["one"],
                    "io.github.stacklok": {
                        "tags": ["two"],
                        "ghcr.example/x:1": {"tags": ["three", 3], "metadata": {"tags": ["four"], "deep": {"tags": ["no"]}}}
                    }
                }
            }
        });
        let mut found = tags(&server);
        found.sort_unstable();
        assert_eq!(found, ["four", "one", "three", "top", "two"]);
    }
}
