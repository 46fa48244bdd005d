//! Where log lines wait to be written: a thread of their own writes them, many at a time, so that a slow terminal or a
//! pipe that nobody reads never holds up a request. When too many wait, further ones are dropped, and counted.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait.
const WAITING_LINES: usize = 16_384;

/// How many bytes are written at once, about.
const WRITE_BYTES: usize = 64 << 10;

/// How long the end of the process waits for the last lines to be taken.
const FLUSH_TIME: Duration = Duration::from_secs(1);
const FLUSH_PAUSE: Duration = Duration::from_millis(5);

enum Entry {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// The way to the thread that writes.
#[derive(Clone)]
pub struct Writer {
    lines: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread, which ends with the last clone of the answer.
    pub fn start(output: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        std::thread::spawn(move || write_all(&waiting, output, &lost));
        Self { lines, dropped }
    }

    /// Waits until what was logged so far is written, but not for a reader who has gone to sleep.
    pub fn flush(&self) {
        let deadline = Instant::now() + FLUSH_TIME;
        let (done, written) = sync_channel(1);
        let mut flush = Entry::Flush(done);
        // There is no room for it while lines come faster than they are written.
        while let Err(TrySendError::Full(unsent)) = self.lines.try_send(flush) {
            if Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(FLUSH_PAUSE);
            flush = unsent;
        }
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

fn write_all(waiting: &Receiver<Entry>, mut output: impl Write, dropped: &AtomicU64) {
    let mut batch = Vec::with_capacity(WRITE_BYTES);
    while let Ok(first) = waiting.recv() {
        let mut flushed = None;
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flush(done) => flushed = Some(done),
            }
            next = if batch.len() < WRITE_BYTES && flushed.is_none() { waiting.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.extend_from_slice(format!("{lost} log lines were dropped: they came faster than they can be written\n").as_bytes());
        }
        // Whoever closed the stream does not want the log; there is nowhere else to say so.
        let _ = output.write_all(&batch).and_then(|()| output.flush());
        batch.clear();
        if let Some(done) = flushed {
            let _ = done.send(());
        }
    }
}

/// One event on its way.
pub struct Line<'w> {
    writer: &'w Writer,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.writer.lines.try_send(Entry::Line(std::mem::take(&mut self.text))).is_err() {
            self.writer.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'w> MakeWriter<'w> for Writer {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Line<'w> {
        Line { writer: self, text: Vec::with_capacity(160) }
    }
}

#[cfg(test)]
mod tests;
