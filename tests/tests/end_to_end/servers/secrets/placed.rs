//! The ways to give a gateway a password. What must not come in: what comes of it.

use serde_json::{Value, json};

use super::made::encoded;
use crate::harness::Place;

/// Where a password is put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Url,
    Key,
    File,
}

/// And by what the config says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    ConfigFile,
    Environment,
}

/// All of them: cases take their turns.
pub(super) const WAYS: [(Way, By); 6] = [
    (Way::Url, By::ConfigFile),
    (Way::Key, By::Environment),
    (Way::File, By::ConfigFile),
    (Way::Url, By::Environment),
    (Way::Key, By::ConfigFile),
    (Way::File, By::Environment),
];

/// A service as a URL names it, without its password.
pub(super) struct Service {
    pub(super) scheme: &'static str,
    pub(super) user: String,
    /// What is behind the `@`.
    pub(super) rest: String,
}

impl Service {
    pub(super) fn postgres(user: &str, rest: impl Into<String>) -> Self {
        Self { scheme: "postgres", user: user.to_owned(), rest: rest.into() }
    }

    pub(super) fn valkey(user: &str, rest: impl Into<String>) -> Self {
        Self { scheme: "redis", user: user.to_owned(), rest: rest.into() }
    }
}

/// A config in the making.
pub(super) struct Config {
    place: Place,
    json: Value,
    variables: Vec<(String, String)>,
}

impl Config {
    /// One of this tier, for a gateway that waits for nothing and logs everything.
    pub(super) fn of(tier: &str) -> Self {
        let place = Place::new().with_env("MOSAIC_STARTUP__WAIT_SECONDS", "0").with_env("MOSAIC_LOG__FILTER", "trace");
        Self { place, json: json!({ "tier": tier }), variables: Vec::new() }
    }

    /// With a value at this path, `standalone.postgres.url`.
    pub(super) fn with(mut self, path: &str, value: impl Into<Value>) -> Self {
        let mut at = &mut self.json;
        for key in path.split('.') {
            at = &mut at[key];
        }
        *at = value.into();
        self
    }

    /// With a variable of the environment.
    pub(super) fn with_env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The same, for this tier and service: `TIER`, `SERVICE` and `SCHEME` in paths, variables and values stand for them.
    pub(super) fn about(mut self, tier: &str, service: &str) -> Self {
        let scheme = if service.ends_with("valkey") { "redis" } else { "postgres" };
        let of_this = |text: &str| text.replace("SCHEME", scheme);
        let variable = format!("MOSAIC_{}", service.to_ascii_uppercase().replace('.', "__"));
        for (name, value) in &mut self.variables {
            *name = name.replace("SERVICE", &variable);
            *value = of_this(value);
        }
        let text = of_this(&self.json.to_string());
        let mut json: Value = serde_json::from_str(&text).unwrap();
        let (mut at_service, mut at_tier) = (json["SERVICE"].take(), json["TIER"].take());
        let fields = json.as_object_mut().unwrap();
        fields.remove("SERVICE");
        fields.remove("TIER");
        let mut made = Self { json, ..self };
        if service == "federated.valkey" {
            // Without it, nothing else of the section would be looked at.
            made = made.with("federated.postgres.url", "postgres://mosaic@127.0.0.1:1/mosaic");
        }
        if !at_tier.is_null() {
            made = made.with(tier, at_tier.take());
        }
        if !at_service.is_null() {
            made = made.with(service, at_service.take());
        }
        made
    }

    /// With a service at this path, `federated.valkey`, and its password given in this way.
    pub(super) fn with_service(self, path: &str, service: &Service, password: &str, (way, by): (Way, By)) -> Self {
        let Service { scheme, user, rest } = service;
        let (with, without) = (format!("{scheme}://{user}:{}@{rest}", encoded(password)), format!("{scheme}://{user}@{rest}"));
        match way {
            Way::Url => self.said(path, "url", &with, by),
            Way::Key => self.said(path, "url", &without, by).said(path, "password", password, by),
            Way::File => {
                let name = format!("{path}.file");
                self.place.write(&name, format!("{password}\n"));
                self.said(path, "url", &without, by).said(path, "password_file", &name, by)
            }
        }
    }

    fn said(self, path: &str, key: &str, value: &str, by: By) -> Self {
        match by {
            By::ConfigFile => self.with(&format!("{path}.{key}"), value),
            By::Environment => {
                let name = format!("MOSAIC_{path}.{key}").to_ascii_uppercase().replace('.', "__");
                self.with_env(&name, value)
            }
        }
    }

    /// The place with all of it.
    pub(super) fn place(self) -> Place {
        self.place.write("mosaic.config.json", self.json.to_string());
        self.variables.into_iter().fold(self.place, |place, (name, value)| place.with_env(&name, value))
    }
}
