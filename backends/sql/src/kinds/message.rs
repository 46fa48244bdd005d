//! The table of messages. Lists of them are of a session, so that the session is to them what a space is to others; the space itself is
//! kept beside them, by the database, for searches.

use mosaic_core::refusal::{append_only, forbidden, missing, session_closed, without_place};
use mosaic_core::{Kind, Message};

use super::content;
use crate::columns::columns;
use crate::table::{Numbered, Right, Rule, SearchedBy, Table, Unique};

/// The condition that the user `$1` sees the session of a message; with a lock, for a write that rests on it.
macro_rules! sees_session {
    ($session:literal, $member:ident $(, $owner:literal)?) => {
        concat!(
            "EXISTS (SELECT FROM sessions AS whole WHERE whole.id = ", $session, $(" AND ", $owner,)?
            " AND (", is_own!("whole"), " OR ", $member!("whole.space_id"), "))"
        )
    };
}

impl Table for Message {
    columns! {
        "messages",
        fixed {
            session_id: "uuid", seq: "bigint", role: "text", tool_calls: "text", tool_call_id: "text", finish: "text", error: "text",
        },
        given {},
        body content,
        searched words,
    }

    const DERIVED: (&'static str, &'static str) =
        (", space_id", ", (SELECT whole.space_id FROM sessions AS whole WHERE whole.id = given.session_id)");

    const SPACE: &'static str = "session_id";
    const SPACES: &'static str = "SELECT whole.id AS space_id FROM sessions AS whole JOIN (\
        SELECT users.id AS space_id FROM users WHERE users.id = $1 UNION ALL SELECT team_id FROM memberships WHERE user_id = $1) AS mine \
        ON whole.space_id = mine.space_id";
    const SEES: &'static str = sees_session!("kept.session_id", is_member_of);
    const SEES_TO_WRITE: &'static str = sees_session!("kept.session_id", writes_as_member_of);

    const MAY_CREATE: &'static [Rule<Self>] = &[
        // A session that a user does not see is refused like one that does not exist.
        Rule {
            holds: sees_session!("given.session_id", writes_as_member_of),
            otherwise: |message| missing("session_id", Kind::Session, message.session_id),
        },
        Rule {
            holds: sees_session!("given.session_id", is_member_of, "whole.owner_id = $1"),
            otherwise: |message| forbidden("only a session's owner adds messages to it", Kind::Message, message.id),
        },
        Rule {
            holds: sees_session!("given.session_id", is_member_of, "whole.status = 'open'"),
            otherwise: |message| session_closed(message.session_id),
        },
    ];
    const MAY_UPDATE: Right = Right { holds: "false", otherwise: "a message is never changed" };
    const MAY_DELETE: Right = Right { holds: "false", otherwise: "a message goes with its session" };

    const FIXED: &'static [Rule<Self>] = &[Rule { holds: "false", otherwise: |message| append_only(message.id) }];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            holds: "EXISTS (SELECT FROM sessions AS whole WHERE whole.id = given.session_id)",
            otherwise: |message| missing("session_id", Kind::Session, message.session_id),
        },
        Rule { holds: "given.seq >= 1", otherwise: |_| without_place() },
    ];
    const UNIQUE: Option<Unique<Self>> = Some(Unique {
        same: "other.session_id = given.session_id AND other.seq = given.seq",
        fixed: true,
        field: "seq",
        value: |message| Some(message.seq.to_string()),
    });

    const NUMBERED: Option<Numbered<Self>> = Some(Numbered {
        lock: "SELECT FROM sessions WHERE id = $1 FOR NO KEY UPDATE",
        next: "SELECT coalesce(max(seq), 0) + 1 FROM messages WHERE session_id = $1",
        whole: |message| message.session_id,
        place: |message, seq| message.seq = seq,
    });
    const EMBEDDINGS: Option<&'static str> = Some("message_embeddings");
    const SEARCHED_BY: Option<SearchedBy> = Some(SearchedBy {
        title: "whole.title",
        session: "kept.session_id",
        join: " JOIN sessions AS whole ON whole.id = kept.session_id",
        ..content::SEARCHED_BY
    });
}
