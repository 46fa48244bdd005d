//! Who is asking. A scope goes with every read and every write; there is no path to the data around it.

use crate::Id;

/// Who is asking. Each backend compiles the scope into the very statement that reads or writes, so that
/// what counts is who is a member at that moment.
///
/// | kind | read | write |
/// |---|---|---|
/// | task, note | members of its space | members; delete: its owner or a team owner |
/// | session, message | its owner; a team's session: the team's members | its owner; messages are only added |
/// | team, membership | its members, admins | team owners, admins |
/// | user | oneself, teammates, admins | oneself (name, email), admins |
/// | token | oneself, admins (never the secret) | oneself, admins |
///
/// The finer points:
/// - A user makes content in spaces they are a member of, with themselves as the owner. Only the present owner
///   or a team owner changes `owner_id`, and only to a member of the team; a personal record's owner is changed by
///   [`Scope::System`] alone. Taking a record out of a team takes what removing it does, its owner or a team owner, and
///   membership in the space that it goes to.
/// - A session is changed and removed by its owner alone, while they see it. Its messages are seen by whoever sees the session, are
///   added by its owner while it is open ([`Scope::System`] also adds to a closed one), are never changed, and go with it.
/// - An assignee must be able to read the task: a change that breaks this is refused. Removing a membership
///   or a user takes back the assignments that it made possible, which counts as a change of those tasks.
/// - A user is removed with their memberships and tokens, a team with its memberships, but only when they hold no
///   content: the error says how many records of each kind there are.
/// - Who may not read a record gets the same answer as if it did not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A user: their own space, and the teams they are a member of at that moment.
    User(Id),
    /// A user who manages accounts: what [`Scope::User`] may, and all users, teams, memberships and tokens. Not others' content.
    Admin(Id),
    /// Everything: the gateway's own work, and operators who ask for it by name.
    System,
}

impl Scope {
    /// The user who is asking; `None` for [`Scope::System`].
    pub fn user(self) -> Option<Id> {
        match self {
            Self::User(id) | Self::Admin(id) => Some(id),
            Self::System => None,
        }
    }

    /// Whether all accounts are open to it.
    pub fn manages_accounts(self) -> bool {
        matches!(self, Self::Admin(_) | Self::System)
    }

    /// Whether all content is open to it.
    pub fn opens_content(self) -> bool {
        matches!(self, Self::System)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_opens_what_is_its_own() {
        let id = Id::nil();
        let opens = |scope: Scope| (scope.manages_accounts(), scope.opens_content());
        assert_eq!([Scope::User(id), Scope::Admin(id), Scope::System].map(opens), [(false, false), (true, false), (true, true)]);
    }
}
