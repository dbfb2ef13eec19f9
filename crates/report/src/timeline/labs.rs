//! Laboratory values as small multiples on the bands of their CTCAE grades, with the limits that
//! the protocol holds them against.

use super::axis::short;
use super::canvas::{Anchor, FAINT, INK, PAPER, RULE, SMALL, Style, line, n, rect, through, width};
use super::marks::GRADES;
use super::{Figure, LEFT, RIGHT};
use hepatica_regimen::course::Sample;
use hepatica_regimen::ctcae::{Laboratory, Limits, Version};
use hepatica_regimen::measure::{Kind, Measure};

/// Height of a panel.
const HIGH: f64 = 56.0;
/// Points at which the grade of a value is asked for bands.
const STEPS: usize = 400;

/// A laboratory value's panel.
struct Panel {
    measure: &'static Measure,
    samples: Vec<Sample>,
    /// Limits of gates and dose rules.
    limits: Vec<f64>,
    /// From and to, base unit.
    range: [f64; 2],
    /// From, to, grade; base unit.
    bands: Vec<(f64, f64, u8)>,
    /// Whether a limit of normal is missing for the bands.
    unsure: bool,
}

impl Figure<'_, '_> {
    /// Values that the protocol names and the course has. Gives the bottom.
    pub(super) fn laboratory(&mut self, y: f64) -> f64 {
        let mut y = y;
        let mut single = Vec::new();
        for measure in self.measures() {
            let all = self.course.series.get(measure.id.as_str());
            let samples: Vec<Sample> = all
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .filter(|s| s.on <= self.state.today && self.axis.holds(s.on))
                .copied()
                .collect();
            let Some(last) = samples.last() else { continue };
            let limits = self.limits_of(&measure.id);
            // One value of something nobody waits for is no curve.
            if samples.len() == 1 && limits.is_empty() {
                let value = measure.show(last.value);
                single.push(format!("{} {value} ({})", measure.name, short(last.on)));
                continue;
            }
            let panel = self.panel(measure, samples, limits);
            self.separate(y);
            y = self.draw_panel(&panel, y + 5.0);
        }
        if !single.is_empty() {
            self.notes.push(format!("Measured once: {}.", single.join(", ")));
        }
        for conflict in &self.agenda.conflicts {
            self.notes.push(conflict.clone());
        }
        y
    }

