//! A function known at a few places.

/// Straight lines between points; outside them, as at the nearest one, so that nothing is made of a shift
/// that was not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Curve(Vec<(f64, f64)>);

impl Curve {
    /// Through points in rising order; nothing everywhere without points.
    pub(crate) fn through(mut points: Vec<(f64, f64)>) -> Self {
        points.dedup_by(|a, b| a.0 == b.0);
        Self(points)
    }

    pub(crate) fn at(&self, x: f64) -> f64 {
        let points = &self.0;
        let after = points.partition_point(|p| p.0 < x);
        match (after.checked_sub(1).map(|n| points[n]), points.get(after)) {
            (Some((x0, y0)), Some(&(x1, y1))) => y0 + (x - x0) / (x1 - x0) * (y1 - y0),
            (Some((_, y)), None) | (None, Some(&(_, y))) => y,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_and_level_outside() {
        let curve = Curve::through(vec![(-1.0, 2.0), (0.0, 0.0), (2.0, 1.0)]);
        for (x, y) in [(-3.0, 2.0), (-1.0, 2.0), (-0.5, 1.0), (0.0, 0.0), (1.0, 0.5), (9.0, 1.0)] {
            assert!((curve.at(x) - y).abs() < 1e-12, "{x}");
        }
        assert_eq!(Curve::default().at(1.0), 0.0);
    }
}
