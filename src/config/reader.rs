//! Walking a document: every value knows its path, and every fault is noted without ending the walk.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{ConfigError, ConfigErrors, Warning, WarningKind};
use super::nearest::nearest;
use super::{Environment, auth, duration, filter, provider};
use crate::json::excerpt;
use crate::rejection::quote;
use crate::url::Url;

/// What the walk gathers.
pub(super) struct Context {
    pub(super) environment: Environment,
    /// Of all providers that have one, sound or not; `None` until they were read.
    pub(super) provider_names: Option<Vec<String>>,
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
}

impl Context {
    pub(super) const fn new(environment: Environment) -> Self {
        Self { environment, provider_names: None, errors: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn error(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    pub(super) fn warn(&mut self, path: &str, kind: WarningKind) {
        self.warnings.push(Warning { path: path.to_owned(), kind });
    }

    /// `read` is `None` only after an error; should that ever not hold, the document is still not accepted.
    pub(super) fn finish<T>(mut self, read: Option<T>) -> Result<(T, Vec<Warning>), ConfigErrors> {
        match read {
            Some(read) if self.errors.is_empty() => Ok((read, self.warnings)),
            _ => {
                if self.errors.is_empty() {
                    self.errors.push(missing(String::new(), "a sound document"));
                }
                Err(ConfigErrors::new(self.errors))
            }
        }
    }
}

/// A value and where it is.
pub(super) struct Node<'v> {
    pub(super) path: String,
    value: &'v Value,
    shown: bool,
}

impl<'v> Node<'v> {
    pub(super) const fn new(path: String, value: &'v Value) -> Self {
        Self { path, value, shown: true }
    }

    /// Notes that this value is not what it should be.
    pub(super) fn fail(&self, expected: impl Display, context: &mut Context) {
        context.error(ConfigError {
            path: self.path.clone(),
            value: self.shown.then(|| shown(self.value)),
            expected: expected.to_string(),
            nearest: None,
        });
    }

    /// As [`Self::fail`], for one of several words.
    pub(super) fn fail_word(&self, kind: &str, words: &[&str], context: &mut Context) {
        let nearest = self.value.as_str().and_then(|word| nearest(word, words));
        context.error(ConfigError {
            path: self.path.clone(),
            value: Some(shown(self.value)),
            expected: format!("{kind}: {}", words.join(", ")),
            nearest: nearest.map(str::to_owned),
        });
    }

    pub(super) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// A mapping that has no other keys than these.
    pub(super) fn object(&self, keys: &[&str], context: &mut Context) -> Option<Object<'v>> {
        let Some(map) = self.value.as_object() else {
            self.fail(format_args!("a mapping with the keys {}", keys.join(", ")), context);
            return None;
        };
        for key in map.keys().filter(|key| !keys.contains(&key.as_str())) {
            context.error(ConfigError {
                path: join(&self.path, &excerpt(key)),
                value: None,
                expected: format!("one of the keys {}", keys.join(", ")),
                nearest: nearest(key, keys).map(str::to_owned).or_else(|| elsewhere(key)),
            });
        }
        Some(Object { path: self.path.clone(), map: Some(map) })
    }

    /// A list of at most `most` elements.
    pub(super) fn list(&self, most: usize, context: &mut Context) -> Option<Vec<Node<'v>>> {
        let Some(list) = self.value.as_array() else {
            self.fail("a list", context);
            return None;
        };
        if list.len() > most {
            self.fail(format_args!("a list of at most {most} elements"), context);
            return None;
        }
        let node = |(index, value)| Node::new(format!("{}[{index}]", self.path), value);
        Some(list.iter().enumerate().map(node).collect())
    }

