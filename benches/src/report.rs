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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::arm::{
        JWT_AUTHN_DEFAULT_LIVE, JWT_AUTHN_LARGE, JWT_AUTHN_OFF, NO_FILTER, NO_OP, OURS_LIVE, OURS_REPEATED,
        VERIFYING,
    };
    use crate::latency::Latencies;
    use crate::memory::Filled;
    use crate::module::Module;
    use crate::rounds::{Extent, Samples};
    use crate::side_by_side::{Comparison, Measurement, Options, Section, ratio};
    use crate::startup::Startup;
    use crate::testbed::Cores;
    use crate::throughput::{Figures, Throughput};
    use crate::versions::Versions;

    fn nothing(only: Option<Section>) -> Findings {
        let text = || "?".to_owned();
        let module = Module { size: 600_000, compressed: 200_000, imports: 41 };
        Findings {
            options: Options {
                extent: Extent { rounds: 15, seconds: 1 },
                attempts: 1,
                starts: 1,
                cores: Cores { envoy: 0, load: 1 },
                direct: false,
                throughput_rounds: 5,
                cached_tokens: 100_000,
                only,
            },
            versions: Versions {
                date: text(),
                machine: text(),
                envoy: text(),
                rustc: text(),
                commit: text(),
                generators: text(),
            },
            module,
            noop: Module { size: 100_000, ..module },
            token_length: 1_000,
            requests: Measurement::default(),
            throughput: Vec::new(),
            added: Measurement::default(),
            verified: Measurement::default(),
            memory: Vec::new(),
            startup: Vec::new(),
            gate: String::new(),
            elapsed: Duration::from_secs(61),
        }
    }

    fn measurement(arms: &[(&'static str, f64)], to: &'static str) -> Measurement {
        let samples = |(arm, cpu): &(&'static str, f64)| Samples {
            arm,
            cpu: vec![*cpu; 15],
            best: *cpu,
            requests: 1_000,
            recognised: Some(0.0),
        };
        let samples: Vec<Samples> = arms.iter().map(samples).collect();
        let compared =
            |(arm, _): &(&'static str, f64)| Comparison { arm, to, ratio: ratio(&samples, arm, to) };
        let ratios = arms.iter().map(compared).collect();
        Measurement { samples, ratios, attempts: 1 }
    }

    fn everything() -> Findings {
        let figures =
            Figures { latencies: Latencies { rate: 9_000.0, p50: 800.0, p99: 2_000.0 }, busy: 0.97 };
        let startup = |arm, wall| Startup { arm, wall, cpu: 1_000.0, memory: 40.0, second_worker: 1.5 };
        let pairs: Vec<_> = VERIFYING
            .iter()
            .flat_map(|verifying| [(verifying.native.name, 60.0), (verifying.ours.name, 300.0)])
            .collect();
        let whole = [
            (NO_FILTER, 50.0),
            (JWT_AUTHN_LARGE, 80.0),
            (JWT_AUTHN_DEFAULT_LIVE, 160.0),
            (OURS_REPEATED, 90.0),
            (OURS_LIVE, 80.0),
        ];
        let alone = [(NO_OP, 2.0), (JWT_AUTHN_LARGE, 4.0), (JWT_AUTHN_OFF, 50.0), (OURS_REPEATED, 5.0)];
        Findings {
            requests: measurement(&whole, NO_FILTER),
            throughput: vec![Throughput { arm: NO_FILTER, saturated: figures, half: figures }],
            added: measurement(&alone, JWT_AUTHN_LARGE),
            verified: measurement(&pairs, VERIFYING[0].native.name),
            memory: vec![Filled { arm: "this filter", tokens: 100_000, grown: 25e6, kept: 1.0 }],
            startup: vec![startup(NO_OP, 100.0), startup(OURS_REPEATED, 500.0)],
            gate: include_str!("../gate/baseline.txt").to_owned(),
            ..nothing(None)
        }
    }

    #[test]
    fn rows_have_as_many_cells_as_their_tables_heads() {
        let page = page(&everything());
        let mut cells = None;
        for line in page.lines() {
            if !line.starts_with('|') {
                cells = None;
                continue;
            }
            let here = line.matches('|').count();
            assert_eq!(*cells.get_or_insert(here), here, "{line}");
        }
    }

    #[test]
    fn the_short_version_comes_first_and_the_goals_next() {
        let page = page(&everything());
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings[..2], ["In short", "Goals"]);
        assert!(page.contains("(performance.svg)"));
    }

    #[test]
    fn goals_stand_beside_what_was_measured() {
        let page = page(&everything());
        for row in [
            "| recognised token: CPU added, to `jwt_authn, large cache` | 1.50 | 1.25 | met |",
            "| 2,000 live tokens: CPU of a whole request, to `jwt_authn, default cache, 2,000 live tokens` | 0.55 | 0.50 | met |",
            "| RS256 verified: CPU added, to `jwt_authn, RS256` | 8.00 | 5.00 | met |",
            "| EdDSA verified: CPU added, to `jwt_authn, EdDSA` | 1.60 | 5.00 | not met |",
            "| size of the .wasm, bytes | 550000 | 600000 | not met |",
            "| start-up over no filter, to the no-op wasm filter of 100000 bytes | 4.5 | 5.0 | not met: every proxy compiles",
            "| a recognised token in the cache, bytes | 300 | 250 | met |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let memory = everything().memory;
        let page = page(&Findings { memory, ..nothing(Some(Section::Memory)) });
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Memory of recognised tokens"]);
    }

    #[test]
    fn a_short_run_says_so() {
        let mut findings = everything();
        assert!(!page(&findings).contains("A short run"));
        findings.options.extent.rounds = 3;
        assert!(page(&findings).contains("A short run of 3 rounds"));
    }
}
