//! Making, changing and removing records from JSON: one way for every kind, whether the caller came over HTTP or
//! from a command that has opened the storage itself. What must not come in: requests, status codes, output.

use std::sync::Arc;

use mosaic_core::{
    Applied, Batch, Change, Clock, Entity, Error, ErrorKind, Id, IdSource, Kind, Record, Result, Scope, StateWrite, Storage, Token,
};

use serde_json::{Map, Value};

use crate::secret::TokenSecret;

/// How often a change without an expected revision is tried anew when someone else was faster.
const MERGE_ATTEMPTS: usize = 5;

/// The fields that a client may not set: the gateway does.
pub const OURS: &[&str] = &["created_at", "updated_at", "revision", "hash", "last_used_at", "seq"];

/// Records, as their API has them.
#[derive(Clone)]
pub struct Records {
    /// Where they are kept.
    pub storage: Arc<dyn Storage>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where new ids come from.
    pub ids: Arc<dyn IdSource>,
}

impl Records {
    /// Makes a record from its fields. What is missing is filled in: a new id, the caller as its owner, the present time.
    /// Fields of a record's history (`created_at`, `updated_at`, `revision`) are refused: they are the gateway's to set.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for fields that cannot be taken, and those of [`Storage::apply`].
    pub async fn create(&self, scope: Scope, kind: Kind, fields: Map<String, Value>) -> Result<Applied> {
        let record = self.draft(scope, kind, fields)?;
        self.apply_one(scope, Change::Create(record)).await
    }

    /// The same, if a document of the storage's state can be written with it.
    ///
    /// # Errors
    /// As [`Self::create`], and [`ErrorKind::Stale`] when the document is another.
    pub async fn create_if(&self, scope: Scope, kind: Kind, fields: Map<String, Value>, state: StateWrite) -> Result<Applied> {
        let record = self.draft(scope, kind, fields)?;
        self.apply_batch(scope, &Batch { state: Some(state), ..Batch::one(self.clock.now(), Change::Create(record)) }).await
    }

    /// Makes a token and its secret, which is shown here and never again. Unlike other records, a token of the same id is a
    /// conflict, since the first one's secret cannot be shown a second time.
    ///
    /// # Errors
    /// As [`Self::create`], [`ErrorKind::Conflict`] for an id that is taken, and [`ErrorKind::Invalid`] for an end that has passed.
    pub async fn create_token(&self, scope: Scope, fields: Map<String, Value>) -> Result<(Record, TokenSecret)> {
        let secret = TokenSecret::generate()?;
        let record = match self.draft(scope, Kind::Token, fields)? {
            Record::Token(token) if token.expires_at.is_some_and(|end| end <= token.created_at) => {
                return Err(Error::invalid("the token would have expired already").with("field", "expires_at"));
            }
            Record::Token(token) => Record::Token(Token { hash: Some(secret.hash()), ..token }),
            other => other,
        };
        match self.apply_one(scope, Change::Create(record)).await? {
            Applied::Created(record) => Ok((record.without_secrets(), secret)),
            _ => Err(Error::new(ErrorKind::Conflict, "there is a token with this id already").with("field", "id").hint("leave the id out")),
        }
    }

    /// The record that [`Self::create`] would make.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for fields that cannot be taken.
    pub fn draft(&self, scope: Scope, kind: Kind, mut fields: Map<String, Value>) -> Result<Record> {
        refuse_ours(&fields)?;
        settle_kind(kind, &mut fields)?;
        let now = self.clock.now();
        fields.entry("id").or_insert_with(|| self.ids.next(now).to_string().into());
        if let (Some(field), Some(user)) = (kind.owner_field(), scope.user()) {
            fields.entry(field).or_insert_with(|| user.to_string().into());
        }
        fields.insert("created_at".into(), now.to_string().into());
        Record::from_json(fields)
    }

