//! `sources` and `registries`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use registry_auth::config::nearest;
use serde_json::{Map, Value};

use super::reader::{Reader, join, listed};
use crate::catalog::{Filter, Globs};

/// One entry of `sources`.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// 1–64 characters of `[A-Za-z0-9._-]`, unique; shown in logs, metrics and `/readiness`.
    pub name: String,
    /// `file.path`, already joined with the directory of the configuration file.
    pub path: PathBuf,
    /// `file.format`.
    pub format: Format,
    /// `syncPolicy.interval`: how often the file is read even if it seems unchanged. `None`: on change only.
    pub interval: Option<Duration>,
    /// Which of the file's entries are taken.
    pub filter: Filter,
}

/// How a catalog file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Told by the file's shape.
    #[default]
    Auto,
    /// ToolHive's catalog: `{"meta": {"last_updated": …}, "data": {"servers": […]}}`.
    Toolhive,
    /// A list as the official registry serves it: `{"servers": [{"server": …, "_meta": …}]}`.
    Official,
    /// A plain array of server.json objects.
    Array,
}

impl Format {
    fn from_text(text: &str) -> Result<Self, &'static str> {
        match text {
            "auto" => Ok(Self::Auto),
            "toolhive" => Ok(Self::Toolhive),
            "official" => Ok(Self::Official),
            "array" => Ok(Self::Array),
            _ => Err("`auto`, `toolhive`, `official` or `array`"),
        }
    }
}

/// One entry of `registries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryConfig {
    /// The path segment after `/registry/`: 1–64 characters of `[A-Za-z0-9._-]`, unique.
    pub name: String,
    /// Indexes into [`super::Config::sources`]: the first source that has a server's name shadows the later ones.
    pub sources: Vec<usize>,
}

const SOURCE_KEYS: &[&str] = &["name", "file", "api", "managed", "git", "kubernetes", "syncPolicy", "filter"];
const KINDS: &[&str] = &["file", "api", "managed", "git", "kubernetes"];
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads `sources`. A source in error keeps its place if it has a name, so that `registries` does not report the name as unknown, too.
pub(super) fn read_sources(
    root: &Map<String, Value>,
    directory: &Path,
    reader: &mut Reader,
) -> Vec<SourceConfig> {
    let mut seen = BTreeSet::new();
    let items = reader.list(root, "", "sources");
    if root.get("sources").is_none_or(is_empty) {
        reader.error("sources", None, "at least one source");
    }
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            read_source(item, &format!("sources[{index}]"), directory, &mut seen, reader)
        })
        .collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn read_source(
    value: &Value,
    path: &str,
    directory: &Path,
    seen: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> Option<SourceConfig> {
    let map = reader.object(value, path, SOURCE_KEYS)?;
    let name = read_name(map, path, seen, reader)?;
    let file = read_kind(map, path, directory, reader);
    let interval = read_sync_policy(map, path, reader);
    let filter = read_filter(map, path, reader);
    let (file_path, format) = file.unwrap_or_default();
    Some(SourceConfig { name, path: file_path, format, interval, filter })
}

/// `name`: required, well-formed, not used before.
fn read_name(
    map: &Map<String, Value>,
    path: &str,
    seen: &mut BTreeSet<String>,
    reader: &mut Reader,
) -> Option<String> {
    let name = reader.required(map, path, "name")?;
    let fits = name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        // As a path segment these would be the directory itself, or its parent.
        && name != "."
        && name != "..";
    let place = join(path, "name");
    let value = Value::String(name.to_owned());
    if !fits {
        reader.error(&place, Some(&value), "1–64 characters of A–Z a–z 0–9 . _ -");
        return None;
    }
    if !seen.insert(name.to_owned()) {
        reader.error(&place, Some(&value), "a name that is used once");
    }
    Some(name.to_owned())
}

/// The one kind a source has; only `file` is supported.
fn read_kind(
    map: &Map<String, Value>,
    path: &str,
    directory: &Path,
    reader: &mut Reader,
) -> Option<(PathBuf, Format)> {
    let given: Vec<&str> = KINDS.iter().copied().filter(|kind| map.contains_key(*kind)).collect();
    match given.as_slice() {
        ["file"] => read_file(map.get("file")?, &join(path, "file"), directory, reader),
        [kind] => {
            reader.error(
                &join(path, kind),
                None,
                format!("`file`: a `{kind}` source is not supported yet; `file` with a `path` is"),
            );
            None
        }
        [] => {
            reader.error(path, None, "a kind: `file: {path: …}`");
            None
        }
        several => {
            reader.error(path, None, format!("exactly one kind, not {}", listed(several)));
            None
        }
    }
}

fn read_file(value: &Value, path: &str, directory: &Path, reader: &mut Reader) -> Option<(PathBuf, Format)> {
    let map = reader.object(value, path, &["path", "url", "format"])?;
    let format = reader.parsed(map, path, "format", Format::from_text);
    if map.contains_key("url") {
        reader.error(&join(path, "url"), None, "`path`: `url` is not supported yet; a local `path` is");
        return None;
    }
    let file = reader.required(map, path, "path")?;
    Some((directory.join(file), format.unwrap_or_default()))
}

fn read_sync_policy(map: &Map<String, Value>, path: &str, reader: &mut Reader) -> Option<Duration> {
    let path = join(path, "syncPolicy");
    let policy = reader.object(map.get("syncPolicy")?, &path, &["interval"])?;
    reader.parsed(policy, &path, "interval", interval)
}

/// `500ms`, `10s`, `5m`, `1h` (SPEC C-7).
fn interval(text: &str) -> Result<Duration, &'static str> {
    let expected = "a duration from 1s to 8784h, as `10s`, `5m`, `1h`";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(expected)?;
    let number: u64 = number.parse().map_err(|_| expected)?;
    let duration = match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    };
    duration.filter(|duration| (MIN_INTERVAL..=MAX_INTERVAL).contains(duration)).ok_or(expected)
}

