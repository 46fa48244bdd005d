//! That lines arrive whole and in order, and that nobody waits for a reader who sleeps.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use super::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_arrive_whole_and_in_order() {
    let output = Shared::default();
    let writer = Writer::start(output.clone());
    let mut expected = String::new();
    for number in 0..1000 {
        let mut line = writer.make_writer();
        line.write_all(b"line ").unwrap();
        writeln!(line, "{number}").unwrap();
        expected += &format!("line {number}\n");
    }
    writer.flush();
    assert_eq!(String::from_utf8(output.0.lock().unwrap().clone()).unwrap(), expected);
}

/// An output that takes nothing until it is told to.
struct Asleep {
    output: Shared,
    woken: mpsc::Receiver<()>,
}

impl Write for Asleep {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Told once, or the teller is gone: awake from then on.
        let _ = self.woken.recv();
        self.output.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_who_sleeps_holds_nobody_up_and_is_told_what_was_lost() {
    let (output, (wake, woken)) = (Shared::default(), mpsc::channel());
    let writer = Writer::start(Asleep { output: output.clone(), woken });
    let start = Instant::now();
    for _ in 0..3 * WAITING_LINES {
        writeln!(writer.make_writer(), "a line").unwrap();
    }
    assert!(start.elapsed().as_secs() < 5);
    drop(wake);
    while !String::from_utf8_lossy(&output.0.lock().unwrap()).contains("log lines were dropped") {
        assert!(start.elapsed().as_secs() < 20);
        writer.flush();
    }
}
