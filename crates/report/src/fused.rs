//! Dose on CT as pixels: grey CT, dose in colour, isodoses, outlines.

use crate::ReportError;
use hepatica_imaging::isoline::isolines;
use hepatica_planning::views::FusedView;
use std::fmt::Write as _;
use typst::foundations::Bytes;

/// Window of the CT: what is black and what is white, in HU.
const WINDOW_HU: [f64; 2] = [-140.0, 260.0];
/// Picture pixels for each pixel of the view.
pub const ZOOM: usize = 2;
/// Dose below this part of the top is not coloured.
const FAINT: f64 = 0.04;
/// How much of the CT the colour hides at most.
const COVER: f64 = 0.62;
/// Percentile of the dose that is the top of the scale: single hot voxels do not dim the rest.
const TOP: f64 = 0.997;

/// From dark violet over red to pale yellow: readable in grey, and by the colour-blind.
const COLOURS: [[u8; 3]; 7] = [
    [30, 12, 69],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 251, 160],
];

/// The dose at the top of the scale, a round number of Gy.
#[must_use]
pub fn top_dose(views: &[FusedView]) -> f64 {
    let mut doses: Vec<f32> =
        views.iter().flat_map(|v| v.dose_gy.iter().copied()).filter(|d| *d > 0.0).collect();
    if doses.is_empty() {
        return 1.0;
    }
    let n = ((doses.len() - 1) as f64 * TOP) as usize;
    let (_, top, _) = doses.select_nth_unstable_by(n, f32::total_cmp);
    let top = f64::from(*top);
    let step = if top > 200.0 {
        50.0
    } else if top > 50.0 {
        20.0
    } else {
        5.0
    };
    (top / step).ceil().max(1.0) * step
}

/// Isodoses that are drawn, in Gy.
#[must_use]
pub fn levels(top: f64) -> Vec<f64> {
    let all = [5.0, 10.0, 20.0, 40.0, 70.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0];
    let fitting: Vec<f64> = all.into_iter().filter(|l| *l < top && *l > 0.09 * top).collect();
    let skip = fitting.len().saturating_sub(4);
    fitting[skip..].to_vec()
}

/// Colours of the scale from bottom to top, as `#rrggbb`.
#[must_use]
pub fn colour_stops() -> Vec<String> {
    COLOURS.iter().map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}")).collect()
}

fn colour(part: f64) -> [f64; 3] {
    let x = part.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let n = (x as usize).min(COLOURS.len() - 2);
    let f = x - n as f64;
    std::array::from_fn(|c| f64::from(COLOURS[n][c]) * (1.0 - f) + f64::from(COLOURS[n + 1][c]) * f)
}

/// What is drawn of a view: pixels, and lines over them.
#[derive(Debug)]
pub struct Drawing<'a> {
    view: &'a FusedView,
    top: f64,
    strokes: Vec<Stroke>,
}

/// Closed lines of one pen, in pixel coordinates of the view.
#[derive(Debug)]
struct Stroke {
    lines: Vec<Vec<[f32; 2]>>,
    tint: [f64; 3],
    /// In pixels of the view.
    width: f64,
    opacity: f64,
}

impl<'a> Drawing<'a> {
    /// A view, with `top` the dose at the top of the scale in Gy.
    #[must_use]
    pub fn new(view: &'a FusedView, top: f64) -> Self {
        let isodoses = levels(top).into_iter().map(|level| Stroke {
            lines: isolines(&view.dose_gy, view.columns, view.rows, level as f32),
            tint: colour(level / top).map(|c| 0.35 * c + 0.65 * 255.0),
            width: 0.5,
            opacity: 0.75,
        });
        let outlines = view.outlines.iter().map(|outline| {
            let (tint, width) = match outline.role.as_str() {
                "tumour" => ([90.0, 255.0, 230.0], 1.1),
                "cold" => ([200.0, 200.0, 200.0], 0.7),
                "territory" => ([120.0, 170.0, 255.0], 0.6),
                _ => ([255.0, 255.0, 255.0], 0.7),
            };
            Stroke { lines: outline.lines.clone(), tint, width, opacity: 0.9 }
        });
        let strokes = isodoses.chain(outlines).collect();
        Self { view, top, strokes }
    }