    /// Measures with a grade that assessments, gates or dose rules name, in the registry's order.
    fn measures(&self) -> Vec<&'static Measure> {
        let p = self.protocol;
        let names = p.assessment.iter().flat_map(|a| a.measures.iter());
        let gates = p.gate.iter().flat_map(|g| g.criterion.iter().map(|c| &c.measure));
        let rules = p.modification.iter().filter_map(|m| m.measure.as_ref());
        let mut ids: Vec<&str> = names.chain(gates).chain(rules).map(String::as_str).collect();
        // A gate may hold the multiple of a limit of normal: the value itself is what is drawn.
        let plain: Vec<&str> = ids.iter().filter_map(|id| id.strip_suffix("_uln")).collect();
        ids.extend(plain);
        Measure::all()
            .iter()
            .filter(|m| m.kind == Kind::Number && ids.contains(&m.id.as_str()))
            .filter(|m| Laboratory::of_measure(&m.id).is_some())
            .collect()
    }

    /// Limits of a value at gates after the start and in rules of doses.
    fn limits_of(&self, measure: &str) -> Vec<f64> {
        let p = self.protocol;
        let gates = p.gate.iter().filter(|g| g.guards.iter().any(|w| w != "start"));
        let criteria = gates.flat_map(|g| &g.criterion).filter(|c| c.measure == measure);
        let rules = p.modification.iter().filter(|m| m.measure.as_deref() == Some(measure));
        let mut limits: Vec<f64> =
            criteria.filter_map(|c| c.limit).chain(rules.filter_map(|m| m.limit)).collect();
        limits.sort_by(f64::total_cmp);
        limits.dedup();
        limits
    }

    fn panel(&self, measure: &'static Measure, samples: Vec<Sample>, limits: Vec<f64>) -> Panel {
        let values = || samples.iter().map(|s| s.value).chain(limits.iter().copied());
        let most = values().fold(0.0, f64::max);
        let least = values().fold(f64::INFINITY, f64::min);
        // From nought, unless that would press everything against the top.
        let low = if least > 0.45 * most { 0.8 * least } else { 0.0 };
        let high = low + 1.12 * (most - low).max(1e-6);
        let id = measure.id.as_str();
        let male =
            self.course.samples_until("sex", self.state.today).last().map(|s| s.value == 0.0);
        let usual = measure.usual_limits(male);
        let start = self.state.cycles.first().map_or(self.course.c1d1, |c| c.start);
        let baseline = self.course.samples_until(id, start).last().map(|s| s.value);
        let of = Limits {
            lln: self.course.lln.get(id).copied().or(usual.lln),
            uln: self.course.uln.get(id).copied().or(usual.uln),
            baseline,
            anticoagulated: false,
        };
        let (bands, unsure) = bands(measure, self.protocol.ctcae, &of, [low, high]);
        Panel { measure, samples, limits, range: [low, high], bands, unsure }
    }

    fn draw_panel(&mut self, p: &Panel, y: f64) -> f64 {
        let [low, high] = p.range;
        let base = y + HIGH;
        let up = |v: f64| base - HIGH * ((v - low) / (high - low)).clamp(0.0, 1.0);
        for (from, to, grade) in p.bands.iter().filter(|b| b.2 > 0) {
            let fill = GRADES[usize::from(*grade).min(GRADES.len()) - 1];
            let band = [LEFT, up(*to), RIGHT, up(*from)];
            self.canvas.back.push_str(&rect(band, &format!(r#"fill="{fill}""#)));
            if band[3] - band[1] > 8.5 {
                let style = Style { size: 9.0, ..FAINT };
                let at = [RIGHT + 4.0, (band[1] + band[3]) / 2.0 + 3.0];
                self.canvas.label(&format!("G{grade}"), at, Anchor::Start, style);
            }
        }
        let frame = format!(r#"fill="none" stroke="{RULE}" stroke-width="0.8""#);
        self.canvas.back.push_str(&rect([LEFT, y, RIGHT, base], &frame));
        // Limits on the scale at the left, pushed apart where they are close; then the highest and
        // the lowest value and nought where there is room.
        let mut taken: Vec<f64> = Vec::new();
        let look = format!(r#"stroke="{INK}" stroke-width="1.1" stroke-dasharray="5 2.5""#);
        for limit in &p.limits {
            let at = up(*limit);
            self.canvas.guides.push_str(&line([LEFT, at], [RIGHT, at], &look));
            let at = taken.last().map_or(at + 3.4, |t| (at + 3.4).min(t - 9.8));
            taken.push(at);
            let style = Style { bold: true, ..SMALL };
            self.canvas.label(&plain(*limit), [LEFT - 6.0, at], Anchor::End, style);
        }
        let most = p.samples.iter().map(|s| s.value).fold(f64::NEG_INFINITY, f64::max);
        let least = p.samples.iter().map(|s| s.value).fold(f64::INFINITY, f64::min);
        for v in [most, least, low].into_iter().filter(|v| *v != low || low == 0.0) {
            let at = up(v) + 3.4;
            if taken.iter().all(|t| (t - at).abs() > 9.8) {
                taken.push(at);
                self.canvas.label(&plain(v), [LEFT - 6.0, at], Anchor::End, FAINT);
            }
        }
        let points: Vec<[f64; 2]> =
            p.samples.iter().map(|s| [self.axis.middle(s.on), up(s.value)]).collect();
        let curve =
            format!(r#"fill="none" stroke="{INK}" stroke-width="1.3" stroke-linejoin="round""#);
        self.canvas.path(&through(&points), &curve);
        let r = if points.len() > 60 { 1.9 } else { 2.6 };
        for (s, at) in p.samples.iter().zip(&points) {
            if self.course.conflict(&p.measure.id, s.on).is_some() {
                let look = format!(r#"fill="{PAPER}" stroke="{INK}" stroke-width="1.4""#);
                self.canvas.circle(*at, 3.6, &look);
            } else {
                self.canvas.circle(*at, r, &format!(r#"fill="{INK}""#));
            }
        }
        if let Some((s, [x, at])) = p.samples.last().zip(points.last()) {
            // Beside the last value; above or below it where a limit would run through it or the
            // page ends.
            let text = plain(s.value);
            let style = Style { bold: true, ..SMALL };
            let wide = width(&text, style);
            let beside = x + 6.0 + wide <= RIGHT - 2.0;
            let left = (x + 6.0).min(RIGHT - wide - 2.0);
            let clear = |down: &f64| {
                let middle = down - 3.5;
                let inside = y + 8.0 <= *down && *down <= base - 1.0;
                inside && p.limits.iter().all(|l| (up(*l) - middle).abs() > 5.0)
            };
            let places = [*at + 3.5, *at - 5.0, *at + 12.0, *at - 9.0, *at + 16.0];
            let places = &places[usize::from(!beside)..];
            let down = places.iter().copied().find(clear).unwrap_or(places[0]);
            self.canvas.label(&text, [left, down.clamp(y + 8.0, base - 2.0)], Anchor::Start, style);
        }
        let unsure = if p.unsure { ", grades need limits" } else { "" };
        // The scale stands at the right end of the gutter: the name keeps clear of it.
        let unit = format!("{}{unsure}", units(&p.measure.unit));
        self.lane(y + HIGH / 2.0 - 2.0, &p.measure.name, &unit);
        base + 6.0
    }
}

/// Bands of equal grade over a range, found by asking for the grade of many values and halving
/// where it changes: whatever the rule of the term is, these are its bands. The second answer says
/// whether a limit of normal was missing.
fn bands(
    measure: &Measure,
    ctcae: u8,
    limits: &Limits,
    [low, high]: [f64; 2],
) -> (Vec<(f64, f64, u8)>, bool) {
    let (Ok(version), Some(term)) = (Version::try_from(ctcae), Laboratory::of_measure(&measure.id))
    else {
        return (Vec::new(), false);
    };
    let graded = |v: f64| term.grade(version, v, limits).ok();
    let grade = |v: f64| graded(v).map_or(0, |g| g.bounds().0);
    let value = |k: usize| low + (high - low) * k as f64 / STEPS as f64;
    let mut bands: Vec<(f64, f64, u8)> = Vec::new();
    let (mut from, mut now) = (low, grade(low));
    for k in 1..=STEPS {
        let next = grade(value(k));
        if next == now {
            continue;
        }
        let (mut a, mut b) = (value(k - 1), value(k));
        for _ in 0..40 {
            let middle = (a + b) / 2.0;
            if grade(middle) == now { a = middle } else { b = middle }
        }
        bands.push((from, b, now));
        (from, now) = (b, next);
    }
    bands.push((from, high, now));
    let unsure = (0..=STEPS).any(|k| graded(value(k)).is_some_and(|g| g.grade().is_none()));
    (bands, unsure)
}

/// A value as it is read: at most three digits after the point, none that say nothing.
fn plain(v: f64) -> String {
    if v.abs() >= 100.0 {
        format!("{v:.0}")
    } else if v.abs() >= 10.0 {
        n((v * 10.0).round() / 10.0)
    } else {
        n(v)
    }
}

/// Units with raised powers, as they are printed.
fn units(unit: &str) -> String {
    unit.replace("10^9", "10⁹")
}

/// The bands of a measure, for the tests of the figure.
#[cfg(test)]
pub fn band_edges(
    measure: &str,
    ctcae: u8,
    limits: &Limits,
    range: [f64; 2],
) -> Vec<(f64, f64, u8)> {
    bands(Measure::find(measure).expect("known"), ctcae, limits, range).0
}
