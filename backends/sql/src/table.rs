//! What a kind says of its table: its columns, who sees what, and the rules of writing, as conditions in SQL. Reading and writing
//! are written once, for any table, in `read`, `write`, `change` and `load`. What must not come in: one kind's knowledge.
//!
//! Conditions speak of three things: `kept`, the stored row; `given`, the record that is to be written; and the scope, as
//! [`Statement::of`](crate::statement::Statement::of) binds it (`$1` the user who asks, `$2` whether all accounts are open, `$3` whether all content is).
//! They are part of the statement that reads or writes. Only when it did nothing are they asked one by one, for the reason.

use mosaic_core::{Entity, Error, Id, Record, Result};
use sqlx::postgres::PgRow;

use crate::statement::Statement;

/// A kind's table.
pub(crate) trait Table: Entity + Into<Record> {
    /// The table.
    const NAME: &'static str;
    /// Its columns as they are selected, of `kept`; the body last.
    const COLUMNS: &'static str;
    /// [`Self::COLUMNS`] without the body.
    const LEAN: &'static str;
    /// [`Self::LEAN`], of the table itself.
    const QUALIFIED: &'static str;
    /// Its columns as an INSERT names them.
    const NAMES: &'static str;
    /// Its columns, of `given`.
    const GIVEN: &'static str;
    /// What an update sets.
    const CHANGES: &'static str;
    /// Its body, if it has one.
    const BODY: Option<Body>;
    /// Columns that follow from other tables when a row is added: their names and their values, each behind a comma.
    const DERIVED: (&'static str, &'static str) = ("", "");

    /// The column that says which space a row lives in.
    const SPACE: &'static str;
    /// A query for the spaces (`space_id`, none twice) whose rows the user `$1` sees.
    const SPACES: &'static str;
    /// The column that says to whom a row is assigned, who sees it: their own are an index's one run, wherever they live.
    const ASSIGNEE: Option<&'static str> = None;
    /// Whether the user `$1` sees the row `kept`: whether its space is among [`Self::SPACES`], asked of one row.
    const SEES: &'static str;
    /// [`Self::SEES`], asked by a write. Where sight alone lets somebody write, the membership that it rests on is locked.
    const SEES_TO_WRITE: &'static str = Self::SEES;

    /// What a user must be to make the record `given`.
    const MAY_CREATE: &'static [Rule<Self>];
    /// What a user must be to change the row `kept`, which they see.
    const MAY_UPDATE: Right = Right { holds: "true", otherwise: "" };
    /// What a user must be to make of `kept`, which they may change, the record `given`.
    const MAY_BECOME: &'static [Rule<Self>] = &[];
    /// What a user must be to remove the row `kept`, which they see.
    const MAY_DELETE: Right = Self::MAY_UPDATE;

    /// What must hold of a new record, whoever makes it; [`Self::RULES`] besides.
    const NEW: &'static [Rule<Self>] = &[];
    /// What must stay as it is, whoever changes it.
    const FIXED: &'static [Rule<Self>] = &[];
    /// What must hold of every record that is written, whoever writes it.
    const RULES: &'static [Rule<Self>] = &[];
    /// What no two records may have in common.
    const UNIQUE: Option<Unique<Self>> = None;

    /// A statement that must run before rows are added, in the same transaction.
    const BEFORE_INSERT: Option<&'static str> = None;
    /// What gives a new row its place among others.
    const NUMBERED: Option<Numbered<Self>> = None;
    /// For what is searched: how its words and its visibility stand there.
    const SEARCHED_BY: Option<SearchedBy> = None;
    /// For what is searched: the table of its embeddings.
    const EMBEDDINGS: Option<&'static str> = None;
    /// Whose content keeps a row of this table from being removed.
    const HOLDS: Option<Holder> = None;
    /// For content: counts what the user `$1` owns, or what lives in the team `$1`.
    const COUNT: Option<fn(Holder) -> &'static str> = None;
    /// For what is assigned to users: takes back, at the time `$1`, what the user `$2` has in the team `$3`; in every one, when it is null.
    const TAKE_BACK: Option<&'static str> = None;

    /// Adds an array for each of [`Self::NAMES`], as the arguments of `unnest`.
    fn bind(given: &[&Self], statement: &mut Statement);

    /// How long the body is, in bytes.
    fn body_bytes(&self) -> usize;

    /// Reads a row whose columns begin at `first`.
    fn decode(row: &PgRow, first: usize) -> sqlx::Result<Self>;

    /// Whose assignments end with this record, and in which team; in all of them, when there is none.
    fn releases(&self) -> Option<(Id, Option<Id>)> {
        None
    }

    /// Whether a stored record is exactly what was given.
    fn is_same(&self, given: &Self) -> bool {
        self == given
    }

    /// The condition under which a scope needs no right: content is open to the system alone, accounts also to admins.
    const OPEN: &'static str = if Self::CONTENT { "$3::boolean" } else { "$2::boolean" };
}

/// A condition on writing, and the refusal where it does not hold.
pub(crate) struct Rule<T> {
    /// The condition. Null is as good as false.
    pub(crate) holds: &'static str,
    /// The refusal of a record.
    pub(crate) otherwise: fn(&T) -> Error,
}

/// A condition on who may write.
pub(crate) struct Right {
    /// The condition, on `kept` and the scope.
    pub(crate) holds: &'static str,
    /// Who may, and nobody else.
    pub(crate) otherwise: &'static str,
}

/// What each record has to itself.
pub(crate) struct Unique<T> {
    /// The condition on `given` and `other`, another row of the table, under which they have it in common.
    pub(crate) same: &'static str,
    /// Whether it stays as it was made: an update leaves it alone, whatever is given.
    pub(crate) fixed: bool,
    /// The field that is named in a refusal.
    pub(crate) field: &'static str,
    /// Its value, unless that is a secret.
    pub(crate) value: fn(&T) -> Option<String>,
}

/// A body, in pieces of statements.
pub(crate) struct Body {
    /// Its length in bytes, which is known without reading it.
    pub(crate) length: &'static str,
    /// It, of `kept`.
    pub(crate) kept: &'static str,
    /// It, of `given`.
    pub(crate) given: &'static str,
    /// So many of its first characters: a number and a bracket complete it.
    pub(crate) start: &'static str,
}

/// A place among others: counted from 1 without gaps, since whoever adds to the whole holds it.
pub(crate) struct Numbered<T> {
    /// Holds the whole (`$1`) until the transaction ends.
    pub(crate) lock: &'static str,
    /// The next place in the whole (`$1`).
    pub(crate) next: &'static str,
    /// The whole that a record is a part of.
    pub(crate) whole: fn(&T) -> Id,
    /// Gives a record its place.
    pub(crate) place: fn(&mut T, u64),
}

/// How a table is searched.
pub(crate) struct SearchedBy {
    /// What its index holds of `kept`: the words, and the space as one more.
    pub(crate) indexed: &'static str,
    /// The title of a hit, a column of `kept` or of what is joined.
    pub(crate) title: &'static str,
    /// The session of a hit; null where there is none.
    pub(crate) session: &'static str,
    /// What is joined to `kept` for these.
    pub(crate) join: &'static str,
}

/// What content belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A user owns it.
    Owner,
    /// It lives in a team.
    Team,
}

/// Reads a row of a table.
pub(crate) fn decode<T: Table>(row: &PgRow) -> Result<T> {
    T::decode(row, 0).map_err(crate::error::from_sqlx)
}
