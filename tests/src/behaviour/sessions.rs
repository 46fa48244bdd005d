//! Sessions and their messages: read by the space's members, written by the owner alone, added to and never changed.

use mosaic_core::{
    Applied, Change, Entity as _, ErrorKind, Finish, Kind, Loaded, Message, MessageRole, Query, Record, Scope, Session, SessionStatus,
    ToolCall, User,
};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed, with_id, with_owner, with_team};

/// Adds a message, as the owner.
async fn say(env: &Env, owner: &User, session: &Session, content: &str) -> Message {
    let message = Message { content: content.into(), ..env.new_message(session) };
    env.create(as_user(owner), message).await.unwrap().try_into().unwrap()
}

async fn transcript(env: &Env, scope: Scope, session: &Session) -> Vec<Message> {
    let query = Query::new(Kind::Message).filter("session_id", &session.id.to_string()).unwrap().limit(7).unwrap();
    env.list(scope, &query).await.into_iter().map(|record| record.try_into().unwrap()).collect()
}

pub async fn a_session_is_read_by_the_members_of_its_space(env: &Env) {
    let crew = env.crew().await;
    let session = env.stored(env.new_team_session(&crew.member, &crew.team)).await;
    let message = Record::Message(say(env, &crew.member, &session, "Hello").await);
    let own = env.stored(env.new_session(&crew.member)).await;
    let own_message = Record::Message(say(env, &crew.member, &own, "To myself").await);
    let members = [as_user(&crew.member), as_user(&crew.lead), as_user(&crew.colleague), Scope::System];
    let others = [as_user(&crew.removed), as_user(&crew.outsider), as_admin(&crew.admin)];
    env.assert_seen(&session.clone().into(), &members).await;
    env.assert_seen(&message, &members).await;
    env.assert_unseen(&session.into(), &others).await;
    env.assert_unseen(&message, &others).await;
    env.assert_seen(&own.clone().into(), &[as_user(&crew.member)]).await;
    env.assert_seen(&own_message, &[as_user(&crew.member)]).await;
    env.assert_unseen(&own.into(), &[as_user(&crew.lead), as_admin(&crew.admin)]).await;
    env.assert_unseen(&own_message, &[as_user(&crew.lead), as_admin(&crew.admin)]).await;
}

pub async fn what_an_agent_calls_and_how_it_ends_is_kept(env: &Env) {
    let user = env.user().await;
    let session = env.stored(env.new_session(&user)).await;
    let call = |id: &str, arguments: &str| ToolCall { id: id.into(), name: "note_get".into(), arguments: arguments.into() };
    let calls = vec![call("call_1", "{\"id\":\"\\u0000\"}"), call("call'2\"", "no JSON at all \\ \u{1F9E9}")];
    let assistant = || Message { role: MessageRole::Assistant, ..env.new_message(&session) };
    let mut said = vec![
        Message { tool_calls: calls, finish: Some(Finish::ToolCalls), ..assistant() },
        Message { role: MessageRole::Tool, tool_call_id: Some("call'2\"".into()), ..env.new_message(&session) },
    ];
    for finish in [Finish::Answered, Finish::Limited, Finish::Stopped, Finish::Interrupted, Finish::Failed] {
        let error = (finish != Finish::Answered).then(|| "it's why".to_owned());
        said.push(Message { finish: Some(finish), error, ..assistant() });
    }
    for (message, seq) in said.iter_mut().zip(1..) {
        let stored: Message = env.create(as_user(&user), message.clone()).await.unwrap().try_into().unwrap();
        message.seq = seq;
        assert_eq!(stored, *message);
    }
    assert_eq!(transcript(env, as_user(&user), &session).await, said);
}

pub async fn an_owner_who_left_the_team_does_not_see_the_session(env: &Env) {
    let crew = env.crew().await;
    let membership = env.join(&crew.team, &crew.outsider, mosaic_core::MembershipRole::Member).await;
    let session = env.stored(env.new_team_session(&crew.outsider, &crew.team)).await;
    let message = Record::Message(say(env, &crew.outsider, &session, "Hello").await);
    env.delete(Scope::System, Kind::Membership, membership.id).await.unwrap();
    env.assert_unseen(&session.clone().into(), &[as_user(&crew.outsider)]).await;
    env.assert_unseen(&message, &[as_user(&crew.outsider)]).await;
    let error = refused(env.create(as_user(&crew.outsider), env.new_message(&session)).await, ErrorKind::Invalid);
    let absent = env.new_session(&crew.outsider);
    let of_absent = refused(env.create(as_user(&crew.outsider), env.new_message(&absent)).await, ErrorKind::Invalid);
    assert_eq!(error.to_string().replace(&session.id.to_string(), ""), of_absent.to_string().replace(&absent.id.to_string(), ""));
}

