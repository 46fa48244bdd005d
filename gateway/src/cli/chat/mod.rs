//! `mosaic chat`: a conversation with the agent, in a terminal or as one question. What must not come in: how a turn is followed, which is in `talk`,
//! and how it looks, which is in `show`.

mod show;
mod talk;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use mosaic_core::model::BODY_BYTES;
use mosaic_core::{Error, ErrorKind, Finish, Id, Kind, Record, Result, SessionStatus, refusal};
use serde_json::Map;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines, Stdin};

use super::connect::Gateway;
use super::daily::{id, names};
use super::interrupt::Interrupts;
use super::output;
use super::terminal::{Screen, Style};
use crate::client::{Client, End};
use show::{Answer, Json, Show, Terminal};
use talk::Talk;

/// A title has so many characters of the first message, at most.
const TITLE_CHARS: usize = 80;
/// How much of what was said before is shown, in messages.
const SHOWN: usize = 12;
/// What stands for standard input.
const STDIN: &str = "-";

const EXAMPLES: &str = "\
Examples:
  mosaic chat
  mosaic chat --continue
  mosaic chat \"What is due this week?\"
  git log -5 | mosaic chat - --json

Ctrl-C stops the agent; at the prompt, Ctrl-C or Ctrl-D leaves. The session stays: --continue goes on with it.
A running gateway is needed: give its url with --url or MOSAIC_URL.";

/// Talk with the agent, which works on your tasks and notes
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Chat {
    /// What to say, for one answer; - reads it from standard input. Without it, a conversation begins
    message: Vec<String>,
    /// Go on with this session
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with_all = ["last", "team", "agent"])]
    session: Option<Id>,
    /// Go on with your open session that was begun last
    #[arg(long = "continue", conflicts_with_all = ["team", "agent"])]
    last: bool,
    /// Where a new session lives: a team's space, by slug or id, whose members read it
    #[arg(long)]
    team: Option<String>,
    /// The name of a new session's agent
    #[arg(long, default_value = "assistant")]
    agent: String,
    /// Write each event as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: Gateway,
}

impl Chat {
    pub(super) fn check(&self, config: Option<&Path>) -> Result<(), String> {
        self.gateway.check(config)
    }

    pub(super) async fn run(self) -> Result<ExitCode> {
        let client = self.gateway.client()?;
        let one = match self.message.join(" ").as_str() {
            "" if std::io::stdin().is_terminal() => None,
            "" | STDIN => Some(standard_input().await?),
            message => Some(message.to_owned()),
        };
        let session = match (self.session, self.last) {
            (Some(session), _) => Some(own(&client, session).await?),
            (None, true) => Some(latest(&client).await?),
            (None, false) => None,
        };
        match one {
            Some(message) => self.ask(client, session, message.trim_end()).await,
            None => self.converse(client, session).await,
        }
    }

    /// One question, and its answer.
    async fn ask(self, client: Client, session: Option<Id>, message: &str) -> Result<ExitCode> {
        let team = names::team_field(&client, self.team.as_deref()).await?;
        let mut talk = match session {
            Some(session) => Talk::new(client, session, 0),
            None => self.begin(client, team.as_deref(), message).await?,
        };
        let mut show: Box<dyn Show> = if self.json {
            Box::new(Json)
        } else if std::io::stdout().is_terminal() {
            Box::new(Terminal::new(Screen::of_stdout()))
        } else {
            Box::new(Answer::default())
        };
        let ended = match talk.turn(message, &mut *show, &mut Interrupts::new()?).await {
            Ok(ended) => ended,
            Err(error) => {
                if session.is_none() && talk.is_unheard() {
                    talk.remove().await;
                }
                return Err(error);
            }
        };
        match failure(&ended) {
            None => Ok(ExitCode::SUCCESS),
            Some(error) => Err(error.hint(format!("go on with: mosaic chat --session {}", talk.session()))),
        }
    }

