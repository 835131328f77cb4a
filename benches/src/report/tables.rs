//! One table for each section.

use super::{row, shown};
use crate::arm::{Arm, JWT_AUTHN_LARGE, JWT_AUTHN_OFF, NO_FILTER, NO_OP, OURS_REPEATED, VERIFYING};
use crate::latency::Latencies;
use crate::load::MANY_CONNECTIONS;
use crate::module::Module;
use crate::rounds::Samples;
use crate::side_by_side::{COPIES, Findings, Measurement, ratio};
use crate::startup::Startup;
use crate::statistics::median;
use crate::throughput::Figures;

pub(super) fn whole_requests(findings: &Findings) -> String {
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

pub(super) fn added(findings: &Findings) -> String {
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

pub(super) fn verified(findings: &Findings) -> String {
    let samples = &findings.verified.samples;
    let mut text = "## What one filter adds where every token is verified\n\nCPU of a request with one copy of the filter − CPU with none. Envoy answers by itself. 2,000 tokens \
         in turn, RSA keys of 2048 bits; `jwt_authn` has no cache, this filter one for a single token, which is the least it can be given: both verify every \
         signature, as they themselves count.\n\n\
         | | `jwt_authn`, µs | this filter, µs | ratio | quartiles | of minima | verified | |\n|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for verifying in &VERIFYING {
        let find = |arm: &Arm| samples.iter().find(|samples| samples.arm == arm.name);
        let (Some(native), Some(ours)) = (find(&verifying.native), find(&verifying.ours)) else { continue };
        let ratio = ratio(samples, ours.arm, native.arm);
        let spread = ratio.map_or_else(
            || "– | –".to_owned(),
            |ratio| format!("{:.2}–{:.2} | {:.2}", ratio.lower, ratio.upper, ratio.minima),
        );
        let verified = |samples: &Samples| 100.0 - samples.recognised.unwrap_or(1.0) * 100.0;
        row(
            &mut text,
            format_args!(
                "{} | {:.1} | {:.1} | {} | {spread} | {:.1} % and {:.1} % | of {} and {}",
                verifying.algorithm,
                median(&native.cpu),
                median(&ours.cpu),
                shown(ratio),
                verified(native),
                verified(ours),
                native.requests,
                ours.requests,
            ),
        );
    }
    text.push_str(&noise(&findings.verified));
    text
}

pub(super) fn throughput(findings: &Findings) -> String {
    let mut text = format!(
        "## Throughput and latency\n\nRequests a second, and how long answers took, in microseconds; medians of {} rounds. *At saturation*: {MANY_CONNECTIONS} connections, each \
         with its next request as soon as it has an answer, so that latency follows from throughput. *At half load*: half as many requests a second, at a \
         fixed rate. *Busy*: the part of its core that Envoy used; where it is far from 100 % at saturation, something else was the limit.\n\n\
         | | at saturation | busy | p50 | p99 | at half load | busy | p50 | p99 |\n|---|---|---|---|---|---|---|---|---|\n",
        findings.options.throughput_rounds,
    );
    let figures = |figures: &Figures| {
        let Latencies { rate, p50, p99 } = figures.latencies;
        format!("{rate:.0} | {:.0} % | {p50:.0} | {p99:.0}", figures.busy * 100.0)
    };
    for measured in &findings.throughput {
        row(
            &mut text,
            format_args!("{} | {} | {}", measured.arm, figures(&measured.saturated), figures(&measured.half)),
        );
    }
    text
}

pub(super) fn memory(findings: &Findings) -> String {
    let mut text = format!(
        "## Memory of recognised tokens\n\nBy how much Envoy's resident memory grew while a cache for {0} tokens was filled with {0} distinct ones (EdDSA), and how many of \
         those that came again were recognised.\n\n\
         | | MB | bytes a token | recognised again |\n|---|---|---|---|\n",
        findings.options.cached_tokens,
    );
    for filled in &findings.memory {
        row(
            &mut text,
            format_args!(
                "{} | {:.1} | {:.0} | {:.1} %",
                filled.arm,
                filled.grown / 1e6,
                filled.per_token(),
                filled.kept * 100.0
            ),
        );
    }
    text
}

pub(super) fn startup(findings: &Findings) -> String {
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
