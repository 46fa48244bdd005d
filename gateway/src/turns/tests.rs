//! Who runs a turn: one at a time, and nobody who lost it writes on.

use mosaic_core::memory::MemoryStorage;
use mosaic_core::{Clock as _, CountingIds, Storage, SystemClock, Timestamp};

use super::conversation::{Setting, messages, messages_after};
use super::*;
use crate::models::ChatMessage;

mod troubled;

const ADA: Id = Id::from_u128(0xada);
const SESSION: Id = Id::from_u128(0x5e55);

/// A person and their session.
fn world_records() -> Vec<Record> {
    let at = "2026-01-01T00:00:00Z";
    let records = [
        json!({ "kind": "user", "id": ADA, "login": "ada", "name": "Ada", "role": "member", "created_at": at }),
        json!({ "kind": "session", "id": SESSION, "owner_id": ADA, "title": "Plans", "agent": "assistant", "created_at": at }),
    ];
    records.into_iter().map(|record| serde_json::from_value(record).unwrap()).collect()
}

struct World {
    storage: Arc<dyn Storage>,
}

impl World {
    async fn new() -> Self {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
        storage.load(&world_records(), None).await.unwrap();
        Self { storage }
    }

    /// A gateway without a model.
    fn gateway(&self, sharing: Sharing, first_id: u128) -> Arc<Turns> {
        let ids = CountingIds::default();
        (0..first_id).for_each(|_| _ = mosaic_core::IdSource::next(&ids, SystemClock.now()));
        let records = Records { storage: Arc::clone(&self.storage), clock: Arc::new(SystemClock), ids: Arc::new(ids) };
        let searcher = Searcher { storage: Arc::clone(&self.storage), vectors: None, meaning: None };
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        Turns::new(TurnsParts { records, searcher, model: None, sharing, tasks, stopping })
    }

    fn said(n: u128, role: MessageRole, content: &str) -> Message {
        Message::new(Id::from_u128(0xbeef_0000 + n), SESSION, role, content, SystemClock.now())
    }

    async fn claim(&self, holder: Id, n: u128) -> Result<Claim> {
        let message = Self::said(n, MessageRole::User, "Hello");
        let place = (Scope::User(ADA), SESSION, message.id);
        let (storage, clock) = (Arc::clone(&self.storage), Arc::new(SystemClock));
        Ok(Claim::take(storage, clock, holder, CancellationToken::new(), place, Change::Create(message.into())).await?.0)
    }

    async fn transcript(&self) -> Vec<(u64, Option<Finish>)> {
        let page = self.storage.list(Scope::User(ADA), &messages(SESSION).unwrap()).await.unwrap();
        page.items.into_iter().map(|record| Message::try_from(record).unwrap()).map(|message| (message.seq, message.finish)).collect()
    }

    async fn write(claim: &mut Claim, n: u128, gives_up: bool) -> Result<Vec<Applied>, claim::Loss> {
        let message = Self::said(n, MessageRole::Assistant, "Yes?");
        claim.write(Scope::User(ADA), message.created_at, vec![Change::Create(message.into())], gives_up).await
    }
}

#[tokio::test]
async fn one_turn_of_a_session_runs_at_a_time() {
    let world = World::new().await;
    let mut claim = world.claim(Id::from_u128(0xf1), 1).await.unwrap();
    let refused = world.claim(Id::from_u128(0xf2), 2).await.err().unwrap();
    assert!(claim::is_taken(&refused, SESSION), "{refused}");
    World::write(&mut claim, 3, false).await.unwrap();
    claim.renew().await.unwrap();
    World::write(&mut claim, 4, true).await.unwrap();
    assert_eq!(world.transcript().await.len(), 3, "and nothing of what was refused");
    let mut next = world.claim(Id::from_u128(0xf2), 5).await.unwrap();
    World::write(&mut next, 6, true).await.unwrap();
}

#[tokio::test]
async fn whoever_lost_a_turn_writes_nothing_more_and_the_transcript_says_so() {
    let world = World::new().await;
    let mut claim = world.claim(Id::from_u128(0xf1), 1).await.unwrap();
    // The other gateway holds the first one for dead.
    world.gateway(Sharing::Exclusive, 0).settle(SESSION).await.unwrap();
    assert_eq!(world.transcript().await, [(1, None), (2, Some(Finish::Interrupted))]);
    assert!(matches!(World::write(&mut claim, 3, false).await, Err(claim::Loss::Lost)));
    assert!(matches!(World::write(&mut claim, 3, true).await, Err(claim::Loss::Lost)));
    assert!(matches!(claim.renew().await, Err(claim::Loss::Lost)));
    world.gateway(Sharing::Exclusive, 9).settle(SESSION).await.unwrap();
    assert_eq!(world.transcript().await.len(), 2, "it is said once");
}

