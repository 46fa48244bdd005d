//! What may not be seen does not exist, whatever is tried.

use mosaic_core::{Applied, Change, ErrorKind, Kind, Record, Scope};

use super::Env;
use super::check::refused;
use super::records::{as_admin, as_user, renamed, with_team};

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
        let membership = env.join(&crew.team, &crew.outsider, mosaic_core::MembershipRole::Member).await;
        env.assert_seen(&record, &[as_user(&crew.outsider)]).await;
        env.delete(Scope::System, Kind::Membership, membership.id).await.unwrap();
        env.assert_unseen(&record, &[as_user(&crew.outsider)]).await;
    }
}

/// Members write while their membership comes and goes: each write was done by a member, or was refused.
pub async fn no_write_slips_through_as_a_membership_ends(env: &Env) {
    let crew = env.crew().await;
    for _ in 0..8 {
        let membership = env.join(&crew.team, &crew.outsider, mosaic_core::MembershipRole::Member).await;
        let record = env.content(&crew.member, Some(&crew.team)).await.remove(0);
        let end = env.delete(as_user(&crew.lead), Kind::Membership, membership.id);
        let scope = as_user(&crew.outsider);
        let write = env.update(scope, renamed(&record, "Late"));
        let create = env.create(scope, with_team(&env.new_content(&crew.outsider, None)[0], Some(crew.team.id)));
        let (ended, written, created) = tokio::join!(end, write, create);
        ended.unwrap();
        let now = env.get(Scope::System, record.kind(), record.id()).await.unwrap();
        match written {
            Ok(written) => assert_eq!(now, written),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                assert_eq!(now, record);
            }
        }
        if let Err(error) = created {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        }
        refused(env.update(scope, renamed(&record, "Too late")).await, ErrorKind::NotFound);
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
