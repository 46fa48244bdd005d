//! One turn: the model is asked, its text is passed on as it comes, the tools that it calls are carried out, until it answers or a bound is reached.
//! Whatever ends it, its last message says so. What must not come in: who follows it.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::model::{BODY_BYTES, REASON_CHARS};
use mosaic_core::{Applied, Change, Error, ErrorKind, Finish, Message, MessageRole, Record, Scope, Session, ToolCall};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use super::Turns;
use super::claim::{Claim, Loss, RENEWAL};
use super::conversation::{Setting, message, messages_after};
use super::live::{Ended, Live};
use super::tools::{self, Tools};
use crate::config::ChatModel;
use crate::models::{Blame, Chat, ChatMessage, Failure, Piece};

/// How long a turn may go on when the gateway stops.
const GRACE: Duration = Duration::from_secs(4);
/// How long a failed request to the model server rests before it is tried anew; twice as long after each further one, up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(20);
/// How long the end of a turn waits for a storage that is away.
const END_TIME: Duration = Duration::from_secs(60);
/// A token is about so many bytes of text, where the server does not count, …
const TOKEN_BYTES: u64 = 4;
/// … and no more than that: a server that goes on past its bound is cut off there.
const LONGEST_TOKEN_BYTES: u64 = 8;
/// How often a change is prepared anew when somebody else changed the record meanwhile.
const ATTEMPTS: usize = 5;

/// A turn that is run.
pub(super) struct Run {
    pub(super) turns: Arc<Turns>,
    pub(super) live: Arc<Live>,
    pub(super) model: Arc<Chat>,
    pub(super) claim: Mutex<Claim>,
    pub(super) session: Session,
    /// Its place among the turns that run at once.
    pub(super) _place: OwnedSemaphorePermit,
}

/// What the model said in a round.
struct Said {
    text: String,
    calls: Vec<ToolCall>,
    cut_off: bool,
}

/// Why a round brought nothing.
enum Trouble {
    /// The model server failed.
    Server(Failure),
    /// The turn is over.
    Over(Ended),
}

impl Run {
    /// Runs the turn to its end.
    pub(super) async fn run(self) {
        // However this ends, also by a fault of ours, followers do not wait for ever.
        let _ends = Ends(Arc::clone(&self.turns), Arc::clone(&self.live));
        let section = self.model.section();
        let deadline = Instant::now() + Duration::from_secs(section.turn_seconds);
        let outcome = tokio::select! {
            outcome = self.rounds(deadline) => outcome,
            () = self.live.stop.cancelled() => Err(Loss::Stopped),
            () = sleep_until(deadline) => Ok(limited(format!("the turn took longer than {} s", section.turn_seconds))),
            () = self.gateway_stops() => Ok(ended(Finish::Interrupted, "the gateway was stopped")),
            loss = self.keep() => Err(loss),
        };
        let ended = match outcome {
            Ok(ended) => ended,
            Err(Loss::Stopped) => Ended { finish: Some(Finish::Stopped), error: None },
            Err(Loss::Failed(error)) if is_over(&error) => ended(Finish::Stopped, "the session was closed"),
            Err(Loss::Failed(error)) => {
                tracing::error!(session = %self.session.id, "a turn failed: {error:?}");
                ended(Finish::Failed, "the gateway could not store the turn; its log says more")
            }
            Err(Loss::Lost) => {
                tracing::warn!(session = %self.session.id, "a turn was given up: another gateway has taken it for dead");
                return self.live.end(ended(Finish::Interrupted, "the gateway was away for too long"));
            }
        };
        self.end(ended).await;
    }

    /// Stores the last message, and tells of it.
    async fn end(&self, ended: Ended) {
        self.catch_up().await;
        let said = self.said(MessageRole::Assistant, self.live.draft());
        let last = Message { finish: ended.finish, error: ended.error.clone(), ..said };
        let mut claim = self.claim.lock().await;
        let begun = Instant::now();
        // By the system: the session may be closed by now.
        let written = loop {
            match claim.write(Scope::System, last.created_at, vec![Change::Create(last.clone().into())], true).await {
                // A storage that is away comes back, as a rule, and what was said is not to be lost to it.
                Err(Loss::Failed(error)) if is_away(&error) && begun.elapsed() < END_TIME => sleep(LONGEST_REST / 10).await,
                written => break written,
            }
        };
        let mut told = Ended { finish: Some(Finish::Interrupted), error: Some("the end of this turn could not be stored".to_owned()) };
        match written {
            Ok(applied) => {
                // Whoever hears of the end may begin the next turn.
                self.turns.forget(&self.live);
                self.publish(applied);
                told = ended;
            }
            Err(Loss::Failed(error)) if error.kind() == ErrorKind::Invalid => {
                // The session was removed, and all of the turn with it.
                claim.give_up().await;
            }
            Err(Loss::Failed(error)) => {
                tracing::error!(session = %self.session.id, "the end of a turn could not be stored, and it counts as interrupted: {error:?}");
            }
            Err(Loss::Lost | Loss::Stopped) => tracing::warn!(session = %self.session.id, "a turn was ended by another gateway"),
        }
        self.turns.forget(&self.live);
        self.live.end(told);
    }