    /// CT, dose and lines as PNG, [`ZOOM`] pixels for each of the view along each side.
    ///
    /// # Errors
    /// When the picture cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut canvas = self.pixels(ZOOM);
        for stroke in &self.strokes {
            for line in &stroke.lines {
                canvas.line(line, stroke);
            }
        }
        encode(canvas.width, canvas.height, &canvas.pixels)
    }

    /// CT and dose without the lines as PNG, a pixel for each of the view.
    ///
    /// # Errors
    /// When the picture cannot be encoded.
    pub fn picture(&self) -> Result<Vec<u8>, String> {
        let canvas = self.pixels(1);
        encode(canvas.width, canvas.height, &canvas.pixels)
    }

    /// The lines as SVG, to lie over [`Drawing::picture`]: sharp at any size.
    #[must_use]
    pub fn lines(&self) -> String {
        let FusedView { columns, rows, .. } = self.view;
        let mut svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" fill="none" stroke-linejoin="round">"#,
            columns * PER_PIXEL,
            rows * PER_PIXEL
        );
        for stroke in self.strokes.iter().filter(|s| !s.lines.is_empty()) {
            let [r, g, b] = stroke.tint.map(|c| (c + 0.5) as u8);
            // Writing to a string cannot fail.
            let _ = write!(
                svg,
                r##"<path stroke="#{r:02x}{g:02x}{b:02x}" stroke-opacity="{}" stroke-width="{}" d=""##,
                stroke.opacity,
                stroke.width * PER_PIXEL as f64,
            );
            for line in &stroke.lines {
                for (n, p) in straightened(line).into_iter().enumerate() {
                    let [x, y] = p.map(|x| ((x + 0.5) * PER_PIXEL as f32).round() as i32);
                    let _ = write!(svg, "{}{x} {y}", if n == 0 { 'M' } else { 'L' });
                }
                svg.push('Z');
            }
            svg.push_str(r#""/>"#);
        }
        svg.push_str("</svg>");
        svg
    }

    fn pixels(&self, zoom: usize) -> Canvas {
        let view = self.view;
        let mut canvas = Canvas::new(view.columns * zoom, view.rows * zoom);
        let hu = widened(&view.hu, view.columns, zoom);
        let dose = widened(&view.dose_gy, view.columns, zoom);
        let [low, high] = WINDOW_HU;
        for y in 0..canvas.height {
            let row = Between::of(y, view.rows, zoom);
            for x in 0..canvas.width {
                let down = |rows: &[f64]| row.of_two(|n| rows[n * canvas.width + x]);
                let grey = 255.0 * ((down(&hu) - low) / (high - low)).clamp(0.0, 1.0);
                let part = down(&dose) / self.top;
                let cover = COVER * ((part - FAINT) / 0.15).clamp(0.0, 1.0);
                let pixel = if cover > 0.0 {
                    colour(part).map(|c| grey * (1.0 - cover) + c * cover)
                } else {
                    [grey; 3]
                };
                canvas.set(x, y, pixel);
            }
        }
        canvas
    }
}

/// Steps of coordinates in a pixel of the view.
const PER_PIXEL: usize = 100;
/// So far, in pixels, a line may pass by the points it was drawn through.
const BESIDE: f32 = 0.03;
/// So many points of it at most are passed by at a time.
const MOST_PASSED: usize = 16;

/// A closed line without the points that lie between others.
fn straightened(line: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let Some(first) = line.first() else { return Vec::new() };
    let mut kept = vec![*first];
    let mut from = 0;
    while from + 1 < line.len() {
        let last = (from + 1 + MOST_PASSED).min(line.len() - 1);
        let passes =
            |to: usize| line[from + 1..to].iter().all(|p| beside(*p, line[from], line[to]));
        let to = (from + 2..=last).take_while(|to| passes(*to)).last().unwrap_or(from + 1);
        kept.push(line[to]);
        from = to;
    }
    kept
}

/// Whether a point lies on the way from one to another.
fn beside(p: [f32; 2], from: [f32; 2], to: [f32; 2]) -> bool {
    let ([px, py], [dx, dy]) =
        ([p[0] - from[0], p[1] - from[1]], [to[0] - from[0], to[1] - from[1]]);
    let (length, along) = (dx * dx + dy * dy, px * dx + py * dy);
    let off = px * dy - py * dx;
    (0.0..=length).contains(&along) && off * off <= BESIDE * BESIDE * length
}

/// Two pixels of a view and how far a pixel of the picture is from the first to the second.
struct Between {
    low: usize,
    high: usize,
    part: f64,
}

impl Between {
    fn of(n: usize, count: usize, zoom: usize) -> Self {
        let at = ((n as f64 + 0.5) / zoom as f64 - 0.5).clamp(0.0, (count - 1) as f64);
        let low = (at as usize).min(count.saturating_sub(2));
        Self { low, high: (low + 1).min(count - 1), part: at - low as f64 }
    }

