//! How a turn looks: streamed on a terminal, the answer alone where it is piped, or events for a program. Whatever the agent says, the terminal
//! obeys none of it. What must not come in: where events come from.

use mosaic_core::{Finish, Message, MessageRole, Result, ToolCall};
use serde_json::{Value, json};

use crate::cli::output;
use crate::cli::terminal::{Screen, Style, cut, visible, visible_lines, width};
use crate::client::Event;

/// How many columns a call takes where the width is not known, and the least that are left to it.
const CALL_COLUMNS: usize = 80;
const LEAST_COLUMNS: usize = 20;

/// Shows events.
pub(super) trait Show {
    /// Shows an event; `data` is what came with it.
    fn event(&mut self, event: &Event, data: &Value) -> Result<()>;

    /// Ends the line that is being written: something else is to be said.
    fn pause(&mut self) -> Result<()> {
        Ok(())
    }
}

/// For programs: each event on a line.
pub(super) struct Json;

impl Show for Json {
    fn event(&mut self, event: &Event, data: &Value) -> Result<()> {
        let name = match event {
            Event::Message(_) => "message",
            Event::Draft(_) => "draft",
            Event::Piece(_) => "piece",
            Event::End(_) => "end",
        };
        output::json_line(&json!({ "event": name, "data": data }))
    }
}

/// For pipes: the answer, when it is complete, and what is done on the way on standard error.
#[derive(Default)]
pub(super) struct Answer {
    last: Option<String>,
}

impl Show for Answer {
    fn event(&mut self, event: &Event, _: &Value) -> Result<()> {
        match event {
            Event::Message(message) if message.role == MessageRole::Assistant => {
                message.tool_calls.iter().for_each(|call| output::note(&called(call, CALL_COLUMNS)));
                self.last = Some(message.content.clone());
            }
            Event::Message(message) => failed_call(message).into_iter().for_each(|error| output::note(&error)),
            Event::End(_) => {
                if let Some(answer) = self.last.take().filter(|answer| !answer.is_empty()) {
                    output::write(visible_lines(&answer).trim_end_matches('\n'))?;
                }
            }
            Event::Draft(_) | Event::Piece(_) => {}
        }
        Ok(())
    }
}

/// For people: the text as it comes.
pub(super) struct Terminal {
    screen: Screen,
    /// What is shown of the message that is being written, …
    shown: String,
    /// … and whether it stands on a line that goes on.
    is_open: bool,
    /// Whether what the user says stands there already, since they typed it.
    is_typed: bool,
}

impl Terminal {
    /// A terminal on which the user types what they say, …
    pub(super) fn new(screen: Screen) -> Self {
        Self { screen, shown: String::new(), is_open: false, is_typed: true }
    }

    /// … behind what was said before.
    pub(super) fn going_on(screen: Screen) -> Self {
        Self { is_typed: false, ..Self::new(screen) }
    }

    /// What is to be written so that this text stands there.
    fn towards(&mut self, text: &str) -> String {
        let more = match text.strip_prefix(self.shown.as_str()) {
            Some(more) => lines(more),
            // It is another one: it begins anew below.
            None => self.line_end() + &self.screen.paint("(begun anew)", Style::Faint) + "\n" + &lines(text),
        };
        text.clone_into(&mut self.shown);
        self.is_open = !text.is_empty() && !text.ends_with('\n');
        more
    }

    /// What ends the line, if one is open.
    fn line_end(&mut self) -> String {
        if std::mem::take(&mut self.is_open) { "\n".to_owned() } else { String::new() }
    }

    /// What is to be written for a message.
    fn message(&mut self, message: &Message) -> String {
        let (screen, columns) = (self.screen, self.screen.width.unwrap_or(CALL_COLUMNS));
        let faint = |line: &str| screen.paint(line, Style::Faint) + "\n";
        match message.role {
            MessageRole::User if self.is_typed => String::new(),
            MessageRole::User => self.screen.paint("> ", Style::Strong) + &visible_lines(&message.content) + "\n",
            MessageRole::Tool => failed_call(message).map(|error| faint(&error)).unwrap_or_default(),
            MessageRole::Assistant => {
                // What was shown of a turn that was cut off is all there is of it.
                let text = if message.content.is_empty() { String::new() } else { self.towards(&message.content) };
                let calls: String = message.tool_calls.iter().map(|call| faint(&called(call, columns))).collect();
                self.shown.clear();
                // How the turn that is followed ends is said when it has.
                let ended = message.finish.filter(|finish| !self.is_typed && finish.ends_turn() && *finish != Finish::Answered);
                let why = message.error.as_ref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
                let end = ended.map(|finish| faint(&format!("({}{why})", finish.as_str()))).unwrap_or_default();
                text + &self.line_end() + &calls + &end
            }
        }
    }
}

