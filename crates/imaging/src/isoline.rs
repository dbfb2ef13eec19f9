//! Lines of equal value in a plane: outlines of masks, contours to write, isodoses.

use std::collections::BTreeMap;

/// Closed lines along which `values` (row by row, `columns` a row) cross `level`, in pixel
/// coordinates (column, row) with the centre of the first pixel at (0, 0), by linear interpolation
/// between pixel centres (marching squares). What is outside the plane counts as below the level,
/// so every line is closed; the first point is not repeated. Higher values lie to the left of the
/// direction of travel when rows are counted downwards, so holes run the other way round.
///
/// # Panics
/// When `values` is not `columns` times `rows` long.
#[must_use]
pub fn isolines(values: &[f32], columns: usize, rows: usize, level: f32) -> Vec<Vec<[f32; 2]>> {
    assert_eq!(values.len(), columns * rows, "one value a pixel");
    let at = |c: i64, r: i64| {
        let inside = c >= 0 && r >= 0 && (c as usize) < columns && (r as usize) < rows;
        if inside { values[r as usize * columns + c as usize] } else { f32::NEG_INFINITY }
    };
    // An edge between two pixel centres, by its left (upper) end and whether it runs down.
    type Edge = (i64, i64, bool);
    let mut next: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    // Whether each pixel of a row is above, with the outside on both sides; most squares are wholly
    // above or below, and nothing more is asked of them.
    let row_above = |r: i64, row: &mut [bool]| {
        let inside = (0..rows as i64).contains(&r);
        for (c, above) in row.iter_mut().enumerate().skip(1).take(columns) {
            *above = inside && values[r as usize * columns + c - 1] >= level;
        }
    };
    let (mut upper, mut lower) = (vec![false; columns + 2], vec![false; columns + 2]);
    for r in -1..rows as i64 {
        std::mem::swap(&mut upper, &mut lower);
        row_above(r + 1, &mut lower);
        for c in -1..columns as i64 {
            let n = (c + 1) as usize;
            let above = [upper[n], upper[n + 1], lower[n + 1], lower[n]];
            if above.iter().all(|a| *a == above[0]) {
                continue;
            }
            let corner = [at(c, r), at(c + 1, r), at(c + 1, r + 1), at(c, r + 1)];
            let edges: [Edge; 4] =
                [(c, r, false), (c + 1, r, true), (c, r + 1, false), (c, r, true)];
            // Going round the square, lines enter it where the value falls and leave where it rises.
            let enter = (0..4).filter(|n| above[*n] && !above[(n + 1) % 4]);
            let leave: Vec<_> = (0..4).filter(|n| !above[*n] && above[(n + 1) % 4]).collect();
            let middle_above = corner.iter().sum::<f32>() / 4.0 >= level;
            for n in enter {
                let to = if leave.len() == 1 {
                    leave[0]
                } else if middle_above {
                    // A saddle whose middle is high: the two low corners are cut off.
                    (n + 1) % 4
                } else {
                    (n + 3) % 4
                };
                next.entry(edges[n]).or_default().push(edges[to]);
            }
        }
    }
    let point = |(c, r, down): Edge| {
        let (a, b) = (at(c, r), if down { at(c, r + 1) } else { at(c + 1, r) });
        let t = if a.is_infinite() {
            1.0
        } else if b.is_infinite() {
            0.0
        } else {
            ((level - a) / (b - a)).clamp(0.0, 1.0)
        };
        let (c, r) = (c as f32, r as f32);
        if down { [c, r + t] } else { [c + t, r] }
    };
    let mut lines = Vec::new();
    while let Some((start, _)) = next.first_key_value().map(|(k, v)| (*k, v.clone())) {
        let mut line = Vec::new();
        let mut edge = start;
        while let Some(mut ways) = next.remove(&edge) {
            line.push(point(edge));
            let Some(way) = ways.pop() else { break };
            if !ways.is_empty() {
                next.insert(edge, ways);
            }
            edge = way;
        }
        line.dedup();
        if line.len() > 1 && line.first() == line.last() {
            line.pop();
        }
        if line.len() >= 3 {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(line: &[[f32; 2]]) -> f32 {
        let pairs = line.iter().zip(line.iter().cycle().skip(1));
        pairs.map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f32>() / 2.0
    }

    fn field(n: usize, f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        (0..n * n).map(|p| f((p % n) as f32, (p / n) as f32)).collect()
    }

    #[test]
    fn a_disc_has_one_line_of_its_area() {
        let values = field(41, |x, y| 15.0 - (x - 20.0).hypot(y - 20.0));
        let lines = isolines(&values, 41, 41, 5.0);
        assert_eq!(lines.len(), 1);
        let expected = std::f32::consts::PI * 100.0;
        assert!((area(&lines[0]).abs() / expected - 1.0).abs() < 5e-3);
    }

    #[test]
    fn a_ring_has_a_hole_that_runs_the_other_way() {
        let values = field(41, |x, y| 5.0 - ((x - 20.0).hypot(y - 20.0) - 12.0).abs());
        let areas: Vec<_> = isolines(&values, 41, 41, 1.0).iter().map(|l| area(l)).collect();
        assert_eq!(areas.len(), 2);
        assert!(areas[0] * areas[1] < 0.0);
        let expected = std::f32::consts::PI * (16.0_f32.powi(2) - 8.0_f32.powi(2));
        assert!((areas.iter().sum::<f32>().abs() / expected - 1.0).abs() < 1e-2);
    }

    #[test]
    fn what_touches_the_border_is_closed() {
        let lines = isolines(&[1.0; 12], 4, 3, 0.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(area(&lines[0]).abs(), 6.0);
    }

    #[test]
    fn a_saddle_gives_closed_lines_either_way() {
        for middle in [0.4, 0.6] {
            let values = [
                0.0, 0.0, 0.0, 0.0, 0.0, 1.0, middle, 0.0, 0.0, middle, 1.0, 0.0, 0.0, 0.0, 0.0,
                0.0,
            ];
            let total: usize = isolines(&values, 4, 4, 0.55).iter().map(Vec::len).sum();
            assert_eq!(total % 2, 0);
            assert!(total >= 8);
        }
    }
}
