//! The kinds' tables, a file each. To add a kind: write its file here, name it below, and add a migration that makes its table
//! and an index for each of its lists. What must not come in: statements that are the same for every kind.

/// The condition that content lives in the personal space of the user `$1`.
macro_rules! is_own {
    ($content:literal) => {
        concat!("(", $content, ".owner_id = $1 AND ", $content, ".team_id IS NULL)")
    };
}

/// The condition that the user `$1` is a member of a team. With a lock behind it, the membership stays until the transaction ends.
macro_rules! is_member_of {
    ($team:literal $($lock:literal)?) => {
        concat!("EXISTS (SELECT FROM memberships AS mine WHERE mine.team_id = ", $team, " AND mine.user_id = $1", $(" ", $lock,)? ")")
    };
}

/// The same condition where it lets somebody write: whoever ends the membership waits for the write, or the write sees that it has
/// ended. Without the lock, a write that waits for a row goes on from what it saw before, and is done after the
/// removal was acknowledged. The lock is the weakest that a removal waits for: a role is no matter here.
macro_rules! writes_as_member_of {
    ($team:literal) => {
        is_member_of!($team "FOR KEY SHARE")
    };
}

/// The condition that the user `$1` is an owner of a team, where it lets them write. Whoever takes the role waits as well.
macro_rules! writes_as_owner_of {
    ($team:literal) => {
        is_member_of!($team "AND mine.role = 'owner' FOR SHARE")
    };
}

mod content;
mod membership;
mod message;
mod note;
mod session;
mod task;
mod team;
mod token;
mod user;

#[cfg(test)]
mod tests;

pub(crate) use content::SPACES;
pub(crate) use token::{authenticate, touch};

/// Users and teams share their ids, since both name spaces, but not a unique index. So they are added one transaction at a time.
/// The number is nothing but ours.
const LOCK_SPACES: &str = "SELECT pg_advisory_xact_lock(74200001)";