    fn of_two(&self, value: impl Fn(usize) -> f64) -> f64 {
        value(self.low) * (1.0 - self.part) + value(self.high) * self.part
    }
}

/// The rows of a view with as many pixels as the picture's: half of a bilinear interpolation, the
/// half that is the same for all rows of the picture between two of the view.
fn widened<T: Copy + Into<f64>>(values: &[T], columns: usize, zoom: usize) -> Vec<f64> {
    let between: Vec<_> = (0..columns * zoom).map(|x| Between::of(x, columns, zoom)).collect();
    let wide = |row: &[T]| between.iter().map(|b| b.of_two(|n| row[n].into())).collect::<Vec<_>>();
    values.chunks(columns.max(1)).flat_map(wide).collect()
}

/// What templates show of a view, by the names of files: `NAME.png` for figures; for print, where a
/// picture is of any size, `NAME.ground.png` with `NAME.lines.svg` over it.
///
/// # Errors
/// When a picture cannot be encoded.
pub(crate) fn files(
    view: &FusedView,
    top: f64,
    name: &str,
) -> Result<[(String, Bytes); 3], ReportError> {
    let drawing = Drawing::new(view, top);
    let failed = |why| ReportError::Picture { name: view.title.clone(), why };
    Ok([
        (format!("{name}.png"), Bytes::new(drawing.png().map_err(failed)?)),
        (format!("{name}.ground.png"), Bytes::new(drawing.picture().map_err(failed)?)),
        (format!("{name}.lines.svg"), Bytes::from_string(drawing.lines())),
    ])
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * 3] }
    }

    fn set(&mut self, x: usize, y: usize, rgb: [f64; 3]) {
        let at = 3 * (y * self.width + x);
        for (pixel, value) in self.pixels[at..at + 3].iter_mut().zip(rgb) {
            // From float to integer saturates: nothing wraps.
            *pixel = (value + 0.5) as u8;
        }
    }

    /// A closed line in pixel coordinates of the view, antialiased by distance.
    fn line(&mut self, points: &[[f32; 2]], stroke: &Stroke) {
        let Stroke { tint: rgb, opacity, .. } = stroke;
        let width = stroke.width * ZOOM as f64;
        let to = |p: &[f32; 2]| p.map(|x| (f64::from(x) + 0.5) * ZOOM as f64 - 0.5);
        // Each pixel is covered once by a line, by its nearest segment.
        let mut covers: Vec<([usize; 2], f64)> = Vec::new();
        let next = points.iter().cycle().skip(1);
        for (a, b) in points.iter().zip(next) {
            let ([ax, ay], [bx, by]) = (to(a), to(b));
            let reach = width / 2.0 + 1.0;
            let range = |low: f64, high: f64, size: usize| {
                let from = (low - reach).floor().max(0.0) as usize;
                from..((high + reach).ceil().max(0.0) as usize + 1).min(size)
            };
            for y in range(ay.min(by), ay.max(by), self.height) {
                for x in range(ax.min(bx), ax.max(bx), self.width) {
                    let (px, py) = (x as f64 - ax, y as f64 - ay);
                    let (dx, dy) = (bx - ax, by - ay);
                    let along = dx * dx + dy * dy;
                    let t = if along > 0.0 {
                        ((px * dx + py * dy) / along).clamp(0.0, 1.0)
                    } else {
                        0.0
                    };
                    let (ex, ey) = (px - t * dx, py - t * dy);
                    let distance = (ex * ex + ey * ey).sqrt();
                    let cover = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                    if cover > 0.0 {
                        covers.push(([y, x], cover));
                    }
                }
            }
        }
        covers.sort_unstable_by(|(a, c), (b, d)| a.cmp(b).then(d.total_cmp(c)));
        covers.dedup_by_key(|(place, _)| *place);
        for ([y, x], cover) in covers {
            let at = 3 * (y * self.width + x);
            let a = cover * *opacity;
            let old: [f64; 3] = std::array::from_fn(|c| f64::from(self.pixels[at + c]));
            self.set(x, y, std::array::from_fn(|c| old[c] * (1.0 - a) + rgb[c] * a));
        }
    }
}

/// Pixels (red, green, blue) as PNG. Quick rather than small: a plan has many pictures.
///
/// # Errors
/// When the picture cannot be encoded.
pub fn encode(width: usize, height: usize, rgb: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(|e| e.to_string())?;
    writer.write_image_data(rgb).map_err(|e| e.to_string())?;
    writer.finish().map_err(|e| e.to_string())?;
    Ok(bytes)
}
