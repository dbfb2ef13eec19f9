//! What each Gy of normal liver buys: the best activities for less and less of it.

use crate::canvas::{self, INK, RULE, SOFT, escaped, n};
use hepatica_planning::plan::{Optimisation, Plan, TradeOff};
use std::fmt::Write;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 210.0;
/// Around a panel: left, top, right, bottom.
const ROOM: [f64; 4] = [44.0, 24.0, 10.0, 36.0];
const LINE: &str = "#0072b2";
const BEST: &str = "#d55e00";

/// The figure; `None` where no best was asked for.
#[must_use]
pub fn svg(plan: &Plan) -> Option<String> {
    let best = plan.optimisation.as_ref().filter(|o| o.trade_off.len() > 1)?;
    let probability = best.trade_off.iter().all(|t| t.all_respond.is_some());
    let panels = if probability { 2.0 } else { 1.0 };
    let wide = WIDTH / panels;
    let mut s = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Libertinus Serif" font-size="10" fill="{INK}">"#
    );
    let title = format!("Least-dosed lesion ({}), Gy", best.least_dosed);
    panel(&mut s, 0.0, wide, best, &title, &|t| t.least_dosed_gy, None);
    if probability {
        let percent = |t: &TradeOff| 100.0 * t.all_respond.unwrap_or(0.0);
        panel(&mut s, wide, wide, best, "All lesions respond, %", &percent, Some(100.0));
    }
    Some(s + "</svg>")
}

fn panel(
    s: &mut String,
    x0: f64,
    wide: f64,
    best: &Optimisation,
    title: &str,
    of: &dyn Fn(&TradeOff) -> f64,
    most: Option<f64>,
) {
    let [left, above, right, below] = ROOM;
    let points: Vec<[f64; 2]> =
        best.trade_off.iter().map(|t| [t.whole_normal_liver_gy, of(t)]).collect();
    let highest = |axis: usize| points.iter().map(|p| p[axis]).fold(0.0, f64::max);
    let (step_x, step_y) = (canvas::step(highest(0) / 6.0), canvas::step(highest(1) / 6.0));
    let top_x = (highest(0) / step_x).ceil() * step_x;
    let top_y = ((highest(1) / step_y).ceil() * step_y).min(most.unwrap_or(f64::INFINITY));
    let x = |v: f64| x0 + left + (wide - left - right) * v / top_x.max(1e-9);
    let y = |v: f64| above + (HEIGHT - above - below) * (1.0 - v / top_y.max(1e-9));
    // Writing to a string cannot fail.
    let _ = write!(
        s,
        r#"<text x="{}" y="12" font-weight="600" font-size="11">{}</text>"#,
        n(x0 + left),
        escaped(title)
    );
    let mut at = 0.0;
    while at <= top_y + 1e-6 {
        let _ = write!(
            s,
            r#"<line x1="{}" x2="{}" y1="{2}" y2="{2}" stroke="{RULE}" stroke-width="0.6"/><text x="{3}" y="{4}" text-anchor="end" fill="{SOFT}">{5}</text>"#,
            n(x(0.0)),
            n(x(top_x)),
            n(y(at)),
            n(x(0.0) - 5.0),
            n(y(at) + 3.5),
            n(at)
        );
        at += step_y;
    }
    let mut at = 0.0;
    while at <= top_x + 1e-6 {
        let _ = write!(
            s,
            r#"<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="{RULE}" stroke-width="0.6"/><text x="{0}" y="{3}" text-anchor="middle" fill="{SOFT}">{4}</text>"#,
            n(x(at)),
            n(y(top_y)),
            n(y(0.0)),
            n(y(0.0) + 13.0),
            n(at)
        );
        at += step_x;
    }
    let _ = write!(
        s,
        r#"<text x="{}" y="{}" text-anchor="middle">Whole normal liver, all sessions (Gy)</text>"#,
        n(0.5 * (x(0.0) + x(top_x))),
        n(HEIGHT - 6.0)
    );
    let line: Vec<String> =
        points.iter().map(|p| format!("{},{}", n(x(p[0])), n(y(p[1])))).collect();
    let _ = write!(
        s,
        r#"<polyline points="{}" fill="none" stroke="{LINE}" stroke-width="1.8"/>"#,
        line.join(" ")
    );
    if let Some(last) = points.last() {
        let _ = write!(
            s,
            r#"<circle cx="{}" cy="{}" r="3.4" fill="{BEST}"/>"#,
            n(x(last[0])),
            n(y(last[1]))
        );
    }
}