    /// Tells of messages that a write which was cut off has stored all the same.
    async fn catch_up(&self) {
        let Some(last) = self.live.last() else { return };
        let Ok(query) = messages_after(self.session.id, last) else { return };
        match self.turns.records.storage.list(Scope::System, &query).await {
            Ok(page) => page.items.into_iter().filter_map(|record| message(record).ok()).for_each(|message| self.live.publish(message)),
            Err(error) => tracing::debug!(session = %self.session.id, %error, "what a turn stored last is not known"),
        }
    }

    async fn gateway_stops(&self) {
        self.turns.stopping.cancelled().await;
        sleep(GRACE).await;
    }

    /// Renews the claim until it is lost.
    async fn keep(&self) -> Loss {
        loop {
            sleep(RENEWAL).await;
            match self.claim.lock().await.renew().await {
                Err(loss @ (Loss::Lost | Loss::Stopped)) => return loss,
                Err(Loss::Failed(error)) => tracing::debug!(session = %self.session.id, %error, "the claim of a turn is not renewed"),
                Ok(()) => {}
            }
        }
    }

    async fn rounds(&self, deadline: Instant) -> Result<Ended, Loss> {
        let section = self.model.section();
        let (scope, storage) = (self.scope(), &self.turns.records.storage);
        let setting = Setting {
            session: &self.session,
            instructions: section.instructions.as_deref(),
            now: self.turns.records.clock.now(),
            context_chars: section.context_chars,
        };
        let mut said = setting.said(&**storage, scope).await.map_err(Loss::Failed)?;
        let mut tokens_left = u64::from(section.max_tokens);
        for _ in 0..section.max_rounds {
            let answer = match self.ask(&setting.conversation(&said), &mut tokens_left, deadline).await {
                Ok(answer) => answer,
                Err(ended) => return Ok(ended),
            };
            if answer.cut_off {
                return Ok(limited(over_tokens(section)));
            }
            if answer.calls.is_empty() {
                return Ok(if answer.text.is_empty() {
                    ended(Finish::Failed, "the model answered nothing")
                } else {
                    Ended { finish: Some(Finish::Answered), error: None }
                });
            }
            let calls = answer.calls.clone();
            let asks =
                Message { tool_calls: answer.calls, finish: Some(Finish::ToolCalls), ..self.said(MessageRole::Assistant, answer.text) };
            if let Err(error) = mosaic_core::Entity::validate(&asks) {
                return Ok(ended(Finish::Failed, &format!("the model called a tool in a way that cannot be stored: {}", error.message())));
            }
            said.push(self.store(asks, None).await?);
            for call in &calls {
                said.push(self.carry_out(call).await?);
            }
        }
        Ok(limited(format!("the turn took more than {} rounds of tools", section.max_rounds)))
    }

    /// Asks the model, more than once if need be.
    async fn ask(&self, conversation: &[ChatMessage], tokens_left: &mut u64, deadline: Instant) -> Result<Said, Ended> {
        let section = self.model.section();
        let mut rest = FIRST_REST;
        for attempt in 1.. {
            if *tokens_left == 0 {
                return Err(limited(over_tokens(section)));
            }
            let failure = match self.ask_once(conversation, tokens_left).await {
                Ok(said) => return Ok(said),
                Err(Trouble::Over(ended)) => return Err(ended),
                Err(Trouble::Server(failure)) => failure,
            };
            let wait = failure.retry_after.unwrap_or(rest);
            let is_worth_it = attempt < section.attempts && is_passing(&failure) && Instant::now() + wait < deadline;
            tracing::warn!(session = %self.session.id, attempt, again = is_worth_it, "the chat model failed: {:?}", failure.error);
            if !is_worth_it {
                return Err(ended(Finish::Failed, &said_of(&failure)));
            }
            sleep(wait).await;
            rest = (rest * 2).min(LONGEST_REST);
            self.live.begin_anew();
        }
        Err(Ended::default())
    }

