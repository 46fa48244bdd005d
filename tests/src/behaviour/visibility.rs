//! What may not be seen does not exist, whatever is tried.

use mosaic_core::{Applied, Change, ErrorKind, Kind, Membership, MembershipRole, Record, Scope};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed};

pub async fn a_record_that_is_absent_is_no_error_to_read(env: &Env) {
    let (user, admin) = (env.user().await, env.admin().await);
    for kind in Kind::ALL {
        for scope in [as_user(&user), as_admin(&admin), Scope::System] {
            assert_eq!(env.get(scope, *kind, env.id()).await, None);
        }
    }
}

pub async fn to_change_or_remove_what_is_absent_names_it(env: &Env) {
    let user = env.user().await;
    for record in env.new_content(&user, None) {
        for scope in [as_user(&user), Scope::System] {
            let error = refused(env.update(scope, record.clone()).await, ErrorKind::NotFound);
            assert_eq!(error.get("id"), Some(record.id().to_string().as_str()));
            refused(env.delete(scope, record.kind(), record.id()).await, ErrorKind::NotFound);
        }
    }
}

pub async fn a_scope_of_nobody_sees_nothing(env: &Env) {
    let crew = env.crew().await;
    let nobody = Scope::User(env.id());
    let mut records = env.content(&crew.member, Some(&crew.team)).await;
    records.extend([crew.team.into(), crew.member.into()]);
    for record in records {
        env.assert_unseen(&record, &[nobody]).await;
    }
    for kind in Kind::ALL {
        assert_eq!(env.list(nobody, &mosaic_core::Query::new(*kind)).await, []);
    }
}

pub async fn a_scope_of_a_team_is_a_scope_of_nobody(env: &Env) {
    let crew = env.crew().await;
    let session = env.stored(env.new_team_session(&crew.member, &crew.team)).await;
    let message = env.stored(env.new_message(&session)).await;
    let mut records = env.content(&crew.member, Some(&crew.team)).await;
    records.extend([session.into(), message.into(), crew.member.into()]);
    for team in [Scope::User(crew.team.id), Scope::Admin(crew.team.id)] {
        for record in records.iter().filter(|record| record.kind().is_content() || team == Scope::User(crew.team.id)) {
            env.assert_unseen(record, &[team]).await;
        }
        for kind in Kind::ALL.iter().filter(|kind| kind.is_content()) {
            assert_eq!(env.list(team, &mosaic_core::Query::new(*kind)).await, []);
        }
        assert!(env.storage.search(team, &mosaic_core::Search::new("union").unwrap()).await.unwrap().is_empty());
    }
}

pub async fn an_id_that_is_taken_unseen_is_a_conflict(env: &Env) {
    let (owner, other) = (env.user().await, env.user().await);
    for (theirs, mine) in env.content(&owner, None).await.into_iter().zip(env.new_content(&other, None)) {
        let mine = super::records::with_id(&mine, theirs.id());
        refused(env.create(as_user(&other), mine).await, ErrorKind::Conflict);
        env.assert_seen(&theirs, &[as_user(&owner)]).await;
    }
}

pub async fn to_make_it_again_is_no_way_to_see_it(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.removed, Some(&crew.team)).await {
        refused(env.create(as_user(&crew.removed), record).await, ErrorKind::Invalid);
    }
    let token = Record::Token(env.new_token(&crew.member));
    env.create(Scope::System, token.clone()).await.unwrap();
    refused(env.create(as_user(&crew.colleague), token).await, ErrorKind::Forbidden);
}

pub async fn what_counts_is_who_is_a_member_at_that_moment(env: &Env) {
    let crew = env.crew().await;
    let record = env.content(&crew.member, Some(&crew.team)).await.remove(0);
    for _ in 0..5 {
        let membership = env.join(&crew.team, &crew.outsider, MembershipRole::Member).await;
        env.assert_seen(&record, &[as_user(&crew.outsider)]).await;
        env.delete(Scope::System, Kind::Membership, membership.id).await.unwrap();
        env.assert_unseen(&record, &[as_user(&crew.outsider)]).await;
    }
}

