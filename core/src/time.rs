//! Points in time and where they come from. Nothing in Mosaic reads the system clock but [`SystemClock`].

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// A point in time: UTC, to the microsecond, from year 1 to year 9999. As text it is RFC 3339;
/// finer fractions are cut off and other offsets converted when it is read.
///
/// ```
/// use mosaic_core::Timestamp;
///
/// let noon: Timestamp = "2026-03-01T13:00:00.123456789+01:00".parse()?;
/// assert_eq!(noon.to_string(), "2026-03-01T12:00:00.123456Z");
/// # Ok::<(), mosaic_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// From microseconds since 1970-01-01T00:00:00Z; `None` outside of years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).filter(|t| (1..=9999).contains(&t.year())).map(Self)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// This time plus `seconds`, which may be negative; saturates at the bounds.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let micros = self.as_micros().saturating_add(seconds.saturating_mul(1_000_000));
        Self::from_micros(micros).unwrap_or(if seconds < 0 { Self::MIN } else { Self::MAX })
    }

    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(match DateTime::from_timestamp(-62_135_596_800, 0) {
        Some(time) => time,
        None => DateTime::UNIX_EPOCH,
    });

    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(match DateTime::from_timestamp(253_402_300_799, 999_999_000) {
        Some(time) => time,
        None => DateTime::UNIX_EPOCH,
    });
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
        f.write_str(&self.0.to_rfc3339_opts(precision, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        DateTime::parse_from_rfc3339(text).ok().and_then(|time| Self::from_micros(time.timestamp_micros())).ok_or_else(|| {
            Error::invalid("not an RFC 3339 time such as 2026-03-01T12:00:00Z, from year 1 to 9999").with("value", clip(text))
        })
    }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Where the present time comes from. Injected, so that tests decide what time it is.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(Utc::now().timestamp_micros()).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back_is_the_same_at_the_edges() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.000001Z", "2026-11-23T17:18:05Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in ["", "2026-13-01T00:00:00Z", "2026-01-01", "yesterday", "10000-01-01T00:00:00Z", "0000-12-31T23:59:59Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
