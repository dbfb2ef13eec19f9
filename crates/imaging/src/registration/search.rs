//! The maximum of a function of six numbers without its derivatives (Powell 1964): along one direction
//! after the other, and the direction that gained most gives way to the way gone in all.

/// Six parameters, all in millimetres.
pub type Six = [f64; 6];

/// Most rounds over all directions.
const ROUNDS: usize = 12;

fn along(from: &Six, direction: &Six, by: f64) -> Six {
    std::array::from_fn(|n| from[n] + by * direction[n])
}

/// The best step along a direction, and the value there; `now` is the value at no step. Steps begin
/// with `step` and are found to `fine`.
fn line(
    value: &dyn Fn(&Six) -> f64,
    from: &Six,
    direction: &Six,
    now: f64,
    step: f64,
    fine: f64,
) -> (f64, f64) {
    let at = |by: f64| value(&along(from, direction, by));
    // Three places, the middle one the highest.
    let (mut low, mut middle, mut high) = ((-step, at(-step)), (0.0, now), (step, at(step)));
    for _ in 0..5 {
        if high.1 > middle.1 && high.1 >= low.1 {
            let next = middle.0 + 2.0 * (high.0 - middle.0);
            (low, middle, high) = (middle, high, (next, at(next)));
        } else if low.1 > middle.1 {
            let next = middle.0 - 2.0 * (middle.0 - low.0);
            (low, middle, high) = ((next, at(next)), low, middle);
        } else {
            break;
        }
    }
    for _ in 0..8 {
        if high.0 - low.0 <= 2.0 * fine {
            break;
        }
        // The vertex of the parabola through the three, kept away from all of them.
        let (a, b) = (middle.0 - low.0, high.0 - middle.0);
        let (p, q) = (middle.1 - low.1, middle.1 - high.1);
        let below = 2.0 * (a * q + b * p);
        let vertex =
            if below > 0.0 { middle.0 + (b * b * p - a * a * q) / below } else { middle.0 };
        let least = (0.1 * (high.0 - low.0)).min(0.5 * fine).max(1e-6);
        let mut by = vertex.clamp(low.0 + least, high.0 - least);
        if (by - middle.0).abs() < least {
            by = if b > a { middle.0 + 0.4 * b } else { middle.0 - 0.4 * a };
        }
        let there = (by, at(by));
        (low, middle, high) = match (there.1 > middle.1, by > middle.0) {
            (true, true) => (middle, there, high),
            (true, false) => (low, there, middle),
            (false, true) => (low, middle, there),
            (false, false) => (there, middle, high),
        };
    }
    (middle.0, middle.1)
}

/// The parameters of the highest value near `start`, and that value. Steps begin with `step`; the
/// search ends when a round moves by less than `fine`.
pub fn highest(value: &dyn Fn(&Six) -> f64, start: Six, step: f64, fine: f64) -> (Six, f64) {
    let mut directions: [Six; 6] =
        std::array::from_fn(|n| std::array::from_fn(|m| if n == m { 1.0 } else { 0.0 }));
    let mut place = start;
    let mut now = value(&place);
    let mut step = step;
    for _ in 0..ROUNDS {
        let (before, value_before) = (place, now);
        let mut most = (0, 0.0);
        for (n, direction) in directions.iter().enumerate() {
            let (by, there) = line(value, &place, direction, now, step, fine);
            if there - now > most.1 {
                most = (n, there - now);
            }
            place = along(&place, direction, by);
            now = there;
        }
        let gone: Six = std::array::from_fn(|n| place[n] - before[n]);
        let length = gone.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length < fine {
            break;
        }
        let unit = gone.map(|x| x / length);
        let beyond = value(&along(&place, &unit, length));
        // Powell's test: the new direction must not be a mere sum of what is there.
        let curved =
            2.0 * (value_before - 2.0 * now + beyond) * (now - value_before - most.1).powi(2)
                > -most.1 * (beyond - value_before).powi(2);
        if beyond > value_before && !curved {
            let (by, there) = line(value, &place, &unit, now, length.max(fine), fine);
            place = along(&place, &unit, by);
            now = there;
            directions[most.0] = directions[5];
            directions[5] = unit;
        }
        step = (0.5 * step).max(2.0 * fine);
    }
    (place, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_long_ridge_is_found() {
        // Correlated in pairs, one axis ten times as steep as another.
        let top: Six = [12.0, -7.0, 3.0, 20.0, -15.0, 4.0];
        let hill = |p: &Six| {
            let d: Six = std::array::from_fn(|n| p[n] - top[n]);
            -(d[0] * d[0] + d[1] * d[1] + 1.6 * d[0] * d[1])
                - 0.1 * d[2] * d[2]
                - (d[3] * d[3] + d[4] * d[4] - 1.5 * d[3] * d[4])
                - 10.0 * d[5] * d[5]
        };
        let (found, value) = highest(&hill, [0.0; 6], 4.0, 0.02);
        for (a, b) in found.iter().zip(top) {
            assert!((a - b).abs() < 0.1, "{found:?}");
        }
        assert!(value > -0.05, "{value}");
    }

    #[test]
    fn a_plain_is_left_alone() {
        let (found, _) = highest(&|_| 1.0, [3.0; 6], 4.0, 0.05);
        for x in found {
            assert!((x - 3.0).abs() < 8.0);
        }
    }
}
