// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What makes the crash kernel ready on a machine, and how it is configured.

/// kdump-tools' configuration.
pub const KDUMP_TOOLS: &str = "/etc/default/kdump-tools";
/// The configuration of kdumpctl, and of SUSE's kdump.
pub const SYSCONFIG: &str = "/etc/sysconfig/kdump";

/// What loads the crash kernel and saves the vmcore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdump {
    /// kdump-tools of Debian and Ubuntu.
    Tools,
    /// kdumpctl of RHEL and Fedora.
    Ctl,
    /// kdump of SUSE.
    Suse,
    /// Something that is not known here.
    Other,
}

impl Kdump {
    /// Finds out which of them a machine has, by its files, and else by its distribution:
    /// `ids` are ID and ID_LIKE of /etc/os-release.
    pub fn of(has: impl Fn(&str) -> bool, ids: &str) -> Self {
        let is = |names: &[&str]| ids.split_whitespace().any(|id| names.contains(&id));
        if has("/usr/sbin/kdump-config") || has(KDUMP_TOOLS) {
            Self::Tools
        } else if has("/etc/kdump.conf") || has("/usr/bin/kdumpctl") {
            Self::Ctl
        } else if is(&["suse", "opensuse", "sles"]) || has(SYSCONFIG) {
            Self::Suse
        } else if is(&["debian", "ubuntu"]) {
            Self::Tools
        } else if is(&["rhel", "fedora", "centos"]) {
            Self::Ctl
        } else {
            Self::Other
        }
    }

    /// The file of shell assignments that configures it.
    pub const fn file(self) -> Option<&'static str> {
        match self {
            Self::Tools => Some(KDUMP_TOOLS),
            Self::Ctl | Self::Suse => Some(SYSCONFIG),
            Self::Other => None,
        }
    }

    /// The variable whose words end the crash kernel's command line.
    pub const fn append_key(self) -> &'static str {
        match self {
            Self::Tools => "KDUMP_CMDLINE_APPEND",
            Self::Ctl | Self::Suse | Self::Other => "KDUMP_COMMANDLINE_APPEND",
        }
    }

    /// The variable that replaces the running kernel's command line.
    pub const fn command_line_key(self) -> &'static str {
        match self {
            Self::Tools => "KDUMP_CMDLINE",
            Self::Ctl | Self::Suse | Self::Other => "KDUMP_COMMANDLINE",
        }
    }
}
