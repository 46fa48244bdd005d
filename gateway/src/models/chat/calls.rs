//! Calls of tools, put together from their pieces, which servers number, name and cut each in a way of its own.

use mosaic_core::ToolCall;
use mosaic_core::model::{ARGUMENTS_BYTES, TOOL_CALLS};
use serde_json::{Map, Value};

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
        let place = self.place_of(piece.index, &id, &name, &arguments);
        if place == self.calls.len() {
            if place == TOOL_CALLS {
                return Err("it calls too many tools");
            }
            self.calls.push((piece.index, ToolCall { id, name, arguments }));
            return Ok(());
        }
        let call = &mut self.calls[place].1;
        if call.name.is_empty() {
            call.name = name;
        }
        if call.id.is_empty() {
            call.id = id;
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// Which call a piece is of: that of its number, unless it has an id of its own; without a number the last one, unless it names another.
    fn place_of(&self, index: Option<u64>, id: &str, name: &str, arguments: &str) -> usize {
        let found = match index {
            Some(_) => {
                self.calls.iter().rposition(|(known, call)| *known == index && (id.is_empty() || call.id.is_empty() || call.id == id))
            }
            None => self.calls.len().checked_sub(1).filter(|last| {
                let call = &self.calls[*last].1;
                if id.is_empty() { name.is_empty() } else { call.id == id }
            }),
        };
        // Some servers give all calls one number and no ids: what is named behind a whole call is the next.
        let begins = id.is_empty() && !name.is_empty() && !arguments.is_empty();
        found.filter(|place| !begins || !is_whole(&self.calls[*place].1)).unwrap_or(self.calls.len())
    }

    /// All of them, each with an id that no other has.
    pub(super) fn all(self) -> Vec<ToolCall> {
        let mut all: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for (place, (_, mut call)) in self.calls.into_iter().enumerate() {
            if call.id.is_empty() || all.iter().any(|other| other.id == call.id) {
                call.id = made_up(place);
            }
            all.push(call);
        }
        all
    }
}

fn is_whole(call: &ToolCall) -> bool {
    serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok()
}

/// An id for a call that has none, other than those of earlier answers, as the strictest servers take them: of nine letters and digits.
fn made_up(place: usize) -> String {
    let mut bytes = [0; 9];
    match getrandom::fill(&mut bytes) {
        Ok(()) => bytes.into_iter().filter_map(|byte| char::from_digit(u32::from(byte) % 36, 36)).collect(),
        Err(_) => format!("call{place:05}"),
    }
}
