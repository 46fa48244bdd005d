//! A turn that this process runs, as those see it who follow it: its stored messages, the draft of the one that is being written, and its end.
//! Whoever reads slowly holds nobody up, and sees all of it. What must not come in: where followers come from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_core::{Finish, Id, Message, MessageRole};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How a turn ended, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// How its last message ended; `None` where that is not known.
    pub finish: Option<Finish>,
    /// Why, where the finish does not say it all.
    pub error: Option<String>,
}

impl Ended {
    /// What a message says of its turn's end, if it is its last one.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let finish = message.finish.filter(|finish| finish.ends_turn())?;
        Some(Self { finish: Some(finish), error: message.error.clone() })
    }
}

/// What followers are told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A message that is stored. One of the agent's takes the place of the draft.
    Message(Arc<Message>),
    /// The text so far of the message that is being written, in place of what was told of it.
    Draft(String),
    /// A piece of text that goes to the end of the draft.
    Piece(String),
    /// Nothing follows.
    End(Ended),
}

/// A turn that this process runs.
pub(super) struct Live {
    pub(super) session: Id,
    /// Ends the turn when it is cancelled.
    pub(super) stop: CancellationToken,
    told: Mutex<Told>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Told {
    messages: Vec<Arc<Message>>,
    draft: String,
    /// Counts the drafts: each message of the agent's begins with an empty one, and one that is begun anew too.
    drafts: u64,
    ended: Option<Ended>,
}

/// How far a follower is.
pub(super) struct Cursor {
    changed: watch::Receiver<()>,
    next: usize,
    draft: Option<u64>,
    /// How much of the draft was told, in bytes.
    shown: usize,
}

impl Live {
    pub(super) fn new(session: Id) -> Arc<Self> {
        let (told, changed) = (Mutex::default(), watch::channel(()).0);
        Arc::new(Self { session, stop: CancellationToken::new(), told, changed })
    }

    /// Tells of a message that is stored.
    pub(super) fn publish(&self, message: Message) {
        self.tell(|told| {
            if message.role == MessageRole::Assistant {
                told.draft.clear();
                told.drafts += 1;
            }
            told.messages.push(Arc::new(message));
        });
    }

    /// Throws the draft away.
    pub(super) fn begin_anew(&self) {
        self.tell(|told| {
            told.draft.clear();
            told.drafts += 1;
        });
    }

    /// Adds to the draft; answers how long it is, in bytes.
    pub(super) fn add(&self, piece: &str) -> usize {
        let mut length = 0;
        self.tell(|told| {
            told.draft.push_str(piece);
            length = told.draft.len();
        });
        length
    }

    /// The draft.
    pub(super) fn draft(&self) -> String {
        self.told().draft.clone()
    }

    /// Tells that nothing follows. The first end stays.
    pub(super) fn end(&self, ended: Ended) {
        self.tell(|told| _ = told.ended.get_or_insert(ended));
    }

    /// The place in the session of the first message, once it is stored, …
    pub(super) fn first(&self) -> Option<u64> {
        self.told().messages.first().map(|message| message.seq)
    }

    /// … and of the last one.
    pub(super) fn last(&self) -> Option<u64> {
        self.told().messages.last().map(|message| message.seq)
    }

    /// Follows from behind a place.
    pub(super) fn follow(&self, after: u64) -> Cursor {
        let changed = self.changed.subscribe();
        let next = self.told().messages.iter().take_while(|message| message.seq <= after).count();
        Cursor { changed, next, draft: None, shown: 0 }
    }

