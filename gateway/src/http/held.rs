//! An answer on its way to a client. It keeps its request's place among those under way until it has been handed on, so that
//! clients who ask for much and read nothing take places, of which there is a bounded number, and not memory, of which there is less.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// How much is handed on at a time, in bytes: the server takes what comes at once, however large, and more only when
/// the client has read.
const PIECE: usize = 64 << 10;

/// Has a body keep `place` until all of it is handed on, or the client is gone. One that is handed on at once need not.
pub(super) fn held(body: Body, place: OwnedSemaphorePermit) -> Body {
    if body.size_hint().upper().is_some_and(|bytes| bytes <= PIECE as u64) { body } else { Body::new(Held::new(body, place)) }
}

/// An answer's body, and the place of its request.
struct Held {
    body: Body,
    /// What the body gave and was not handed on yet.
    rest: Bytes,
    _place: OwnedSemaphorePermit,
}

impl Held {
    fn new(body: Body, place: OwnedSemaphorePermit) -> Self {
        Self { body, rest: Bytes::new(), _place: place }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_small_answer_keeps_no_place() {
        let room = Arc::new(Semaphore::new(1));
        let body = held(Body::from(vec![0; PIECE]), Arc::clone(&room).try_acquire_owned().unwrap());
        assert_eq!(room.available_permits(), 1);
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), PIECE);
    }

    #[tokio::test]
    async fn a_place_is_kept_until_the_last_piece_is_handed_on() {
        let room = Arc::new(Semaphore::new(1));
        let content: Vec<u8> = (0..PIECE * 2 + 7).map(|n| (n % 251) as u8).collect();
        let mut held = Held::new(Body::from(content.clone()), Arc::clone(&room).try_acquire_owned().unwrap());
        let mut handed_on = Vec::new();
        for length in [PIECE, PIECE, 7] {
            assert_eq!(held.size_hint().exact(), Some((content.len() - handed_on.len()) as u64));
            assert!(!held.is_end_stream());
            let piece = held.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece.len(), length);
            handed_on.extend_from_slice(&piece);
            assert_eq!(room.available_permits(), 0);
        }
        assert_eq!(handed_on, content);
        assert!(held.is_end_stream() && held.frame().await.is_none());
        drop(held);
        assert_eq!(room.available_permits(), 1);
    }
}
