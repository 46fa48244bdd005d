//! Who may see and do what: the rules of [`Scope`], as questions about what it amounts to at this moment.
//! What must not come in: rules that hold whoever asks, which are `integrity`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, Records, space_of};
use crate::{Error, Id, Kind, Membership, MembershipRole, Message, Record, Result, Scope, SessionStatus, refusal};

const TAKES_OUT: &str = "only its owner or an owner of its team gives a record away or moves it out";

/// What a scope amounts to at the moment of a transaction.
pub struct Access {
    scope: Scope,
    /// Their own space. A team's id, which a scope may carry too, is nobody's.
    own_space: Option<Id>,
    /// The teams they are a member of, and as what.
    teams: BTreeMap<Id, MembershipRole>,
    /// Who is a member of these teams.
    teammates: BTreeSet<Id>,
}

impl Access {
    /// Looks up what the scope amounts to. It holds for this transaction, and until a write of its own changes a membership.
    ///
    /// # Errors
    /// As [`Records::get`].
    pub fn of(scope: Scope, records: &dyn Records) -> Result<Self> {
        let own_space = match scope.user() {
            Some(id) if records.get(Kind::Team, id)?.is_none() => Some(id),
            _ => None,
        };
        let of_mine = scope.user().map_or(Ok(Vec::new()), |user_id| memberships(records, &Key::teams(user_id)))?;
        let teams: BTreeMap<_, _> = of_mine.into_iter().map(|m| (m.team_id, m.role)).collect();
        let mut teammates = BTreeSet::new();
        for team_id in teams.keys() {
            teammates.extend(memberships(records, &Key::members(*team_id))?.into_iter().map(|m| m.user_id));
        }
        Ok(Self { scope, own_space, teams, teammates })
    }

    /// The spaces whose records of this kind may be read, all of them; `None` for every space. Messages live in their session's.
    pub fn spaces(&self, kind: Kind) -> Option<BTreeSet<Id>> {
        let (mine, teams) = (self.own_space, self.teams.keys().copied());
        match kind {
            Kind::User | Kind::Team | Kind::Membership | Kind::Token if self.scope.manages_accounts() => None,
            Kind::Task | Kind::Note | Kind::Session | Kind::Message if self.scope.opens_content() => None,
            Kind::User => Some(self.teammates.iter().copied().chain(mine).collect()),
            Kind::Team | Kind::Membership => Some(teams.collect()),
            Kind::Token => Some(mine.into_iter().collect()),
            Kind::Task | Kind::Note | Kind::Session | Kind::Message => Some(teams.chain(mine).collect()),
        }
    }

    /// Whether the record may be read. What may not be read does not exist for whoever asks.
    ///
    /// # Errors
    /// As [`Records::get`].
    pub fn sees(&self, records: &dyn Records, record: &Record) -> Result<bool> {
        Ok(space_of(records, record)?.is_some_and(|space_id| self.opens(record.kind(), space_id)))
    }

    /// Whether a kind's records in a space may be read: whether it is one of [`Self::spaces`].
    fn opens(&self, kind: Kind, space_id: Id) -> bool {
        match kind {
            Kind::User => self.scope.manages_accounts() || self.is(space_id) || self.teammates.contains(&space_id),
            Kind::Team | Kind::Membership => self.scope.manages_accounts() || self.teams.contains_key(&space_id),
            Kind::Token => self.scope.manages_accounts() || self.is(space_id),
            Kind::Task | Kind::Note | Kind::Session | Kind::Message => {
                self.scope.opens_content() || self.own_space == Some(space_id) || self.teams.contains_key(&space_id)
            }
        }
    }

