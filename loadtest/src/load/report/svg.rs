//! Plots as inline SVG: lines over time and bars. Colours are classes, so that the page decides.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for what is written at the axes.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 36.0;
const TICKS: u32 = 4;

/// One line of a plot.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// One bar of a group: where it stands, how it is called, how high it is.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
}

/// Lines over a common axis.
pub(super) fn lines(x_unit: &str, y_unit: &str, series: &[Series<'_>]) -> String {
    let all = || series.iter().flat_map(|one| &one.points);
    let x_max = top(all().map(|(x, _)| *x));
    let y_max = top(all().map(|(_, y)| *y));
    let mut svg = open(y_unit, y_max);
    for tick in 0..=TICKS {
        let value = x_max * f64::from(tick) / f64::from(TICKS);
        label(&mut svg, across(value / x_max), &format!("{} {x_unit}", short(value)));
    }
    for (n, one) in series.iter().enumerate() {
        let points: Vec<String> = one
            .points
            .iter()
            .map(|(x, y)| format!("{:.1},{:.1}", across(x / x_max), up(y / y_max)))
            .collect();
        let _ = write!(svg, "<polyline class=\"line c{n}\" points=\"{}\"/>", points.join(" "));
    }
    svg.push_str("</svg>");
    svg.push_str(&legend(series.iter().map(|one| one.name)));
    svg
}

/// Groups of bars that share their labels; every so many labels are written.
pub(super) fn bars(y_unit: &str, groups: &[(&str, Vec<Bar>)]) -> String {
    let y_max = top(groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.value));
    let mut svg = open(y_unit, y_max);
    let places = groups.iter().map(|(_, bars)| bars.len()).max().unwrap_or(0).max(1);
    let (place, every) = (1.0 / places as f64, places.div_ceil(8));
    let width = place * 0.8 / groups.len().max(1) as f64;
    for (n, (name, bars)) in groups.iter().enumerate() {
        for (at, bar) in bars.iter().enumerate() {
            let left = at as f64 * place + place * 0.1 + n as f64 * width;
            let (x, y) = (across(left), up(bar.value / y_max));
            let (wide, high) = (across(left + width) - x, up(0.0) - y);
            let (what, value) = (escape(&bar.label), short(bar.value));
            let _ = write!(
                svg,
                "<rect class=\"bar c{n}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" \
                 height=\"{high:.1}\"><title>{} {what}: {value}</title></rect>",
                escape(name)
            );
            if n == 0 && at % every == 0 {
                label(&mut svg, across((at as f64 + 0.5) * place), &bar.label);
            }
        }
    }
    svg.push_str("</svg>");
    svg.push_str(&legend(groups.iter().map(|(name, _)| *name)));
    svg
}

fn open(y_unit: &str, y_max: f64) -> String {
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for tick in 0..=TICKS {
        let share = f64::from(tick) / f64::from(TICKS);
        let y = up(share);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{} {}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
            short(share * y_max),
            escape(y_unit)
        );
    }
    svg
}

fn label(svg: &mut String, x: f64, text: &str) {
    let y = HEIGHT - BOTTOM + 18.0;
    let text = escape(text);
    let _ = write!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>");
}

fn legend<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let entry = |(n, name): (usize, &str)| {
        format!("<span class=\"key\"><i class=\"c{n}\"></i>{}</span>", escape(name))
    };
    format!("<p class=\"legend\">{}</p>", names.enumerate().map(entry).collect::<String>())
}

fn across(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn up(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

/// The end of an axis: never 0, or nothing could be drawn.
fn top(values: impl Iterator<Item = f64>) -> f64 {
    let max = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if max > 0.0 { max } else { 1.0 }
}

/// A number as short as its size allows.
pub(super) fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_touches_the_top_and_zero_the_bottom() {
        let svg = lines("s", "ms", &[Series { name: "a", points: vec![(0.0, 0.0), (2.0, 8.0)] }]);
        let bottom = format!("{LEFT:.1},{:.1}", HEIGHT - BOTTOM);
        let corner = format!("{:.1},{TOP:.1}", WIDTH - RIGHT);
        assert!(svg.contains(&format!("points=\"{bottom} {corner}\"")), "{svg}");
    }

    #[test]
    fn nothing_to_draw_is_drawn_without_numbers_that_are_none() {
        for svg in [lines("s", "", &[]), bars("", &[]), bars("", &[("none", Vec::new())])] {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn names_cannot_break_out_of_the_page() {
        let bar = Bar { label: "<b>".to_owned(), value: 1.0 };
        assert!(!bars("", &[("<i>\"", vec![bar])]).contains("<b>"));
    }
}
