//! Tasks, notes, sessions and messages: every short text in every field, the long ones, every time, and places that hang together loosely.

use mosaic_core::model::{NAME_CHARS, REASON_CHARS, TAG_CHARS, TAGS, TITLE_CHARS, TOOL_CALLS};
use mosaic_core::{Finish, Id, Message, MessageRole, Note, Record, Session, SessionStatus, Task, TaskStatus, ToolCall};

use super::accounts::Accounts;
use super::{aged, bodies, texts, values};
use crate::generator::draw::Draw;

/// All content, in dependency order.
pub(super) fn all(draw: &mut Draw, accounts: &Accounts) -> Vec<Record> {
    let texts = texts::all();
    let mut records: Vec<Record> = Vec::new();
    let bodies = bodies::of_others(draw);
    records.extend((0..texts.len()).map(|number| Record::Task(task(draw, accounts, number, &texts, &bodies))));
    let bodies = bodies::of_notes(draw);
    records.extend((0..texts.len()).map(|number| Record::Note(note(draw, accounts, number, &texts, &bodies))));
    let sessions: Vec<_> = (0..values::COUNT).map(|number| session(draw, accounts, number, &texts)).collect();
    records.extend(sessions.iter().cloned().map(Record::Session));
    records.extend(messages(draw, &sessions, texts));
    records
}

/// The first ids are the bounds, in every kind; then each is one that the other kinds do not have.
fn id(draw: &mut Draw, number: usize) -> Id {
    values::IDS.get(number).copied().unwrap_or_else(|| draw.id())
}

/// Whose it is and where it lives: personal, of a member of the team, or of one who left it.
fn place(accounts: &Accounts, number: usize) -> (Id, Option<Id>) {
    let (users, teams) = (&accounts.users, &accounts.teams);
    match number % 3 {
        0 => (users[number % 5].id, None),
        1 => (users[number % 4].id, Some(teams[number / 3 % 4].id)),
        _ => (users[5].id, Some(teams[teams.len() - 1].id)),
    }
}

/// Long bodies for the first ones, then short texts.
fn body(number: usize, texts: &[String], bodies: &[String]) -> String {
    bodies.get(number).unwrap_or_else(|| &texts[(number + 1) % texts.len()]).clone()
}

/// A title; the third one is as long as it may be.
fn title(number: usize, texts: &[String]) -> String {
    if number == 2 { texts::of_length(TITLE_CHARS) } else { texts::cut(&texts[number], TITLE_CHARS) }
}

/// None, as many and as long as may be, or a few.
fn tags(number: usize, texts: &[String]) -> Vec<String> {
    match number % 4 {
        0 => Vec::new(),
        1 => (0..TAGS).map(|tag| texts::of_length(TAG_CHARS - 2) + &format!("{tag:02}")).collect(),
        2 => texts.iter().take(TAGS).map(|text| texts::cut(text, TAG_CHARS)).collect(),
        // The same to the eye, and in no order.
        _ => [&texts[number % texts.len()], "x e\u{301}", "x é", "X É", " x é"].iter().map(|tag| texts::cut(tag, TAG_CHARS)).collect(),
    }
}

fn task(draw: &mut Draw, accounts: &Accounts, number: usize, texts: &[String], bodies: &[String]) -> Task {
    let (owner_id, team_id) = place(accounts, number);
    // Whoever owns it, or another member of the team that it is in.
    let assignee_id = match (number % 3, number % 2) {
        (0, 0) => Some(owner_id),
        (1, 0) => Some(accounts.users[3].id),
        _ => None,
    };
    let made = values::time(number);
    let task = Task {
        id: id(draw, number),
        owner_id,
        team_id,
        assignee_id,
        title: title(number, texts),
        body: body(number, texts, bodies),
        status: TaskStatus::ALL[number % TaskStatus::ALL.len()],
        priority: (number % 5) as u8,
        due_at: (!number.is_multiple_of(4)).then(|| values::time(number + 9)),
        tags: tags(number, texts),
        created_at: made,
        updated_at: made,
        revision: 1,
    };
    aged(task, number)
}

fn note(draw: &mut Draw, accounts: &Accounts, number: usize, texts: &[String], bodies: &[String]) -> Note {
    let (owner_id, team_id) = place(accounts, number);
    let made = values::time(number);
    let note = Note {
        id: id(draw, number),
        owner_id,
        team_id,
        title: title(number, texts),
        body: body(number, texts, bodies),
        tags: tags(number + 1, texts),
        created_at: made,
        updated_at: made,
        revision: 1,
    };
    aged(note, number)
}

fn session(draw: &mut Draw, accounts: &Accounts, number: usize, texts: &[String]) -> Session {
    let (owner_id, team_id) = place(accounts, number);
    let made = values::time(number);
    let agent = if number == 2 { texts::of_length(NAME_CHARS) } else { texts::cut(&texts[texts.len() - 1 - number], NAME_CHARS) };
    let status = if number.is_multiple_of(2) { SessionStatus::Open } else { SessionStatus::Closed };
    let title = title(number, texts);
    let id = id(draw, number);
    aged(Session { id, owner_id, team_id, title, agent, status, created_at: made, updated_at: made, revision: 1 }, number)
}

/// The same with everything short in what a message is besides its content; one has as many calls as may be.
fn with_calls(said: Message, number: usize, lines: &[String]) -> Message {
    let line = |most| texts::cut(&lines[number % lines.len()], most);
    let call = |arguments: &String| ToolCall { id: line(NAME_CHARS), name: line(NAME_CHARS), arguments: arguments.clone() };
    match said.role {
        MessageRole::User => said,
        MessageRole::Tool => Message { tool_call_id: Some(line(NAME_CHARS)), ..said },
        MessageRole::Assistant if number.is_multiple_of(2) => {
            Message { tool_calls: lines.iter().take(TOOL_CALLS).map(call).collect(), finish: Some(Finish::ToolCalls), ..said }
        }
        MessageRole::Assistant => {
            let ended = [Finish::Answered, Finish::Limited, Finish::Stopped, Finish::Interrupted, Finish::Failed][number % 5];
            Message { finish: Some(ended), error: Some(line(REASON_CHARS)), ..said }
        }
    }
}

/// Everything short in one closed session, everything long in another, and a few words in those behind. The rest have none.
fn messages(draw: &mut Draw, sessions: &[Session], texts: Vec<String>) -> Vec<Record> {
    let lines = texts.clone();
    let said = [(1, texts), (2, bodies::of_others(draw)), (0, vec![String::new()]), (3, vec!["NULL".to_owned(), "?".to_owned()])];
    let said = said.into_iter().flat_map(|(session, contents)| (1..).zip(contents).map(move |(seq, content)| (session, seq, content)));
    // A place that none can follow.
    let last = (4, i64::MAX as u64, "the last word".to_owned());
    said.chain([last])
        .enumerate()
        .map(|(number, (session, seq, content))| {
            let role = [MessageRole::Tool, MessageRole::Assistant, MessageRole::User][number % 3];
            let said = Message::new(id(draw, number), sessions[session].id, role, content, values::time(number));
            aged(Message { seq, ..with_calls(said, number, &lines) }, number).into()
        })
        .collect()
}
