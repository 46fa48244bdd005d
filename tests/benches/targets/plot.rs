//! A plot of how figures stand to their targets: a bar each, on a scale of powers, and a line where the target is. What must not come in: a
//! library for charts.

use std::fmt::Write as _;

use super::report::Figure;

const NAMES: f64 = 420.0;
const BARS: f64 = 420.0;
const ROW: f64 = 22.0;
/// The scale, in powers of two about the target.
const RANGE: f64 = 4.0;

/// An SVG image, which shows each figure that has a target as so many times as good as it.
pub(crate) fn svg(figures: &[Figure]) -> String {
    let shown: Vec<_> = figures.iter().filter_map(|figure| Some((figure.name(), figure.of_target()?))).collect();
    let (width, height) = (NAMES + BARS + 70.0, ROW * (shown.len() as f64 + 2.0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (row, (name, times)) in shown.iter().enumerate() {
        let y = ROW * (row as f64 + 1.0);
        let (left, right) = (place(1.0).min(place(*times)), place(1.0).max(place(*times)));
        let colour = if *times >= 1.0 { "#2a7f62" } else { "#c0392b" };
        _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", NAMES - 8.0, y + 12.0, escaped(name));
        _ = writeln!(svg, "<rect x=\"{left:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"16\" fill=\"{colour}\"/>", (right - left).max(1.0));
        _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{times:.2}</text>", NAMES + BARS + 8.0, y + 12.0);
    }
    for power in [0.25_f64, 0.5, 1.0, 2.0, 4.0, 8.0] {
        let (x, ink) = (place(power), if power == 1.0 { "#000" } else { "#ccc" });
        _ = writeln!(svg, "<line x1=\"{x}\" x2=\"{x}\" y1=\"{}\" y2=\"{}\" stroke=\"{ink}\"/>", ROW * 0.8, height - ROW);
        _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{power}×</text>", height - 6.0);
    }
    svg + "</svg>\n"
}

/// Where so many times as good as the target is.
fn place(times: f64) -> f64 {
    NAMES + BARS * (times.log2().clamp(-RANGE, RANGE) / RANGE + 1.0) / 2.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