/// A member writes while their membership ends: what they write is done before the removal is acknowledged, or refused. Another
/// member holds the record meanwhile, by a batch that comes to nothing, so that writes wait for it and go on from what they saw.
pub async fn no_write_slips_through_as_a_membership_ends(env: &'static Env) {
    let crew = env.crew().await;
    let scope = as_user(&crew.outsider);
    for round in 0..24 {
        let membership = env.join(&crew.team, &crew.outsider, MembershipRole::Member).await;
        let records = env.content(&crew.member, Some(&crew.team)).await;
        let held = records.iter().map(|record| Change::Update(renamed(record, "Held")));
        let filling = (0..30).map(|_| Change::Create(env.new_team_note(&crew.member, &crew.team).into()));
        let refused_at_last = Change::Delete { kind: Kind::Note, id: env.id(), revision: None };
        let hold = tokio::spawn(env.apply(as_user(&crew.member), held.chain(filling).chain([refused_at_last]).collect()));
        // Now before the others, now among them.
        tokio::time::sleep(std::time::Duration::from_micros(round % 6 * 500)).await;
        let updates: Vec<_> = records.iter().map(|record| tokio::spawn(env.update(scope, renamed(record, "Late")))).collect();
        let new = env.new_team_note(&crew.outsider, &crew.team);
        let create = tokio::spawn(env.create(scope, new.clone()));
        let end = tokio::spawn(env.delete(as_user(&crew.lead), Kind::Membership, membership.id));

        end.await.unwrap().unwrap();
        let mut when_ended = Vec::new();
        for record in &records {
            when_ended.push(env.get(Scope::System, record.kind(), record.id()).await.unwrap());
        }
        let new_when_ended = env.fresh(&new).await;

        for ((update, record), when_ended) in updates.into_iter().zip(&records).zip(when_ended) {
            match update.await.unwrap() {
                Ok(written) => assert_eq!(when_ended, written, "written after the removal returned"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                    assert_eq!(when_ended, *record);
                }
            }
            refused(env.update(scope, renamed(record, "Too late")).await, ErrorKind::NotFound);
        }
        match create.await.unwrap() {
            Ok(created) => assert_eq!(new_when_ended.map(Record::Note), Some(created), "made after the removal returned"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error}"),
        }
        assert!(hold.await.unwrap().is_err(), "a batch that comes to nothing");
    }
}

/// The same of an owner's rights, which end with the role.
pub async fn no_removal_slips_through_as_a_role_is_taken(env: &'static Env) {
    let crew = env.crew().await;
    let scope = as_user(&crew.outsider);
    for round in 0..12 {
        let membership = env.join(&crew.team, &crew.outsider, MembershipRole::Owner).await;
        let record = env.content(&crew.member, Some(&crew.team)).await.remove(0);
        let filling = (0..30).map(|_| Change::Create(env.new_team_note(&crew.member, &crew.team).into()));
        let refused_at_last = Change::Delete { kind: Kind::Note, id: env.id(), revision: None };
        let held = [Change::Update(renamed(&record, "Held"))].into_iter();
        let hold = tokio::spawn(env.apply(as_user(&crew.member), held.chain(filling).chain([refused_at_last]).collect()));
        tokio::time::sleep(std::time::Duration::from_micros(round % 6 * 500)).await;
        let delete = tokio::spawn(env.delete(scope, record.kind(), record.id()));
        let lowered = Membership { role: MembershipRole::Member, ..membership.clone() };
        tokio::spawn(env.update(as_user(&crew.lead), lowered)).await.unwrap().unwrap();

        let when_lowered = env.get(Scope::System, record.kind(), record.id()).await;
        match delete.await.unwrap() {
            Ok(()) => assert_eq!(when_lowered, None, "removed after the role was taken"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}"),
        }
        assert!(hold.await.unwrap().is_err(), "a batch that comes to nothing");
        env.delete(Scope::System, Kind::Membership, membership.id).await.unwrap();
    }
}

pub async fn a_batch_of_a_user_is_held_to_their_scope_throughout(env: &Env) {
    let crew = env.crew().await;
    let (own, theirs) = (env.content(&crew.member, None).await, env.content(&crew.lead, None).await);
    let changes = vec![Change::Update(renamed(&own[0], "Mine")), Change::Update(renamed(&theirs[0], "Mine too"))];
    let error = refused(env.apply(as_user(&crew.member), changes).await, ErrorKind::NotFound);
    assert_eq!(error.get("change"), Some("1"));
    for record in own.iter().chain(&theirs) {
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await.as_ref(), Some(record));
    }
    let applied = env.apply(as_user(&crew.member), vec![Change::Update(renamed(&own[0], "Mine"))]).await.unwrap();
    assert!(matches!(applied.as_slice(), [Applied::Updated(_)]));
}
