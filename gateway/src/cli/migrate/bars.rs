//! A progress bar a kind on standard error, for a move that takes longer than a second. None when standard error is no terminal.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use crate::migration::{Plan, Step, Subject};

/// How long work goes on before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// The bars of a move.
pub(super) struct Bars {
    all: MultiProgress,
    bars: BTreeMap<Subject, ProgressBar>,
    step: Mutex<Option<Step>>,
    _later: AbortOnDropHandle<()>,
}

impl Bars {
    /// One for each kind of which there is anything. To be called in a runtime.
    pub(super) fn new(plan: &Plan) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{prefix:>10} {bar:20} {human_pos} of {human_len} {msg}").ok();
        let bar = |records: u64, subject: Subject| {
            let bar = all.add(ProgressBar::new(records)).with_prefix(subject.to_string());
            if let Some(style) = style.clone() {
                bar.set_style(style);
            }
            bar
        };
        let some = plan.expected.iter().filter(|expected| expected.records > 0);
        let bars = some.map(|expected| (expected.subject, bar(expected.records, expected.subject))).collect();
        let shown = all.clone();
        let later = tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            shown.set_draw_target(ProgressDrawTarget::stderr());
        });
        Self { all, bars, step: Mutex::default(), _later: AbortOnDropHandle::new(later) }
    }

    /// So many of a kind are done, in this step.
    pub(super) fn show(&self, step: Step, subject: Subject, done: u64) {
        let mut now = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != Some(step) {
            *now = Some(step);
            self.bars.values().for_each(|bar| bar.set_message(said(step)));
        }
        if let Some(bar) = self.bars.get(&subject).filter(|_| step != Step::Indexing) {
            bar.set_position(done);
        }
    }

    /// Takes them away.
    pub(super) fn finish(&self) {
        self.bars.values().for_each(ProgressBar::finish_and_clear);
        let _ = self.all.clear();
    }
}

fn said(step: Step) -> &'static str {
    match step {
        Step::Copying => "copied",
        Step::Verifying => "read back",
        Step::Indexing => "moved, making what finds the nearest",
    }
}
