//! The committed counts: one line a scenario, made to be read in a diff.
//!
//! `name | N instructions | entries: export N, … | calls: function N (M with data), … | allocations: N, B bytes`; an export that was entered more
//! than once has `×COUNT` behind its name.

use std::fmt::Write as _;

use crate::counts::{Call, Counts, Entry};
use crate::error::GateError;

/// More instructions than this share above the baseline fail: 1 in 50.
const TOLERANCE: u64 = 50;

const HEAD: &str = "\
# What the filter does for a request, counted: WebAssembly instructions by the export they ran in, host calls, allocations the host asks for.
# Written by `scripts/gate --write`; `scripts/gate` fails on more than 2 % more instructions, and on any other call, entry or allocation.
";

/// A scenario with its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) counts: Counts,
}

/// As committed.
pub(crate) fn render(lines: &[Line]) -> String {
    lines.iter().fold(HEAD.to_owned(), |text, line| text + &line.render() + "\n")
}

/// The reverse.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, GateError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let parsed = lines.map(|(number, line)| {
        Line::parse(line).ok_or_else(|| GateError::Baseline { line: number + 1, text: line.to_owned() })
    });
    parsed.collect()
}

impl Line {
    fn render(&self) -> String {
        let counts = &self.counts;
        let entries = counts.entries.iter().map(|(name, entry)| {
            let times = if entry.count == 1 { String::new() } else { format!("×{}", entry.count) };
            format!("{}{times} {}", name.trim_start_matches("proxy_"), entry.instructions)
        });
        let calls = counts.calls.iter().map(|(name, call)| {
            let with_data =
                if call.with_data == 0 { String::new() } else { format!(" ({} with data)", call.with_data) };
            format!("{} {}{with_data}", name.trim_start_matches("proxy_"), call.count)
        });
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        format!(
            "{} | {} instructions | entries: {} | calls: {} | allocations: {}, {} bytes",
            self.name,
            counts.instructions(),
            list(entries.collect()),
            list(calls.collect()),
            counts.reentries,
            counts.bytes
        )
    }

    fn parse(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split(" | ").collect();
        let [name, _, entries, calls, allocations] = parts.as_slice() else { return None };
        let mut counts = Counts::default();
        for item in items(entries.strip_prefix("entries: ")?) {
            let (name, instructions) = item.split_once(' ')?;
            let (name, count) = name.split_once('×').unwrap_or((name, "1"));
            let entry = Entry { count: count.parse().ok()?, instructions: instructions.parse().ok()? };
            counts.entries.insert(name.to_owned(), entry);
        }
        for item in items(calls.strip_prefix("calls: ")?) {
            let (name, rest) = item.split_once(' ')?;
            let (count, with_data) = rest.split_once(" (").unwrap_or((rest, "0 with data)"));
            let with_data = with_data.strip_suffix(" with data)")?.parse().ok()?;
            counts.calls.insert(name.to_owned(), Call { count: count.parse().ok()?, with_data });
        }
        let (reentries, bytes) = allocations.strip_prefix("allocations: ")?.split_once(", ")?;
        counts.reentries = reentries.parse().ok()?;
        counts.bytes = bytes.strip_suffix(" bytes")?.parse().ok()?;
        Some(Self { name: (*name).to_owned(), counts })
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(", ").filter(|item| *item != "none")
}

/// What differs from the baseline.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Fails.
    pub(crate) worse: Vec<String>,
    /// Wants the baseline rewritten.
    pub(crate) better: Vec<String>,
}

/// Compares a run with the baseline.
pub(crate) fn compare(baseline: &[Line], found: &[Line]) -> Comparison {
    let mut comparison = Comparison::default();
    for line in found {
        match baseline.iter().find(|before| before.name == line.name) {
            Some(before) => comparison.add(before, line),
            None => comparison.worse.push(format!("{}: not in the baseline", line.name)),
        }
    }
    for before in baseline.iter().filter(|before| found.iter().all(|line| line.name != before.name)) {
        comparison.worse.push(format!("{}: in the baseline only", before.name));
    }
    comparison
}

