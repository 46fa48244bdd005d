//! The tools that a chat model may call: to look up, make and change tasks and notes, and to search, all in the scope of the person whose session it
//! is. What a tool changes is not done here: it is stored together with the tool's result. What must not come in: who calls, and how.

mod definitions;
mod result;

use mosaic_core::{Change, Entity, Error, ErrorKind, Id, Kind, Query, Record, Result, Scope, Search, Timestamp, ToolCall, with_entity};
use serde_json::{Map, Value, json};

pub(super) use definitions::definitions;
pub(super) use result::{refusal, result};

use crate::records::Records;
use crate::search::{By, Searcher};

/// How many records a list answers, unless it is asked for fewer.
const LIST_ITEMS: u64 = 50;
/// How many hits a search answers, unless it is asked for fewer.
const SEARCH_HITS: u64 = 20;

/// The kinds whose records tools work on.
const KINDS: [Kind; 2] = [Kind::Task, Kind::Note];

/// The fields that say where a record is, and whose.
const PLACE: [&str; 2] = ["team_id", "owner_id"];

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Search,
    List(Kind),
    Get(Kind),
    Create(Kind),
    Update(Kind),
}

impl Tool {
    fn all() -> impl Iterator<Item = Self> {
        let of = |kind| [Self::List(kind), Self::Get(kind), Self::Create(kind), Self::Update(kind)];
        [Self::Search].into_iter().chain(KINDS.into_iter().flat_map(of))
    }

    /// Its name, for the model.
    fn name(self) -> String {
        match self {
            Self::Search => "search".to_owned(),
            Self::List(kind) => format!("{kind}_list"),
            Self::Get(kind) => format!("{kind}_get"),
            Self::Create(kind) => format!("{kind}_create"),
            Self::Update(kind) => format!("{kind}_update"),
        }
    }
}

/// What tools work on.
pub(super) struct Tools<'t> {
    pub(super) records: &'t Records,
    pub(super) searcher: &'t Searcher,
    pub(super) scope: Scope,
    /// The team whose session it is, if it is one's: its members read what tools answer, so that those see what is the team's and nothing else.
    pub(super) team: Option<Id>,
}

/// What a call comes to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What it changes, if anything: to be done in the scope, at the time that the call was carried out for.
    pub(super) change: Option<Change>,
    /// What it answers.
    pub(super) data: Value,
}

