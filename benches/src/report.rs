//! The page: every figure that was measured, and how.

mod method;
mod tables;

use std::fmt::Write as _;

use crate::goals::goals;
use crate::side_by_side::Findings;
use crate::statistics::Ratio;

/// Rounds from which on figures mean something.
const ENOUGH_ROUNDS: u32 = 15;

/// Writes the page, as Markdown. What was not measured is left out.
pub fn page(findings: &Findings) -> String {
    let all = findings.options.only.is_none();
    let sections = [
        Some(head(findings)),
        (!findings.requests.ratios.is_empty() || !findings.added.ratios.is_empty())
            .then(|| in_short(findings)),
        all.then(|| goals_table(findings)),
        all.then(|| PLOT.to_owned()),
        (!findings.requests.samples.is_empty()).then(|| tables::whole_requests(findings)),
        (!findings.throughput.is_empty()).then(|| tables::throughput(findings)),
        (!findings.added.samples.is_empty()).then(|| tables::added(findings)),
        (!findings.verified.samples.is_empty()).then(|| tables::verified(findings)),
        (!findings.startup.is_empty()).then(|| tables::startup(findings)),
        (!findings.memory.is_empty()).then(|| tables::memory(findings)),
        all.then(|| method::method(findings)),
        all.then(|| method::NOT_MEASURED.to_owned()),
    ];
    sections.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn head(findings: &Findings) -> String {
    let versions = &findings.versions;
    let short = if findings.options.extent.rounds < ENOUGH_ROUNDS {
        format!(
            "\n**A short run of {} rounds: it shows that the benchmark works.**\n",
            findings.options.extent.rounds
        )
    } else {
        String::new()
    };
    format!(
        "# Performance\n\n\
         Written by `scripts/bench --write`; every figure is of that one run. Ratios travel to other machines, microseconds do not.\n{short}\n\
         | | |\n|---|---|\n\
         | date | {} |\n| machine | {} |\n| Envoy | {} |\n| filter | commit {}, {} |\n| load | {} |\n",
        versions.date, versions.machine, versions.envoy, versions.commit, versions.rustc, versions.generators,
    )
}

fn in_short(findings: &Findings) -> String {
    let mut text = "## In short\n\nEnvoy's CPU time, one arm divided by the other. Below 1 the first one is cheaper.\n\n\
         | | compared with | median | quartiles | of minima |\n|---|---|---|---|---|\n"
        .to_owned();
    let rows = [
        ("whole request", &findings.requests),
        ("added by the filter alone", &findings.added),
        ("added where every token is verified", &findings.verified),
    ];
    for (what, measurement) in rows {
        for comparison in &measurement.ratios {
            let figures = match comparison.ratio {
                Some(ratio) => {
                    let Ratio { lower, upper, minima, .. } = ratio;
                    format!("{} | {lower:.2}–{upper:.2} | {minima:.2}", shown(Some(ratio)))
                }
                None => "lost in noise | – | –".to_owned(),
            };
            row(&mut text, format_args!("{what}: {} | {} | {figures}", comparison.arm, comparison.to));
        }
    }
    text
}

const PLOT: &str = "![CPU that one filter adds to a request](performance.svg)\n";

/// Each with the figure of this run, or of the gate.
fn goals_table(findings: &Findings) -> String {
    let mut text = "## Goals\n\nRatios are medians of Envoy's CPU time. Instructions and host calls are those of `scripts/gate`, which also bounds each \
         refusal and the memory in the filter itself; [performance-native.md](performance-native.md) has the goals without a proxy, \
         [libraries.md](libraries.md) the comparison with `jwt-compact`.\n\n\
         | goal | at most | measured | |\n|---|---|---|---|\n"
        .to_owned();
    for goal in goals(findings) {
        let measured = match goal.measured {
            Some(measured) => format!("{measured:.*}", goal.digits),
            None => "–".to_owned(),
        };
        row(
            &mut text,
            format_args!("{} | {:.*} | {measured} | {}", goal.what, goal.digits, goal.most, goal.verdict()),
        );
    }
    text
}

fn row(text: &mut String, cells: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "| {cells} |");
}

fn shown(ratio: Option<Ratio>) -> String {
    match ratio {
        Some(ratio) if ratio.is_noisy() => format!("{:.2}, noisy", ratio.median),
        Some(ratio) => format!("{:.2}", ratio.median),
        None => "lost in noise".to_owned(),
    }
}
