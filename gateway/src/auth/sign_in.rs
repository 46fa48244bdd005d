//! From a bearer token to its principal: through the cache, so that a request as a rule costs the storage nothing. What is
//! cached is forgotten when the token or its user is changed through this gateway, and after [`CACHE_TIME`] in any case.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Cache, Clock, Error, ErrorKind, Id, Kind, Query, Record, Result, Scope, Storage, Timestamp, TokenHash};
use tokio_util::task::TaskTracker;

use super::{Failures, Principal};
use crate::secret::TokenSecret;

/// How long a principal is cached: how long a change made through another gateway may go unnoticed.
const CACHE_TIME: Duration = Duration::from_secs(30);

/// How long the marks of changes are kept; longer than any sign-in that read the state before the change can take.
const MARK_TIME: Duration = Duration::from_secs(120);

/// How much later than a change a sign-in must begin to be cached again: more than the clocks of two gateways are apart.
const SETTLE_SECONDS: i64 = 2;

/// How old a token's noted last use may become, in seconds.
const LAST_USE_SECONDS: i64 = 60;

/// How long the note of a last use is left to the one request that makes it: longer than that takes, and less than a minute.
const CLAIM_TIME: Duration = Duration::from_secs(30);

/// For how long a token that worked is known to have done so: it is looked up also for an address that had too many failures.
const KNOWN_TIME: Duration = Duration::from_secs(3600);

/// The longest secret that is looked at, in bytes.
const SECRET_BYTES: usize = 512;

/// Why someone is not signed in.
#[derive(Debug)]
pub enum Refusal {
    /// The token is not of the form that a token has.
    Malformed,
    /// There is no such token, or no longer.
    Unknown,
    /// The token was valid until then.
    Expired(Timestamp),
    /// Too many sign-ins from this address failed within [`super::FAILURE_WINDOW`], and the token is not one that worked lately.
    TooMany,
    /// The storage could not be asked.
    Failed(Error),
}

/// Knows principals by their tokens.
#[derive(Clone)]
pub struct Authenticator {
    storage: Arc<dyn Storage>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    failures: Failures,
    tasks: TaskTracker,
}

impl Authenticator {
    /// Signs in against a storage. Work that outlives a request runs in `tasks`.
    pub fn new(storage: Arc<dyn Storage>, cache: Arc<dyn Cache>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        let failures = Failures::new(Arc::clone(&cache));
        Self { storage, cache, clock, failures, tasks }
    }

