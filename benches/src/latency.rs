//! How long answers took, and how many came in a second.

use std::time::Duration;

use crate::statistics::{median, quantile};

/// Of one run of a generator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latencies {
    /// Answers in a second.
    pub rate: f64,
    /// The median, in microseconds.
    pub p50: f64,
    /// What 99 of 100 answers took at most, in microseconds.
    pub p99: f64,
}

impl Latencies {
    /// As `wrk --latency` prints them; `None` where it printed something else.
    pub fn of_wrk(printed: &str) -> Option<Self> {
        let after = |label: &str| printed.lines().find_map(|line| line.trim().strip_prefix(label));
        Some(Self {
            rate: after("Requests/sec:")?.trim().parse().ok()?,
            p50: microseconds(after("50%")?.trim())?,
            p99: microseconds(after("99%")?.trim())?,
        })
    }

    /// Of single answers within this time; `None` without any.
    pub fn of(answers: &[Duration], elapsed: Duration) -> Option<Self> {
        let microseconds: Vec<f64> = answers.iter().map(|answer| answer.as_secs_f64() * 1e6).collect();
        Some(Self {
            rate: answers.len() as f64 / elapsed.as_secs_f64(),
            p50: quantile(&microseconds, 0.5)?,
            p99: quantile(&microseconds, 0.99)?,
        })
    }

    /// The medians of several runs.
    pub fn medians(runs: &[Self]) -> Self {
        let of = |read: fn(&Self) -> f64| median(&runs.iter().map(read).collect::<Vec<_>>());
        Self { rate: of(|run| run.rate), p50: of(|run| run.p50), p99: of(|run| run.p99) }
    }
}

/// `812.45us`, `3.45ms`, `1.02s`, `1.20m`.
fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
Running 1s test @ http://127.0.0.1:20000/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   812.45us  102.11us   3.45ms   89.12%
    Req/Sec     9.85k   312.33    10.40k    70.00%
  Latency Distribution
     50%  800.00us
     75%    0.85ms
     90%    0.95ms
     99%    1.23ms
  9873 requests in 1.00s, 2.11MB read
Requests/sec:   9850.11
Transfer/sec:      2.11MB
";

    #[test]
    fn what_wrk_prints_is_read() {
        assert_eq!(Latencies::of_wrk(PRINTED), Some(Latencies { rate: 9850.11, p50: 800.0, p99: 1230.0 }));
    }

    #[test]
    fn what_wrk_does_not_print_is_not_invented() {
        for missing in ["50%", "99%", "Requests/sec"] {
            let without: Vec<&str> = PRINTED.lines().filter(|line| !line.contains(missing)).collect();
            assert_eq!(Latencies::of_wrk(&without.join("\n")), None, "{missing}");
        }
        assert_eq!(Latencies::of_wrk(""), None);
    }

    #[test]
    fn units_are_told_apart() {
        assert_eq!(microseconds("1.50us"), Some(1.5));
        assert_eq!(microseconds("1.50ms"), Some(1_500.0));
        assert_eq!(microseconds("1.50s"), Some(1_500_000.0));
        assert_eq!(microseconds("1.50m"), Some(90_000_000.0));
        for unknown in ["1.50", "1.50h", "us", "", "µs"] {
            assert_eq!(microseconds(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn quantiles_of_single_answers() {
        let answers: Vec<Duration> = (0..=100).map(Duration::from_micros).collect();
        let latencies = Latencies::of(&answers, Duration::from_secs(2)).unwrap();
        assert!((latencies.rate - 50.5).abs() < 1e-6);
        assert!((latencies.p50 - 50.0).abs() < 1e-6);
        assert!((latencies.p99 - 99.0).abs() < 1e-6);
        assert_eq!(Latencies::of(&[], Duration::from_secs(1)), None);
    }

    #[test]
    fn one_slow_run_of_three_changes_nothing() {
        let run = Latencies { rate: 100.0, p50: 10.0, p99: 20.0 };
        let slow = Latencies { rate: 1.0, p50: 1_000.0, p99: 2_000.0 };
        assert_eq!(Latencies::medians(&[run, slow, run]), run);
    }
}
