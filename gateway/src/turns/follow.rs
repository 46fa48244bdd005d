//! Following a session: the stored messages behind a place, then the turn that is running, here or elsewhere, to its end. What must not come in: how
//! a follower is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Id, Kind, Message, MessageRole, Result, Scope};
use tokio::time::{Instant, sleep, timeout};

use super::conversation::{message, messages_after};
use super::live::{Cursor, Ended, Event, Live};
use super::{Standing, Turns};

/// How often a turn that another gateway runs is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a follower is told of a live turn before it is looked whether they may still see the session.
const SIGHT: Duration = Duration::from_secs(2);

/// How far to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To the end of the turn that the first message is of.
    TurnEnds,
    /// Until no turn is running.
    NothingRuns,
}

/// Somebody who follows a session.
pub struct Follower {
    turns: Arc<Turns>,
    scope: Scope,
    session: Id,
    /// The place of the last message that was told.
    after: u64,
    until: Until,
    live: Option<(Arc<Live>, Cursor)>,
    stored: VecDeque<Message>,
    /// How the last turn ended, as far as was told.
    last: Ended,
    seen: Instant,
    has_told: bool,
    is_over: bool,
    /// Whether there is more, and somebody else is to tell it.
    breaks_off: bool,
}

impl Follower {
    pub(super) fn new(turns: Arc<Turns>, scope: Scope, session: Id, after: u64, until: Until) -> Self {
        let (stored, last, seen) = (VecDeque::new(), Ended::default(), Instant::now());
        Self { turns, scope, session, after, until, live: None, stored, last, seen, has_told: false, is_over: false, breaks_off: false }
    }

    /// What comes next; `None` behind the end, and when the gateway stops before it. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        if self.is_over || self.breaks_off {
            return Ok(None);
        }
        loop {
            // What is stored behind it is of later turns.
            if self.until == Until::TurnEnds && self.last != Ended::default() {
                return Ok(Some(self.over()));
            }
            if let Some(message) = self.stored.pop_front() {
                if self.until == Until::TurnEnds && self.has_told && message.role == MessageRole::User {
                    // What an agent of another program began has no end of its own.
                    return Ok(Some(self.over()));
                }
                return Ok(Some(self.told(Arc::new(message))));
            }
            if let Some((live, cursor)) = &mut self.live {
                if self.seen.elapsed() >= SIGHT {
                    if !self.turns.sees(self.scope, self.session).await? {
                        return Ok(Some(self.over()));
                    }
                    self.seen = Instant::now();
                }
                match timeout(SIGHT, live.next(cursor)).await {
                    // It was stored already when it was looked what is, and was told then.
                    Ok(Event::Message(message)) if message.seq <= self.after => continue,
                    Ok(Event::Message(message)) => return Ok(Some(self.told(message))),
                    Ok(Event::End(ended)) => {
                        if ended != Ended::default() {
                            self.last = ended;
                        }
                        return Ok(Some(self.over()));
                    }
                    Ok(event) => return Ok(Some(event)),
                    // Nothing was told: whether they may hear what comes is looked at first.
                    Err(_) => continue,
                }
            }
            self.look().await?;
            if self.breaks_off {
                return Ok(None);
            }
            if self.is_over {
                return Ok(Some(Event::End(self.last.clone())));
            }
        }
    }

    /// Finds what comes next: stored messages, a live turn, or the end.
    async fn look(&mut self) -> Result<()> {
        self.read().await?;
        if !self.stored.is_empty() {
            return Ok(());
        }
        match self.turns.standing(self.session).await? {
            Standing::Here(live) => {
                live.begun().await;
                // Another gateway was the first.
                if live.first().is_none() {
                    return Ok(());
                }
                // What was stored before the turn began, and after it was looked at, comes first.
                if live.first().is_some_and(|first| first > self.after + 1) {
                    self.read().await?;
                    let first = live.first().unwrap_or_default();
                    self.stored.retain(|message| message.seq < first);
                    if !self.stored.is_empty() {
                        return Ok(());
                    }
                    // Nothing of it may be seen.
                    self.is_over = !self.turns.sees(self.scope, self.session).await?;
                }
                let cursor = live.follow(self.after);
                self.live = Some((live, cursor));
            }
            // When this gateway stops, whoever follows goes on through another.
            Standing::Elsewhere(_) if self.turns.stopping.is_cancelled() => self.breaks_off = true,
            Standing::Elsewhere(_) => sleep(LOOK).await,
            Standing::None => {
                // What came in between.
                self.read().await?;
                self.is_over = self.stored.is_empty();
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        let page = self.turns.records.storage.list(self.scope, &messages_after(self.session, self.after)?).await?;
        self.stored = page.items.into_iter().map(message).collect::<Result<_>>()?;
        Ok(())
    }

    fn told(&mut self, message: Arc<Message>) -> Event {
        self.after = message.seq;
        self.has_told = true;
        self.last = Ended::of(&message).unwrap_or_default();
        Event::Message(message)
    }

    fn over(&mut self) -> Event {
        self.is_over = true;
        Event::End(self.last.clone())
    }
}

impl Turns {
    /// Whether a session may be seen.
    async fn sees(&self, scope: Scope, session: Id) -> Result<bool> {
        Ok(self.records.storage.get(scope, Kind::Session, session).await?.is_some())
    }
}