    /// Whether they may make this record.
    pub(super) fn may_create(&self, records: &dyn Records, record: &Record) -> Result<()> {
        match record {
            Record::User(_) | Record::Team(_) => self.need(self.scope.manages_accounts(), "only an admin makes users and teams", record),
            Record::Membership(membership) => {
                self.sees_team(records, membership.team_id)?;
                self.need(self.leads(membership.team_id), "only a team's owner or an admin adds members", record)
            }
            Record::Token(token) => {
                self.need(self.scope.manages_accounts() || self.is(token.user_id), "only an admin makes tokens for others", record)
            }
            Record::Message(message) => self.may_add(records, message),
            Record::Task(_) | Record::Note(_) | Record::Session(_) => {
                let Some(place) = Place::of(record) else { return Ok(()) };
                self.need(self.scope.opens_content() || self.is(place.owner_id), "whoever makes a record is its owner", record)?;
                self.may_enter(records, place, record)
            }
        }
    }

    /// Whether they may change anything of this record, which they see.
    pub(super) fn may_update(&self, now: &Record) -> Result<()> {
        match now {
            Record::User(user) => self.need(self.scope.manages_accounts() || self.is(user.id), "only an admin changes other users", now),
            Record::Team(team) => self.need(self.leads(team.id), "only a team's owner or an admin changes it", now),
            Record::Membership(membership) => {
                self.need(self.leads(membership.team_id), "only a team's owner or an admin changes its memberships", now)
            }
            Record::Session(session) => self.need(self.owns(session.owner_id), "only a session's owner changes it", now),
            Record::Message(message) if !self.scope.opens_content() => Err(refusal::append_only(message.id)),
            // Whoever sees a token, a task or a note may change it. What a message is, `integrity` keeps.
            Record::Message(_) | Record::Token(_) | Record::Task(_) | Record::Note(_) => Ok(()),
        }
    }

    /// Whether they may make of this record, which they may change, what is wanted.
    pub(super) fn may_become(&self, records: &dyn Records, now: &Record, wanted: &Record) -> Result<()> {
        if let (Record::User(now), Record::User(user)) = (now, wanted) {
            let same = now.login == user.login && now.role == user.role;
            return self.need(same || self.scope.manages_accounts(), "only an admin changes a login or a role", wanted);
        }
        let (Some(from), Some(to)) = (Place::of(now), Place::of(wanted)) else { return Ok(()) };
        if self.scope.opens_content() {
            return Ok(());
        }
        if from.owner_id != to.owner_id {
            self.may_hand_over(records, from, to, wanted)?;
        }
        if from.space_id() != to.space_id() {
            self.need(self.disposes_of(from), TAKES_OUT, wanted)?;
            self.may_enter(records, to, wanted)?;
        }
        Ok(())
    }

    /// Whether they may remove this record, which they see.
    pub(super) fn may_delete(&self, now: &Record) -> Result<()> {
        match now {
            Record::User(_) => self.need(self.scope.manages_accounts(), "only an admin removes users", now),
            Record::Team(_) | Record::Membership(_) | Record::Token(_) => self.may_update(now),
            Record::Session(session) => self.need(self.owns(session.owner_id), "only a session's owner removes it", now),
            Record::Message(_) => self.need(self.scope.opens_content(), "a message goes with its session", now),
            Record::Task(_) | Record::Note(_) => {
                let Some(place) = Place::of(now) else { return Ok(()) };
                self.need(self.disposes_of(place), "only its owner or an owner of its team removes a record", now)
            }
        }
    }

    /// Whether they may give a record to another owner: never a personal one, and only to someone who is in its team.
    fn may_hand_over(&self, records: &dyn Records, from: Place, to: Place, wanted: &Record) -> Result<()> {
        self.need(from.team_id.is_some(), "a personal record keeps its owner", wanted)?;
        self.need(self.disposes_of(from), TAKES_OUT, wanted)?;
        match to.team_id {
            Some(team_id) if !is_member(records, team_id, to.owner_id)? => {
                Err(Error::invalid("the new owner is not a member of the team").with("field", "owner_id").with("user", to.owner_id))
            }
            _ => Ok(()),
        }
    }

