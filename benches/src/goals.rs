//! What was asked for, beside what was measured.

use crate::arm::{JWT_AUTHN_DEFAULT_LIVE, JWT_AUTHN_LARGE, NO_OP, OURS_LIVE, OURS_REPEATED, VERIFYING};
use crate::gate;
use crate::side_by_side::{Findings, Measurement, ratio};

/// A figure and its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is bounded.
    pub what: String,
    /// The bound.
    pub most: f64,
    /// `None` where it was not measured, or is lost in the noise.
    pub measured: Option<f64>,
    /// The rounds disagree.
    pub noisy: bool,
    /// After the point.
    pub digits: usize,
    /// What stands in the way; empty where nothing is known to.
    pub obstacle: &'static str,
}

impl Goal {
    /// `None` where there is no figure.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.most)
    }

    /// `met`, `not met` and what stands in the way; `–` where there is no figure.
    pub fn verdict(&self) -> String {
        let verdict = match self.is_met() {
            None => return "–".to_owned(),
            Some(true) => "met",
            Some(false) => "not met",
        };
        let noisy = if self.noisy { ", noisy" } else { "" };
        match (self.is_met(), self.obstacle) {
            (Some(false), obstacle) if !obstacle.is_empty() => format!("{verdict}{noisy}: {obstacle}"),
            _ => format!("{verdict}{noisy}"),
        }
    }
}

const DIGEST: &str = "a keyed digest of the whole token is the greater part; to digest less would be to trust what was not looked at";
const HOST_CALLS: &str = "a no-op filter alone takes nearly what is allowed, and four identity headers are four host calls; above is the comparison with a `jwt_authn` that tells \
     as much";
const OPAQUE: &str = "of a token that is no JWT: it may be one that a provider knows, so that it is digested and read to its end";
const CODE: &str = "every proxy compiles the whole module: this one has five kinds of signatures";

/// The module's bytes.
const MOST_BYTES: f64 = 550_000.0;

/// Of added CPU, ours to Envoy's own, in the order of [`VERIFYING`].
const MOST_VERIFYING: [f64; 4] = [8.0, 8.0, 8.0, 1.6];

/// All that this benchmark and the exact gate have figures for.
pub fn goals(findings: &Findings) -> Vec<Goal> {
    let mut goals = exact(&findings.gate);
    goals.extend([
        compared("recognised token: CPU added", &findings.added, OURS_REPEATED, JWT_AUTHN_LARGE, 1.5),
        compared(
            "recognised token: CPU of a whole request",
            &findings.requests,
            OURS_REPEATED,
            JWT_AUTHN_LARGE,
            1.1,
        ),
        compared(
            "2,000 live tokens: CPU of a whole request",
            &findings.requests,
            OURS_LIVE,
            JWT_AUTHN_DEFAULT_LIVE,
            0.55,
        ),
    ]);
    goals.extend(VERIFYING.iter().zip(MOST_VERIFYING).map(|(verifying, most)| {
        let what = format!("{} verified: CPU added", verifying.algorithm);
        compared(&what, &findings.verified, verifying.ours.name, verifying.native.name, most)
    }));
    goals.push(plain("size of the .wasm, bytes", MOST_BYTES, Some(findings.module.size as f64), 0));
    let starts = |arm| findings.startup.iter().find(|startup| startup.arm == arm);
    let (ours, noop) = (starts(OURS_REPEATED), starts(NO_OP));
    let wall = ours.zip(noop).map(|(ours, noop)| ours.wall / noop.wall);
    let noop = findings.noop.size;
    goals.push(plain(&format!("start-up over no filter, to the {NO_OP} of {noop} bytes"), 4.5, wall, 1));
    let cached = findings.memory.iter().find(|filled| filled.arm == "this filter");
    goals.push(plain(
        "a recognised token in the cache, bytes",
        300.0,
        cached.map(|filled| filled.per_token()),
        0,
    ));
    goals.push(plain(
        "a second worker, idle, over no filter, MB",
        1.0,
        ours.map(|ours| ours.second_worker),
        1,
    ));
    goals.into_iter().map(explained).collect()
}

