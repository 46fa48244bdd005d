//! One turn after the other of a session: what is said is sent once, however often the connection breaks, and the turn is followed to its end.
//! What must not come in: what it looks like.

use std::time::Duration;

use mosaic_core::{BoxFuture, Clock as _, Error, ErrorKind, Id, IdSource as _, Kind, RandomIds, Result, Retry, SystemClock};
use tokio::time::sleep;

use super::show::Show;
use crate::cli::interrupt::Interrupts;
use crate::cli::output;
use crate::client::{Client, End, Event, Events};

/// How often a stream that broke is taken up again without a message in between, …
const ATTEMPTS: u32 = 30;
/// … and how long it rests before that.
const REST: Duration = Duration::from_secs(1);

/// A conversation in a session.
pub(super) struct Talk {
    client: Client,
    session: Id,
    /// The place of the last message that was shown.
    seen: u64,
    /// Whether the last message was refused at once.
    was_refused: bool,
}

/// Why a turn is not followed any further for now.
enum Stopped {
    /// It has ended.
    Ended(End),
    /// The connection broke.
    Broken(Error),
}

impl Talk {
    pub(super) fn new(client: Client, session: Id, seen: u64) -> Self {
        Self { client, session, seen, was_refused: false }
    }

    pub(super) fn session(&self) -> Id {
        self.session
    }

    /// Whether nothing was ever said in it, for certain.
    pub(super) fn is_unheard(&self) -> bool {
        self.was_refused && self.seen == 0
    }

    /// Removes the session, as far as that goes, without a word: it is empty.
    pub(super) async fn remove(self) {
        let _ = self.client.delete(Kind::Session, self.session, None).await;
    }

    /// Says something, and shows what comes of it.
    pub(super) async fn turn(&mut self, message: &str, show: &mut dyn Show, interrupts: &mut Interrupts) -> Result<End> {
        let id = RandomIds.next(SystemClock.now());
        let events = or_left(self.client.say(self.session, id, message), interrupts).await;
        match events {
            Err(error) if !is_in_doubt(&error) => {
                self.was_refused = error.kind() != ErrorKind::Internal;
                Err(self.explained(error))
            }
            events => self.followed(events, Some((id, message)), show, interrupts).await,
        }
    }

    /// Shows what was said behind what was seen, and the turn that is running.
    pub(super) async fn catch_up(&mut self, show: &mut dyn Show, interrupts: &mut Interrupts) -> Result<End> {
        let events = or_left(self.client.follow(self.session, self.seen), interrupts).await?;
        self.followed(Ok(events), None, show, interrupts).await
    }

    /// Follows events to the end of the turn, over as many connections as it takes. `said` is what was sent: it is sent again as long as it is not
    /// known to have come.
    async fn followed(
        &mut self,
        mut events: Result<Events>,
        said: Option<(Id, &str)>,
        show: &mut dyn Show,
        interrupts: &mut Interrupts,
    ) -> Result<End> {
        let mut attempts = 0;
        let mut has_come = said.is_none();
        loop {
            let before = self.seen;
            let stopped = match events {
                Ok(events) => self.follow(events, show, interrupts, &mut has_come).await?,
                Err(error) if is_in_doubt(&error) || is_away(&error) => Stopped::Broken(error),
                Err(error) => return Err(error),
            };
            let error = match stopped {
                Stopped::Ended(end) => return Ok(end),
                Stopped::Broken(error) => error,
            };
            attempts = if self.seen > before { 1 } else { attempts + 1 };
            if attempts > ATTEMPTS {
                return Err(error.hint(self.way_on()));
            }
            if attempts == 1 {
                show.pause()?;
                output::note("the connection broke; trying to take it up again");
            }
            tokio::select! {
                () = sleep(REST) => {}
                () = interrupts.pressed() => return Err(error.hint(self.way_on())),
            }
            events = match said {
                Some((id, message)) if !has_come => or_left(self.client.say(self.session, id, message), interrupts).await,
                _ => or_left(self.client.follow(self.session, self.seen), interrupts).await,
            };
        }
    }

    /// Shows events as they come. The first Ctrl-C stops the agent, the next one leaves.
    async fn follow(
        &mut self,
        mut events: Events,
        show: &mut dyn Show,
        interrupts: &mut Interrupts,
        has_come: &mut bool,
    ) -> Result<Stopped> {
        let mut stopping: Option<BoxFuture<Result<()>>> = None;
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = interrupts.pressed() => {
                    if stopping.is_some() {
                        return Err(left().hint(self.way_on()));
                    }
                    show.pause()?;
                    let (client, session) = (self.client.clone(), self.session);
                    stopping = Some(Box::pin(async move { client.stop(session).await }));
                    continue;
                }
                outcome = maybe(&mut stopping) => {
                    // The turn goes on, and is shown: the next Ctrl-C may stop it.
                    if let Err(error) = outcome {
                        output::note(&format!("the agent could not be stopped: {error}"));
                        stopping = None;
                    }
                    continue;
                }
            };
            match next {
                Ok(Some((event, data))) => {
                    *has_come = true;
                    if let Event::Message(message) = &event {
                        self.seen = message.seq;
                    }
                    show.event(&event, &data)?;
                    if let Event::End(end) = event {
                        return Ok(Stopped::Ended(end));
                    }
                }
                Ok(None) => {
                    return Ok(Stopped::Broken(Error::new(ErrorKind::Unavailable, "the gateway broke off")));
                }
                Err(error) if is_in_doubt(&error) => return Ok(Stopped::Broken(error)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says what to do about a message that was refused, in commands.
    fn explained(&self, error: Error) -> Error {
        let session = self.session;
        match error.kind() {
            ErrorKind::Conflict if error.message().contains("closed") => error.hint(format!("mosaic session reopen {session}")),
            ErrorKind::Conflict => error.hint(format!("wait for its end, or stop it: mosaic session stop {session}")),
            _ => error,
        }
    }

    fn way_on(&self) -> String {
        format!("go on with: mosaic chat --session {}", self.session)
    }
}

/// What is done, unless the user leaves before.
async fn or_left<T>(work: impl Future<Output = Result<T>>, interrupts: &mut Interrupts) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = interrupts.pressed() => Err(left()),
    }
}

fn left() -> Error {
    Error::new(ErrorKind::Internal, "interrupted")
}

/// What comes of work that may be under way. Once it is well, nothing more comes.
async fn maybe(work: &mut Option<BoxFuture<Result<()>>>) -> Result<()> {
    match work {
        Some(under_way) => {
            let outcome = under_way.await;
            *work = Some(Box::pin(std::future::pending()));
            outcome
        }
        None => std::future::pending().await,
    }
}

fn is_in_doubt(error: &Error) -> bool {
    error.retry_class() == Retry::Unknown
}

/// Whether a gateway is away that may come back.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}
