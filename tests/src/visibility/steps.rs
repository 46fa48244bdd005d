//! The steps that a world takes: somebody changes something or tries to; whoever saw or might more by it, or less, looks and tries again
//! at once; others look about. What must not come in: how a call is compared.

use mosaic_core::{Change, FieldType, FieldValue, Id, Kind, Nearby, Note, Query, Record, Scope, Vector};

use super::call::Call;
use super::draw::{Draw, MODELS, WORDS};
use super::oracle::{Oracle, distance};
use super::world::World;

/// Two records this near to each other, as seen from a vector, are no matter to compare.
const NEAR_TIE: f64 = 1e-3;

/// What is written, memberships most of all: they decide on all else.
const WRITTEN: [Kind; 10] = [
    Kind::User,
    Kind::Team,
    Kind::Membership,
    Kind::Membership,
    Kind::Membership,
    Kind::Token,
    Kind::Task,
    Kind::Note,
    Kind::Session,
    Kind::Message,
];

impl Draw {
    /// A call that may change something.
    pub(crate) fn write(&mut self, world: &World, has_vectors: bool) -> (Scope, Call) {
        let scope = if self.chance(15) { Scope::System } else { self.scope(world) };
        let searched: Vec<_> = Kind::searched().collect();
        if has_vectors && self.chance(15) {
            let kind = self.one_of(&searched).unwrap();
            let record = self.kept(world, scope, kind);
            return (scope, Call::Embed(self.embedding(&record)));
        }
        let kind = self.one_of(&WRITTEN).unwrap();
        let change = match self.0.u8(..10) {
            0..=2 => Change::Create(self.given(world, kind, scope)),
            3..=6 => {
                let kind = if self.chance(50) { kind } else { self.one_of(&[Kind::Task, Kind::Note, Kind::Session]).unwrap() };
                let kept = self.kept(world, scope, kind);
                Change::Update(self.changed(world, scope, kept))
            }
            _ => {
                let unused = self.one_of(&world.unused(kind)).filter(|_| self.chance(50));
                let id = unused.unwrap_or_else(|| self.target(world, kind));
                Change::Delete { kind, id, revision: self.chance(10).then_some(2) }
            }
        };
        (scope, Call::Change(change))
    }

    /// A call that only looks.
    pub(crate) fn look(&mut self, world: &World, has_vectors: bool) -> (Scope, Call) {
        let scope = self.scope(world);
        let kind = self.one_of(Kind::ALL).unwrap();
        let space_id = self.chance(50).then(|| self.space(world));
        let call = match self.0.u8(..10) {
            0..=2 => Call::Get(kind, self.target(world, kind)),
            3..=5 => Call::List(self.query(world, kind)),
            6 | 7 if has_vectors => self.nearest(world, space_id),
            _ => self.search(space_id),
        };
        (scope, call)
    }

    /// A list with some of its filters, in some order, in pages of some length.
    fn query(&mut self, world: &World, kind: Kind) -> Query {
        let mut query = Query::new(kind);
        for field in kind.filters() {
            if self.chance(40) {
                let value = world.any(&mut self.0, kind).and_then(|record| record.value(field.name)).filter(|_| !self.chance(20));
                let value = value.unwrap_or_else(|| match field.ty {
                    FieldType::Id => FieldValue::Id(self.space(world)),
                    _ => FieldValue::Text("open".into()),
                });
                query.filters.push((*field, value));
            }
        }
        query.order = self.one_of(kind.orders()).unwrap();
        query.descending = self.chance(50);
        query.limit = self.one_of(&[2, 3, 50, 200]).unwrap();
        query
    }

    fn space(&mut self, world: &World) -> Id {
        let kind = if self.chance(60) { Kind::Team } else { Kind::User };
        self.target(world, kind)
    }

    fn search(&mut self, space_id: Option<Id>) -> Call {
        let mut words = self.words();
        words.truncate(2);
        Call::Search { words, kinds: self.searched_kinds(), space_id }
    }

    /// From a vector to which no two records are as near as each other.
    fn nearest(&mut self, world: &World, space_id: Option<Id>) -> Call {
        let model = self.one_of(&MODELS).unwrap();
        let filter = Nearby { kinds: self.searched_kinds(), space_id };
        let mut vector = self.vector(model);
        while has_near_ties(&world.oracle, &vector) {
            vector = self.vector(model);
        }
        Call::Nearest { vector, k: self.0.usize(1..=12), filter }
    }

    /// Searches, by a word and by a vector, that may well come upon a record.
    fn searches_for(&mut self, world: &World, record: &Record, space_id: Option<Id>, has_vectors: bool) -> Vec<Call> {
        let said: Vec<_> = WORDS.into_iter().filter(|word| record.passages().body.contains(word)).collect();
        let mut calls = vec![Call::Search { words: self.one_of(&said).into_iter().collect(), kinds: Vec::new(), space_id }];
        if has_vectors && let Call::Nearest { vector, filter, .. } = self.nearest(world, space_id) {
            calls.push(Call::Nearest { vector, k: 100, filter: Nearby { kinds: Vec::new(), ..filter } });
        }
        calls
    }