pub async fn a_session_is_written_by_its_owner_alone(env: &Env) {
    let crew = env.crew().await;
    let session = Record::Session(env.stored(env.new_team_session(&crew.member, &crew.team)).await);
    for scope in [as_user(&crew.lead), as_user(&crew.colleague)] {
        refused(env.update(scope, renamed(&session, "Theirs")).await, ErrorKind::Forbidden);
        refused(env.update(scope, with_owner(&session, crew.colleague.id)).await, ErrorKind::Forbidden);
        refused(env.update(scope, with_team(&session, None)).await, ErrorKind::Forbidden);
        refused(env.delete(scope, Kind::Session, session.id()).await, ErrorKind::Forbidden);
    }
    let renamed = env.update(as_user(&crew.member), renamed(&session, "Mine")).await.unwrap();
    let given = env.update(as_user(&crew.member), with_owner(&renamed, crew.colleague.id)).await.unwrap();
    refused(env.delete(as_user(&crew.member), Kind::Session, given.id()).await, ErrorKind::Forbidden);
    env.delete(as_user(&crew.colleague), Kind::Session, given.id()).await.unwrap();
    refused(env.create(as_user(&crew.member), env.new_session(&crew.lead)).await, ErrorKind::Forbidden);
}

pub async fn messages_are_added_by_the_sessions_owner_alone(env: &Env) {
    let crew = env.crew().await;
    let session = env.stored(env.new_team_session(&crew.member, &crew.team)).await;
    for scope in [as_user(&crew.lead), as_user(&crew.colleague)] {
        refused(env.create(scope, env.new_message(&session)).await, ErrorKind::Forbidden);
    }
    for scope in [as_user(&crew.removed), as_user(&crew.outsider), as_admin(&crew.admin)] {
        refused(env.create(scope, env.new_message(&session)).await, ErrorKind::Invalid);
    }
    refused(env.create(Scope::System, env.new_message(&env.new_session(&crew.member))).await, ErrorKind::Invalid);
    env.create(as_user(&crew.member), env.new_message(&session)).await.unwrap();
    env.create(Scope::System, env.new_message(&session)).await.unwrap();
}

pub async fn a_message_is_never_changed_and_goes_with_its_session(env: &Env) {
    let user = env.user().await;
    let session = env.stored(env.new_session(&user)).await;
    let message = Record::Message(say(env, &user, &session, "Said").await);
    for scope in [as_user(&user), Scope::System] {
        refused(env.update(scope, renamed(&message, "Unsaid")).await, ErrorKind::Forbidden);
    }
    refused(env.delete(as_user(&user), Kind::Message, message.id()).await, ErrorKind::Forbidden);
    assert_eq!(env.get(as_user(&user), Kind::Message, message.id()).await, Some(message.clone()));
    env.delete(as_user(&user), Kind::Session, session.id).await.unwrap();
    assert_eq!(env.get(Scope::System, Kind::Message, message.id()).await, None);
    let again = env.stored(Session { id: session.id, ..env.new_session(&user) }).await;
    assert!(transcript(env, Scope::System, &again).await.is_empty());
}

pub async fn a_message_gets_the_next_place(env: &Env) {
    let user = env.user().await;
    let (session, other) = (env.stored(env.new_session(&user)).await, env.stored(env.new_session(&user)).await);
    for n in 1..=20_u64 {
        // Whatever place it asks for.
        let message = Message { seq: n * 7 % 5, role: MessageRole::Assistant, ..env.new_message(&session) };
        let made: Message = env.create(as_user(&user), message).await.unwrap().try_into().unwrap();
        assert_eq!(made.seq, n);
    }
    assert_eq!(say(env, &user, &other, "First").await.seq, 1);
    let seqs: Vec<_> = transcript(env, as_user(&user), &session).await.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    let backwards = Query::new(Kind::Message).filter("session_id", &session.id.to_string()).unwrap().order("-seq").unwrap();
    let seqs: Vec<_> = env.list(as_user(&user), &backwards.limit(6).unwrap()).await.iter().map(|record| record.value("seq")).collect();
    assert!(seqs.len() == 20 && seqs.is_sorted_by(|a, b| a > b));
    assert!(transcript(env, Scope::User(env.id()), &session).await.is_empty());
}

pub async fn the_same_message_again_is_no_error(env: &Env) {
    let user = env.user().await;
    let session = env.stored(env.new_session(&user)).await;
    let message = env.new_message(&session);
    let first = env.create(as_user(&user), message.clone()).await.unwrap();
    say(env, &user, &session, "Between").await;
    let again = env.change(as_user(&user), Change::Create(message.clone().into())).await.unwrap();
    assert_eq!(again, Applied::Unchanged(first));
    refused(env.create(as_user(&user), Message { content: "Other".into(), ..message }).await, ErrorKind::Conflict);
    assert_eq!(say(env, &user, &session, "Next").await.seq, 3);
}