    /// Waits until the first message is stored, or the turn has ended without any.
    pub(super) async fn begun(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            {
                let told = self.told();
                if !told.messages.is_empty() || told.ended.is_some() {
                    return;
                }
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until the turn has ended.
    pub(super) async fn ended(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if self.told().ended.is_some() || changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// What comes next for a follower. Nothing is lost when the future is dropped.
    pub(super) async fn next(&self, cursor: &mut Cursor) -> Event {
        loop {
            cursor.changed.borrow_and_update();
            if let Some(event) = self.told().after(cursor) {
                return event;
            }
            if cursor.changed.changed().await.is_err() {
                return Event::End(Ended::default());
            }
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.changed.send_replace(());
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn after(&self, cursor: &mut Cursor) -> Option<Event> {
        if let Some(message) = self.messages.get(cursor.next) {
            cursor.next += 1;
            if message.role == MessageRole::Assistant {
                cursor.shown = 0;
            }
            return Some(Event::Message(Arc::clone(message)));
        }
        let is_first = cursor.draft.is_none();
        if cursor.draft.replace(self.drafts) != Some(self.drafts) {
            let was_shown = std::mem::take(&mut cursor.shown) > 0;
            // Whoever comes back may have shown some of it already.
            if was_shown || is_first && !self.draft.is_empty() {
                cursor.shown = self.draft.len();
                return Some(Event::Draft(self.draft.clone()));
            }
        }
        if let Some(piece) = self.draft.get(cursor.shown..).filter(|piece| !piece.is_empty()) {
            cursor.shown = self.draft.len();
            return Some(Event::Piece(piece.to_owned()));
        }
        self.ended.clone().map(Event::End)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use mosaic_core::{Clock as _, SystemClock};

    use super::*;

    fn message(seq: u64, role: MessageRole) -> Message {
        let id = Id::from_u128(seq.into());
        Message { seq, ..Message::new(id, Id::nil(), role, format!("message {seq}"), SystemClock.now()) }
    }

    /// What a follower is told by now.
    fn told(live: &Live, cursor: &mut Cursor) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = live.next(cursor).now_or_never() {
            let is_end = matches!(event, Event::End(_));
            events.push(match event {
                Event::Message(message) => message.seq.to_string(),
                Event::Draft(text) => format!("={text}"),
                Event::Piece(text) => format!("+{text}"),
                Event::End(ended) => format!("end {:?}", ended.finish),
            });
            if is_end {
                break;
            }
        }
        events
    }

    #[test]
    fn whoever_follows_from_the_beginning_is_told_all_in_order() {
        let live = Live::new(Id::nil());
        let mut cursor = live.follow(0);
        assert!(told(&live, &mut cursor).is_empty());
        live.publish(message(1, MessageRole::User));
        assert_eq!(told(&live, &mut cursor), ["1"]);
        live.add("He");
        live.add("l");
        assert_eq!(told(&live, &mut cursor), ["+Hel"]);
        live.add("lo");
        live.publish(message(2, MessageRole::Assistant));
        live.add("By");
        assert_eq!(told(&live, &mut cursor), ["2", "+By"], "what became a message is told as that");
        live.begin_anew();
        assert_eq!(told(&live, &mut cursor), ["="]);
        live.add("Good");
        live.begin_anew();
        live.add("Bye");
        assert_eq!(told(&live, &mut cursor), ["+Bye"]);
        live.publish(message(3, MessageRole::Assistant));
        live.end(Ended { finish: Some(Finish::Answered), error: None });
        assert_eq!(told(&live, &mut cursor), ["3", "end Some(Answered)"]);
    }

    #[test]
    fn whoever_comes_back_is_told_what_they_missed_and_the_draft_so_far() {
        let live = Live::new(Id::nil());
        for (seq, role) in [(1, MessageRole::User), (2, MessageRole::Assistant), (3, MessageRole::Tool)] {
            live.publish(message(seq, role));
        }
        live.add("so far");
        let mut cursor = live.follow(1);
        assert_eq!(told(&live, &mut cursor), ["2", "3", "=so far"]);
        live.add(" so good");
        assert_eq!(told(&live, &mut cursor), ["+ so good"]);
        assert_eq!(told(&live, &mut live.follow(3)), ["=so far so good"]);
        live.end(Ended::default());
        live.end(Ended { finish: Some(Finish::Failed), error: None });
        assert_eq!(told(&live, &mut live.follow(9)), ["=so far so good", "end None"]);
    }
}
