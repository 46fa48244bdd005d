//! Content changes its owner and its space.

use mosaic_core::{ErrorKind, MembershipRole, Query, Scope};

use super::Env;
use super::check::{refused, same_answer};
use super::records::{as_admin, as_user, with_owner, with_team};

pub async fn the_owner_or_a_team_owner_gives_team_content_to_a_member(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, Some(&crew.team)).await {
        let given = env.update(as_user(&crew.member), with_owner(&record, crew.colleague.id)).await.unwrap();
        assert!(with_owner(&given, crew.member.id).same_content(&record));
        // Once given, it is no longer theirs to give.
        refused(env.update(as_user(&crew.member), with_owner(&given, crew.member.id)).await, ErrorKind::Forbidden);
        let taken = env.update(as_user(&crew.lead), with_owner(&given, crew.lead.id)).await.unwrap();
        let back = env.update(Scope::System, with_owner(&taken, crew.member.id)).await.unwrap();
        assert_eq!(back.revision(), 4);
    }
}

pub async fn a_member_does_not_take_anothers_content(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, Some(&crew.team)).await {
        for scope in [as_user(&crew.colleague), Scope::Admin(crew.colleague.id)] {
            refused(env.update(scope, with_owner(&record, crew.colleague.id)).await, ErrorKind::Forbidden);
            refused(env.update(scope, with_owner(&record, crew.lead.id)).await, ErrorKind::Forbidden);
        }
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, Some(record));
    }
}

pub async fn team_content_is_given_to_members_only(env: &Env) {
    let crew = env.crew().await;
    let nobody = env.new_user();
    for record in env.content(&crew.member, Some(&crew.team)).await {
        for scope in [as_user(&crew.member), as_user(&crew.lead)] {
            refused(env.update(scope, with_owner(&record, crew.removed.id)).await, ErrorKind::Invalid);
            let outsider = refused(env.update(scope, with_owner(&record, crew.outsider.id)).await, ErrorKind::Invalid);
            let absent = refused(env.update(scope, with_owner(&record, nobody.id)).await, ErrorKind::Invalid);
            same_answer(&outsider, crew.outsider.id, &absent, nobody.id);
        }
    }
}

pub async fn a_personal_record_keeps_its_owner(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, None).await {
        for scope in [as_user(&crew.member), Scope::Admin(crew.member.id)] {
            refused(env.update(scope, with_owner(&record, crew.colleague.id)).await, ErrorKind::Forbidden);
            // Not on its way into the team either.
            let moved = with_team(&record, Some(crew.team.id));
            refused(env.update(scope, with_owner(&moved, crew.colleague.id)).await, ErrorKind::Forbidden);
        }
        let given = env.update(Scope::System, with_owner(&record, crew.colleague.id)).await.unwrap();
        env.assert_seen(&given, &[as_user(&crew.colleague)]).await;
        env.assert_unseen(&given, &[as_user(&crew.member)]).await;
    }
}

pub async fn the_system_gives_content_to_nobody_who_is_not_there(env: &Env) {
    let crew = env.crew().await;
    for team in [None, Some(&crew.team)] {
        for record in env.content(&crew.member, team).await {
            refused(env.update(Scope::System, with_owner(&record, env.id())).await, ErrorKind::Invalid);
        }
    }
}

pub async fn the_owner_moves_content_between_their_spaces(env: &Env) {
    let crew = env.crew().await;
    let other = env.team().await;
    env.join(&other, &crew.member, MembershipRole::Member).await;
    for record in env.content(&crew.member, None).await {
        let scope = as_user(&crew.member);
        let here = env.update(scope, with_team(&record, Some(crew.team.id))).await.unwrap();
        env.assert_seen(&here, &[scope, as_user(&crew.colleague)]).await;
        let there = env.update(scope, with_team(&here, Some(other.id))).await.unwrap();
        env.assert_unseen(&there, &[as_user(&crew.colleague)]).await;
        let home = env.update(scope, with_team(&there, None)).await.unwrap();
        assert_eq!((home.space_id(), home.revision()), (Some(crew.member.id), 4));
        env.assert_seen(&home, &[scope]).await;
    }
}

pub async fn a_move_takes_content_from_one_list_to_the_other(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, None).await {
        let list_of = |space: mosaic_core::Id| Query::new(record.kind()).filter("space_id", &space.to_string()).unwrap();
        let moved = env.update(as_user(&crew.member), with_team(&record, Some(crew.team.id))).await.unwrap();
        assert_eq!(env.list(as_user(&crew.member), &list_of(crew.member.id)).await, []);
        assert_eq!(env.list(as_user(&crew.colleague), &list_of(crew.team.id)).await, [moved]);
    }
}

/// Whoever may not remove a record does not move it out of its team either, which comes to the same for the others.
pub async fn team_content_is_moved_out_by_its_owner_or_a_team_owner(env: &Env) {
    let crew = env.crew().await;
    let other = env.team().await;
    for user in [&crew.colleague, &crew.lead] {
        // As an owner there, which counts for nothing in the team that the record leaves.
        env.join(&other, user, MembershipRole::Owner).await;
    }
    for record in env.content(&crew.member, Some(&crew.team)).await {
        for scope in [as_user(&crew.colleague), Scope::Admin(crew.colleague.id)] {
            refused(env.update(scope, with_team(&record, Some(other.id))).await, ErrorKind::Forbidden);
        }
        // Its owner is not in the other team.
        refused(env.update(as_user(&crew.member), with_team(&record, Some(other.id))).await, ErrorKind::Invalid);
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await.as_ref(), Some(&record));
        let moved = env.update(as_user(&crew.lead), with_team(&record, Some(other.id))).await.unwrap();
        env.assert_unseen(&moved, &[as_user(&crew.member)]).await;
        env.assert_seen(&moved, &[as_user(&crew.colleague), as_user(&crew.lead)]).await;
    }
}

pub async fn nobody_moves_anothers_content_into_a_personal_space(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.member, Some(&crew.team)).await {
        for scope in [as_user(&crew.colleague), as_user(&crew.lead)] {
            refused(env.update(scope, with_team(&record, None)).await, ErrorKind::Forbidden);
        }
        refused(env.update(as_user(&crew.colleague), with_owner(&with_team(&record, None), crew.colleague.id)).await, ErrorKind::Forbidden);
        assert_eq!(env.get(Scope::System, record.kind(), record.id()).await, Some(record));
    }
}

pub async fn admins_move_nothing_into_teams_they_are_not_in(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.admin, None).await {
        refused(env.update(as_admin(&crew.admin), with_team(&record, Some(crew.team.id))).await, ErrorKind::Forbidden);
    }
}

pub async fn the_system_moves_anything_anywhere(env: &Env) {
    let crew = env.crew().await;
    for record in env.content(&crew.outsider, None).await {
        let moved = env.update(Scope::System, with_team(&record, Some(crew.team.id))).await.unwrap();
        env.assert_seen(&moved, &[as_user(&crew.member)]).await;
        let back = env.update(Scope::System, with_team(&moved, None)).await.unwrap();
        env.assert_seen(&back, &[as_user(&crew.outsider)]).await;
    }
}