pub async fn of_64_writers_each_message_has_a_place_of_its_own(env: &'static Env) {
    let user = env.user().await;
    let session = env.stored(env.new_session(&user)).await;
    let writers: Vec<_> = (0..64)
        .map(|_| {
            let message = env.new_message(&session);
            tokio::spawn(env.create(as_user(&user), message))
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let seqs: Vec<_> = transcript(env, as_user(&user), &session).await.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=64).collect::<Vec<_>>(), "no gap, none twice");
}

pub async fn a_closed_session_takes_no_messages_until_it_is_open(env: &Env) {
    let user = env.user().await;
    let session = env.stored(env.new_session(&user)).await;
    let closed = Session { status: SessionStatus::Closed, ..session };
    let closed: Session = env.update(as_user(&user), closed).await.unwrap().try_into().unwrap();
    refused(env.create(as_user(&user), env.new_message(&closed)).await, ErrorKind::Conflict);
    let open = Session { status: SessionStatus::Open, ..closed };
    let open: Session = env.update(as_user(&user), open).await.unwrap().try_into().unwrap();
    assert_eq!(say(env, &user, &open, "Again").await.seq, 1);
    let listed = async |status| {
        let query = Query::new(Kind::Session).filter("space_id", &user.id.to_string()).unwrap().filter("status", status).unwrap();
        env.list(as_user(&user), &query).await.len()
    };
    assert_eq!((listed("open").await, listed("closed").await), (1, 0));
}

pub async fn messages_move_with_their_session(env: &Env) {
    let crew = env.crew().await;
    let session = env.stored(env.new_session(&crew.member)).await;
    let message = Record::Message(say(env, &crew.member, &session, "xylophone").await);
    let search = mosaic_core::Search::new("xylophone").unwrap();
    let found = async |user: &User| env.storage.search(as_user(user), &search).await.unwrap().len();
    assert_eq!((found(&crew.member).await, found(&crew.lead).await), (1, 0));
    let moved = env.update(as_user(&crew.member), with_team(&session.into(), Some(crew.team.id))).await.unwrap();
    env.assert_seen(&message, &[as_user(&crew.member), as_user(&crew.lead)]).await;
    assert_eq!((found(&crew.member).await, found(&crew.lead).await), (1, 1));
    env.update(as_user(&crew.member), with_team(&moved, None)).await.unwrap();
    env.assert_unseen(&message, &[as_user(&crew.lead)]).await;
    assert_eq!((found(&crew.member).await, found(&crew.lead).await), (1, 0));
}

pub async fn messages_are_taken_over_with_their_places(env: &Env) {
    let user = env.user().await;
    let session = Session { status: SessionStatus::Closed, ..env.new_session(&user) };
    let [one, three] = [1, 3].map(|seq| Record::Message(Message { seq, ..env.new_message(&session) }));
    let given = [session.clone().into(), three, one.clone()];
    for added in [true, false] {
        let loaded = env.storage.load(&given, None).await.unwrap();
        let expected = |loaded: &Loaded| if added { matches!(loaded, Loaded::Added) } else { matches!(loaded, Loaded::Unchanged) };
        assert!(loaded.iter().all(expected), "{loaded:?}");
    }
    let without = Record::Message(env.new_message(&session));
    let doubled = with_id(&one, env.id());
    let orphan = Record::Message(Message { seq: 1, ..env.new_message(&env.new_session(&user)) });
    let refusals = env.storage.load(&[without, doubled, orphan], None).await.unwrap();
    let kinds: Vec<_> = refusals.iter().map(|loaded| if let Loaded::Refused(error) = loaded { Some(error.kind()) } else { None }).collect();
    assert_eq!(kinds, [Some(ErrorKind::Invalid), Some(ErrorKind::Conflict), Some(ErrorKind::Invalid)], "{refusals:?}");
    // A place that was left out stays so; the next one is behind the last.
    let next: Message = env.create(Scope::System, env.new_message(&session)).await.unwrap().try_into().unwrap();
    assert_eq!(next.seq, 4);
}

pub async fn who_owns_a_session_is_not_removed(env: &Env) {
    let (user, team) = (env.user().await, env.team().await);
    let session = env.stored(env.new_session(&user)).await;
    say(env, &user, &session, "Here").await;
    let error = refused(env.delete(Scope::System, Kind::User, user.id).await, ErrorKind::Conflict);
    assert_eq!(error.get("sessions"), Some("1"), "{error}");
    env.update(Scope::System, with_team(&session.clone().into(), Some(team.id))).await.unwrap();
    refused(env.delete(Scope::System, Kind::Team, team.id).await, ErrorKind::Conflict);
    assert_eq!(env.fresh(&session).await.unwrap().space_id(), Some(team.id));
    env.delete(Scope::System, Kind::Session, session.id).await.unwrap();
    env.delete(Scope::System, Kind::Team, team.id).await.unwrap();
    env.delete(Scope::System, Kind::User, user.id).await.unwrap();
}
