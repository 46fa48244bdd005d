//! What a new kind is easily forgotten in: the columns of every field, and an index for every list.

use std::collections::{BTreeMap, BTreeSet};

use mosaic_core::{FieldType, Kind, with_kind};

use crate::schema::MAIN;
use crate::table::Table;

#[test]
fn every_field_has_its_column() {
    for kind in Kind::ALL {
        let columns: BTreeSet<_> =
            with_kind!(*kind, T => T::NAMES).split(", ").map(str::to_owned).filter(|column| column != "words").collect();
        let schema = kind.schema().to_value();
        let fields: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().filter(|field| *field != "kind").cloned().collect();
        assert_eq!(columns, fields, "{kind}");
    }
}

/// What is searched and lacks one of these would be found by nobody, and without a word.
#[test]
fn what_is_searched_has_its_words_and_the_table_of_its_embeddings() {
    let migrator = MAIN.migrator();
    for kind in Kind::ALL {
        let (words, embeddings) = with_kind!(*kind, T => (T::SEARCHED_BY.is_some(), T::EMBEDDINGS));
        assert_eq!((words, embeddings.is_some()), (kind.is_searched(), kind.is_searched()), "{kind}");
        if let Some(table) = embeddings {
            let made = format!("CREATE TABLE {table} (\n    id       uuid NOT NULL REFERENCES {} ON DELETE CASCADE", kind.plural());
            assert!(migrator.iter().any(|migration| migration.sql.as_str().contains(&made)), "{kind}");
        }
    }
}

/// A table, the columns that an index narrows by, and the one that it orders by, before the id.
type Index = (String, BTreeSet<String>, String);

/// The indexes that the migrations leave. One of a single choice narrows by it, as it says: `status = 'open'`.
fn indexes() -> BTreeSet<Index> {
    let migrator = MAIN.migrator();
    let mut indexes = BTreeMap::new();
    for line in migrator.iter().flat_map(|migration| migration.sql.as_str().lines()) {
        if let Some((name, index)) = read_index(line) {
            indexes.insert(name, index);
        } else if let Some(name) = line.strip_prefix("DROP INDEX ") {
            indexes.remove(name.trim_end_matches(';'));
        }
    }
    indexes.into_values().collect()
}

fn read_index(line: &str) -> Option<(&str, Index)> {
    let (name, rest) = line.strip_prefix("CREATE INDEX ")?.split_once(" ON ")?;
    let (table, rest) = rest.split_once(" (")?;
    let (columns, rest) = rest.split_once(')')?;
    let mut columns: Vec<_> = columns.split(", ").map(str::to_owned).collect();
    let (id, order) = (columns.pop()?, columns.pop()?);
    let conditions = rest.split_once(" WHERE ").map_or("", |(_, conditions)| conditions.trim_end_matches(';'));
    columns.extend(conditions.split(" AND ").filter(|condition| condition.contains(" = ")).map(str::to_owned));
    (id == "id").then(|| (name, (table.to_owned(), columns.into_iter().collect(), order)))
}

/// The indexes of each single choice that do what one with the column of the choice does.
fn of_each_choice<T: Table>((_, columns, order): &Index) -> Option<Vec<Index>> {
    let choice = T::FILTERS.iter().find(|field| matches!(field.ty, FieldType::Choice(_)) && columns.contains(field.name))?;
    let FieldType::Choice(values) = choice.ty else { return None };
    let of = |value: &&str| {
        let others = columns.iter().filter(|column| *column != choice.name).cloned();
        (T::NAME.to_owned(), others.chain([format!("{} = '{value}'", choice.name)]).collect(), order.clone())
    };
    Some(values.iter().map(of).collect())
}

/// The indexes that a kind's lists need: of everything but what has a parent; of one space, and of one assignee, by each choice of filters; of accounts
/// by each filter, and of content by each choice. What is unique needs none but its own.
fn needed<T: Table>() -> Vec<Index> {
    let unique = T::UNIQUE.map(|unique| unique.field);
    let is_listed_whole = T::KIND.parent().is_none();
    let mut narrowed = if is_listed_whole { vec![BTreeSet::new()] } else { Vec::new() };
    if T::SPACE != "id" {
        narrowed.push(BTreeSet::from([T::SPACE.to_owned()]));
    }
    for field in T::FILTERS.iter().filter(|field| field.name != T::SPACE) {
        let filter = field.name;
        let is_of_all = if T::CONTENT { matches!(field.ty, FieldType::Choice(_)) } else { filter.ends_with("_id") };
        if is_of_all && is_listed_whole {
            narrowed.push(BTreeSet::from([filter.to_owned()]));
        }
        let in_space: Vec<_> = narrowed.iter().filter(|columns| columns.contains(T::SPACE)).cloned().collect();
        narrowed.extend(in_space.into_iter().map(|mut columns| {
            columns.insert(filter.to_owned());
            columns
        }));
    }
    // What is assigned to one user, wherever it lives.
    if let Some(assignee) = T::ASSIGNEE {
        let in_space: Vec<_> =
            narrowed.iter().filter(|columns| columns.contains(T::SPACE) && columns.contains(assignee)).cloned().collect();
        narrowed.extend(in_space.into_iter().map(|mut columns| {
            columns.remove(T::SPACE);
            columns
        }));
    }
    let orders = T::ORDERS.iter().map(|field| field.name).filter(|order| Some(*order) != unique);
    orders.flat_map(|order| narrowed.iter().map(move |columns| (T::NAME.to_owned(), columns.clone(), order.to_owned()))).collect()
}

#[test]
fn every_list_has_its_index() {
    let indexes = indexes();
    let mut count = 0;
    for kind in Kind::ALL {
        for index in with_kind!(*kind, T => needed::<T>()) {
            let each = with_kind!(*kind, T => of_each_choice::<T>(&index)).unwrap_or_default();
            let has_each = !each.is_empty() && each.iter().all(|index| indexes.contains(index));
            assert!(has_each || indexes.contains(&index), "no index for {index:?}");
            count += 1;
        }
    }
    assert_eq!(count, 2 + 2 + 8 + 4 + 16 + 4 + 8);
}
