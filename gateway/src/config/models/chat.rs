//! Section `models.chat`: the model that answers in sessions, and the bounds of what it does there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mosaic_core::{Result, Secret};
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::server::{NAME_CHARS, Refused, Server, refused, within};

/// The longest instructions, in characters.
const INSTRUCTIONS_CHARS: usize = 8_000;

/// A model that answers and calls tools, on a server that speaks the OpenAI chat protocol: Ollama, vLLM, llama.cpp, OpenAI.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatModel {
    /// Where the server's API begins: what comes before /chat/completions, as in http://127.0.0.1:11434/v1.
    pub base_url: String,
    /// The model's name on that server. It must be one that calls tools.
    #[schemars(length(min = 1, max = NAME_CHARS))]
    pub model: String,
    /// What the server wants to be shown, as a bearer token.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// The file whose first line is the key.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// How freely it chooses its words; the server's own choice unless it is given.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// What it is told before every conversation, besides what the gateway tells it.
    #[serde(default)]
    #[schemars(length(max = INSTRUCTIONS_CHARS))]
    pub instructions: Option<String>,
    /// How often it may be asked in one turn: once, and once more after each round of tools.
    #[serde(default = "max_rounds")]
    #[schemars(range(min = 1, max = 100))]
    pub max_rounds: u32,
    /// How long a turn may take, in seconds.
    #[serde(default = "turn_seconds")]
    #[schemars(range(min = 5, max = 3_600))]
    pub turn_seconds: u64,
    /// How much it may say in one turn, in tokens.
    #[serde(default = "max_tokens")]
    #[schemars(range(min = 64, max = 1_000_000))]
    pub max_tokens: u32,
    /// How long the server may send nothing, in seconds.
    #[serde(default = "silence_seconds")]
    #[schemars(range(min = 1, max = 600))]
    pub silence_seconds: u64,
    /// How often a server that fails is asked for one answer.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u32,
    /// How much it is told of a tool's result, in characters.
    #[serde(default = "tool_chars")]
    #[schemars(range(min = 500, max = 200_000))]
    pub tool_chars: usize,
    /// How much it is told of what was said before, in characters; whole turns are left out, the oldest first.
    #[serde(default = "context_chars")]
    #[schemars(range(min = 2_000, max = 4_000_000))]
    pub context_chars: usize,
    /// How many turns a gateway runs at once.
    #[serde(default = "turns")]
    #[schemars(range(min = 1, max = 10_000))]
    pub turns: usize,
}

fn max_rounds() -> u32 {
    16
}

fn turn_seconds() -> u64 {
    300
}

fn max_tokens() -> u32 {
    8_192
}

fn silence_seconds() -> u64 {
    60
}

fn attempts() -> u32 {
    4
}

fn tool_chars() -> usize {
    16_000
}

fn context_chars() -> usize {
    100_000
}

fn turns() -> usize {
    256
}

impl ChatModel {
    pub(super) fn validate(&self) -> Result<(), Refused> {
        self.server().validate()?;
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return refused("temperature", "temperature is 0 to 2".into());
        }
        if self.instructions.as_ref().is_some_and(|text| text.chars().count() > INSTRUCTIONS_CHARS) {
            return refused("instructions", format!("instructions is up to {INSTRUCTIONS_CHARS} characters"));
        }
        within("max_rounds", self.max_rounds.into(), 1, 100)?;
        within("turn_seconds", self.turn_seconds, 5, 3_600)?;
        within("max_tokens", self.max_tokens.into(), 64, 1_000_000)?;
        within("silence_seconds", self.silence_seconds, 1, 600)?;
        within("attempts", self.attempts.into(), 1, 10)?;
        within("tool_chars", self.tool_chars as u64, 500, 200_000)?;
        within("context_chars", self.context_chars as u64, 2_000, 4_000_000)?;
        within("turns", self.turns as u64, 1, 10_000)
    }

    fn server(&self) -> Server<'_> {
        let Self { base_url, model, api_key, api_key_file, .. } = self;
        Server { section: "models.chat", base_url, model, api_key: api_key.as_ref(), api_key_file: api_key_file.as_deref() }
    }

    /// Where answers are asked for.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`] for what is no such URL. It is not repeated where it may hold a secret.
    pub fn url(&self) -> Result<Url> {
        self.server().url(&["chat", "completions"])
    }

    /// The key, from the config or from its file, whose relative path starts from `base_dir`; none when none is given.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Config`], naming the key and the file, for a file that cannot be read, and one that holds no key.
    pub fn key(&self, base_dir: &Path) -> Result<Option<Secret>> {
        self.server().key(base_dir)
    }

    /// How long the server may send nothing.
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.silence_seconds)
    }

    pub(super) fn shown(&self) -> Value {
        let Self { temperature, instructions, max_rounds, turn_seconds, max_tokens, silence_seconds, attempts, .. } = self;
        let Self { tool_chars, context_chars, turns, .. } = self;
        let mut shown = self.server().shown();
        shown.extend(temperature.map(|temperature| ("temperature".into(), json!(temperature))));
        shown.extend(instructions.as_ref().map(|instructions| ("instructions".into(), json!(instructions))));
        shown.insert("max_rounds".into(), json!(max_rounds));
        shown.insert("turn_seconds".into(), json!(turn_seconds));
        shown.insert("max_tokens".into(), json!(max_tokens));
        shown.insert("silence_seconds".into(), json!(silence_seconds));
        shown.insert("attempts".into(), json!(attempts));
        shown.insert("tool_chars".into(), json!(tool_chars));
        shown.insert("context_chars".into(), json!(context_chars));
        shown.insert("turns".into(), json!(turns));
        Value::Object(shown)
    }
}
