//! The page: every figure that was measured, and how.

use std::fmt::Write as _;

use benches::statistics::{Ratio, median, minimum};
use benches::versions;
use registry_auth::signature::Algorithm;

use crate::arm::Arm;
use crate::fixture::{ALGORITHMS, Failure};

/// Rounds from which on figures mean something.
const ENOUGH_ROUNDS: u32 = 15;

/// One line for each arm.
pub(crate) fn list(arms: &[Arm]) -> String {
    let mut text = String::new();
    for arm in arms {
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "{:10} ns  {:10} min  {} × {}",
            figure(&arm.samples),
            minimum(&arm.samples).round(),
            arm.threads,
            arm.name
        );
    }
    text
}

/// Writes the page, as Markdown.
pub(crate) fn page(arms: &[Arm], rounds: u32, token_length: usize) -> Result<String, Failure> {
    let arms = Arms(arms);
    let sections = [
        head(rounds)?,
        arms.goals(),
        arms.verified(),
        arms.requests(),
        arms.all(),
        method(rounds, token_length),
    ];
    Ok(sections.join("\n"))
}

fn head(rounds: u32) -> Result<String, Failure> {
    let short = if rounds < ENOUGH_ROUNDS {
        format!("\n**A short run of {rounds} rounds: it shows that the benchmark works.**\n")
    } else {
        String::new()
    };
    Ok(format!(
        "# Performance natively\n\n\
         Written by `scripts/bench-native --write`; every figure is of that one run. Ratios travel to other machines, microseconds do not.\n{short}\n\
         | | |\n|---|---|\n| date | {} |\n| machine | {} |\n| commit | {}, {} |\n",
        versions::date()?,
        versions::machine(),
        versions::commit()?,
        versions::rustc()?,
    ))
}

struct Arms<'a>(&'a [Arm]);

impl Arms<'_> {
    fn find(&self, name: &str, threads: usize) -> &[f64] {
        self.0
            .iter()
            .find(|arm| arm.name == name && arm.threads == threads)
            .map_or(&[], |arm| arm.samples.as_slice())
    }

    fn ratio(&self, name: &str, to: &str, threads: usize) -> String {
        let (a, b) = (self.find(name, threads), self.find(to, threads));
        match Ratio::of(a, b, minimum(a) / minimum(b)) {
            Some(ratio) => {
                let noisy = if ratio.is_noisy() { ", noisy" } else { "" };
                format!(
                    "{:.2}{noisy} | {:.2}–{:.2} | {:.2}",
                    ratio.median, ratio.lower, ratio.upper, ratio.minima
                )
            }
            None => "– | – | –".to_owned(),
        }
    }

    fn goals(&self) -> String {
        let rs256 = self.ratio("core, RS256 verified", "aws-lc-rs alone, RS256", 1);
        format!(
            "## In short\n\n| | goal | median | quartiles | minimum |\n|---|---|---|---|---|\n\
             | a recognised token, in the core, 1 thread | at most 1 µs | {} |\n\
             | the same, one of {} live tokens | at most 1 µs | {} |\n\
             | RS256 not seen before, core ÷ aws-lc-rs alone | at most 1.2 | {rs256} |\n",
            spread(self.find("core, one token recognised", 1)),
            crate::LIVE,
            spread(self.find(&format!("core, {} tokens recognised", crate::LIVE), 1)),
        )
    }

    fn verified(&self) -> String {
        let mut text = "## A token that was not seen before\n\n\
             The whole of `Authenticator::start`: headers, form, header and claims as JSON, key, signature, claims, identity, and remembering it. Beside it \
             `ParsedPublicKey::verify_sig` of aws-lc-rs alone, on the same signatures, decoded beforehand.\n\n\
             | | aws-lc-rs alone, µs | core with aws-lc-rs, µs | ratio | quartiles | of minima | core with RustCrypto, µs |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
        for algorithm in ALGORITHMS {
            let (alone, core) =
                (format!("aws-lc-rs alone, {algorithm}"), format!("core, {algorithm} verified"));
            row(
                &mut text,
                format_args!(
                    "{algorithm} | {} | {} | {} | {}",
                    micro(self.find(&alone, 1)),
                    micro(self.find(&core, 1)),
                    self.ratio(&core, &alone, 1),
                    micro(self.find(&format!("{core} by RustCrypto"), 1)),
                ),
            );
        }
        text
    }

    fn requests(&self) -> String {
        let mut text = "## Whole requests through axum\n\n\
             A router with one route. *Added* is what stands before it, without the router itself. The middleware around `jsonwebtoken` checks signature, `iss`, `aud` and \
             `exp` with a key looked up by kid; it remembers no token. Our layer does more: it also reads all headers, decides on paths and scopes, and sets identity headers.\n\n\
             | | threads | µs | added, µs | to jsonwebtoken | quartiles | of minima |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
        for threads in [1, 2] {
            let base = self.find("axum alone", threads);
            let mut told = |name: &str, to: &str| {
                let samples = self.find(name, threads);
                let added: Vec<f64> =
                    samples.iter().zip(base).map(|(with, without)| with - without).collect();
                let ratio =
                    if to.is_empty() { "– | – | –".to_owned() } else { self.ratio(name, to, threads) };
                row(
                    &mut text,
                    format_args!("{name} | {threads} | {} | {} | {ratio}", micro(samples), micro(&added)),
                );
            };
            let theirs = |algorithm: Algorithm| format!("axum with jsonwebtoken, {algorithm} verified");
            told("axum alone", "");
            for live in [1, crate::LIVE] {
                told(
                    &format!("axum with our layer, {}", crate::core::described(live)),
                    &theirs(Algorithm::RS256),
                );
            }
            told(&format!("axum with jsonwebtoken, RS256 verified, {} tokens", crate::LIVE), "");
            for algorithm in ALGORITHMS {
                told(&format!("axum with our layer, {algorithm} verified"), &theirs(algorithm));
                told(&theirs(algorithm), "");
            }
        }
        text
    }

    fn all(&self) -> String {
        let mut text =
            "## Everything that was measured\n\n| | threads | µs | quartiles | minimum |\n|---|---|---|---|---|\n".to_owned();
        for arm in self.0 {
            row(&mut text, format_args!("{} | {} | {}", arm.name, arm.threads, spread(&arm.samples)));
        }
        text
    }
}

