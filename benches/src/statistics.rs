//! Ratios that say how far they can be trusted.

/// A ratio of two arms over all rounds. The ratio is taken within each round, so that what slows the machine slows both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the rounds' ratios.
    pub median: f64,
    /// Their lower quartile.
    pub lower: f64,
    /// Their upper quartile.
    pub upper: f64,
    /// The ratio of both arms' smallest values: what is left when disturbances, which only ever add, are taken away.
    pub minima: f64,
}

/// How far the median and the ratio of minima may differ.
const MAX_DISAGREEMENT: f64 = 0.15;

/// How far apart the quartiles may be, as a part of the median.
const MAX_SPREAD: f64 = 0.30;

impl Ratio {
    /// `minima` is the ratio of the best values, which a caller knows to take. `None` without rounds, or where a denominator is not above zero.
    pub fn of(numerators: &[f64], denominators: &[f64], minima: f64) -> Option<Self> {
        if denominators.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let ratios: Vec<f64> = numerators.iter().zip(denominators).map(|(a, b)| a / b).collect();
        Some(Self {
            median: quantile(&ratios, 0.5)?,
            lower: quantile(&ratios, 0.25)?,
            upper: quantile(&ratios, 0.75)?,
            minima,
        })
    }

    /// Whether the rounds disagree too much for the median to mean something.
    pub fn is_noisy(&self) -> bool {
        let disagreement = (self.median / self.minima - 1.0).abs();
        let spread = (self.upper - self.lower) / self.median;
        // Written so that what is not a number is noisy.
        !(disagreement <= MAX_DISAGREEMENT && spread <= MAX_SPREAD)
    }
}

/// The median; zero of nothing.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5).unwrap_or_default()
}

/// The smallest value; zero of nothing.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or_default()
}

/// Between two values, linear; `None` of nothing.
pub fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = part * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted.get(below)?, sorted.get((below + 1).min(last))?);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0, 4.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.25), Some(2.0));
        assert_eq!(quantile(&[7.0], 0.75), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_slow_round_slows_both_sides_and_leaves_the_ratio() {
        let ratio = Ratio::of(&[2.0, 20.0, 2.0], &[1.0, 10.0, 1.0], 2.0).unwrap();
        assert_eq!(ratio, Ratio { median: 2.0, lower: 2.0, upper: 2.0, minima: 2.0 });
        assert!(!ratio.is_noisy());
    }

    #[test]
    fn disagreement_is_noisy() {
        let steady = Ratio { median: 1.0, lower: 0.9, upper: 1.1, minima: 0.95 };
        assert!(!steady.is_noisy());
        assert!(Ratio { minima: 0.8, ..steady }.is_noisy(), "median and minima differ");
        assert!(Ratio { upper: 1.25, ..steady }.is_noisy(), "quartiles are far apart");
        assert!(Ratio { median: f64::NAN, ..steady }.is_noisy());
    }

    #[test]
    fn no_ratio_without_a_denominator() {
        assert_eq!(Ratio::of(&[1.0], &[0.0], 1.0), None);
        assert_eq!(Ratio::of(&[1.0], &[-1.0], 1.0), None);
        assert_eq!(Ratio::of(&[], &[], 1.0), None);
    }
}
