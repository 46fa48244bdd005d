//! Lines of bounded length, in chunks of bounded size. What must not come in: what a line means.

use std::io;
use std::ops::Range;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line, without its end: 16 MiB, which is more than any record takes.
pub const LINE_BYTES: usize = 16 << 20;

/// A chunk is full at this many lines …
const CHUNK_LINES: usize = 1_000;
/// … or when its lines together have this many bytes: 4 MiB.
const CHUNK_BYTES: usize = 4 << 20;

/// Some lines in a row.
pub(super) struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<Option<Range<usize>>>,
    /// The number of the first line, from 1.
    first: u64,
}

impl Chunk {
    /// Each line with its number; `None` for one that is longer than [`LINE_BYTES`].
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
        (self.first..).zip(&self.lines).map(|(number, range)| (number, range.clone().and_then(|range| self.bytes.get(range))))
    }
}

/// Cuts an input into chunks of lines.
pub(super) struct Chunks<R> {
    input: R,
    next: u64,
    /// What broke the input in the middle of a chunk: answered after that chunk.
    broken: Option<io::Error>,
}

impl<R: AsyncBufRead + Unpin> Chunks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, next: 1, broken: None }
    }

    /// The next chunk; `None` at the end. When the input breaks, the whole lines before are answered first, and the piece of a
    /// line in which it broke not at all.
    pub(super) async fn next(&mut self) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut chunk = Chunk { bytes: Vec::new(), lines: Vec::new(), first: self.next };
        while chunk.lines.len() < CHUNK_LINES && chunk.bytes.len() < CHUNK_BYTES {
            let start = chunk.bytes.len();
            match read_line(&mut self.input, &mut chunk.bytes).await {
                Ok(Some(fits)) => chunk.lines.push(fits.then_some(start..chunk.bytes.len())),
                Ok(None) => break,
                Err(error) if chunk.lines.is_empty() => return Err(error),
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            }
        }
        self.next += chunk.lines.len() as u64;
        Ok((!chunk.lines.is_empty()).then_some(chunk))
    }
}

/// Appends the next line to `bytes`, without its end. Answers whether it fits, or `None` at the end of the input; of a line
/// that does not fit nothing is kept, so that it costs no memory.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<Option<bool>> {
    let start = bytes.len();
    let (mut begun, mut fits) = (false, true);
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            return Ok(begun.then_some(fits));
        }
        begun = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let piece = &available[..end.unwrap_or(available.len())];
        if fits && bytes.len() - start + piece.len() <= LINE_BYTES {
            bytes.extend_from_slice(piece);
        } else {
            fits = false;
            bytes.truncate(start);
        }
        let used = piece.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(fits));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn all(input: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        // A small buffer, so that lines are put together from pieces.
        let mut chunks = Chunks::new(BufReader::with_capacity(7, input));
        let mut lines = Vec::new();
        while let Some(chunk) = chunks.next().await.unwrap() {
            lines.extend(chunk.lines().map(|(number, line)| (number, line.map(<[u8]>::to_vec))));
        }
        lines
    }

    #[tokio::test]
    async fn lines_are_numbered_and_the_last_needs_no_end() {
        let lines = all(b"one\n\nthe third one").await;
        assert_eq!(lines, [(1, Some(b"one".to_vec())), (2, Some(vec![])), (3, Some(b"the third one".to_vec()))]);
        assert_eq!(all(b"").await, []);
        assert_eq!(all(b"\n").await, [(1, Some(vec![]))]);
    }

    #[tokio::test]
    async fn numbers_go_on_from_chunk_to_chunk() {
        let lines = all("x\n".repeat(2 * CHUNK_LINES + 1).as_bytes()).await;
        assert_eq!(lines.last().unwrap().0, 2 * CHUNK_LINES as u64 + 1);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_skipped_without_being_kept() {
        let mut input = vec![b'x'; LINE_BYTES];
        input.extend_from_slice(b"\n");
        input.extend(vec![b'y'; LINE_BYTES + 1]);
        input.extend_from_slice(b"\nlast\n");
        let mut chunks = Chunks::new(&input[..]);
        let first = chunks.next().await.unwrap().unwrap();
        assert_eq!(first.lines().map(|(_, line)| line.map(<[u8]>::len)).collect::<Vec<_>>(), [Some(LINE_BYTES)]);
        let second = chunks.next().await.unwrap().unwrap();
        assert_eq!(second.lines().collect::<Vec<_>>(), [(2, None), (3, Some(&b"last"[..]))]);
        assert!(second.bytes.len() < 10);
    }
}
