//! What a gateway tells of a session as it happens: server-sent events (HTML, 9.2). What must not come in: what is done about a stream that breaks.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mosaic_core::{Error, ErrorKind, Finish, Message, Record, Result, Retry};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::Value;
use sse_stream::SseByteStream;
use tokio::time::timeout;

use super::problem::failed;

/// A gateway that has nothing to tell says so every 15 s. One that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(45);

/// What happened in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A message that is stored. One of the agent's takes the place of the draft.
    Message(Box<Message>),
    /// The text so far of the message that is being written, in place of what was told of it.
    Draft(String),
    /// A piece of text that goes to the end of the draft.
    Piece(String),
    /// Nothing follows.
    End(End),
}

/// How a turn ended.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct End {
    /// How its last message ended; `None` where that is not known.
    pub finish: Option<Finish>,
    /// Why.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

/// A stream of events.
pub struct Events {
    url: Url,
    events: SseByteStream<BoxStream<'static, Result<Bytes>>>,
}

impl Events {
    pub(super) fn of(answer: Response) -> Self {
        let url = answer.url().clone();
        let pieces = stream::unfold((answer, url.clone()), |(mut answer, url)| async move {
            let piece = match timeout(SILENCE, answer.chunk()).await {
                Ok(Ok(None)) => return None,
                Ok(Ok(Some(piece))) => Ok(piece),
                Ok(Err(error)) => Err(failed(&url, error)),
                Err(_) => Err(broken(&url, "the gateway went silent")),
            };
            Some((piece, (answer, url)))
        });
        Self { url, events: SseByteStream::new(pieces.boxed()) }
    }

    /// The next event, with its name and its data as they came; `None` when the stream ended.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] with [`Retry::Unknown`] for a stream that broke, [`ErrorKind::Internal`] for what is no such event.
    pub async fn next(&mut self) -> Result<Option<(Event, Value)>> {
        while let Some(event) = self.events.next().await {
            let event = event.map_err(|error| self.broke(error))?;
            let Some(data) = event.data else { continue };
            let data: Value = serde_json::from_str(&data).map_err(|error| self.not_understood(&error))?;
            let event = match event.event.as_deref().unwrap_or("message") {
                "message" => match serde_json::from_value::<Record>(data.clone()) {
                    Ok(Record::Message(message)) => Event::Message(Box::new(message)),
                    Ok(_) => continue,
                    Err(error) => return Err(self.not_understood(&error)),
                },
                "draft" => Event::Draft(self.read::<Text>(&data)?.text),
                "piece" => Event::Piece(self.read::<Text>(&data)?.text),
                "end" => Event::End(self.read(&data)?),
                // A later version may tell more.
                _ => continue,
            };
            return Ok(Some((event, data)));
        }
        Ok(None)
    }

    /// What went wrong with the stream, if that is what it was.
    fn broke(&self, error: sse_stream::Error) -> Error {
        let what = match error {
            sse_stream::Error::Body(error) => error.downcast().ok(),
            _ => None,
        };
        what.map_or_else(|| broken(&self.url, "what the gateway sends is no stream of events"), |error| *error)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, data: &Value) -> Result<T> {
        serde_json::from_value(data.clone()).map_err(|error| self.not_understood(&error))
    }

    fn not_understood(&self, reason: &serde_json::Error) -> Error {
        Error::new(ErrorKind::Internal, "the gateway's events are not understood: it may be of another version")
            .with("url", &self.url)
            .with("reason", reason)
            .hint("compare `mosaic --version` on both sides")
    }
}

fn broken(url: &Url, why: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, why).with("url", url).retry(Retry::Unknown)
}
