//! From a bearer token to its principal: through the cache, so that a request as a rule costs the storage nothing. What is
//! cached is forgotten when the token or its user is changed through this gateway, and after [`CACHE_TIME`] in any case.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Cache, Clock, Error, ErrorKind, Id, Kind, Query, Record, Result, Scope, Storage, Timestamp, TokenHash};
use tokio_util::task::TaskTracker;

use super::Principal;
use crate::secret::TokenSecret;

/// How long a principal is cached: how long a change made through another gateway may go unnoticed.
const CACHE_TIME: Duration = Duration::from_secs(30);

/// How long the marks of changes are kept; longer than any sign-in that read the state before the change can take.
const MARK_TIME: Duration = Duration::from_secs(120);

/// How old a token's noted last use may become, in seconds.
const LAST_USE_SECONDS: i64 = 60;

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
    /// The storage could not be asked.
    Failed(Error),
}

/// Knows principals by their tokens.
#[derive(Clone)]
pub struct Authenticator {
    storage: Arc<dyn Storage>,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl Authenticator {
    /// Signs in against a storage. Work that outlives a request runs in `tasks`.
    pub fn new(storage: Arc<dyn Storage>, cache: Arc<dyn Cache>, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        Self { storage, cache, clock, tasks }
    }

    /// The principal that a secret stands for.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn sign_in(&self, secret: &str) -> Result<Principal, Refusal> {
        if !well_formed(secret) {
            return Err(Refusal::Malformed);
        }
        let hash = TokenSecret::from(secret.to_owned()).hash();
        let key = format!("token:{}", hash.to_hex());
        let principal = match self.cached(&key).await {
            Some(principal) => principal,
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
                tracing::warn!(%error, "the cache is of no use, asking the storage");
                None
            }
        }
    }

    async fn look_up(&self, hash: &TokenHash, key: &str) -> Result<Principal, Refusal> {
        let (token, user) = self.storage.authenticate(hash).await.map_err(Refusal::Failed)?.ok_or(Refusal::Unknown)?;
        self.note_use(token.id, token.last_used_at);
        let principal = Principal::new(token, &user);
        if let Err(error) = self.keep(&principal, hash, key).await {
            tracing::warn!(%error, "a principal is not cached");
        }
        Ok(principal)
    }

    /// Caches a principal, unless a change came in between: whoever changes sets the mark first and then removes, whoever
    /// caches sets the entry first and then looks for the mark, so one of the two sees the other.
    async fn keep(&self, principal: &Principal, hash: &TokenHash, key: &str) -> Result<()> {
        let Ok(value) = serde_json::to_vec(principal) else { return Ok(()) };
        self.cache.set(&hash_key(principal.token_id), hash.to_hex().as_bytes(), MARK_TIME).await?;
        self.cache.set(key, &value, CACHE_TIME).await?;
        for changed in [principal.token_id, principal.user_id] {
            if self.cache.get(&mark_key(changed)).await?.is_some() {
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
        self.cache.set(&mark_key(changed), b"", MARK_TIME).await?;
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
        let storage = Arc::clone(&self.storage);
        self.tasks.spawn(async move {
            if let Err(error) = storage.touch_token(token, now).await {
                tracing::warn!(%error, token = %token, "the last use of a token is not noted");
            }
        });
    }
}

fn hash_key(token: Id) -> String {
    format!("token-hash:{token}")
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
