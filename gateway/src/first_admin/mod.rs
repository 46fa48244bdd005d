//! The first administrator: a gateway that nobody can manage makes someone who can, and says so once.
//! What must not come in: any other way to become an administrator.

mod place;

use std::io::Write;
use std::time::Duration;

use mosaic_core::{
    Batch, Change, Clock, Error, ErrorKind, Id, IdSource, Kind, PAGE_ITEMS, Query, Record, Result, Retry, Scope, State, StateWrite,
    Storage, Timestamp, Token, TokenScope, User, UserRole,
};
use serde_json::{Value, json};

use crate::documents::FIRST_ADMIN;
use crate::secret::TokenSecret;
pub use place::Place;

/// The login of the user that is made, and what the token is called.
const LOGIN: &str = "admin";
const TOKEN_NAME: &str = "first administrator";

/// How often it is tried anew when someone else was faster.
const ATTEMPTS: usize = 5;

/// How much later than its answer was lost a commit may come in.
const LATE: Duration = Duration::from_secs(1);

/// Makes the first administrator.
pub struct FirstAdmin<'s> {
    /// Where accounts are kept.
    pub storage: &'s dyn Storage,
    /// What time it is.
    pub clock: &'s dyn Clock,
    /// Where new ids come from.
    pub ids: &'s dyn IdSource,
}

/// The token that the first administrator was made with, if one was.
///
/// # Errors
/// Those of the storage.
pub async fn token(storage: &dyn Storage) -> Result<Option<Id>> {
    Ok(token_of(storage.state(FIRST_ADMIN).await?.as_ref()))
}

fn token_of(state: Option<&State>) -> Option<Id> {
    state.and_then(|state| state.value.get("token_id")).and_then(Value::as_str).and_then(|id| id.parse().ok())
}

/// A token that was made for the first administrator. Its Debug does not show the secret.
#[derive(Debug)]
pub struct Issued {
    login: String,
    secret: TokenSecret,
    place: Place,
}