impl Show for Terminal {
    fn event(&mut self, event: &Event, _: &Value) -> Result<()> {
        let text = match event {
            Event::Message(message) => self.message(message),
            Event::Draft(text) if text.is_empty() && self.shown.is_empty() => String::new(),
            Event::Draft(text) => self.towards(text),
            Event::Piece(text) => {
                self.shown.push_str(text);
                self.is_open = !self.shown.is_empty() && !self.shown.ends_with('\n');
                lines(text)
            }
            Event::End(_) => {
                // From here on, what the user says is what they type.
                self.is_typed = true;
                self.shown.clear();
                self.line_end()
            }
        };
        if text.is_empty() { Ok(()) } else { output::piece(&text) }
    }

    fn pause(&mut self) -> Result<()> {
        output::piece(&self.line_end())
    }
}

/// The text with its lines, of which a piece may have half an end.
fn lines(text: &str) -> String {
    visible_lines(&text.replace('\r', ""))
}

/// A call, on a line of so many columns.
fn called(call: &ToolCall, columns: usize) -> String {
    let arguments = match serde_json::from_str(&call.arguments) {
        Ok(Value::Object(arguments)) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            arguments.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect::<Vec<_>>().join(", ")
        }
        _ => call.arguments.clone(),
    };
    let name = visible(&call.name);
    let room = columns.saturating_sub(width(&name) + 3).max(LEAST_COLUMNS);
    format!("· {name} {}", cut(&visible(&arguments), room)).trim_end().to_owned()
}

/// Why a call was not carried out, on a line.
fn failed_call(message: &Message) -> Option<String> {
    let result: Value = serde_json::from_str(&message.content).ok()?;
    result["error"].as_str().map(|error| visible(&format!("  {error}")))
}

#[cfg(test)]
mod tests {
    use mosaic_core::{Clock as _, Id, SystemClock};

    use super::*;

    fn message(role: MessageRole, content: &str) -> Message {
        Message::new(Id::nil(), Id::nil(), role, content, SystemClock.now())
    }

    #[test]
    fn what_was_streamed_is_not_shown_twice() {
        let mut terminal = Terminal::new(Screen::default());
        assert_eq!(terminal.towards("Let me "), "Let me ");
        let call = ToolCall { id: "1".into(), name: "search".into(), arguments: r#"{"text":"the mill"}"#.into() };
        let said = Message { tool_calls: vec![call], finish: Some(Finish::ToolCalls), ..message(MessageRole::Assistant, "Let me look.") };
        assert_eq!(terminal.message(&said), "look.\n· search text: the mill\n");
        assert_eq!(terminal.message(&message(MessageRole::Tool, r#"{"data":[]}"#)), "");
        assert_eq!(terminal.message(&message(MessageRole::Tool, r#"{"error":"no note with this id"}"#)), "  no note with this id\n");
        assert_eq!(terminal.message(&message(MessageRole::Assistant, "Done.\n")), "Done.\n");
        assert_eq!(terminal.towards("Half"), "Half");
        assert_eq!(terminal.message(&message(MessageRole::Assistant, "")), "\n", "what was cut off stays");
        assert_eq!(terminal.message(&message(MessageRole::User, "typed")), "");
    }

    #[test]
    fn a_draft_takes_the_place_of_what_was_shown() {
        let mut terminal = Terminal::new(Screen::default());
        assert_eq!(terminal.towards("One "), "One ");
        assert_eq!(terminal.towards("One two"), "two");
        assert_eq!(terminal.towards("Three"), "\n(begun anew)\nThree");
        assert_eq!(terminal.line_end(), "\n");
        assert_eq!(terminal.towards("Three four"), " four", "whatever else was said in between");
    }

    #[test]
    fn a_terminal_obeys_nothing_that_is_said() {
        let mut terminal = Terminal::going_on(Screen::default());
        let evil = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m";
        for text in [
            terminal.message(&message(MessageRole::Assistant, evil)),
            terminal.message(&message(MessageRole::User, evil)),
            called(&ToolCall { id: "1".into(), name: evil.into(), arguments: evil.into() }, 80),
            failed_call(&message(MessageRole::Tool, &json!({ "error": evil }).to_string())).unwrap(),
        ] {
            assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
        }
    }
}
