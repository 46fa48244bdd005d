//! Calls of tools, put together from their pieces, which servers number, name and cut each in a way of its own.

use mosaic_core::ToolCall;
use mosaic_core::model::{ARGUMENTS_BYTES, TOOL_CALLS};
use serde_json::Value;

use super::protocol::CallPiece;

/// The calls of an answer, as far as they came.
#[derive(Default)]
pub(super) struct Calls {
    calls: Vec<(Option<u64>, ToolCall)>,
    /// How long all arguments are together, in bytes.
    bytes: usize,
}

impl Calls {
    /// Adds a piece; answers why not, where there are too many of them.
    pub(super) fn add(&mut self, piece: CallPiece) -> Result<(), &'static str> {
        let function = piece.function.unwrap_or_default();
        let (id, name) = (piece.id.unwrap_or_default(), function.name.unwrap_or_default());
        let arguments = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(whole) => whole.to_string(),
        };
        self.bytes += arguments.len();
        if self.bytes > ARGUMENTS_BYTES {
            return Err("the arguments of its calls are too long");
        }
        let place = self.place_of(piece.index, &id, &name);
        if place == self.calls.len() {
            if place == TOOL_CALLS {
                return Err("it calls too many tools");
            }
            let id = if id.is_empty() { format!("call_{place}") } else { id };
            self.calls.push((piece.index, ToolCall { id, name, arguments }));
            return Ok(());
        }
        let call = &mut self.calls[place].1;
        if call.name.is_empty() {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// Which call a piece is of: that of its number, unless it has an id of its own; without a number the last one, unless it names another.
    fn place_of(&self, index: Option<u64>, id: &str, name: &str) -> usize {
        let is_of = |call: &ToolCall| id.is_empty() || call.id == id;
        let found = match index {
            Some(_) => self.calls.iter().rposition(|(known, call)| *known == index && is_of(call)),
            None => self.calls.len().checked_sub(1).filter(|last| {
                let call = &self.calls[*last].1;
                if id.is_empty() { name.is_empty() } else { call.id == id }
            }),
        };
        found.unwrap_or(self.calls.len())
    }

    /// All of them.
    pub(super) fn all(self) -> Vec<ToolCall> {
        self.calls.into_iter().map(|(_, call)| call).collect()
    }
}
