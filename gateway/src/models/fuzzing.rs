//! What model servers answer.

pub(crate) use super::chat::fuzzing::answer;
pub(crate) use super::failure::fuzzing::wait;
