//! The plot: what one filter adds to a request, as bars. It is readable on light and on dark pages.

use std::fmt::Write as _;

use crate::arm::{JWT_AUTHN_LARGE, JWT_AUTHN_OFF, JWT_AUTHN_TELLING, NO_OP, OURS_REPEATED, VERIFYING};
use crate::rounds::Samples;
use crate::side_by_side::Findings;
use crate::statistics::median;

/// Bars on one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Above them.
    pub title: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Before it.
    pub label: String,
    /// Its length, in microseconds.
    pub value: f64,
    /// Whether it stands out.
    pub ours: bool,
}

/// In pixels.
const WIDTH: f64 = 820.0;
const MARGIN: f64 = 20.0;
/// From the left edge to the bars.
const LABELS: f64 = 280.0;
/// The longest bar.
const LONGEST: f64 = 440.0;
const TITLE: f64 = 34.0;
const GROUP_TITLE: f64 = 36.0;
const BAR: f64 = 18.0;
const STEP: f64 = 26.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}.group{font-weight:600}\
.page{fill:#fff;stroke:#d1d9e0}.ours{fill:#0969da}.other{fill:#8c959f}\
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.page{fill:#0d1117;stroke:#3d444d}.ours{fill:#4493f8}.other{fill:#6e7681}}";

/// The plot of a run.
pub fn svg(findings: &Findings) -> String {
    draw("CPU that one filter adds to a request, µs", &groups(findings))
}

fn groups(findings: &Findings) -> Vec<Group> {
    let arms = [
        (NO_OP, false),
        (JWT_AUTHN_LARGE, false),
        (JWT_AUTHN_TELLING, false),
        (OURS_REPEATED, true),
        (JWT_AUTHN_OFF, false),
    ];
    let again =
        Group { title: "The same token again".to_owned(), bars: bars(&findings.added.samples, &arms) };
    let pairs: Vec<_> = VERIFYING
        .iter()
        .flat_map(|verifying| [(verifying.native.name, false), (verifying.ours.name, true)])
        .collect();
    let verified = Group {
        title: "Every token verified (another scale)".to_owned(),
        bars: bars(&findings.verified.samples, &pairs),
    };
    vec![again, verified]
}

fn bars(samples: &[Samples], arms: &[(&str, bool)]) -> Vec<Bar> {
    let bar = |(arm, ours): &(&str, bool)| {
        let samples = samples.iter().find(|samples| samples.arm == *arm)?;
        Some(Bar { label: (*arm).to_owned(), value: median(&samples.cpu), ours: *ours })
    };
    arms.iter().filter_map(bar).collect()
}

/// Groups without bars are left out.
pub fn draw(title: &str, groups: &[Group]) -> String {
    let groups: Vec<&Group> = groups.iter().filter(|group| !group.bars.is_empty()).collect();
    let bars = groups.iter().map(|group| group.bars.len()).sum::<usize>() as f64;
    let height = 2.0 * MARGIN + TITLE + groups.len() as f64 * GROUP_TITLE + bars * STEP;
    let mut drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
        WIDTH - 1.0,
        height - 1.0,
        title = escaped(title),
    );
    let mut y = MARGIN + BAR;
    text(&mut drawing, "title", (MARGIN, y), title);
    y += TITLE;
    for group in groups {
        text(&mut drawing, "group", (MARGIN, y), &group.title);
        y += GROUP_TITLE - BAR;
        let longest = group.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        for bar in &group.bars {
            one(&mut drawing, bar, longest, y);
            y += STEP;
        }
        y += BAR;
    }
    drawing.push_str("</svg>\n");
    drawing
}

fn one(drawing: &mut String, bar: &Bar, longest: f64, y: f64) {
    // What is lost in noise may be below zero; a bar may not.
    let part = if longest > 0.0 { (bar.value / longest).clamp(0.0, 1.0) } else { 0.0 };
    let (length, class) = ((part * LONGEST).max(1.0), if bar.ours { "ours" } else { "other" });
    text(drawing, "label", (MARGIN, y + BAR - 5.0), &bar.label);
    // Writing into a String does not fail.
    let _ = writeln!(
        drawing,
        "<rect class=\"{class}\" x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    text(drawing, "value", (LABELS + length + 6.0, y + BAR - 5.0), &format!("{:.1}", bar.value));
}

fn text(drawing: &mut String, class: &str, (x, y): (f64, f64), words: &str) {
    let _ = writeln!(drawing, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(values: &[f64]) -> Group {
        let bar = |value: &f64| Bar { label: format!("bar {value}"), value: *value, ours: *value > 2.0 };
        Group { title: "a < b & c".to_owned(), bars: values.iter().map(bar).collect() }
    }

    fn widths(drawing: &str) -> Vec<f64> {
        let bars = drawing.lines().filter(|line| line.contains("class=\"o"));
        bars.map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        assert_eq!(widths(&draw("t", &[group(&[4.0, 2.0, 1.0])])), [440.0, 220.0, 110.0]);
    }

    #[test]
    fn each_group_has_its_scale() {
        assert_eq!(widths(&draw("t", &[group(&[4.0]), group(&[100.0, 50.0])])), [440.0, 440.0, 220.0]);
    }

    #[test]
    fn no_bar_is_shorter_than_a_line() {
        assert_eq!(widths(&draw("t", &[group(&[4.0, -1.0, 0.0])])), [440.0, 1.0, 1.0]);
        assert_eq!(widths(&draw("t", &[group(&[-1.0, f64::NAN])])), [1.0, 1.0]);
    }

    #[test]
    fn words_are_escaped_and_values_written_out() {
        let drawing = draw("x > y", &[group(&[4.0])]);
        assert!(drawing.contains("a &lt; b &amp; c") && drawing.contains("x &gt; y"));
        assert!(drawing.contains(">bar 4</text>") && drawing.contains(">4.0</text>"));
        assert_eq!(drawing.matches('<').count(), drawing.matches('>').count());
    }

    #[test]
    fn it_has_colours_for_dark_pages() {
        assert!(draw("t", &[]).contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn groups_without_bars_are_left_out() {
        assert_eq!(draw("t", &[group(&[])]), draw("t", &[]));
    }
}