    /// A text that is not blank, without control characters and blanks around it.
    pub(super) fn text(&self, expected: &str, context: &mut Context) -> Option<&'v str> {
        let text = self.value.as_str();
        let sound =
            text.filter(|text| !text.is_empty() && text.trim() == *text && !text.contains(char::is_control));
        if sound.is_none() {
            let hint = match self.value {
                Value::Number(_) | Value::Bool(_) => " (in quotes)",
                _ => "",
            };
            self.fail(format_args!("{expected}{hint}"), context);
        }
        sound
    }

    pub(super) fn boolean(&self, context: &mut Context) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.fail("true or false, without quotes", context);
        }
        boolean
    }

    pub(super) fn integer(&self, range: RangeInclusive<u32>, context: &mut Context) -> Option<u32> {
        let integer = self.value.as_u64().and_then(|integer| u32::try_from(integer).ok());
        let sound = integer.filter(|integer| range.contains(integer));
        if sound.is_none() {
            self.fail(format_args!("a whole number from {} to {}", range.start(), range.end()), context);
        }
        sound
    }

    pub(super) fn duration(
        &self,
        range: RangeInclusive<Duration>,
        context: &mut Context,
    ) -> Option<Duration> {
        let duration = self.value.as_str().and_then(duration::parse);
        let sound = duration.filter(|duration| range.contains(duration));
        if sound.is_none() {
            let [least, most] = [range.start(), range.end()].map(|bound| duration::display(*bound));
            let expected =
                format_args!("a duration such as 500ms, 10s, 5m or 1h, from {least} to {most}").to_string();
            self.fail(expected, context);
        }
        sound
    }

    /// An absolute URL that is https where SPEC C-4 wants it.
    pub(super) fn url(&self, context: &mut Context) -> Option<Url> {
        let text = self.text("an absolute https URL", context)?;
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                self.fail(error, context);
                return None;
            }
        };
        if !url.is_https() && !url.host().is_loopback() {
            if !context.environment.insecure_http {
                self.fail("an https URL (http is for loopback hosts)", context);
                return None;
            }
            context.warn(&self.path, WarningKind::PlainHttp);
        }
        Some(url)
    }
}

/// A mapping and where it is.
pub(super) struct Object<'v> {
    pub(super) path: String,
    /// `None` stands for one without keys.
    map: Option<&'v Map<String, Value>>,
}

impl<'v> Object<'v> {
    /// For an optional mapping that is not there.
    pub(super) const fn empty(path: String) -> Self {
        Self { path, map: None }
    }

    /// `None` also where the key has nothing after it.
    pub(super) fn get(&self, key: &str) -> Option<Node<'v>> {
        self.get_strictly(key).filter(|node| !node.value.is_null())
    }

    /// As written: a key with nothing after it has the value null.
    pub(super) fn get_strictly(&self, key: &str) -> Option<Node<'v>> {
        let value = self.map?.get(key)?;
        Some(Node::new(join(&self.path, key), value))
    }

    /// A value that is not shown in errors: people put secrets where the name of a file belongs.
    pub(super) fn get_hidden(&self, key: &str) -> Option<Node<'v>> {
        self.get(key).map(|node| Node { shown: false, ..node })
    }

    pub(super) fn required(&self, key: &str, expected: &str, context: &mut Context) -> Option<Node<'v>> {
        let node = self.get(key);
        if node.is_none() {
            context.error(missing(join(&self.path, key), expected));
        }
        node
    }
}

/// Reads an optional value: `Some(None)` where it is not there, `None` after an error.
pub(super) fn optional<N, T>(node: Option<N>, read: impl FnOnce(N) -> Option<T>) -> Option<Option<T>> {
    match node {
        None => Some(None),
        Some(node) => read(node).map(Some),
    }
}

pub(super) fn missing(path: String, expected: &str) -> ConfigError {
    ConfigError { path, value: Some("nothing".to_owned()), expected: expected.to_owned(), nearest: None }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Where else the key would be valid.
fn elsewhere(key: &str) -> Option<String> {
    let places = [
        ("auth", auth::KEYS),
        ("auth.oauth", auth::OAUTH_KEYS),
        ("auth.oauth.providers[]", provider::KEYS),
        ("filter", filter::KEYS),
    ];
    places.into_iter().find(|(_, keys)| keys.contains(&key)).map(|(place, _)| format!("{place}.{key}"))
}

/// A value as it may stand in an error: shortened, printable, and without what in a URL may be secret.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quote(&without_secrets(text)).to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Neither a URL's user info nor its query (SPEC C-3, L-1), nor what might have become one: whatever comes before an `@` or after a `?`.
fn without_secrets(text: &str) -> String {
    let visible = match text.rsplit_once('@') {
        Some((hidden, rest)) => {
            let scheme = hidden.split_once("://").map_or("", |(scheme, _)| scheme);
            let separator = if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}{separator}\u{2026}@{rest}")
        }
        None => text.to_owned(),
    };
    match visible.split_once('?') {
        Some((visible, _)) => format!("{visible}?\u{2026}"),
        None => visible,
    }
}
