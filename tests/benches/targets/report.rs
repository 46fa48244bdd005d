//! The figures: as a table, as a file for programs, and as a plot. What must not come in: how they are measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::plot;

/// What a figure is held against: its ratio to what is beside it, or itself where nothing is.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// One figure.
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    beside: Option<(&'static str, f64)>,
    target: Option<Target>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { name: name.into(), unit, value, beside: None, target: None }
    }

    /// The same of somebody else, in the same run.
    pub(crate) fn beside(self, what: &'static str, value: f64) -> Self {
        Self { beside: Some((what, value)), ..self }
    }

    pub(crate) fn target(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn ratio(&self) -> Option<f64> {
        self.beside.map(|(_, value)| self.value / value)
    }

    /// How many times as good it is as its target: 1 and more meets it.
    pub(crate) fn of_target(&self) -> Option<f64> {
        let held = self.ratio().unwrap_or(self.value);
        self.target.map(|target| match target {
            Target::AtLeast(bound) => held / bound,
            // None of what may be none.
            Target::AtMost(_) if held == 0.0 => 1.0,
            Target::AtMost(bound) => bound / held,
        })
    }

    fn target_text(&self) -> String {
        // Of a ratio, the unit is none.
        let unit = if self.beside.is_some() { "×" } else { self.unit };
        match self.target {
            None => String::new(),
            Some(Target::AtLeast(bound)) => format!("≥ {bound} {unit}").trim_end().to_owned(),
            Some(Target::AtMost(bound)) => format!("≤ {bound} {unit}").trim_end().to_owned(),
        }
    }

    fn is_met(&self) -> Option<bool> {
        self.of_target().map(|times| times >= 1.0)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "unit": self.unit,
            "figure": self.value,
            "beside": self.beside.map(|(what, value)| json!({ "what": what, "figure": value })),
            "ratio": self.ratio(),
            "target": self.target.map(|_| self.target_text()),
            "met": self.is_met(),
        })
    }
}

/// All of a run.
#[derive(Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    pub(crate) fn add(&mut self, figure: Figure) {
        println!("{}: {} {}", figure.name, short(figure.value), figure.unit);
        self.0.push(figure);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = "| what | figure | beside | ratio | target | |\n|---|---|---|---|---|---|\n".to_owned();
        for figure in &self.0 {
            let beside = figure.beside.map(|(what, value)| format!("{what}: {}", short(value))).unwrap_or_default();
            let ratio = figure.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let met = figure.is_met().map_or("", |met| if met { "met" } else { "**missed**" });
            let value = format!("{} {}", short(figure.value), figure.unit);
            text += &format!("| {} | {} | {beside} | {ratio} | {} | {met} |\n", figure.name, value.trim_end(), figure.target_text());
        }
        text
    }

    /// Writes the file and the plot.
    pub(crate) fn write(&self) {
        let dir = directory();
        std::fs::create_dir_all(&dir).unwrap();
        let file = json!({ "schema": "mosaic.benchmark/1", "revision": revision(), "machine": machine(),
            "figures": self.0.iter().map(Figure::json).collect::<Vec<_>>() });
        std::fs::write(dir.join("targets.json"), serde_json::to_string_pretty(&file).unwrap()).unwrap();
        std::fs::write(dir.join("targets.svg"), plot::svg(&self.0)).unwrap();
        println!("{} and targets.svg are written", dir.join("targets.json").display());
    }
}

/// In cargo's target directory.
fn directory() -> PathBuf {
    let program = Path::new(super::BINARY);
    let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).unwrap_or(Path::new("."));
    target.join("benchmarks")
}

fn revision() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine() -> Value {
    let line = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':']).to_owned()))
    };
    let processors = std::thread::available_parallelism().map(usize::from).ok();
    let load = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').nth(1).map(str::to_owned));
    json!({ "processor": line("/proc/cpuinfo", "model name"), "processors": processors, "memory": line("/proc/meminfo", "MemTotal"),
        "load_of_5_minutes": load })
}

/// With three digits that count.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}