fn explained(goal: Goal) -> Goal {
    let obstacle = match goal.what.as_str() {
        "recognised token: WebAssembly instructions" => DIGEST,
        "refused by form or length: WebAssembly instructions" => OPAQUE,
        what if what.starts_with("recognised token: CPU") || what.starts_with("2,000 live tokens: CPU") => {
            HOST_CALLS
        }
        what if what.starts_with("start-up") => CODE,
        _ => "",
    };
    Goal { obstacle, ..goal }
}

/// Of the gate's committed counts, which CI compares with the built filter.
fn exact(baseline: &str) -> Vec<Goal> {
    let recognised = gate::scenario(baseline, "recognised token");
    let by_form =
        ["missing token", "malformed Authorization", "malformed token, no JWT", "token over 16 KiB"];
    let by_form: Option<Vec<f64>> = by_form
        .iter()
        .map(|scenario| gate::scenario(baseline, scenario).map(|counts| counts.instructions))
        .collect();
    let by_form = by_form.and_then(|instructions| instructions.into_iter().reduce(f64::max));
    vec![
        plain(
            "recognised token: WebAssembly instructions",
            10_000.0,
            recognised.map(|counts| counts.instructions),
            0,
        ),
        plain("recognised token: host calls", 7.0, recognised.map(|counts| counts.calls), 0),
        plain(
            "recognised token: host calls that return data",
            1.0,
            recognised.map(|counts| counts.data_calls),
            0,
        ),
        plain("refused by form or length: WebAssembly instructions", 20_000.0, by_form, 0),
    ]
}

fn plain(what: &str, most: f64, measured: Option<f64>, digits: usize) -> Goal {
    Goal { what: what.to_owned(), most, measured, noisy: false, digits, obstacle: "" }
}

fn compared(what: &str, measurement: &Measurement, arm: &'static str, to: &'static str, most: f64) -> Goal {
    let ratio = ratio(&measurement.samples, arm, to);
    Goal {
        what: format!("{what}, to `{to}`"),
        most,
        measured: ratio.map(|ratio| ratio.median),
        noisy: ratio.is_some_and(|ratio| ratio.is_noisy()),
        digits: 2,
        obstacle: "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_up_to_its_bound() {
        let goal = plain("x", 1.5, Some(1.5), 2);
        assert_eq!((goal.is_met(), goal.verdict().as_str()), (Some(true), "met"));
        let goal = plain("x", 1.5, Some(1.51), 2);
        assert_eq!((goal.is_met(), goal.verdict().as_str()), (Some(false), "not met"));
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let goal = plain("x", 1.5, None, 2);
        assert_eq!((goal.is_met(), goal.verdict().as_str()), (None, "–"));
        assert_eq!(compared("x", &Measurement::default(), "a", "b", 1.0).measured, None);
        assert!(exact("").iter().all(|goal| goal.is_met().is_none()));
    }

    #[test]
    fn what_is_not_a_number_is_not_met() {
        assert_eq!(plain("x", 1.5, Some(f64::NAN), 2).is_met(), Some(false));
    }

    #[test]
    fn what_stands_in_the_way_is_said_of_what_is_not_met() {
        let goal =
            |measured| explained(plain("recognised token: WebAssembly instructions", 2.0, Some(measured), 0));
        assert_eq!(goal(3.0).verdict(), format!("not met: {DIGEST}"));
        assert_eq!(goal(1.0).verdict(), "met");
    }

    #[test]
    fn noise_is_said() {
        let goal = Goal { noisy: true, ..plain("x", 1.5, Some(1.0), 2) };
        assert_eq!(goal.verdict(), "met, noisy");
    }
}
