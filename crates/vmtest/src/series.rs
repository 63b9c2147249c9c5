// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Which kernels there are: their series and flavours, and where Debian has them.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// A series of Debian kernels that tests are run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Series {
    /// Linux 6.12, Debian 13's own, and a second one of Debian 12's.
    V6_12,
    /// Linux 6.1, Debian 12's own. On other releases it comes from Debian 12's archive.
    V6_1,
}

/// A flavour of Debian's kernels: the same source, configured differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// For virtual machines: small, and without drivers of real hardware.
    Cloud,
    /// For any machine, with every driver as a module.
    Full,
}

impl Series {
    /// Every series.
    pub const ALL: [Self; 2] = [Self::V6_12, Self::V6_1];

    const fn name(self) -> &'static str {
        match self {
            Self::V6_12 => "6.12",
            Self::V6_1 => "6.1",
        }
    }

    /// The packages that may depend on the newest kernel of the series: the one that is
    /// named after it, and that of a release's default kernel.
    pub(crate) fn image_metas(self, flavour: Flavour) -> [String; 2] {
        let flavour = match flavour {
            Flavour::Cloud => "cloud-amd64",
            Flavour::Full => "amd64",
        };
        [format!("linux-image-{self}-{flavour}"), format!("linux-image-{flavour}")]
    }

    /// The release of Debian whose archive has the series where this machine's has not.
    /// Nothing newer than this machine: its programs would not run here.
    pub(crate) const fn elsewhere(self) -> Option<&'static str> {
        match self {
            Self::V6_12 => None,
            Self::V6_1 => Some("bookworm"),
        }
    }

    /// virtio-serial's modules where it is not built in, in loading order; in both
    /// flavours.
    pub(crate) const fn virtio_serial(self) -> &'static [&'static str] {
        match self {
            Self::V6_12 => &[],
            Self::V6_1 => &[
                "virtio_ring",
                "virtio",
                "virtio_pci_modern_dev",
                "virtio_pci_legacy_dev",
                "virtio_pci",
                "virtio_console",
            ],
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|series| series.name() == text)
            .ok_or_else(|| Error::Series(text.to_owned()))
    }
}