#[tokio::test]
async fn a_turn_of_another_gateway_is_left_to_it_and_stopped_through_the_storage() {
    let world = World::new().await;
    let mut claim = world.claim(Id::from_u128(0xf1), 1).await.unwrap();
    let gateway = world.gateway(Sharing::Shared, 0);
    gateway.settle(SESSION).await.unwrap();
    let fields = || json!({ "session_id": SESSION, "role": "user", "content": "And?" }).as_object().unwrap().clone();
    let refused = gateway.append(Scope::User(ADA), SESSION, fields()).await.err().unwrap();
    assert!(matches!(refused, Refusal::Running), "{refused:?}");
    assert_eq!(world.transcript().await.len(), 1);
    let stop = tokio::spawn(async move { gateway.stop(SESSION).await });
    while !claim::read(&*world.storage, SESSION).await.unwrap().unwrap().0.stop {
        tokio::task::yield_now().await;
    }
    assert!(matches!(World::write(&mut claim, 2, false).await, Err(claim::Loss::Stopped)));
    World::write(&mut claim, 3, true).await.unwrap();
    stop.await.unwrap().unwrap();
    world.gateway(Sharing::Shared, 9).append(Scope::User(ADA), SESSION, fields()).await.unwrap();
    assert_eq!(world.transcript().await.len(), 3);
}

#[tokio::test]
async fn stopping_a_turn_leaves_the_next_one_alone() {
    let world = World::new().await;
    let mut first = world.claim(Id::from_u128(0xf1), 1).await.unwrap();
    let gateway = world.gateway(Sharing::Shared, 0);
    let stop = tokio::spawn(async move { gateway.stop(SESSION).await });
    while !claim::read(&*world.storage, SESSION).await.unwrap().unwrap().0.stop {
        tokio::task::yield_now().await;
    }
    World::write(&mut first, 2, true).await.unwrap();
    let mut next = world.claim(Id::from_u128(0xf1), 3).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), stop).await.expect("it waits for its own turn alone").unwrap().unwrap();
    World::write(&mut next, 4, false).await.unwrap();
    assert!(!claim::read(&*world.storage, SESSION).await.unwrap().unwrap().0.stop);
}

#[tokio::test]
async fn without_a_model_no_turn_begins_and_nothing_is_stored() {
    let world = World::new().await;
    let session = world.storage.get(Scope::System, Kind::Session, SESSION).await.unwrap().unwrap();
    let begun = world.gateway(Sharing::Shared, 0).begin(Session::try_from(session).unwrap(), None, "Hello".into()).await;
    assert!(matches!(begun, Err(Refusal::NoModel)));
    assert!(world.transcript().await.is_empty());
}

#[tokio::test]
async fn a_conversation_begins_with_a_turn_that_the_bound_reaches() {
    let world = World::new().await;
    let mut said = Vec::new();
    for turn in 0..80 {
        said.push(World::said(turn * 2, MessageRole::User, &format!("question {turn:02}")));
        said.push(World::said(turn * 2 + 1, MessageRole::Assistant, &format!("answer   {turn:02}")));
    }
    for message in said {
        world.storage.apply(Scope::System, &mosaic_core::Batch::one(SystemClock.now(), Change::Create(message.into()))).await.unwrap();
    }
    let session = Session::try_from(world.storage.get(Scope::System, Kind::Session, SESSION).await.unwrap().unwrap()).unwrap();
    for (context_chars, first, count) in
        [(1, "question 79", 2), (22 * 3, "question 77", 6), (22 * 3 + 21, "question 77", 6), (usize::MAX, "question 00", 160)]
    {
        let setting = Setting { session: &session, instructions: None, now: Timestamp::MIN, context_chars };
        let told = setting.said(&*world.storage, Scope::User(ADA)).await.unwrap();
        assert_eq!((told[0].content.as_str(), told.len()), (first, count), "{context_chars}");
    }
    assert!(world.storage.list(Scope::User(ADA), &messages_after(SESSION, 160).unwrap()).await.unwrap().items.is_empty());
}

#[test]
fn each_call_has_its_result_and_one_without_was_not_done() {
    let call = |id: &str| mosaic_core::ToolCall { id: id.into(), name: "search".into(), arguments: "{}".into() };
    let session = json!({ "id": SESSION, "owner_id": ADA, "title": "Plans", "agent": "assistant", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "revision": 1 });
    let session: Session = serde_json::from_value(session).unwrap();
    let setting = Setting { session: &session, instructions: Some("Be brief."), now: Timestamp::MIN, context_chars: 1 };
    let told = setting.conversation(&[
        World::said(1, MessageRole::User, "Find it"),
        Message { tool_calls: vec![call("a"), call("b")], ..World::said(2, MessageRole::Assistant, "") },
        Message { tool_call_id: Some("a".into()), ..World::said(3, MessageRole::Tool, "found") },
        Message { finish: Some(Finish::Interrupted), ..World::said(4, MessageRole::Assistant, "") },
        World::said(5, MessageRole::User, "And now?"),
    ]);
    let told: Vec<_> = told
        .iter()
        .map(|message| match message {
            ChatMessage::System(text) => format!("system, instructed: {}", text.ends_with("Be brief.")),
            ChatMessage::User(text) => format!("user {text}"),
            ChatMessage::Assistant { tool_calls, .. } => format!("assistant calls {}", tool_calls.len()),
            ChatMessage::Tool { tool_call_id, content } => format!("tool {tool_call_id} {content}"),
        })
        .collect();
    let expected = [
        "system, instructed: true",
        "user Find it",
        "assistant calls 2",
        "tool a found",
        r#"tool b {"error":"this was not done: the turn ended before"}"#,
        "user And now?",
    ];
    assert_eq!(told, expected);
}