    /// Some kinds that are searched; none for all.
    fn searched_kinds(&mut self) -> Vec<Kind> {
        let count = self.0.usize(..3);
        self.0.choose_multiple(Kind::searched(), count)
    }

    /// What follows on a change at once: whoever was removed from a team looks for all of it, and those whom it gave or took
    /// something look and try.
    pub(crate) fn aftermath(&mut self, before: &Oracle, world: &World, has_vectors: bool) -> Aftermath {
        let removals = ended(before, &world.oracle);
        let mut calls = Vec::new();
        for (user_id, team_id) in &removals {
            let scope = if self.chance(15) { Scope::Admin(*user_id) } else { Scope::User(*user_id) };
            calls.extend(self.look_again(before, world, scope, *team_id, has_vectors).into_iter().map(|call| (scope, call)));
        }
        let mut turned = Vec::new();
        let mut lost = Vec::new();
        for user in before.of_kind(Kind::User) {
            let scope = Scope::User(user.id());
            for (kind, id) in before.keys().union(&world.oracle.keys()).copied() {
                let rights = [before, &world.oracle].map(|oracle| oracle.rights(scope, kind, id));
                if rights[0].reads != rights[1].reads {
                    turned.push((scope, kind, id));
                }
                if let Some(now) = world.oracle.find(kind, id).cloned() {
                    if rights[0].updates && !rights[1].updates {
                        let change = Change::Update(self.changed(world, scope, now.without_secrets()));
                        lost.push((scope, Call::Change(change)));
                    }
                    if rights[0].deletes && !rights[1].deletes {
                        lost.push((scope, Call::Change(Change::Delete { kind, id, revision: None })));
                    }
                }
            }
        }
        for (scope, kind, id) in self.0.choose_multiple(turned, 3) {
            calls.push((scope, Call::Get(kind, id)));
            let record = [before, &world.oracle].iter().find_map(|oracle| oracle.find(kind, id)).filter(|_| kind.is_searched());
            let searches = record.map(|record| self.searches_for(world, record, None, has_vectors)).unwrap_or_default();
            calls.extend(searches.into_iter().map(|call| (scope, call)));
        }
        calls.extend(self.0.choose_multiple(lost, 3));
        Aftermath { calls, removals: removals.len() as u64 }
    }

    /// Everything by which somebody could see what is in a team, or reach into it.
    fn look_again(&mut self, before: &Oracle, world: &World, scope: Scope, team_id: Id, has_vectors: bool) -> Vec<Call> {
        let of_team: Vec<_> = before.records.iter().filter(|record| before.space(record) == Some(team_id)).collect();
        let mut calls: Vec<_> = of_team.iter().map(|record| Call::Get(record.kind(), record.id())).collect();
        let mut list = |kind: Kind, filter: &str, value: Id| {
            calls.push(Call::List(Query::new(kind)));
            calls.push(Call::List(Query::new(kind).filter(filter, &value.to_string()).unwrap()));
        };
        list(Kind::Membership, "team_id", team_id);
        for kind in [Kind::Task, Kind::Note, Kind::Session] {
            list(kind, "space_id", team_id);
        }
        for session in of_team.iter().filter(|record| record.kind() == Kind::Session) {
            list(Kind::Message, "session_id", session.id());
        }
        calls.extend([Kind::User, Kind::Team].map(|kind| Call::List(Query::new(kind))));
        let searched: Vec<_> = of_team.iter().copied().filter(|record| record.kind().is_searched()).collect();
        if let Some(record) = self.one_of(&searched) {
            for space_id in [Some(team_id), None] {
                calls.extend(self.searches_for(world, record, space_id, has_vectors));
            }
        }
        if let Some(record) = self.one_of(&of_team).cloned() {
            let (kind, id) = (record.kind(), record.id());
            calls.push(Call::Change(Change::Delete { kind, id, revision: None }));
            calls.push(Call::Change(Change::Update(self.changed(world, scope, record.without_secrets()))));
        }
        let owner_id = self.user(world);
        if let Record::Note(note) = self.new_record(world, Kind::Note, owner_id) {
            calls.push(Call::Change(Change::Create(Note { team_id: Some(team_id), ..note }.into())));
        }
        calls
    }
}

/// What is to be called after a change.
pub(crate) struct Aftermath {
    pub(crate) calls: Vec<(Scope, Call)>,
    /// How many members were removed from a team.
    pub(crate) removals: u64,
}

/// Who was removed from which team.
fn ended(before: &Oracle, now: &Oracle) -> Vec<(Id, Id)> {
    let gone = before.of_kind(Kind::Membership).filter(|record| now.find(Kind::Membership, record.id()).is_none());
    gone.filter_map(|record| match record {
        Record::Membership(membership) => Some((membership.user_id, membership.team_id)),
        _ => None,
    })
    .collect()
}

fn has_near_ties(oracle: &Oracle, vector: &Vector) -> bool {
    let of_model = oracle.embeddings.iter().filter(|embedding| embedding.vector.model == vector.model);
    let mut distances: Vec<_> = of_model.map(|embedding| distance(&vector.components, &embedding.vector.components)).collect();
    distances.sort_by(f64::total_cmp);
    distances.windows(2).any(|pair| pair[1] - pair[0] < NEAR_TIE)
}
