//! A run as SVG: exchanges per second over time, and latency over percentile.

use std::fmt::Write as _;

use super::report::{Outcome, Report};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
/// Left, top, right and bottom margins of a panel.
const MARGINS: [f64; 4] = [70.0, 40.0, 20.0, 45.0];
const COLOURS: [&str; 2] = ["#1f6feb", "#d1242f"];
/// Throughput is averaged over as many intervals as give about so many points.
const POINTS: usize = 200;

/// The plot of a run: its main stream, and the bound clients' renewals if there were any.
pub(super) fn svg(report: &Report) -> String {
    let mut outcomes = vec![(report.scenario, &report.load.outcome)];
    outcomes.extend(report.bound.as_ref().map(|bound| ("renewals", bound)));
    let courses: Vec<_> = outcomes.iter().map(|(_, outcome)| course(outcome)).collect();
    let curves: Vec<_> = outcomes.iter().map(|(_, outcome)| curve(outcome)).collect();
    let last = courses.iter().flatten().map(|point| point.0).fold(0.0, f64::max);
    let top = courses.iter().flatten().map(|point| point.1).fold(1.0, f64::max);
    let time = Axis::linear(0.0, nice(last.max(0.1)));
    let rate = Axis::linear(0.0, nice(top));
    let values = curves.iter().flatten().map(|point| point.1);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let latency = Axis::decades(low.min(high), high.max(low));
    let mut text = String::new();
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        2.0 * HEIGHT
    );
    let title = format!("{} {}, {}", report.way, report.scenario, report.arrivals);
    let over_time = Panel { top: 0.0, x: time, y: rate, labels: ["seconds", "exchanges a second"] };
    over_time.draw(&mut text, &title, &courses);
    let labels = ["percentile", "latency, ms"];
    let over_share = Panel { top: HEIGHT, x: Axis::percentiles(), y: latency, labels };
    over_share.draw(&mut text, "", &curves);
    for (index, (name, _)) in outcomes.iter().enumerate().filter(|_| outcomes.len() > 1) {
        let (x, colour) = (WIDTH - 120.0, COLOURS[index % COLOURS.len()]);
        let y = 24.0 + 16.0 * index as f64;
        let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{name}</text>");
    }
    text.push_str("</svg>\n");
    text
}

/// Seconds and exchanges per second.
fn course(outcome: &Outcome) -> Vec<(f64, f64)> {
    let bins = &outcome.course.done;
    let group = bins.len().div_ceil(POINTS).max(1);
    let interval = outcome.course.interval_s * group as f64;
    let point = |(index, group_of): (usize, &[u32])| {
        let seconds = outcome.course.interval_s * group_of.len() as f64;
        let done: u32 = group_of.iter().sum();
        ((index as f64 + 0.5) * interval, f64::from(done) / seconds)
    };
    bins.chunks(group).enumerate().map(point).collect()
}

/// Nines of the percentile, and milliseconds.
fn curve(outcome: &Outcome) -> Vec<(f64, f64)> {
    let curve = outcome.latency_ms.curve.iter();
    curve.map(|&(percentile, ms)| (nines(percentile), ms.max(0.001))).collect()
}

/// 0 % is 0, 90 % is 1, 99 % is 2; the maximum stands where 99.999 % would.
fn nines(percentile: f64) -> f64 {
    let rest = (1.0 - percentile / 100.0).max(1e-5);
    -rest.log10()
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|&nice| nice >= value).unwrap_or(value)
}

/// Positions from 0 to 1, and where the labels stand.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    fn linear(low: f64, high: f64) -> Self {
        let tick = |part: u8| {
            let value = low + (high - low) * f64::from(part) / 5.0;
            (value, number(value))
        };
        Self { low, high, logarithmic: false, ticks: (0..=5).map(tick).collect() }
    }

    fn decades(low: f64, high: f64) -> Self {
        let first = low.max(0.001).log10().floor() as i32;
        let last = (high.max(0.001).log10().ceil() as i32).max(first + 1);
        let tick = |power| (10f64.powi(power), number(10f64.powi(power)));
        let (low, high) = (10f64.powi(first), 10f64.powi(last));
        Self { low, high, logarithmic: true, ticks: (first..=last).map(tick).collect() }
    }

    fn percentiles() -> Self {
        let marks = ["0", "50", "90", "99", "99.9", "99.99", "max"];
        let place = |mark: &str| nines(mark.parse().unwrap_or(100.0));
        let ticks = marks.map(|mark| (place(mark), mark.to_owned())).to_vec();
        Self { low: 0.0, high: nines(100.0), logarithmic: false, ticks }
    }

    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.log10() } else { value };
        (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
    }
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.to_owned()
}

struct Panel {
    top: f64,
    x: Axis,
    y: Axis,
    labels: [&'static str; 2],
}

impl Panel {
    fn draw(&self, text: &mut String, title: &str, lines: &[Vec<(f64, f64)>]) {
        let [left, top, right, bottom] = MARGINS;
        let (x0, x1) = (left, WIDTH - right);
        let (y0, y1) = (self.top + HEIGHT - bottom, self.top + top);
        let x = |value| x0 + (x1 - x0) * self.x.place(value);
        let y = |value| y0 + (y1 - y0) * self.y.place(value);
        for (value, label) in &self.x.ticks {
            let (at, below) = (x(*value), y0 + 16.0);
            let _ = writeln!(
                text,
                "<path d=\"M{at:.1} {y0:.1}V{y1:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{label}</text>"
            );
        }
        for (value, label) in &self.y.ticks {
            let (at, before) = (y(*value), x0 - 6.0);
            let _ = writeln!(
                text,
                "<path d=\"M{x0:.1} {at:.1}H{x1:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{before:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                at + 4.0
            );
        }
        for (line, colour) in lines.iter().zip(COLOURS) {
            let points: Vec<String> =
                line.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
            let _ = writeln!(
                text,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                points.join(" ")
            );
        }
        let [across, up] = self.labels;
        let middle = (x0 + x1) / 2.0;
        let _ = writeln!(
            text,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{across}</text>\
             <text x=\"{x0:.1}\" y=\"{:.1}\">{up}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" font-weight=\"bold\" \
             text-anchor=\"middle\">{title}</text>",
            y0 + 34.0,
            y1 - 8.0,
            self.top + 18.0
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(nice(92_800.0), 100_000.0);
        assert_eq!(nice(0.11), 0.2);
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(20_000.0), "20000");
        let decades = Axis::decades(0.04, 12.0);
        assert_eq!((decades.low, decades.high), (0.01, 100.0));
        assert!((decades.place(1.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nines_count_nines() {
        assert!((nines(99.9) - 3.0).abs() < 1e-9);
        assert_eq!(nines(100.0), 5.0);
        assert_eq!(nines(0.0), 0.0);
    }
}