fn method(rounds: u32, token_length: usize) -> String {
    format!(
        "## How it is measured\n\n\
         - One process, profile `native`. {rounds} rounds after a warm-up; each measures everything, every other one in reverse order. A ratio is taken within each round.\n\
         - CPU time of the threads that work (`CLOCK_THREAD_CPUTIME_ID`), per operation and thread. Waiting for a lock in the kernel is not in it, spinning is.\n\
         - A ratio is called noisy when median and ratio of minima differ by more than 15 %, or when the quartiles are further apart than 30 % of the median.\n\
         - Tokens as Keycloak writes them, with RS256 {token_length} bytes long; 11 headers. Requests are made before the time is taken, what is answered is dropped within it.\n\
         - Of many live tokens, each is read from memory, where its bytes have lain since the last time. A server has just read them from a socket.\n\
         - No network and no runtime: a request that needs neither is polled once.\n\
         - `jsonwebtoken` 11 with its backend `aws_lc_rs`.\n\n\
         ## Repeat it\n\n\
         ```console\n$ scripts/bench-native            # prints this page\n$ scripts/bench-native --write    # and writes it into docs/\n$ scripts/bench-native --quick    # shows that it works\n```\n\n\
         `--rounds N` changes how long it takes, `--only TEXT` lists a few rows.\n"
    )
}

fn row(text: &mut String, cells: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "| {cells} |");
}

fn figure(samples: &[f64]) -> String {
    format!("{:.0}", median(samples))
}

fn micro(samples: &[f64]) -> String {
    format!("{:.2}", median(samples) / 1000.0)
}

fn spread(samples: &[f64]) -> String {
    let ones = vec![1000.0; samples.len()];
    match Ratio::of(samples, &ones, minimum(samples) / 1000.0) {
        Some(Ratio { median, lower, upper, minima }) => {
            format!("{median:.2} | {lower:.2}–{upper:.2} | {minima:.2}")
        }
        None => "– | – | –".to_owned(),
    }
}
