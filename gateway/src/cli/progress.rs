//! A progress bar on standard error, for work that takes longer than a second. None when standard error is no terminal.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

/// How long work goes on before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Waits for something, and says so when it takes long.
pub(super) async fn waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(TURN);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// The progress of some work, which begins with its first bytes. Clones are of the same work.
#[derive(Clone)]
pub(super) struct Progress {
    bar: ProgressBar,
    begun: Arc<OnceLock<Instant>>,
}

impl Progress {
    /// Work on so many bytes, where it is known how many.
    pub(super) fn new(bytes: Option<u64>) -> Self {
        let template = match bytes {
            Some(_) => "{bar:20} {percent:>3}%  {bytes} of {total_bytes}  {eta} left  {msg}",
            None => "{spinner} {bytes}  {elapsed}  {msg}",
        };
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, begun: Arc::default() }
    }

    /// So many bytes more are done. To be called in a runtime.
    pub(super) fn advance(&self, bytes: usize) {
        self.begun.get_or_init(|| {
            // What went before does not count for the time that is left.
            self.bar.reset();
            // Shown when the time has come, even if nothing moves then: that is when somebody looks.
            tokio::spawn(show_later(self.bar.clone()));
            Instant::now()
        });
        self.bar.inc(bytes as u64);
    }

    /// So many records are done.
    pub(super) fn records(&self, count: u64) {
        self.bar.set_message(format!("{} records", HumanCount(count)));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// How long the work has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}

/// The progress of work that has several stages, each of which counts records.
pub(super) struct Stages {
    bar: ProgressBar,
    _later: AbortOnDropHandle<()>,
}

impl Stages {
    /// None is begun. To be called in a runtime.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} records {msg}  {elapsed}") {
            bar.set_style(style);
        }
        let later = AbortOnDropHandle::new(tokio::spawn(show_later(bar.clone())));
        Self { bar, _later: later }
    }

    /// So many records are done in this stage.
    pub(super) fn show(&self, stage: &'static str, done: u64) {
        if self.bar.message() != stage {
            self.bar.set_message(stage);
        }
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

async fn show_later(bar: ProgressBar) {
    tokio::time::sleep(PATIENCE).await;
    if !bar.is_finished() {
        // Nothing is drawn where there is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TURN);
    }
}
