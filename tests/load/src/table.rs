//! What is printed.

use serde_json::{Map, Value};

/// One line of the table. Numbers not measured are absent.
#[derive(Clone, Default, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) calls: Option<usize>,
    /// CPU of one core per 100 calls, in percent.
    pub(crate) cpu_pct_per_100: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) loss_pct: Option<f64>,
    /// What everything else on the machine burned meanwhile, in percent of one core.
    pub(crate) others_cpu_pct: Option<f64>,
    /// Further figures: key, value, unit.
    pub(crate) more: Vec<(&'static str, f64, &'static str)>,
}

impl Row {
    pub(crate) fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("what".to_owned(), self.what.clone().into());
        object.insert("calls".to_owned(), self.calls.into());
        for (key, value) in [
            ("cpu_pct_per_100", self.cpu_pct_per_100),
            ("latency_p50_us", self.p50_us),
            ("latency_p99_us", self.p99_us),
            ("loss_pct", self.loss_pct),
            ("others_cpu_pct", self.others_cpu_pct),
        ] {
            object.insert(key.to_owned(), value.map(rounded).into());
        }
        for (key, value, _) in &self.more {
            object.insert((*key).to_owned(), rounded(*value).into());
        }
        Value::Object(object)
    }

    fn cells(&self) -> [String; 8] {
        let number =
            |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        let more: Vec<String> = self
            .more
            .iter()
            .map(|(key, value, unit)| format!("{} {}{unit}", key.replace('_', " "), short(*value)))
            .collect();
        [
            self.what.clone(),
            self.calls.map_or("-".to_owned(), |calls| calls.to_string()),
            number(self.cpu_pct_per_100, 1),
            number(self.p50_us, 0),
            number(self.p99_us, 0),
            number(self.loss_pct, 3),
            number(self.others_cpu_pct, 0),
            more.join(", "),
        ]
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn short(value: f64) -> String {
    if value.abs() >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

const HEAD: [&str; 8] = ["what", "calls", "CPU %/100", "p50 us", "p99 us", "loss %", "others %", "and"];

/// The table for people.
pub(crate) fn render(rows: &[Row]) -> String {
    let cells: Vec<[String; 8]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> = (0..7).map(|i| cells.iter().map(|row| row[i].len()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 8]| {
        let mut text = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row[1..7].iter().zip(&widths[1..]) {
            text += &format!("  {cell:>width$}");
        }
        format!("{text}  {}", row[7]).trim_end().to_owned() + "\n"
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_not_measured_are_dashes_and_nulls() {
        let row = Row { what: "relay".into(), calls: Some(100), cpu_pct_per_100: Some(8.04), ..Row::default() };
        let text = render(std::slice::from_ref(&row));
        assert_eq!(text.lines().nth(1), Some("relay    100        8.0       -       -       -         -"));
        assert!(row.json()["loss_pct"].is_null());
        assert_eq!(row.json()["cpu_pct_per_100"], 8.04);
    }
}
