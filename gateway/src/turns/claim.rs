//! Who runs a session's turn: a document of the storage's state that is there as long as the turn is. Every message of the turn is stored in one
//! transaction with it, together with what a tool does, so that whoever lost the claim writes nothing more, and nothing is done twice.
//! What must not come in: what is said.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Applied, Batch, Change, Clock, Error, ErrorKind, Id, Kind, Result, Scope, State, StateWrite, Storage, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::documents::TURN;

/// How long a claim holds unless it is renewed, in seconds: how long a session rests after its gateway was killed.
pub(super) const LASTS_SECONDS: i64 = 12;
/// How often it is renewed. Whoever wants the turn to be stopped through another gateway waits so long.
pub(super) const RENEWAL: Duration = Duration::from_secs(3);
/// No version is this one: it is not known yet. (0 would make a document that is not there.)
const UNKNOWN: u64 = 0;
/// How often what did not reach the storage is tried anew, …
const ATTEMPTS: u32 = 20;
/// … and how long it rests before that.
const REST: Duration = Duration::from_millis(300);

/// What the document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimed {
    /// The user's message that began the turn.
    pub(super) turn: Id,
    /// The gateway that runs it, by an id of this run of the gateway.
    pub(super) holder: Id,
    /// Until when, unless it is renewed.
    pub(super) until: Timestamp,
    /// Whether somebody wants it to be stopped.
    #[serde(default)]
    pub(super) stop: bool,
}

/// Why a turn writes nothing more.
#[derive(Debug)]
pub(super) enum Loss {
    /// Somebody wants it to be stopped.
    Stopped,
    /// The claim is another's, or nobody's.
    Lost,
    /// What was to be written cannot be.
    Failed(Error),
}

/// A claim that is ours.
pub(super) struct Claim {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    session: Id,
    claimed: Claimed,
    version: u64,
    /// Cancelled when somebody wants the turn to be stopped.
    stop: CancellationToken,
}

/// The name of a session's document.
pub(super) fn name(session: Id) -> String {
    format!("{TURN}:{session}")
}

/// What a session's document says, and its version. One that cannot be read was made by nobody, long ago.
pub(super) async fn read(storage: &dyn Storage, session: Id) -> Result<Option<(Claimed, u64)>> {
    let Some(State { value, version }) = storage.state(&name(session)).await? else { return Ok(None) };
    let nobody = || Claimed { turn: Id::nil(), holder: Id::nil(), until: Timestamp::MIN, stop: false };
    Ok(Some((serde_json::from_value(value).unwrap_or_else(|_| nobody()), version)))
}

/// A write that holds only while no turn of the session runs.
pub(super) fn none(session: Id) -> StateWrite {
    StateWrite { name: name(session), value: None, expect: 0 }
}

/// Whether a write was refused because of the document, rather than of what was to be written with it.
pub(super) fn is_taken(error: &Error, session: Id) -> bool {
    error.kind() == ErrorKind::Stale && error.get("name") == Some(name(session).as_str())
}

