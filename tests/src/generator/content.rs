//! Tasks, notes, sessions and messages: most of them small, a few long, in personal spaces and in teams'.

use mosaic_core::{Finish, Id, Kind, Message, MessageRole, Note, Session, SessionStatus, Task, TaskStatus, Timestamp, ToolCall};

use super::draw::{Common, Draw};
use super::{Generator, Size, accounts, texts};

/// Whose a record is, and where it lives.
struct Place {
    owner: usize,
    team: Option<usize>,
}

impl Place {
    fn draw(of: &Generator, draw: &mut Draw) -> Self {
        let owner = draw.below(of.size.users);
        let team = if draw.chance(40) { None } else { accounts::team_of(of, draw, owner) };
        Self { owner, team }
    }

    fn owner_id(&self, of: &Generator) -> Id {
        of.id(Kind::User, self.owner)
    }

    fn team_id(&self, of: &Generator) -> Option<Id> {
        self.team.map(|team| of.id(Kind::Team, team))
    }
}

pub(super) fn task(of: &Generator, number: usize) -> Task {
    let mut draw = of.draw(Kind::Task, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    let place = Place::draw(of, &mut draw);
    // Whoever is to do it can read it.
    let assignee = draw.chance(50).then(|| match place.team {
        Some(team) => accounts::member_of(of, &mut draw, team, place.owner),
        None => place.owner,
    });
    let bytes = if draw.chance(30) { 0 } else { draw.between(20, 400) };
    Task {
        id,
        owner_id: place.owner_id(of),
        team_id: place.team_id(of),
        assignee_id: assignee.map(|user| of.id(Kind::User, user)),
        title: texts::title(&mut draw),
        body: texts::body(&mut draw, bytes),
        status: TaskStatus::ALL[number % TaskStatus::ALL.len()],
        priority: draw.below(5) as u8,
        due_at: draw.chance(40).then(|| created_at.plus_seconds(draw.below(10_000_000) as i64)),
        tags: texts::tags(&mut draw),
        created_at,
        updated_at,
        revision,
    }
}

pub(super) fn note(of: &Generator, number: usize) -> Note {
    let mut draw = of.draw(Kind::Note, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    let place = Place::draw(of, &mut draw);
    let bytes = match draw.below(200) {
        0 => draw.between(10_000, 40_000),
        1..20 => 0,
        _ => draw.between(100, 1_500),
    };
    Note {
        id,
        owner_id: place.owner_id(of),
        team_id: place.team_id(of),
        title: texts::title(&mut draw),
        body: texts::body(&mut draw, bytes),
        tags: texts::tags(&mut draw),
        created_at,
        updated_at,
        revision,
    }
}

pub(super) fn session(of: &Generator, number: usize) -> Session {
    let mut draw = of.draw(Kind::Session, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    let place = Place::draw(of, &mut draw);
    Session {
        id,
        owner_id: place.owner_id(of),
        team_id: place.team_id(of),
        title: texts::title(&mut draw),
        agent: draw.one_of(&["assistant", "Claude", "code-review bot", "助手"]).to_owned(),
        status: if number.is_multiple_of(3) { SessionStatus::Closed } else { SessionStatus::Open },
        created_at,
        updated_at,
        revision,
    }
}

/// For each session the number of its first message. Every fifth has none, and a few have most.
pub(super) fn first_messages(seed: u64, size: Size) -> Vec<usize> {
    let weight = |session: usize| match session % 5 {
        4 => 0,
        _ => (Draw::of(seed, "messages of a session", session).between(1, 9) as u64).pow(2),
    };
    let mut sum = 0;
    let sums: Vec<u64> = (0..size.sessions)
        .map(|session| {
            sum += weight(session);
            sum - weight(session)
        })
        .collect();
    sums.into_iter().map(|before| (size.messages as u64 * before / sum) as usize).collect()
}

pub(super) fn message(of: &Generator, number: usize) -> Message {
    let mut draw = of.draw(Kind::Message, number);
    let id = draw.common().id;
    // Of those that begin here, all but the last have no messages.
    let session = of.first_messages.partition_point(|first| *first <= number) - 1;
    let seq = (number - of.first_messages[session] + 1) as u64;
    let Common { id: session_id, created_at: begun_at, .. } = of.draw(Kind::Session, session).common();
    // One is said after the other.
    let earliest = begun_at.plus_seconds(seq as i64 * 40);
    let created_at = draw.time(earliest, earliest.plus_seconds(40));
    // A question, an answer that takes a tool, and another that comes to no good end; with nobody to answer the last question.
    let role = match seq % 6 {
        3 => MessageRole::Tool,
        1 | 5 => MessageRole::User,
        _ => MessageRole::Assistant,
    };
    let content = content(&mut draw, role, created_at);
    let said = Message::new(id, session_id, role, content, created_at);
    let call = |seq| format!("call_{seq}");
    // What was said is never changed.
    let said = match seq % 6 {
        2 => {
            let arguments = serde_json::json!({ "text": texts::title(&mut draw) }).to_string();
            let calls = vec![ToolCall { id: call(seq), name: "search".to_owned(), arguments }];
            Message { tool_calls: calls, finish: Some(Finish::ToolCalls), ..said }
        }
        3 => Message { tool_call_id: Some(call(seq - 1)), ..said },
        4 => Message { finish: Some(Finish::Answered), ..said },
        0 => {
            let ended = [Finish::Limited, Finish::Stopped, Finish::Interrupted, Finish::Failed][draw.below(4)];
            Message { finish: Some(ended), error: Some(texts::title(&mut draw)), ..said }
        }
        _ => said,
    };
    Message { seq, ..said }
}

fn content(draw: &mut Draw, role: MessageRole, at: Timestamp) -> String {
    let bytes = match (role, draw.below(100)) {
        (_, 0) => 0,
        (MessageRole::User, _) => draw.between(5, 150),
        (MessageRole::Assistant, _) => draw.between(50, 1_200),
        (MessageRole::Tool, 1..5) => draw.between(4_000, 12_000),
        (MessageRole::Tool, _) => draw.between(20, 600),
    };
    let said = texts::body(draw, bytes);
    match role {
        MessageRole::Tool => format!("{{\"at\":\"{at}\",\"output\":{}}}", serde_json::Value::from(said)),
        MessageRole::User | MessageRole::Assistant => said,
    }
}