    /// The principal that a secret stands for, for a request from this address.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn sign_in(&self, secret: &str, peer: IpAddr) -> Result<Principal, Refusal> {
        let outcome = self.principal(secret, peer).await;
        let failed = matches!(outcome, Err(Refusal::Malformed | Refusal::Unknown | Refusal::Expired(_)));
        if failed && self.failures.too_many(peer).await { Err(Refusal::TooMany) } else { outcome }
    }

    async fn principal(&self, secret: &str, peer: IpAddr) -> Result<Principal, Refusal> {
        if !well_formed(secret) {
            return Err(Refusal::Malformed);
        }
        // What was never made here is not looked for.
        if !TokenSecret::has_shape(secret) {
            return Err(Refusal::Unknown);
        }
        let hash = TokenSecret::from(secret.to_owned()).hash();
        let key = format!("token:{}", hash.to_hex());
        let principal = match self.cached(&key).await {
            Some(principal) => principal,
            None if self.failures.were_too_many(peer).await && !self.is_known(&hash).await => return Err(Refusal::TooMany),
            None => self.look_up(&hash, &key).await?,
        };
        match principal.expires_at {
            Some(end) if end <= self.clock.now() => Err(Refusal::Expired(end)),
            _ => Ok(principal),
        }
    }

    /// Carries out a change of a token or a user, and forgets the principals it concerns before answering. Runs to its end
    /// even if whoever asked for it goes away.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn changing<T: Send + 'static>(
        &self,
        kind: Kind,
        id: Id,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        let work = async move {
            // A user's tokens go with the user, so they are asked for before.
            let tokens = match kind {
                Kind::User => this.tokens_of(id).await?,
                _ => vec![id],
            };
            let outcome = change.await;
            this.forget(id, &tokens).await;
            outcome
        };
        let done = self.tasks.spawn(work).await;
        done.map_err(|error| Error::new(ErrorKind::Internal, "a change of accounts was cut off").source(error))?
    }

    async fn cached(&self, key: &str) -> Option<Principal> {
        match self.cache.get(key).await {
            Ok(value) => serde_json::from_slice(&value?).ok(),
            Err(error) => {
                // The cache itself tells once that it is away.
                tracing::debug!(%error, "the cache is of no use, asking the storage");
                None
            }
        }
    }

    async fn look_up(&self, hash: &TokenHash, key: &str) -> Result<Principal, Refusal> {
        let begun = self.clock.now();
        let Some((token, user)) = self.storage.authenticate(hash).await.map_err(Refusal::Failed)? else {
            // One that is revoked is looked for once more, and not again.
            let _ = self.cache.remove(&known_key(hash)).await;
            return Err(Refusal::Unknown);
        };
        self.note_use(token.id, token.last_used_at);
        let principal = Principal::new(token, &user);
        if let Err(error) = self.keep(&principal, hash, key, begun).await {
            tracing::debug!(%error, "a principal is not cached");
        }
        Ok(principal)
    }

    async fn is_known(&self, hash: &TokenHash) -> bool {
        matches!(self.cache.get(&known_key(hash)).await, Ok(Some(_)))
    }

    /// Caches a principal, unless a change came in between: whoever changes sets the mark first and then removes, whoever
    /// caches sets the entry first and then looks for the mark, so one of the two sees the other. What was looked up after the
    /// change stays.
    async fn keep(&self, principal: &Principal, hash: &TokenHash, key: &str, begun: Timestamp) -> Result<()> {
        let Ok(value) = serde_json::to_vec(principal) else { return Ok(()) };
        self.cache.set(&hash_key(principal.token_id), hash.to_hex().as_bytes(), MARK_TIME).await?;
        self.cache.set(&known_key(hash), b"", KNOWN_TIME).await?;
        self.cache.set(key, &value, CACHE_TIME).await?;
        for changed in [principal.token_id, principal.user_id] {
            if let Some(mark) = self.cache.get(&mark_key(changed)).await?
                && !is_settled(&mark, begun)
            {
                self.cache.remove(key).await?;
            }
        }
        Ok(())
    }

    async fn forget(&self, changed: Id, tokens: &[Id]) {
        if let Err(error) = self.try_forget(changed, tokens).await {
            tracing::warn!(%error, "a change of accounts takes effect within {} s", CACHE_TIME.as_secs());
        }
    }

    async fn try_forget(&self, changed: Id, tokens: &[Id]) -> Result<()> {
        let now = self.clock.now().as_micros().to_string();
        self.cache.set(&mark_key(changed), now.as_bytes(), MARK_TIME).await?;
        for token in tokens {
            if let Some(hash) = self.cache.get(&hash_key(*token)).await? {
                self.cache.remove(&format!("token:{}", String::from_utf8_lossy(&hash))).await?;
            }
        }
        Ok(())
    }

    async fn tokens_of(&self, user: Id) -> Result<Vec<Id>> {
        let mut query = Query::new(Kind::Token).filter("user_id", &user.to_string())?.limit(mosaic_core::PAGE_ITEMS)?;
        let mut tokens = Vec::new();
        loop {
            let page = self.storage.list(Scope::System, &query).await?;
            tokens.extend(page.items.iter().map(Record::id));
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(tokens),
            }
        }
    }

    /// Notes the use of a token in the background, at most once in [`LAST_USE_SECONDS`].
    fn note_use(&self, token: Id, last: Option<Timestamp>) {
        let now = self.clock.now();
        if last.is_some_and(|last| now < last.plus_seconds(LAST_USE_SECONDS)) {
            return;
        }
        let this = self.clone();
        self.tasks.spawn(async move {
            // Of the requests that see the old time at once, one writes the new one.
            if this.cache.increment(&format!("token-use:{token}"), CLAIM_TIME).await.is_ok_and(|claims| claims > 1) {
                return;
            }
            if let Err(error) = this.storage.touch_token(token, now).await {
                tracing::warn!(%error, token = %token, "the last use of a token is not noted");
            }
        });
    }
}

/// Whether a sign-in began well after the change that a mark tells of, and so has seen it.
fn is_settled(mark: &[u8], begun: Timestamp) -> bool {
    let at = std::str::from_utf8(mark).ok().and_then(|at| Timestamp::from_micros(at.parse().ok()?));
    at.is_some_and(|at| at.plus_seconds(SETTLE_SECONDS) < begun)
}

fn hash_key(token: Id) -> String {
    format!("token-hash:{token}")
}

fn known_key(hash: &TokenHash) -> String {
    format!("token-known:{}", hash.to_hex())
}

fn mark_key(changed: Id) -> String {
    format!("changed:{changed}")
}

/// The characters of RFC 6750's `b64token`.
fn well_formed(secret: &str) -> bool {
    let unpadded = secret.trim_end_matches('=');
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-._~+/".contains(&c);
    !unpadded.is_empty() && secret.len() <= SECRET_BYTES && unpadded.bytes().all(fits)
}
