// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `vmcoredd doctor --fix` can change, as checks ask for it.

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A variable in a file of shell assignments.
    Variable { file: &'static str, key: &'static str, to: Value },
    /// The whole text of a file of our own.
    File { path: &'static str, text: String },
    /// A file that is to be executable.
    Executable(String),
    /// A directory that is to be there.
    Directory(String),
    /// A command to run.
    Task(Task),
}

/// The value that a variable is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// This text.
    Text(String),
    /// The words that it has, or else those of `default`, without some, and with others.
    Words { default: String, removed: Vec<String>, added: Vec<String> },
}

impl Change {
    /// Sets a variable.
    pub fn set(file: &'static str, key: &'static str, value: &str) -> Self {
        Self::Variable { file, key, to: Value::Text(value.to_owned()) }
    }

    /// Takes words out of a variable, and adds others. Where the variable is not set, its
    /// value is `default`.
    pub fn words(
        file: &'static str,
        key: &'static str,
        default: String,
        removed: Vec<String>,
        added: Vec<String>,
    ) -> Self {
        Self::Variable { file, key, to: Value::Words { default, removed, added } }
    }
}

/// A command. They are run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Has /proc/vmcoredd saved.
    Enable,
    /// Makes the initramfs, and loads the crash kernel again where one is loaded.
    Initramfs,
    /// Makes GRUB's menu.
    Grub,
    /// Loads the crash kernel.
    Load,
}

impl Task {
    /// The command; `is_loaded` says whether there is a crash kernel already.
    pub const fn command(self, is_loaded: bool) -> &'static [&'static str] {
        match self {
            Self::Enable => &["systemctl", "enable", "vmcoredd-save.service"],
            Self::Initramfs => &["vmcoredd-update-initramfs"],
            Self::Grub => &["update-grub"],
            Self::Load if is_loaded => &["kdump-config", "reload"],
            Self::Load => &["kdump-config", "load"],
        }
    }
}