impl Tools<'_> {
    /// What a call comes to. Nothing is changed yet; a change that is made `at` this time makes the answer true.
    ///
    /// # Errors
    /// What is to be answered instead: see [`refusal`]. And those of the storage.
    pub(super) async fn outcome(&self, call: &ToolCall, at: Timestamp) -> Result<Outcome> {
        let tool = Tool::all().find(|tool| tool.name() == call.name).ok_or_else(|| unknown(&call.name))?;
        let arguments = arguments(&call.arguments)?;
        match tool {
            Tool::Search => self.search(arguments).await.map(looked_up),
            Tool::List(kind) => self.list(kind, arguments).await.map(looked_up),
            Tool::Get(kind) => {
                let id = id(&arguments)?;
                only(&arguments, &["id"])?;
                Ok(looked_up(json!(self.seen(self.records.get(self.scope, kind, id).await?)?)))
            }
            Tool::Create(kind) => {
                let record = self.records.draft(self.scope, kind, self.within_team(arguments, "team_id")?)?;
                Ok(Outcome { data: json!(record), change: Some(Change::Create(record)) })
            }
            Tool::Update(kind) => self.update(kind, arguments, at).await,
        }
    }

    async fn search(&self, arguments: Map<String, Value>) -> Result<Value> {
        only(&arguments, &["text", "kinds", "limit"])?;
        let text = arguments.get("text").and_then(Value::as_str).ok_or_else(|| missing("text"))?;
        let kinds = match arguments.get("kinds") {
            None | Some(Value::Null) => KINDS.to_vec(),
            Some(kinds) => serde_json::from_value(kinds.clone()).map_err(|error| malformed("kinds", &error.to_string()))?,
        };
        if kinds.iter().any(|kind| !KINDS.contains(kind)) {
            return Err(malformed("kinds", "tools search tasks and notes"));
        }
        let mut search = Search::new(text)?.kinds(kinds)?.limit(limit(&arguments, SEARCH_HITS)?)?;
        search.space_id = self.team;
        let found = self.searcher.search(self.scope, &search, By::Text(text)).await?;
        Ok(json!(found.items))
    }

    async fn list(&self, kind: Kind, arguments: Map<String, Value>) -> Result<Value> {
        let arguments = self.within_team(arguments, "space_id")?;
        let filters: Vec<_> = kind.filters().iter().map(|filter| filter.name).collect();
        only(&arguments, &[&filters[..], &["order", "limit"]].concat())?;
        let mut query = Query::new(kind).order("-updated_at")?.limit(limit(&arguments, LIST_ITEMS)?)?;
        if let Some(order) = arguments.get("order").and_then(Value::as_str) {
            query = query.order(order)?;
        }
        for name in filters {
            match arguments.get(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => query = query.filter(name, value)?,
                Some(value) => query = query.filter(name, &value.to_string())?,
            }
        }
        let page = self.records.storage.list(self.scope, &query).await?;
        let items: Vec<_> = page.items.iter().map(result::in_short).collect();
        Ok(json!({ "items": items, "there_are_more": page.next.is_some() }))
    }

    /// A record, if tools see it here. The answer is else the same as if it did not exist.
    fn seen(&self, record: Record) -> Result<Record> {
        match self.team {
            Some(team) if record.space_id() != Some(team) => Err(Error::not_found(record.kind(), record.id())),
            _ => Ok(record),
        }
    }

    /// The arguments, with the team in `field` where it is a team's session.
    fn within_team(&self, mut arguments: Map<String, Value>, field: &'static str) -> Result<Map<String, Value>> {
        let Some(team) = self.team else { return Ok(arguments) };
        let team = Value::from(team.to_string());
        match arguments.insert(field.to_owned(), team.clone()) {
            Some(given) if !given.is_null() && given != team => {
                Err(Error::new(ErrorKind::Forbidden, "in a team's session, tools see and make only what is the team's")
                    .with("argument", field)
                    .hint(format!("leave {field} out")))
            }
            _ => Ok(arguments),
        }
    }

    async fn update(&self, kind: Kind, mut patch: Map<String, Value>, at: Timestamp) -> Result<Outcome> {
        let id = id(&patch)?;
        patch.remove("id");
        let expected = match patch.remove("revision") {
            None | Some(Value::Null) => None,
            Some(revision) => Some(revision.as_u64().ok_or_else(|| malformed("revision", "it is a number"))?),
        };
        if self.team.is_some() {
            self.seen(self.records.get(self.scope, kind, id).await?)?;
        }
        let (present, changed) = self.records.merged(self.scope, kind, id, &patch).await?;
        let fields = json!(present);
        if PLACE.iter().any(|name| patch.get(*name).is_some_and(|given| given != fields.get(*name).unwrap_or(&Value::Null))) {
            // Others would read it then: no text may talk the model into that.
            return Err(Error::new(ErrorKind::Forbidden, "no tool takes a record to another space or owner")
                .hint(format!("leave {} out, and tell the person to do it themselves", PLACE.join(" and "))));
        }
        if expected.is_some_and(|expected| expected != present.revision()) {
            return Err(Error::stale(kind, id, present.revision()).hint(format!("read it again by {kind}_get")));
        }
        if changed == present {
            return Ok(looked_up(json!(present)));
        }
        let mut stored = changed.clone();
        with_entity!(&mut stored, entity => entity.stamp(at, present.revision() + 1));
        Ok(Outcome { data: json!(stored), change: Some(Change::Update(changed)) })
    }
}

fn looked_up(data: Value) -> Outcome {
    Outcome { change: None, data }
}

/// The arguments that a model wrote. Some write nothing where there are none.
fn arguments(text: &str) -> Result<Map<String, Value>> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err(Error::invalid("the arguments are not a JSON object").hint("give them as {\"name\": value}")),
        Err(error) => Err(Error::invalid(format!("the arguments are not JSON: {error}")).hint("call it again with valid JSON")),
    }
}

fn only(arguments: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match arguments.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(malformed(name, "there is no such argument").hint(format!("use {}", known.join(", ")))),
        None => Ok(()),
    }
}

fn id(arguments: &Map<String, Value>) -> Result<Id> {
    let text = arguments.get("id").and_then(Value::as_str).ok_or_else(|| missing("id"))?;
    text.parse().map_err(|_| malformed("id", "ids are UUIDs"))
}

fn limit(arguments: &Map<String, Value>, most: u64) -> Result<usize> {
    let given = match arguments.get("limit") {
        None | Some(Value::Null) => most,
        Some(limit) => limit.as_u64().filter(|limit| *limit > 0).ok_or_else(|| malformed("limit", "it is a number from 1"))?,
    };
    Ok(given.min(most) as usize)
}

fn missing(argument: &str) -> Error {
    Error::invalid("an argument is missing").with("argument", argument)
}

fn malformed(argument: &str, why: &str) -> Error {
    let name: String = argument.chars().take(60).collect();
    Error::invalid(format!("an argument cannot be taken: {why}")).with("argument", name)
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = Tool::all().map(Tool::name).collect();
    let name: String = name.chars().take(60).collect();
    Error::new(ErrorKind::NotFound, "there is no such tool").with("tool", name).hint(format!("use one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests;
