//! Statements put together from fixed pieces of SQL and bound values. A piece is `&'static str`, so that nothing that
//! came in from outside can become SQL. What must not come in: knowledge of any table.

use mosaic_core::{Error, ErrorKind, FieldValue, Result, Scope, Timestamp};
use sqlx::postgres::{PgArguments, PgHasArrayType, PgRow};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Arguments as _, Encode, PgConnection, Postgres, QueryBuilder, Type};

use crate::error;

/// A statement under construction.
pub(crate) struct Statement(QueryBuilder<Postgres>);

impl Statement {
    /// One that begins like this.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self(QueryBuilder::new(sql))
    }

    /// One on behalf of a scope. Any piece may use it: `$1` is the user who asks, null when there is none; `$2` says
    /// whether all accounts are open to them, `$3` whether all content is.
    pub(crate) fn of(scope: Scope, sql: &'static str) -> Result<Self> {
        let mut arguments = PgArguments::default();
        let bound = arguments.add(scope.user()).and_then(|()| arguments.add(scope.manages_accounts()));
        let bound = bound.and_then(|()| arguments.add(scope.opens_content()));
        bound.map_err(|error| Error::new(ErrorKind::Internal, "a scope cannot be bound").source(error))?;
        Ok(Self(QueryBuilder::with_arguments(sql, arguments)))
    }

    /// Adds a piece of SQL.
    pub(crate) fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.0.push(sql);
        self
    }

    /// Adds a number to the SQL itself, where no parameter may stand.
    #[cfg(feature = "pgvector")]
    pub(crate) fn number(&mut self, number: usize) -> &mut Self {
        self.0.push(number);
        self
    }

    /// Adds a value, as a parameter.
    pub(crate) fn bind<'v, T: Encode<'v, Postgres> + Type<Postgres>>(&mut self, value: T) -> &mut Self {
        self.0.push_bind(value);
        self
    }

    /// Adds an array of values, as a parameter.
    pub(crate) fn array<'v, T: Encode<'v, Postgres> + Type<Postgres> + PgHasArrayType>(
        &mut self,
        values: impl Iterator<Item = T>,
    ) -> &mut Self {
        self.bind(values.collect::<Vec<_>>())
    }

    /// Adds the value of a field.
    pub(crate) fn field(&mut self, value: &FieldValue) -> &mut Self {
        match value {
            FieldValue::Id(id) => self.bind(*id),
            FieldValue::Text(text) => self.bind(text.as_str()),
            FieldValue::Time(time) => self.bind(timestamptz(*time)),
            // What is past the range is behind everything that is stored.
            FieldValue::Number(number) => self.bind(i64::try_from(*number).unwrap_or(i64::MAX)),
        }
    }

    /// Its text, without the values.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.0.sql().as_str().to_owned()
    }

    /// Runs it for its rows.
    pub(crate) async fn rows(mut self, connection: &mut PgConnection) -> Result<Vec<PgRow>> {
        self.0.build().fetch_all(connection).await.map_err(error::from_sqlx)
    }

    /// Runs it for the first of its rows.
    pub(crate) async fn row(mut self, connection: &mut PgConnection) -> Result<Option<PgRow>> {
        self.0.build().fetch_optional(connection).await.map_err(error::from_sqlx)
    }

    /// Runs it for its effect; answers how many rows it touched.
    pub(crate) async fn run(mut self, connection: &mut PgConnection) -> Result<u64> {
        let done = self.0.build().execute(connection).await.map_err(error::from_sqlx)?;
        Ok(done.rows_affected())
    }
}

/// A time as sqlx binds it.
pub(crate) fn timestamptz(time: Timestamp) -> DateTime<Utc> {
    // Every timestamp of the model is within chrono's range.
    DateTime::from_timestamp_micros(time.as_micros()).unwrap_or_default()
}