fn read_filter(map: &Map<String, Value>, path: &str, reader: &mut Reader) -> Filter {
    let path = join(path, "filter");
    let Some(filter) = map.get("filter").and_then(|value| reader.object(value, &path, &["names", "tags"]))
    else {
        return Filter::default();
    };
    Filter {
        names: read_globs(filter, &path, "names", reader),
        tags: read_globs(filter, &path, "tags", reader),
    }
}

fn read_globs(map: &Map<String, Value>, path: &str, key: &str, reader: &mut Reader) -> Globs {
    let path = join(path, key);
    let Some(globs) = map.get(key).and_then(|value| reader.object(value, &path, &["include", "exclude"]))
    else {
        return Globs::default();
    };
    let mut side = |key: &str| {
        let place = join(&path, key);
        let mut patterns = Vec::new();
        for (index, item) in reader.list(globs, &path, key).iter().enumerate() {
            let place = format!("{place}[{index}]");
            match item.as_str().filter(|text| !text.is_empty()).map(crate::catalog::glob) {
                Some(Ok(glob)) => patterns.push(glob),
                _ => reader.error(&place, Some(item), "a pattern, as `io.github.*`"),
            }
        }
        patterns
    };
    let (include, exclude) = (side("include"), side("exclude"));
    Globs::new(include, exclude)
}

/// Reads `registries` and resolves the names of their sources.
pub(super) fn read_registries(
    root: &Map<String, Value>,
    sources: &[SourceConfig],
    reader: &mut Reader,
) -> Vec<RegistryConfig> {
    let mut seen = BTreeSet::new();
    let items = reader.list(root, "", "registries");
    if root.get("registries").is_none_or(is_empty) {
        reader.error("registries", None, "at least one registry");
    }
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            let path = format!("registries[{index}]");
            let map = reader.object(item, &path, &["name", "sources"])?;
            let name = read_name(map, &path, &mut seen, reader);
            let sources = read_references(map, &path, sources, reader);
            Some(RegistryConfig { name: name?, sources })
        })
        .collect()
}

fn read_references(
    map: &Map<String, Value>,
    path: &str,
    sources: &[SourceConfig],
    reader: &mut Reader,
) -> Vec<usize> {
    let place = join(path, "sources");
    let items = reader.list(map, path, "sources");
    if map.get("sources").is_none_or(is_empty) {
        reader.error(&place, None, "the name of at least one source");
    }
    let mut indexes = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let place = format!("{place}[{position}]");
        let found = item.as_str().and_then(|wanted| sources.iter().position(|source| source.name == wanted));
        match found {
            Some(index) if indexes.contains(&index) => {
                reader.error(&place, Some(item), "a source that is named once");
            }
            Some(index) => indexes.push(index),
            None => {
                reader.error(&place, Some(item), "the name of a source");
                let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
                let near = item.as_str().and_then(|wanted| nearest(wanted, &names));
                if let Some(last) = reader.errors.last_mut() {
                    last.nearest = near.map(str::to_owned);
                }
            }
        }
    }
    indexes
}

/// Warnings for sources that no registry serves.
pub(super) fn unused(sources: &[SourceConfig], registries: &[RegistryConfig]) -> Vec<String> {
    sources
        .iter()
        .enumerate()
        .filter(|(index, _)| !registries.iter().any(|registry| registry.sources.contains(index)))
        .map(|(index, source)| format!("sources[{index}]: no registry serves `{}`", source.name))
        .collect()
}
