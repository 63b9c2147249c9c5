// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a check says: how well something is, and what corrects it.

use serde::{Serialize, Serializer};

use super::change::Change;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It is not known here, for example on a distribution that is not looked at.
    Unknown,
    /// It may do harm.
    Warning,
    /// A dump would be lost.
    Failure,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub status: Health,
    pub message: String,
    /// What corrects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// What corrects something.
#[derive(Debug)]
pub struct Fix {
    /// A command, or words where there is none.
    pub words: String,
    /// What `--fix` does for that; nothing where it has to be done by hand.
    pub changes: Vec<Change>,
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words)
    }
}

impl Check {
    pub fn new(name: &'static str, status: Health, message: impl Into<String>) -> Self {
        Self { name, status, message: message.into(), fix: None }
    }

    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Health::Ok, message)
    }

    pub fn unknown(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Health::Unknown, message)
    }

    pub fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Health::Warning, message)
    }

    pub fn failure(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Health::Failure, message)
    }

    /// Adds what corrects it, by hand.
    pub fn fix(self, words: impl Into<String>) -> Self {
        self.fix_by(Fix::by_hand(words))
    }

    /// Adds what corrects it.
    pub fn fix_by(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

impl Fix {
    /// What `--fix` does by `changes`; `words` say the same to people.
    pub fn new(words: impl Into<String>, changes: impl Into<Vec<Change>>) -> Self {
        Self { words: words.into(), changes: changes.into() }
    }

    /// What has to be done by hand.
    pub fn by_hand(words: impl Into<String>) -> Self {
        Self::new(words, [])
    }
}

/// An amount of memory or space as checks say it, rounded down.
pub fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
