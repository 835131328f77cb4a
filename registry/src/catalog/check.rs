//! Reading one entry of a catalog file: what the server.json schema requires, and the dates.

use serde_json::Value;
use serde_json::value::RawValue;

use super::document::{Document, Members, compact};
use super::entry::{Draft, OFFICIAL, OfficialMeta, Status};
use super::filter::{Filter, tags};
use super::{EntryError, ServerName, Version};
use crate::timestamp::Timestamp;

/// Reads entry number `index` of `document`; `None` where the filter leaves it out. An entry left out by its name is not looked at further.
///
/// # Errors
/// All errors of the entry.
pub(super) fn read(
    index: usize,
    item: &RawValue,
    document: &Document<'_>,
    filter: &Filter,
) -> Result<Option<Draft>, Vec<EntryError>> {
    let mut check = Check { index, name: None, errors: Vec::new() };
    let last_updated = document.last_updated.as_ref();
    let draft = check.draft(item, document.wrapped, last_updated, filter);
    if check.errors.is_empty() { Ok(draft) } else { Err(check.errors) }
}

/// Collects the errors of one entry.
struct Check {
    index: usize,
    name: Option<String>,
    errors: Vec<EntryError>,
}

impl Check {
    fn error(&mut self, field: &str, problem: impl Into<String>) {
        self.errors.push(EntryError {
            index: self.index,
            name: self.name.clone(),
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    fn draft(
        &mut self,
        item: &RawValue,
        wrapped: bool,
        last_updated: Option<&Timestamp>,
        filter: &Filter,
    ) -> Option<Draft> {
        let (server, outer) = self.unwrap_item(item, wrapped)?;
        let value = self.server_json(server)?;
        self.name = value.get("name").and_then(Value::as_str).map(str::to_owned);
        if self.name.as_deref().is_some_and(|name| !filter.names.takes(name)) {
            self.errors.clear();
            return None;
        }
        let name = self.name(&value);
        let version = self.version(&value);
        let description = self.description(&value);
        // Without a wrapper, the catalog's own maintainer wrote the inner `_meta`; inside of one, a publisher did.
        let (meta, extensions) = if wrapped {
            self.outer_meta(outer)
        } else {
            (value.get("_meta").and_then(|meta| meta.get(OFFICIAL)).cloned(), Vec::new())
        };
        let meta = self.official(meta.as_ref(), last_updated);
        if !filter.tags.takes_any(&tags(&value)) {
            return None;
        }
        let title = value.get("title").and_then(Value::as_str).unwrap_or_default();
        let name = name?;
        Some(Draft {
            searched: [name.as_str().to_lowercase(), title.to_lowercase(), description?.to_lowercase()],
            name,
            version: version?,
            meta: meta?,
            server: compact(server.get()),
            extensions,
        })
    }

    /// The server.json and, where entries are wrapped, the `_meta` beside it.
    fn unwrap_item<'a>(
        &mut self,
        item: &'a RawValue,
        wrapped: bool,
    ) -> Option<(&'a RawValue, Option<&'a RawValue>)> {
        if !wrapped {
            return Some((item, None));
        }
        let members = self.members(item, "entry")?;
        let find = |wanted: &str| members.iter().find(|(key, _)| key == wanted);
        let Some((_, server)) = find("server") else {
            self.error("server", "missing; each entry of a list is {\"server\": {…}, \"_meta\": {…}}");
            return None;
        };
        Some((*server, find("_meta").map(|(_, meta)| *meta)))
    }

    /// The members of an object, each key once: of two members with one key, another reader may see the other one.
    fn members<'a>(&mut self, object: &'a RawValue, field: &str) -> Option<Vec<(String, &'a RawValue)>> {
        let Ok(Members(members)) = serde_json::from_str(object.get()) else {
            self.error(field, "expected an object");
            return None;
        };
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        if let Some([key, _]) = keys.array_windows().find(|[a, b]| a == b) {
            self.error(field, format!("key {key:?} is given twice"));
            return None;
        }
        Some(members)
    }

    /// Parses the whole server.json, so that what is served is JSON that others parse, too: its depth and escapes are sound.
    fn server_json(&mut self, server: &RawValue) -> Option<Value> {
        self.members(server, "server.json")?;
        match serde_json::from_str(server.get()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.error("server.json", error.to_string());
                None
            }
        }
    }