    /// A conversation, until the user leaves it.
    async fn converse(self, client: Client, session: Option<Id>) -> Result<ExitCode> {
        let (screen, mut interrupts) = (Screen::of_stdout(), Interrupts::new()?);
        let mut show: Box<dyn Show> = match session {
            _ if self.json => Box::new(Json),
            Some(_) => Box::new(Terminal::going_on(screen)),
            None => Box::new(Terminal::new(screen)),
        };
        let mut talk = None;
        if let Some(session) = session {
            let (said, more) = client.last_said(session, SHOWN).await?;
            if more && !self.json {
                output::write(&screen.paint(&format!("(earlier: mosaic session show {session})"), Style::Faint))?;
            }
            let mut going_on = Talk::new(client.clone(), session, said.first().map_or(0, |first| first.seq.saturating_sub(1)));
            going_on.catch_up(&mut *show, &mut interrupts).await?;
            talk = Some(going_on);
        } else if !self.json {
            // What would be in the way of the first message is said before it is typed.
            client.me().await?;
            output::write(&screen.paint("A new session. Ctrl-C stops the agent, Ctrl-D leaves.", Style::Faint))?;
        }
        let team = names::team_field(&client, self.team.as_deref()).await?;
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = prompted(&mut lines, &mut interrupts, screen, self.json).await? {
            let message = line.trim();
            if message.is_empty() {
                continue;
            }
            let mut present = match talk.take() {
                Some(talk) => talk,
                None => self.begin(client.clone(), team.as_deref(), message).await?,
            };
            match present.turn(message, &mut *show, &mut interrupts).await {
                Ok(ended) => say_end(&ended),
                // What one message met may not be in the way of the next.
                Err(error) if !output::is_of_no_reader(&error) => _ = output::failed(&error),
                Err(error) => return Err(error),
            }
            if present.is_unheard() && session.is_none() {
                // Nothing of it came: no empty session stays behind.
                present.remove().await;
            } else {
                talk = Some(present);
            }
        }
        if let Some(talk) = talk {
            output::note(&format!("go on with: mosaic chat --session {}", talk.session()));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Begins a session.
    async fn begin(&self, client: Client, team: Option<&str>, message: &str) -> Result<Talk> {
        let mut fields = Map::new();
        let title: String = message.lines().next().unwrap_or_default().chars().take(TITLE_CHARS).collect();
        fields.insert("title".into(), if title.trim().is_empty() { "Untitled".into() } else { title.into() });
        fields.insert("agent".into(), self.agent.as_str().into());
        if let Some(team) = team {
            fields.insert("team_id".into(), team.into());
        }
        let session = client.create(Kind::Session, fields).await?.id();
        Ok(Talk::new(client, session, 0))
    }
}

/// A line that the user types; `None` when they leave.
async fn prompted(lines: &mut Lines<BufReader<Stdin>>, interrupts: &mut Interrupts, screen: Screen, json: bool) -> Result<Option<String>> {
    interrupts.forget();
    if !json {
        output::piece(&screen.paint("> ", Style::Strong))?;
    }
    let unreadable = |error| Error::new(ErrorKind::Unavailable, "standard input cannot be read").with("reason", &error).source(error);
    let line = tokio::select! {
        line = lines.next_line() => line.map_err(unreadable)?,
        () = interrupts.pressed() => None,
    };
    if line.is_none() && !json {
        output::write("")?;
    }
    Ok(line)
}

async fn standard_input() -> Result<String> {
    let mut text = String::new();
    // One byte more than fits, to know that it does not.
    tokio::io::stdin()
        .take(BODY_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .await
        .map_err(|error| Error::new(ErrorKind::Unavailable, "standard input cannot be read").with("reason", &error).source(error))?;
    if text.len() > BODY_BYTES {
        return Err(Error::invalid(format!("the message is too long: {BODY_BYTES} bytes at most")));
    }
    if text.trim().is_empty() {
        return Err(Error::invalid("standard input says nothing").hint("give a message: mosaic chat \"What is due this week?\""));
    }
    Ok(text)
}

/// A session that is the user's own to talk in.
async fn own(client: &Client, session: Id) -> Result<Id> {
    match client.get(Kind::Session, session).await? {
        Record::Session(found) if found.owner_id == client.me().await? => match found.status {
            SessionStatus::Open => Ok(session),
            SessionStatus::Closed => Err(refusal::session_closed(session).hint(format!("mosaic session reopen {session}"))),
        },
        _ => Err(Error::new(ErrorKind::Forbidden, "only a session's owner talks to its agent")
            .with("session", session)
            .hint(format!("read it: mosaic session show {session}"))),
    }
}

/// The user's open session that was begun last.
async fn latest(client: &Client) -> Result<Id> {
    let me = client.me().await?;
    let open = client.first(Kind::Session, &[("status", "open"), ("order", "-created_at")], mosaic_core::PAGE_ITEMS).await?;
    let mut own = open.records.into_iter().filter(|record| matches!(record, Record::Session(session) if session.owner_id == me));
    own.next()
        .map(|session| session.id())
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "you have no open session").hint("begin one: mosaic chat"))
}

/// Says how a turn ended that was not answered.
fn say_end(ended: &End) {
    if ended.finish == Some(Finish::Stopped) {
        output::note("the agent was stopped");
    } else if let Some(error) = failure(ended) {
        let _ = output::failed(&error);
    }
}

fn failure(ended: &End) -> Option<Error> {
    let (kind, what) = match ended.finish {
        None | Some(Finish::Answered | Finish::ToolCalls) => return None,
        Some(Finish::Stopped) => (ErrorKind::Unavailable, "the agent was stopped"),
        Some(Finish::Limited) => (ErrorKind::Invalid, "the agent came to a bound"),
        Some(Finish::Interrupted) => (ErrorKind::Unavailable, "the agent was interrupted"),
        Some(Finish::Failed) => (ErrorKind::Unavailable, "the agent failed"),
    };
    let message = ended.error.as_ref().map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"));
    Some(Error::new(kind, message))
}
