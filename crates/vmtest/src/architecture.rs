// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The architecture of the virtual machine, which may be another one than the host's.

use std::env;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Flavour, Result};

/// The environment variable that chooses it.
const VARIABLE: &str = "VMTEST_ARCH";

/// An architecture, and the size of its kernel's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// x86-64.
    X86_64,
    /// arm64 with pages of 4 KiB.
    Arm64,
    /// arm64 with pages of 16 KiB, of which Debian has the full flavour alone.
    Arm64Pages16k,
}

impl Architecture {
    const ALL: [Self; 3] = [Self::X86_64, Self::Arm64, Self::Arm64Pages16k];

    /// That of the machines of this process: `x86_64`, `arm64` or `arm64-16k` in the
    /// environment variable `VMTEST_ARCH`, the host's without it.
    ///
    /// # Errors
    /// [`Error::Architecture`] for another word.
    pub fn chosen() -> Result<Self> {
        match env::var(VARIABLE) {
            Ok(word) if !word.is_empty() => word.parse(),
            _ => Ok(Self::host()),
        }
    }

    pub(crate) const fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// Whether the host runs its programs.
    #[must_use]
    pub fn is_native(self) -> bool {
        self.debian() == Self::host().debian()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
            Self::Arm64Pages16k => "arm64-16k",
        }
    }

    /// What is added to the names of files that are not for the host.
    pub(crate) fn suffix(self) -> String {
        if self == Self::host() { String::new() } else { format!("-{}", self.name()) }
    }

    /// What Debian calls it.
    #[must_use]
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 | Self::Arm64Pages16k => "arm64",
        }
    }

    /// The end of the names of Debian's kernels.
    pub(crate) fn kernels(self, flavour: Flavour) -> String {
        match (self, flavour) {
            (Self::Arm64Pages16k, _) => "arm64-16k".to_owned(),
            (_, Flavour::Cloud) => format!("cloud-{}", self.debian()),
            (_, Flavour::Full) => self.debian().to_owned(),
            (_, Flavour::RealTime) => format!("rt-{}", self.debian()),
        }
    }

    /// What rustc calls it.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 | Self::Arm64Pages16k => "aarch64-unknown-linux-gnu",
        }
    }

    /// The compiler driver that links programs for it on another architecture.
    pub(crate) const fn cross_linker(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-linux-gnu-gcc",
            Self::Arm64 | Self::Arm64Pages16k => "aarch64-linux-gnu-gcc",
        }
    }

    /// The emulator.
    pub(crate) const fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Arm64 | Self::Arm64Pages16k => "qemu-system-aarch64",
        }
    }

    /// The machine and its processor, as QEMU's arguments.
    pub(crate) const fn machine(self) -> [&'static str; 4] {
        match self {
            Self::X86_64 => ["-machine", "q35", "-cpu", "qemu64"],
            // A seed in the device tree would move the kernel in spite of `nokaslr`.
            Self::Arm64 => {
                ["-machine", "virt,gic-version=3,dtb-kaslr-seed=off", "-cpu", "cortex-a57"]
            }
            // It has pages of this size, which a cortex-a57 has not.
            Self::Arm64Pages16k => {
                ["-machine", "virt,gic-version=3,dtb-kaslr-seed=off", "-cpu", "neoverse-n1"]
            }
        }
    }

    /// Arguments for the kernel: its console, and what software emulation needs.
    pub(crate) const fn kernel_args(self) -> &'static str {
        match self {
            Self::X86_64 => "console=ttyS0,115200 tsc=reliable",
            Self::Arm64 | Self::Arm64Pages16k => "console=ttyAMA0",
        }
    }

    /// How many times longer than on x86-64 everything takes: its crash kernel is silent for
    /// 16 s, while kexec's purgatory checks it without a cache, and it is emulated slower.
    pub(crate) const fn slowness(self) -> u32 {
        match self {
            Self::X86_64 => 1,
            Self::Arm64 | Self::Arm64Pages16k => 3,
        }
    }

    /// How much more memory than x86-64 a crash kernel needs, in MiB.
    pub(crate) const fn more_memory(self) -> u32 {
        match self {
            Self::X86_64 => 0,
            Self::Arm64 => 64,
            Self::Arm64Pages16k => 96,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|each| each.name() == word);
        found.ok_or_else(|| Error::Architecture(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for each in Architecture::ALL {
            assert_eq!(each.name().parse::<Architecture>().unwrap(), each);
        }
        let error = "arm".parse::<Architecture>().unwrap_err().to_string();
        assert_eq!(error, "\"arm\" is no architecture; x86_64, arm64 and arm64-16k are");
    }
}
