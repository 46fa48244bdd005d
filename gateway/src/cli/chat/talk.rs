//! One turn after the other of a session: what is said is sent once, however often the connection breaks, and the turn is followed to its end.
//! What must not come in: what it looks like.

use std::time::Duration;

use mosaic_core::{Clock as _, Error, ErrorKind, Id, IdSource as _, RandomIds, Result, Retry, SystemClock};
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
        Self { client, session, seen }
    }

    pub(super) fn session(&self) -> Id {
        self.session
    }

    /// Says something, and shows what comes of it.
    pub(super) async fn turn(&mut self, message: &str, show: &mut dyn Show, interrupts: &mut Interrupts) -> Result<End> {
        let id = RandomIds.next(SystemClock.now());
        let events = self.client.say(self.session, id, message).await;
        if let Err(error) = &events
            && !is_in_doubt(error)
        {
            return events.map(|_| End::default());
        }
        self.followed(events, Some((id, message)), show, interrupts).await
    }

    /// Shows what was said behind what was seen, and the turn that is running.
    pub(super) async fn catch_up(&mut self, show: &mut dyn Show, interrupts: &mut Interrupts) -> Result<End> {
        let events = self.client.follow(self.session, self.seen).await?;
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
                return Err(error);
            }
            if attempts == 1 {
                show.pause()?;
                output::note("the connection broke; trying to take it up again");
            }
            tokio::select! {
                () = sleep(REST) => {}
                () = interrupts.pressed() => return Err(error),
            }
            events = match said {
                Some((id, message)) if !has_come => self.client.say(self.session, id, message).await,
                _ => self.client.follow(self.session, self.seen).await,
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
        let mut is_stopping = false;
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = interrupts.pressed() => {
                    if is_stopping {
                        return Err(Error::new(ErrorKind::Unavailable, "interrupted"));
                    }
                    is_stopping = true;
                    show.pause()?;
                    self.client.stop(self.session).await?;
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
                    return Ok(Stopped::Broken(
                        Error::new(ErrorKind::Unavailable, "the gateway broke off").hint("look with: mosaic chat --continue"),
                    ));
                }
                Err(error) if is_in_doubt(&error) => return Ok(Stopped::Broken(error)),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_in_doubt(error: &Error) -> bool {
    error.retry_class() == Retry::Unknown
}

/// Whether a gateway is away that may come back.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}