    /// A required string member.
    fn text<'v>(&mut self, value: &'v Value, field: &str) -> Option<&'v str> {
        match value.get(field) {
            Some(Value::String(text)) => return Some(text),
            Some(_) => self.error(field, "expected a string"),
            None => self.error(field, "missing"),
        }
        None
    }

    fn name(&mut self, value: &Value) -> Option<ServerName> {
        let text = self.text(value, "name")?;
        match ServerName::from_text(text) {
            Ok(name) => Some(name),
            Err(error) => {
                self.error("name", error.to_string());
                None
            }
        }
    }

    fn version(&mut self, value: &Value) -> Option<Version> {
        let text = self.text(value, "version")?;
        if !(1..=255).contains(&text.chars().count()) {
            self.error("version", "expected 1 to 255 characters");
            return None;
        }
        if text == "latest" {
            self.error("version", "`latest` is reserved; expected a version");
            return None;
        }
        Some(Version::from_text(text))
    }

    fn description<'v>(&mut self, value: &'v Value) -> Option<&'v str> {
        let text = self.text(value, "description")?;
        let length = text.chars().count();
        if !(1..=100).contains(&length) {
            self.error("description", format!("expected 1 to 100 characters, found {length}"));
            return None;
        }
        Some(text)
    }

    /// The official member of the outer `_meta`, and the others as text.
    fn outer_meta(&mut self, outer: Option<&RawValue>) -> (Option<Value>, Vec<(String, String)>) {
        let Some(outer) = outer.filter(|outer| outer.get() != "null") else {
            return (None, Vec::new());
        };
        let members = self.members(outer, "_meta").unwrap_or_default();
        let mut official = None;
        let mut extensions = Vec::new();
        for (key, value) in members {
            match serde_json::from_str::<Value>(value.get()) {
                Ok(parsed) if key == OFFICIAL => official = Some(parsed),
                Ok(_) => extensions.push((key, compact(value.get()))),
                Err(error) => self.error(&format!("_meta.{key}"), error.to_string()),
            }
        }
        (official, extensions)
    }

    fn official(&mut self, meta: Option<&Value>, last_updated: Option<&Timestamp>) -> Option<OfficialMeta> {
        if meta.is_some_and(|meta| !meta.is_object() && !meta.is_null()) {
            self.error(&format!("_meta.{OFFICIAL}"), "expected an object");
            return None;
        }
        let before = self.errors.len();
        let status = self.member(meta, "status", "`active`, `deprecated` or `deleted`", Status::from_text);
        let status_message = self.member(meta, "statusMessage", "a string", |text| Some(text.to_owned()));
        let mut date = |field| self.member(meta, field, "an RFC 3339 date", Timestamp::from_text);
        let (published, updated, changed) = (date("publishedAt"), date("updatedAt"), date("statusChangedAt"));
        let published_at = published.or_else(|| last_updated.cloned()).unwrap_or_else(Timestamp::epoch);
        (self.errors.len() == before).then(|| OfficialMeta {
            status: status.unwrap_or(Status::Active),
            status_message,
            status_changed_at: changed.unwrap_or_else(|| published_at.clone()),
            updated_at: updated.unwrap_or_else(|| published_at.clone()),
            published_at,
        })
    }

    /// An optional string member of the official `_meta`.
    fn member<T>(
        &mut self,
        meta: Option<&Value>,
        field: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = meta?.get(field).filter(|value| !value.is_null())?;
        let parsed = value.as_str().and_then(parse);
        if parsed.is_none() {
            self.error(&format!("_meta.{OFFICIAL}.{field}"), format!("expected {expected}"));
        }
        parsed
    }
}