impl Comparison {
    fn add(&mut self, before: &Line, now: &Line) {
        // Names are as committed, without their prefix.
        let Some(now) = Line::parse(&now.render()) else { return };
        let (was, is) = (before.counts.instructions(), now.counts.instructions());
        let (mut more, mut less) = (String::new(), String::new());
        let change =
            || format!("\n    instructions {was} → {is} ({}){}", percent(was, is), by_entry(before, &now));
        if is > was + was / TOLERANCE {
            more += &change();
        } else if is + was / TOLERANCE < was {
            less += &change();
        }
        let mut count = |what: &str, was: u64, is: u64| {
            let text = if is > was { &mut more } else { &mut less };
            if is != was {
                let _ = write!(text, "\n    {what} {was} → {is}");
            }
        };
        for name in keys(&before.counts.calls, &now.counts.calls) {
            let call = |line: &Line| line.counts.calls.get(name).copied().unwrap_or_default();
            count(&format!("host call {name}"), call(before).count, call(&now).count);
            count(&format!("host call {name}, with data"), call(before).with_data, call(&now).with_data);
        }
        for name in keys(&before.counts.entries, &now.counts.entries) {
            let entry = |line: &Line| line.counts.entries.get(name).copied().unwrap_or_default();
            count(&format!("entry {name}"), entry(before).count, entry(&now).count);
        }
        count("allocations for the host", before.counts.reentries, now.counts.reentries);
        if !more.is_empty() {
            self.worse.push(format!("{}{more}{less}", now.name));
        } else if !less.is_empty() {
            self.better.push(format!("{}{less}", now.name));
        }
    }
}

fn keys<'a, T>(
    before: &'a std::collections::BTreeMap<String, T>,
    now: &'a std::collections::BTreeMap<String, T>,
) -> std::collections::BTreeSet<&'a str> {
    before.keys().chain(now.keys()).map(String::as_str).collect()
}

fn by_entry(before: &Line, now: &Line) -> String {
    let mut text = String::new();
    for name in keys(&before.counts.entries, &now.counts.entries) {
        let instructions = |line: &Line| line.counts.entries.get(name).map_or(0, |entry| entry.instructions);
        if instructions(before) != instructions(now) {
            let _ = write!(text, "\n      {name} {} → {}", instructions(before), instructions(now));
        }
    }
    text
}

fn percent(was: u64, is: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let change = if was == 0 { 0.0 } else { (is as f64 / was as f64 - 1.0) * 100.0 };
    format!("{change:+.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(instructions: u64, clock: u64) -> Line {
        let mut counts = Counts::default();
        counts.entry("proxy_on_request_headers", instructions);
        counts.entry("proxy_on_response_body", 10);
        counts.entry("proxy_on_response_body", 20);
        (0..clock).for_each(|_| counts.call("clock_time_get"));
        counts.call("proxy_get_header_map_pairs");
        counts.reentry("proxy_get_header_map_pairs", 2000);
        Line { name: "a request".to_owned(), counts }
    }

    fn committed(lines: &[Line]) -> Vec<Line> {
        parse(&render(lines)).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let lines = committed(&[line(1000, 1)]);
        assert_eq!(lines, committed(&lines));
        assert_eq!(lines[0].counts.instructions(), 1030);
        assert!(parse("a request | 3").is_err());
    }

    #[test]
    fn two_percent_are_tolerated_and_more_fails() {
        let baseline = committed(&[line(100_000, 1)]);
        assert!(compare(&baseline, &[line(102_000, 1)]).worse.is_empty());
        let worse = compare(&baseline, &[line(102_100, 1)]).worse;
        assert!(worse[0].contains("instructions 100030 → 102130 (+2.1 %)"), "{worse:?}");
        assert!(worse[0].contains("on_request_headers 100000 → 102100"), "{worse:?}");
    }

    #[test]
    fn any_other_host_call_fails() {
        let baseline = committed(&[line(1000, 1)]);
        assert!(compare(&baseline, &[line(1000, 2)]).worse[0].contains("host call clock_time_get 1 → 2"));
        let mut more = line(1000, 1);
        more.counts.call("proxy_get_property");
        assert!(compare(&baseline, &[more]).worse[0].contains("host call get_property 0 → 1"));
    }

    #[test]
    fn another_entry_or_allocation_fails() {
        let baseline = committed(&[line(1000, 1)]);
        let mut entered = line(1000, 1);
        entered.counts.entry("proxy_on_log", 0);
        assert!(compare(&baseline, &[entered]).worse[0].contains("entry on_log 0 → 1"));
        let mut allocated = line(1000, 1);
        allocated.counts.reentry("clock_time_get", 1);
        assert!(compare(&baseline, &[allocated]).worse[0].contains("allocations for the host 1 → 2"));
    }

    #[test]
    fn a_scenario_on_one_side_only_fails() {
        assert_eq!(compare(&[], &[line(1, 1)]).worse.len(), 1);
        assert_eq!(compare(&committed(&[line(1, 1)]), &[]).worse.len(), 1);
    }

    #[test]
    fn less_is_better_and_no_failure() {
        let comparison = compare(&committed(&[line(100_000, 2)]), &[line(90_000, 1)]);
        assert!(comparison.worse.is_empty());
        assert!(comparison.better[0].contains("host call clock_time_get 2 → 1"), "{comparison:?}");
    }
}
