//! What a gateway tells a client.

pub(crate) use super::events::fuzzing::events;