impl FirstAdmin<'_> {
    /// Makes an administrator with a token of all scopes, unless there is a token that an administrator can use. Answers
    /// what it made; of two gateways that start at once, one makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the token's file cannot be written: then nothing is made. Those of the storage.
    pub async fn ensure(&self, place: Place) -> Result<Option<Issued>> {
        if self.is_managed(self.storage.state(FIRST_ADMIN).await?.as_ref()).await? {
            return Ok(None);
        }
        let claim = place.claim().await?;
        for _ in 0..ATTEMPTS {
            let state = self.storage.state(FIRST_ADMIN).await?;
            if self.is_managed(state.as_ref()).await? {
                return Ok(None);
            }
            let secret = TokenSecret::generate()?;
            claim.put(&secret).await?;
            match self.make(&secret, state.map_or(0, |state| state.version)).await {
                Ok(login) => return Ok(Some(Issued { login, secret, place })),
                // Someone was faster, with the administrator or with its login.
                Err(error) if matches!(error.kind(), ErrorKind::Stale | ErrorKind::Conflict) => claim.take_back().await?,
                Err(error) if error.retry_class() == Retry::Unknown => match self.made_after_all(&secret).await? {
                    Some(login) => return Ok(Some(Issued { login, secret, place })),
                    None => claim.take_back().await?,
                },
                Err(error) => {
                    claim.take_back().await?;
                    return Err(error);
                }
            }
        }
        Err(Error::new(ErrorKind::Conflict, "the first administrator could not be made: others change accounts at the same time")
            .hint("start the gateway again"))
    }

    /// The login of who has the token, if a commit that nobody answered took effect: at once, or a moment later.
    async fn made_after_all(&self, secret: &TokenSecret) -> Result<Option<String>> {
        for rest in [Duration::ZERO, LATE] {
            tokio::time::sleep(rest).await;
            if let Some((_, user)) = self.storage.authenticate(&secret.hash()).await? {
                return Ok(Some(user.login));
            }
        }
        Ok(None)
    }

    /// Whether there is a token that an administrator can use. The one that was made here is looked at first: as a rule it
    /// is still there.
    async fn is_managed(&self, state: Option<&State>) -> Result<bool> {
        if let Some(id) = token_of(state)
            && let Some(Record::Token(token)) = self.storage.get(Scope::System, Kind::Token, id).await?
            && self.is_usable(&token).await?
        {
            return Ok(true);
        }
        let mut query = Query::new(Kind::Token).limit(PAGE_ITEMS)?;
        loop {
            let page = self.storage.list(Scope::System, &query).await?;
            for record in page.items {
                if let Record::Token(token) = record
                    && self.is_usable(&token).await?
                {
                    return Ok(true);
                }
            }
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(false),
            }
        }
    }

    async fn is_usable(&self, token: &Token) -> Result<bool> {
        if !token.scopes.contains(&TokenScope::Admin) || token.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Ok(false);
        }
        let user = self.storage.get(Scope::System, Kind::User, token.user_id).await?;
        Ok(matches!(user, Some(Record::User(user)) if user.role == UserRole::Admin))
    }

    /// Makes the token, and its user where there is no administrator yet; answers the user's login.
    async fn make(&self, secret: &TokenSecret, expect: u64) -> Result<String> {
        let at = self.clock.now();
        let mut changes = Vec::new();
        let user = match self.administrator().await? {
            Some(user) => user,
            None => {
                let user = self.new_user(at).await?;
                changes.push(Change::Create(user.clone().into()));
                user
            }
        };
        let token = Token {
            id: self.ids.next(at),
            user_id: user.id,
            name: TOKEN_NAME.into(),
            scopes: TokenScope::ALL.to_vec(),
            hash: Some(secret.hash()),
            expires_at: None,
            last_used_at: None,
            created_at: at,
            updated_at: at,
            revision: 1,
        };
        let state = StateWrite { name: FIRST_ADMIN.into(), value: Some(json!({ "token_id": token.id, "at": at })), expect };
        changes.push(Change::Create(token.into()));
        self.storage.apply(Scope::System, &Batch { at, changes, state: Some(state) }).await?;
        Ok(user.login)
    }

    /// The oldest user whose role is admin.
    async fn administrator(&self) -> Result<Option<User>> {
        let mut query = Query::new(Kind::User).limit(PAGE_ITEMS)?;
        loop {
            let page = self.storage.list(Scope::System, &query).await?;
            for record in page.items {
                if let Record::User(user) = record
                    && user.role == UserRole::Admin
                {
                    return Ok(Some(user));
                }
            }
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(None),
            }
        }
    }

    async fn new_user(&self, at: Timestamp) -> Result<User> {
        let id = self.ids.next(at);
        let taken = !self.storage.list(Scope::System, &Query::new(Kind::User).filter("login", LOGIN)?).await?.items.is_empty();
        // Someone who is no administrator has the login: the new one's is made unique by its id.
        let login = if taken { format!("{LOGIN}-{}", id.simple()) } else { LOGIN.to_owned() };
        Ok(User {
            id,
            login,
            name: "Administrator".into(),
            email: None,
            role: UserRole::Admin,
            created_at: at,
            updated_at: at,
            revision: 1,
        })
    }
}

impl Issued {
    /// Says once how to come in, to whoever started the gateway.
    pub fn announce(&self, url: &str) {
        match &self.place {
            Place::File(file) => {
                tracing::warn!(login = self.login, file = %file.display(), "made the first administrator; its token is in this file, and nowhere else");
            }
            // Without a terminal that listens there is nobody to tell.
            Place::Terminal => drop(self.show(&mut std::io::stderr().lock(), url)),
        }
    }

    fn show(&self, terminal: &mut impl Write, url: &str) -> std::io::Result<()> {
        let secret = self.secret.expose();
        writeln!(
            terminal,
            "\nMosaic answers at {url}, and has a first administrator, {login:?}. Its token is shown this once; keep it:\n\n  \
             export MOSAIC_TOKEN={secret}\n\n\
             Try it:\n\n  \
             curl -H \"Authorization: Bearer {secret}\" '{url}/api/v1/tasks?view=all'\n",
            login = self.login
        )
    }
}

#[cfg(test)]
mod tests;