    /// Whether they may add a message. A session that they do not see is refused like one that does not exist.
    fn may_add(&self, records: &dyn Records, message: &Message) -> Result<()> {
        if self.scope.opens_content() {
            return Ok(());
        }
        let found = records.get(Kind::Session, message.session_id)?;
        let Some(Record::Session(session)) = found.filter(|session| session.space_id().is_some_and(|id| self.opens(Kind::Session, id)))
        else {
            return Err(refusal::missing("session_id", Kind::Session, message.session_id));
        };
        let record = Record::Message(message.clone());
        self.need(self.owns(session.owner_id), "only a session's owner adds messages to it", &record)?;
        if session.status == SessionStatus::Open { Ok(()) } else { Err(refusal::session_closed(session.id)) }
    }

    /// Whether they may put a record into this place.
    fn may_enter(&self, records: &dyn Records, place: Place, record: &Record) -> Result<()> {
        if let Some(team_id) = place.team_id {
            self.sees_team(records, team_id)?;
        }
        self.need(self.works_in(place), "only a space's members put records into it", record)
    }

    /// Refuses a reference to a team that they do not see, with the words for one that does not exist.
    fn sees_team(&self, records: &dyn Records, team_id: Id) -> Result<()> {
        if self.opens(Kind::Team, team_id) && records.get(Kind::Team, team_id)?.is_some() {
            return Ok(());
        }
        Err(refusal::missing("team_id", Kind::Team, team_id))
    }

    fn is(&self, user_id: Id) -> bool {
        self.scope.user() == Some(user_id)
    }

    /// Whether content that has this owner is theirs.
    fn owns(&self, owner_id: Id) -> bool {
        self.scope.opens_content() || self.is(owner_id)
    }

    /// Whether they are an owner of the team, or may act as one.
    fn leads(&self, team_id: Id) -> bool {
        self.scope.manages_accounts() || self.teams.get(&team_id) == Some(&MembershipRole::Owner)
    }

    /// Whether they are a member of the space; being an admin is not enough.
    fn works_in(&self, place: Place) -> bool {
        self.scope.opens_content()
            || match place.team_id {
                Some(team_id) => self.teams.contains_key(&team_id),
                None => self.is(place.owner_id),
            }
    }

    /// Whether they own the record, or the team it lives in.
    fn disposes_of(&self, place: Place) -> bool {
        let owns_team = place.team_id.is_some_and(|team_id| self.teams.get(&team_id) == Some(&MembershipRole::Owner));
        self.scope.opens_content() || self.is(place.owner_id) || owns_team
    }

    fn need(&self, allowed: bool, rule: &'static str, record: &Record) -> Result<()> {
        if allowed {
            return Ok(());
        }
        Err(refusal::forbidden(rule, record.kind(), record.id()))
    }
}

/// The memberships with a key.
fn memberships(records: &dyn Records, key: &Key) -> Result<Vec<Membership>> {
    let mut found = Vec::new();
    for id in records.find(key)? {
        if let Some(Record::Membership(membership)) = records.get(Kind::Membership, id)? {
            found.push(membership);
        }
    }
    Ok(found)
}

/// Whether the user is a member of the team.
pub(super) fn is_member(records: &dyn Records, team_id: Id, user_id: Id) -> Result<bool> {
    Ok(!records.find(&Key::member(team_id, user_id))?.is_empty())
}

/// Where content lives.
#[derive(Clone, Copy)]
struct Place {
    owner_id: Id,
    team_id: Option<Id>,
}

impl Place {
    fn of(record: &Record) -> Option<Self> {
        match record {
            Record::Task(task) => Some(Self { owner_id: task.owner_id, team_id: task.team_id }),
            Record::Note(note) => Some(Self { owner_id: note.owner_id, team_id: note.team_id }),
            Record::Session(session) => Some(Self { owner_id: session.owner_id, team_id: session.team_id }),
            Record::Message(_) | Record::User(_) | Record::Team(_) | Record::Membership(_) | Record::Token(_) => None,
        }
    }

    fn space_id(self) -> Id {
        self.team_id.unwrap_or(self.owner_id)
    }
}