    /// Changes a record by a JSON merge patch (RFC 7396): a field of the patch replaces the record's, `null` removes it.
    /// With an expected revision, the record must be at it; without one, the patch goes onto whatever is there. A patch that
    /// changes nothing leaves the record at its revision, for whoever may change it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Stale`], [`ErrorKind::Invalid`], and those of [`Storage::apply`].
    pub async fn update(&self, scope: Scope, kind: Kind, id: Id, patch: &Map<String, Value>, revision: Option<u64>) -> Result<Record> {
        let mut attempts = MERGE_ATTEMPTS;
        loop {
            attempts -= 1;
            let (present, changed) = self.merged(scope, kind, id, patch).await?;
            if let Some(expected) = revision
                && expected != present.revision()
            {
                return Err(Error::stale(kind, id, present.revision()));
            }
            if changed == present {
                self.check_may_update(scope, &present).await?;
                return Ok(present);
            }
            match self.apply_one(scope, Change::Update(changed)).await {
                Err(error) if error.kind() == ErrorKind::Stale && revision.is_none() && attempts > 0 => {}
                outcome => return outcome?.record().ok_or_else(|| Error::not_found(kind, id)),
            }
        }
    }

    /// A record as it is, and as a patch makes it. Nothing is changed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and [`ErrorKind::Invalid`] for a patch that cannot be taken.
    pub async fn merged(&self, scope: Scope, kind: Kind, id: Id, patch: &Map<String, Value>) -> Result<(Record, Record)> {
        refuse_ours(patch)?;
        let present = self.get(scope, kind, id).await?;
        let changed = merge(&present, patch)?;
        Ok((present, changed))
    }

    /// Checks that the caller may change a record, without changing it: a change that starts from a revision that no record
    /// has is refused as stale at the soonest, once it is known to be theirs to make.
    async fn check_may_update(&self, scope: Scope, record: &Record) -> Result<()> {
        let mut probe = record.clone();
        mosaic_core::with_entity!(&mut probe, entity => entity.stamp(entity.updated_at(), 0));
        match self.apply_one(scope, Change::Update(probe)).await {
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::new(ErrorKind::Internal, "the storage made a change of a revision that no record has")),
        }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is absent or may not be seen.
    pub async fn get(&self, scope: Scope, kind: Kind, id: Id) -> Result<Record> {
        self.storage.get(scope, kind, id).await?.ok_or_else(|| Error::not_found(kind, id))
    }

    /// Removes a record, if it is at the expected revision where one is given.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Stale`], and those of [`Storage::apply`].
    pub async fn delete(&self, scope: Scope, kind: Kind, id: Id, revision: Option<u64>) -> Result<()> {
        self.apply_one(scope, Change::Delete { kind, id, revision }).await.map(|_| ())
    }

    async fn apply_one(&self, scope: Scope, change: Change) -> Result<Applied> {
        self.apply_batch(scope, &Batch::one(self.clock.now(), change)).await
    }

    /// Applies a batch of one change.
    async fn apply_batch(&self, scope: Scope, batch: &Batch) -> Result<Applied> {
        let mut applied = self.storage.apply(scope, batch).await?;
        applied.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "the storage answered no change for a batch of one"))
    }
}

fn refuse_ours(fields: &Map<String, Value>) -> Result<()> {
    match OURS.iter().find(|name| fields.contains_key(**name)) {
        Some(name) => Err(Error::invalid("this field is the gateway's to set")
            .with("field", name)
            .hint("leave it out; import keeps times and revisions")),
        None => Ok(()),
    }
}

fn settle_kind(kind: Kind, fields: &mut Map<String, Value>) -> Result<()> {
    match fields.insert("kind".into(), kind.singular().into()) {
        Some(Value::String(given)) if given != kind.singular() => Err(Error::invalid(format!("the record is no {kind}"))
            .with("field", "kind")
            .with("kind", given.chars().take(60).collect::<String>())),
        Some(Value::String(_)) | None => Ok(()),
        Some(_) => Err(Error::invalid("the kind is not a text").with("field", "kind")),
    }
}

fn merge(present: &Record, patch: &Map<String, Value>) -> Result<Record> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(present) else {
        return Err(Error::new(ErrorKind::Internal, "a stored record is no JSON object"));
    };
    for (name, value) in patch {
        if name == "id" && fields.get(name) != Some(value) {
            return Err(Error::invalid("a record's id cannot be changed").with("field", "id"));
        }
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    settle_kind(present.kind(), &mut fields)?;
    Record::from_json(fields)
}
