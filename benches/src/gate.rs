//! The counts of the exact gate, from its baseline.

/// Of one scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// WebAssembly instructions.
    pub instructions: f64,
    /// Host calls.
    pub calls: f64,
    /// Those among them that return data.
    pub data_calls: f64,
}

/// Reads a scenario's line; `None` where there is none, or one of another shape.
pub fn scenario(baseline: &str, name: &str) -> Option<Counts> {
    let mut cells = baseline
        .lines()
        .map(|line| line.split(" | "))
        .find_map(|mut cells| (cells.next() == Some(name)).then_some(cells))?;
    let instructions = cells.next()?.strip_suffix(" instructions")?.parse().ok()?;
    let calls = cells.find_map(|cell| cell.strip_prefix("calls: "))?;
    let mut counts = Counts { instructions, calls: 0.0, data_calls: 0.0 };
    for call in calls.split(", ") {
        let mut words = call.split(' ').skip(1);
        counts.calls += words.next()?.parse::<f64>().ok()?;
        if let Some(data) = words.next() {
            counts.data_calls += data.strip_prefix('(')?.parse::<f64>().ok()?;
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: &str = "\
# A comment.
idle tick | 2543 instructions | entries: on_tick 2543 | calls: clock_time_get 1 | allocations: 1, 25 bytes
recognised token | 62902 instructions | entries: on_log 133 | calls: clock_time_get 1, get_header_map_pairs 1 (1 with data), replace_header_map_value 4 | allocations: 1, 1756 bytes
recognised, scope rules | instructions | calls: x 1 | allocations: 0
";

    #[test]
    fn a_line_is_read() {
        let counts = Counts { instructions: 62_902.0, calls: 6.0, data_calls: 1.0 };
        assert_eq!(scenario(BASELINE, "recognised token"), Some(counts));
        assert_eq!(scenario(BASELINE, "idle tick").map(|counts| counts.data_calls), Some(0.0));
    }

    #[test]
    fn what_is_not_there_is_not_invented() {
        for name in ["recognised", "recognised, scope rules", "# A comment.", ""] {
            assert_eq!(scenario(BASELINE, name), None, "{name}");
        }
        assert_eq!(scenario("a | 1 instructions | calls: x y", "a"), None);
        assert_eq!(scenario("a | 1 instructions | entries: x 1", "a"), None);
    }

    #[test]
    fn the_committed_baseline_has_what_goals_are_about() {
        let baseline = include_str!("../gate/baseline.txt");
        for name in [
            "recognised token",
            "missing token",
            "malformed Authorization",
            "malformed token, no JWT",
            "token over 16 KiB",
        ] {
            assert!(scenario(baseline, name).is_some(), "{name}");
        }
    }
}