    async fn ask_once(&self, conversation: &[ChatMessage], tokens_left: &mut u64) -> Result<Said, Trouble> {
        let section = self.model.section();
        let most_tokens = u32::try_from(*tokens_left).unwrap_or(u32::MAX);
        let most_bytes = usize::try_from(tokens_left.saturating_mul(LONGEST_TOKEN_BYTES)).unwrap_or(usize::MAX).min(BODY_BYTES);
        let mut answer = self.model.ask(conversation, &self.turns.tools, most_tokens).await.map_err(Trouble::Server)?;
        let mut length = 0;
        while let Some(piece) = answer.next().await.map_err(Trouble::Server)? {
            match piece {
                Piece::Text(text) => {
                    // No text that is stored holds the NUL character.
                    let text = text.replace('\0', "\u{fffd}");
                    let room = text.floor_char_boundary(most_bytes - length);
                    length = self.live.add(&text[..room]);
                    if room < text.len() {
                        return Err(Trouble::Over(limited(over_tokens(section))));
                    }
                }
                Piece::Done(done) => {
                    let called: usize = done.tool_calls.iter().map(|call| call.arguments.len()).sum();
                    let used = done.tokens.unwrap_or((length + called) as u64 / TOKEN_BYTES);
                    *tokens_left = tokens_left.saturating_sub(used);
                    return Ok(Said { text: self.live.draft(), calls: done.tool_calls, cut_off: done.cut_off });
                }
            }
        }
        Err(Trouble::Over(ended(Finish::Failed, "the model server's answer broke off")))
    }

    /// Carries out a call: what it changes and its result are stored together, or neither is.
    async fn carry_out(&self, call: &ToolCall) -> Result<Message, Loss> {
        let most = self.model.section().tool_chars;
        let (records, searcher) = (&self.turns.records, &self.turns.searcher);
        let tools = Tools { records, searcher, scope: self.scope(), team: self.session.team_id };
        let mut attempts = ATTEMPTS;
        let refused = loop {
            attempts -= 1;
            let at = self.turns.records.clock.now();
            let outcome = match tools.outcome(call, at).await {
                Ok(outcome) => outcome,
                Err(error) => break error,
            };
            let result =
                Message { tool_call_id: Some(call.id.clone()), ..self.said(MessageRole::Tool, tools::result(&outcome.data, most)) };
            let result = Message { created_at: at, updated_at: at, ..result };
            let is_change = outcome.change.is_some();
            match self.store(result, outcome.change).await {
                // Somebody else changed the record: what it answers is to be made anew.
                Err(Loss::Failed(error)) if is_change && error.kind() == ErrorKind::Stale && attempts > 0 => {}
                Err(Loss::Failed(error)) if is_change && error.get("change") == Some("0") => break error,
                outcome => return outcome,
            }
        };
        match tools::refusal(&refused, most) {
            Some(told) => self.store(Message { tool_call_id: Some(call.id.clone()), ..self.said(MessageRole::Tool, told) }, None).await,
            None => Err(Loss::Failed(refused)),
        }
    }

    /// Stores a message of the turn, together with a change, and tells of it.
    async fn store(&self, message: Message, change: Option<Change>) -> Result<Message, Loss> {
        let at = message.created_at;
        let changes: Vec<_> = change.into_iter().chain([Change::Create(message.into())]).collect();
        let applied = self.claim.lock().await.write(self.scope(), at, changes, false).await?;
        match applied.into_iter().next_back().and_then(Applied::record).map(Message::try_from) {
            Some(Ok(stored)) => {
                self.live.publish(stored.clone());
                Ok(stored)
            }
            _ => Err(Loss::Failed(Error::new(ErrorKind::Internal, "the storage answered no message for one that it stored"))),
        }
    }

    fn publish(&self, applied: Vec<Applied>) {
        let messages = applied.into_iter().filter_map(Applied::record).filter_map(|record: Record| Message::try_from(record).ok());
        messages.for_each(|message| self.live.publish(message));
    }

    fn said(&self, role: MessageRole, content: String) -> Message {
        let now = self.turns.records.clock.now();
        Message::new(self.turns.records.ids.next(now), self.session.id, role, content, now)
    }

    /// The person's own: what they may not see or do, the model may not.
    fn scope(&self) -> Scope {
        Scope::User(self.session.owner_id)
    }
}

/// Takes a turn from the list of those that run, however it ends.
struct Ends(Arc<Turns>, Arc<Live>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.forget(&self.1);
        self.1.end(ended(Finish::Interrupted, "the gateway failed"));
    }
}

fn ended(finish: Finish, why: &str) -> Ended {
    let line = why.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let error: String = line.replace('\0', " ").chars().take(REASON_CHARS).collect();
    Ended { finish: Some(finish), error: Some(error) }
}

fn limited(why: String) -> Ended {
    ended(Finish::Limited, &why)
}

fn over_tokens(section: &ChatModel) -> String {
    format!("the answer is longer than {} tokens", section.max_tokens)
}

/// Whether a message could not be stored since its session is closed, gone, or out of its owner's sight.
fn is_over(error: &Error) -> bool {
    error.get("session").is_some() || error.get("field") == Some("session_id")
}

/// Whether the storage may come back.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// Whether asking again may help.
fn is_passing(failure: &Failure) -> bool {
    failure.blame != Blame::Setup && failure.error.kind() != ErrorKind::Invalid
}

/// What a person is told of a failure. Where the server is, and what it says of itself, is the operator's to know: the log has it.
fn said_of(failure: &Failure) -> String {
    failure.error.message().to_owned()
}
