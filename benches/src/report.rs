//! The page: every figure that was measured, and how.

use std::fmt::Write as _;

use crate::arm::{JWT_AUTHN_LARGE, JWT_AUTHN_OFF, LIVE_TOKENS, NO_FILTER, NO_OP, OURS_REPEATED};
use crate::load::{CONNECTIONS, STREAMS};
use crate::module::Module;
use crate::rounds::Samples;
use crate::side_by_side::{COPIES, Findings, Measurement, ratio};
use crate::startup::Startup;
use crate::statistics::{Ratio, median};

/// Rounds from which on figures mean something.
const ENOUGH_ROUNDS: u32 = 15;

/// Writes the page, as Markdown.
pub fn page(findings: &Findings) -> String {
    let sections = [
        head(findings),
        in_short(findings),
        whole_requests(findings),
        added(findings),
        startup(findings),
        method(findings),
        NOT_MEASURED.to_owned(),
    ];
    sections.join("\n")
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
    let rows = [("whole request", &findings.requests), ("added by the filter alone", &findings.added)];
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

fn whole_requests(findings: &Findings) -> String {
    let samples = &findings.requests.samples;
    let mut text = format!(
        "## Whole requests\n\nCPU time of all of Envoy for a request that it {}, RS256 with a 2048-bit key, a token of {} bytes. \
         *Recognised*: found in the filter's cache instead of verified.\n\n\
         | | µs | over no filter, µs | to no filter | to `{JWT_AUTHN_OFF}` | to `{JWT_AUTHN_LARGE}` | recognised | requests |\n|---|---|---|---|---|---|---|---|\n",
        if findings.options.direct { "answers by itself" } else { "forwards to an upstream" },
        findings.token_length,
    );
    let base =
        samples.iter().find(|samples| samples.arm == NO_FILTER).map_or(&[][..], |samples| &samples.cpu);
    for sample in samples {
        let to = |arm| shown(ratio(samples, sample.arm, arm));
        let over: Vec<f64> = sample.cpu.iter().zip(base).map(|(with, without)| with - without).collect();
        row(
            &mut text,
            format_args!(
                "{} | {:.1} | {:+.1} | {} | {} | {} | {} | {}",
                sample.arm,
                median(&sample.cpu),
                median(&over),
                to(NO_FILTER),
                to(JWT_AUTHN_OFF),
                to(JWT_AUTHN_LARGE),
                recognised(sample),
                sample.requests
            ),
        );
    }
    text.push_str(&noise(&findings.requests));
    text
}

fn added(findings: &Findings) -> String {
    let samples = &findings.added.samples;
    let mut text = format!(
        "## What one filter adds\n\n(CPU of a request with {COPIES} copies of the filter in the chain − CPU with none) / {COPIES}. Envoy answers by itself, so that \
         nothing but filters is in the way. One token, which every copy leaves for the next.\n\n\
         | | µs | to `{JWT_AUTHN_OFF}` | to `{JWT_AUTHN_LARGE}` | to {NO_OP} | recognised |\n|---|---|---|---|---|---|\n",
    );
    for sample in samples {
        let to = |arm| shown(ratio(samples, sample.arm, arm));
        row(
            &mut text,
            format_args!(
                "{} | {:.1} | {} | {} | {} | {}",
                sample.arm,
                median(&sample.cpu),
                to(JWT_AUTHN_OFF),
                to(JWT_AUTHN_LARGE),
                to(NO_OP),
                recognised(sample)
            ),
        );
    }
    text.push_str(&noise(&findings.added));
    text
}

fn startup(findings: &Findings) -> String {
    let mut text = format!(
        "## Size, start-up, memory\n\nMedians; starts of each: {}. *Ready*: from the start of the process until `/ready` answers 200; the row without a filter is the figure \
         itself, the others are what comes on top.\n\n\
         | | .wasm, bytes | gzip -9 | imports | ready, ms | CPU until then, ms | memory, MB | second worker, MB |\n|---|---|---|---|---|---|---|---|\n",
        findings.options.starts,
    );
    for figures in &findings.startup {
        let module = match figures.arm {
            OURS_REPEATED => module(&findings.module),
            NO_OP => module(&findings.noop),
            _ => "– | – | –".to_owned(),
        };
        let Startup { wall, cpu, memory, second_worker, .. } = figures;
        row(
            &mut text,
            format_args!(
                "{} | {module} | {wall:+.0} | {cpu:+.0} | {memory:+.1} | {second_worker:+.1}",
                filter(figures.arm)
            ),
        );
    }
    text
}

fn method(findings: &Findings) -> String {
    let options = &findings.options;
    let (rounds, seconds) = (options.extent.rounds, options.extent.seconds);
    format!(
        "## How it is measured\n\n\
         - All Envoys run from the beginning, with one worker on one core. They have the bootstrap that `filter-config render envoy` makes and differ in one filter of its \
         chain. Load and upstream (another Envoy, which answers by itself) are on another core.\n\
         - `jwt_authn` checks signature, issuer, audience and expiry, and removes the token. This filter does more: it also sets identity headers, removes forged ones, \
         and decides on paths and scopes.\n\
         - One of many copies costs less than a first and only filter; what that costs is *over no filter* in the table of whole requests.\n\
         - CPU is `/proc/PID/task/*/schedstat` of all of Envoy's threads, in nanoseconds. Requests are Envoy's own count, and the run fails unless every answer is 2xx and every copy of a filter has counted every token.\n\
         - {rounds} rounds of {seconds} s for each arm, after a warm-up in which each live token was seen twice; the order is reversed in each round. A ratio is taken within \
         each round. *Of minima* is the ratio of both arms' best rounds.\n\
         - A ratio is called noisy when median and ratio of minima differ by more than 15 %, or when the quartiles are further apart than 30 % of the median. Then all rounds \
         are measured again, {} attempts at most, and the one with the fewest noisy ratios is kept.\n\
         - Whole requests: `wrk`, {CONNECTIONS} connections, HTTP/1.1, {LIVE_TOKENS} different tokens signed beforehand, one of them at random or always the first.\n\
         - Filters alone: `h2load`, one connection, {STREAMS} streams, HTTP/2. After each copy, and in the chain without any, a `header_mutation` filter sets and removes the identity headers, so that no copy finds those of another.\n\
         - In no arm does the token reach the upstream: where the filter does not remove it, the route does.\n\n\
         ## Repeat it\n\n\
         ```console\n$ scripts/bench            # prints this page; about {} minutes\n$ scripts/bench --write    # and writes it into docs/\n$ scripts/bench --quick    # shows that it works\n```\n\n\
         `--rounds`, `--seconds`, `--attempts`, `--starts`, `--envoy-core` and `--load-core` change what their names say; `--direct` leaves out the upstream. Two cores are needed, and nothing else should run on them.\n",
        options.attempts,
        minutes(findings),
    )
}

const NOT_MEASURED: &str = "\
## Not measured yet

- PS256, ES256, EdDSA and larger keys; several providers; refusals; introspection.
- Throughput, and p50 and p99 of the latency.
- More than one worker under load; memory of a full cache.
- Other hosts than Envoy.
- Instructions and host calls, which are the same from run to run and could be a gate in CI.
";

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

fn recognised(samples: &Samples) -> String {
    samples.recognised.map_or_else(|| "–".to_owned(), |part| format!("{:.1} %", part * 100.0))
}

fn module(module: &Module) -> String {
    format!("{} | {} | {}", module.size, module.compressed, module.imports)
}

/// Start-up does not depend on tokens.
fn filter(arm: &str) -> &str {
    arm.split_once(", ").map_or(arm, |(filter, _)| filter)
}

fn noise(measurement: &Measurement) -> String {
    let (noisy, attempts) = (measurement.noisy(), measurement.attempts);
    let attempts = if attempts == 1 { "one attempt".to_owned() } else { format!("{attempts} attempts") };
    if noisy == 0 {
        return format!("\nThe rounds agree, after {attempts}.\n");
    }
    format!(
        "\n**{noisy} of the {} ratios above under *In short* stayed noisy after {attempts}: the machine was not quiet.**\n",
        measurement.ratios.len()
    )
}

/// Of one attempt.
fn minutes(findings: &Findings) -> u32 {
    let arms = findings.requests.samples.len() + findings.added.samples.len() + 1;
    let arms = u32::try_from(arms).unwrap_or(u32::MAX);
    let seconds = arms.saturating_mul(findings.options.extent.rounds + 3) * findings.options.extent.seconds;
    seconds / 60 + findings.options.starts / 2 + 1
}