/// Whether the storage may have been away, so that it is not known what was done.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl Claim {
    /// Claims a session's turn, by storing the message that begins it; fails as [`is_taken`] says when one runs.
    pub(super) async fn take(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        holder: Id,
        stop: CancellationToken,
        (scope, session, turn): (Scope, Id, Id),
        message: Change,
    ) -> Result<(Self, Vec<Applied>)> {
        let now = clock.now();
        let claimed = Claimed { turn, holder, until: now.plus_seconds(LASTS_SECONDS), stop: false };
        let state = StateWrite { name: name(session), value: Some(json!(claimed)), expect: 0 };
        let applied = storage.apply(scope, &Batch { at: now, changes: vec![message], state: Some(state) }).await?;
        // A document that was there before goes on counting: at which version this one is, is looked up before the first write.
        Ok((Self { storage, clock, session, claimed, version: UNKNOWN, stop }, applied))
    }

    /// Writes changes, the last of which makes a message of the turn; with the last message of all, the claim is given up.
    pub(super) async fn write(&mut self, scope: Scope, at: Timestamp, changes: Vec<Change>, gives_up: bool) -> Result<Vec<Applied>, Loss> {
        let message = match changes.last() {
            Some(Change::Create(record)) => record.id(),
            _ => return Err(Loss::Failed(Error::new(ErrorKind::Internal, "a turn writes messages"))),
        };
        let mut attempts = ATTEMPTS;
        loop {
            if self.version == UNKNOWN {
                self.look().await?;
            }
            if self.stop.is_cancelled() && !gives_up {
                return Err(Loss::Stopped);
            }
            if self.version == UNKNOWN {
                attempts = attempts.saturating_sub(1);
                if attempts == 0 {
                    return Err(Loss::Failed(Error::new(ErrorKind::Unavailable, "the storage does not say who runs the turn")));
                }
                sleep(REST).await;
                continue;
            }
            let value = (!gives_up).then(|| json!(self.renewed()));
            let state = StateWrite { name: name(self.session), value, expect: self.version };
            let error = match self.storage.apply(scope, &Batch { at, changes: changes.clone(), state: Some(state) }).await {
                Ok(applied) => {
                    self.version += 1;
                    return Ok(applied);
                }
                Err(error) => error,
            };
            attempts = attempts.saturating_sub(1);
            let taken = is_taken(&error, self.session);
            if attempts == 0 || !taken && !is_away(&error) {
                return Err(Loss::Failed(error));
            }
            if !taken {
                sleep(REST).await;
            }
            // It may have been done all the same.
            match self.storage.get(Scope::System, Kind::Message, message).await {
                Ok(Some(record)) if gives_up => return Ok(vec![Applied::Created(record)]),
                Ok(Some(record)) => {
                    self.look().await?;
                    return Ok(vec![Applied::Created(record)]);
                }
                Ok(None) => self.look().await?,
                Err(error) if is_away(&error) => {}
                Err(error) => return Err(Loss::Failed(error)),
            }
        }
    }

    /// Renews the claim.
    pub(super) async fn renew(&mut self) -> Result<(), Loss> {
        if self.version == UNKNOWN {
            return self.look().await;
        }
        let write = StateWrite { name: name(self.session), value: Some(json!(self.renewed())), expect: self.version };
        match self.storage.put_state(&write).await {
            Ok(version) => {
                self.version = version;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Stale => self.look().await,
            Err(error) => Err(Loss::Failed(error)),
        }
    }

    /// Lets go of a session that is no more, as far as that goes: the claim lapses in any case.
    pub(super) async fn give_up(&mut self) {
        if self.version == UNKNOWN {
            // Whoever else has it gives it up themselves.
            let _ = self.look().await;
        }
        if self.version == UNKNOWN {
            return;
        }
        let write = StateWrite { name: name(self.session), value: None, expect: self.version };
        if let Err(error) = self.storage.put_state(&write).await {
            tracing::debug!(session = %self.session, %error, "the claim of a turn lapses by itself");
        }
    }

    /// Looks who wrote the document.
    async fn look(&mut self) -> Result<(), Loss> {
        match read(&*self.storage, self.session).await {
            Ok(Some((claimed, version))) if (claimed.holder, claimed.turn) == (self.claimed.holder, self.claimed.turn) => {
                self.version = version;
                if claimed.stop {
                    self.claimed.stop = true;
                    self.stop.cancel();
                }
                Ok(())
            }
            Ok(_) => Err(Loss::Lost),
            // The next write tells.
            Err(error) if is_away(&error) => Ok(()),
            Err(error) => Err(Loss::Failed(error)),
        }
    }

    fn renewed(&self) -> Claimed {
        Claimed { until: self.clock.now().plus_seconds(LASTS_SECONDS), ..self.claimed.clone() }
    }
}
