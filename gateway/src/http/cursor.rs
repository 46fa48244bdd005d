//! Cursors: a place in a list, as an opaque text that works for this list only. It is authenticated by HMAC-SHA256 (RFC 2104)
//! over the list's kind, filters and order and the position, so that nobody makes one up or takes it to another list.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use mosaic_core::{Error, ErrorKind, FieldType, FieldValue, Id, Position, Query, Result, StateWrite, Storage, Timestamp};
use secrecy::{ExposeSecret, SecretBox};
use serde_json::{Value, json};
use sha2::Sha256;

use super::problem::{INVALID_CURSOR, Problem};
use crate::documents::CURSOR_KEY;

/// How much of the authentication code a cursor carries, in bytes: half of it, the least that RFC 2104 advises.
const TAG_BYTES: usize = 16;
const ID_BYTES: usize = 16;

/// The length of the key, in bytes: that of SHA-256's block.
const KEY_BYTES: usize = 64;

/// What cursors are authenticated with. Its Debug does not show it.
#[derive(Debug)]
pub(super) struct CursorKey(SecretBox<[u8; KEY_BYTES]>);

impl CursorKey {
    /// Reads the key from the storage; the first gateway makes it.
    ///
    /// # Errors
    /// Those of the storage, and [`ErrorKind::Internal`] without entropy from the operating system.
    pub(super) async fn load(storage: &dyn Storage) -> Result<Self> {
        if let Some(key) = Self::stored(storage).await? {
            return Ok(key);
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)
            .map_err(|error| Error::new(ErrorKind::Internal, "the operating system gives no random bytes").source(error))?;
        let value = Some(json!({ "key": URL_SAFE_NO_PAD.encode(key) }));
        match storage.put_state(&StateWrite { name: CURSOR_KEY.into(), value, expect: 0 }).await {
            Ok(_) => Ok(Self(SecretBox::new(Box::new(key)))),
            // Another gateway was faster.
            Err(error) if error.kind() == ErrorKind::Stale => Self::stored(storage).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    async fn stored(storage: &dyn Storage) -> Result<Option<Self>> {
        let Some(state) = storage.state(CURSOR_KEY).await? else { return Ok(None) };
        let key = state.value.get("key").and_then(Value::as_str).and_then(|key| URL_SAFE_NO_PAD.decode(key).ok()?.try_into().ok());
        match key {
            Some(key) => Ok(Some(Self(SecretBox::new(Box::new(key))))),
            None => Err(Error::new(ErrorKind::Corrupt, "the key of cursors is damaged").with("state", CURSOR_KEY)),
        }
    }

    /// The cursor of a position in a list.
    pub(super) fn encode(&self, query: &Query, position: &Position) -> String {
        let mut place = position.id.as_bytes().to_vec();
        put_value(&mut place, &position.key);
        let tag = self.mac(query, &place).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&tag[..TAG_BYTES], &place].concat())
    }

    /// The position that a cursor of this list stands for.
    ///
    /// # Errors
    /// A problem for what is no cursor of this list.
    pub(super) fn decode(&self, query: &Query, cursor: &str) -> Result<Position, Problem> {
        self.open(query, cursor).ok_or_else(|| {
            Problem::new(INVALID_CURSOR, "the cursor is not one of this list")
                .hint("use next_cursor as it came, with the same filters and order, or leave it out to begin anew")
        })
    }

    fn open(&self, query: &Query, cursor: &str) -> Option<Position> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, place) = bytes.split_at_checked(TAG_BYTES)?;
        self.mac(query, place).verify_truncated_left(tag).ok()?;
        let (id, key) = place.split_at_checked(ID_BYTES)?;
        let key = match query.order.ty {
            FieldType::Id => FieldValue::Id(Id::from_slice(key).ok()?),
            FieldType::Text | FieldType::Choice(_) => FieldValue::Text(String::from_utf8(key.to_vec()).ok()?),
            FieldType::Time => FieldValue::Time(Timestamp::from_micros(i64::from_be_bytes(key.try_into().ok()?))?),
            FieldType::Number => FieldValue::Number(u64::from_be_bytes(key.try_into().ok()?)),
        };
        Some(Position { key, id: Id::from_slice(id).ok()? })
    }

    fn mac(&self, query: &Query, place: &[u8]) -> Hmac<Sha256> {
        let mut list = Vec::with_capacity(256);
        put(&mut list, query.kind.singular().as_bytes());
        let mut filters: Vec<_> = query.filters.iter().collect();
        filters.sort_by_key(|(field, _)| field.name);
        for (field, value) in filters {
            put(&mut list, field.name.as_bytes());
            let mut bytes = Vec::new();
            put_value(&mut bytes, value);
            put(&mut list, &bytes);
        }
        // No filter has the empty name: what follows is the order.
        put(&mut list, b"");
        put(&mut list, query.order.name.as_bytes());
        list.push(query.descending.into());
        let mut mac = Hmac::<Sha256>::new(self.0.expose_secret().into());
        mac.update(&list);
        mac.update(place);
        mac
    }
}

/// Adds a part with its length, so that no two lists of parts look the same.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn put_value(bytes: &mut Vec<u8>, value: &FieldValue) {
    match value {
        FieldValue::Id(id) => bytes.extend_from_slice(id.as_bytes()),
        FieldValue::Text(text) => bytes.extend_from_slice(text.as_bytes()),
        FieldValue::Time(time) => bytes.extend_from_slice(&time.as_micros().to_be_bytes()),
        FieldValue::Number(number) => bytes.extend_from_slice(&number.to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use mosaic_core::{Kind, memory};

    use super::*;

    #[tokio::test]
    async fn a_cursor_works_for_its_list_only() {
        let storage = memory::open().storage;
        let key = CursorKey::load(&*storage).await.unwrap();
        let tasks = || Query::new(Kind::Task);
        let open = tasks().filter("status", "open").unwrap();
        let position = Position { key: FieldValue::Time("2026-03-01T12:00:00.000001Z".parse().unwrap()), id: Id::from_u128(7) };
        let cursor = key.encode(&open, &position);
        assert_eq!(key.decode(&open, &cursor).unwrap(), position);
        assert_eq!(CursorKey::load(&*storage).await.unwrap().decode(&open, &cursor).unwrap(), position, "it outlives the gateway");

        for other in
            [tasks(), tasks().filter("status", "done").unwrap(), open.clone().order("-created_at").unwrap(), Query::new(Kind::Note)]
        {
            assert!(key.decode(&other, &cursor).is_err(), "{other:?}");
        }
        for place in 0..cursor.len() {
            let mut tampered = cursor.clone().into_bytes();
            tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
            // The last character holds bits that encode nothing; a strict decoder refuses those too.
            assert!(key.decode(&open, std::str::from_utf8(&tampered).unwrap()).is_err(), "{place}");
        }
        let other = CursorKey::load(&*memory::open().storage).await.unwrap();
        assert!(other.decode(&open, &cursor).is_err(), "another storage has another key");
    }
}
