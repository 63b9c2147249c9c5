// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Which kernels there are: what Debian's archive is asked for.

use std::fmt;
use std::fs;
use std::str::FromStr;

use crate::{Architecture, Error, Flavour, Result};

/// A suite of Debian's archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suite {
    /// Debian 11.
    Bullseye,
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// Newer kernels for Debian 13.
    TrixieBackports,
    /// What the next release is made of.
    Sid,
}

impl Suite {
    /// Every suite, the oldest one first.
    pub const ALL: [Self; 5] =
        [Self::Bullseye, Self::Bookworm, Self::Trixie, Self::TrixieBackports, Self::Sid];

    /// Its name in the archive.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::TrixieBackports => "trixie-backports",
            Self::Sid => "sid",
        }
    }

    /// The release whose programs its kernels are built with.
    pub(crate) const fn release(self) -> Self {
        match self {
            Self::TrixieBackports => Self::Trixie,
            other => other,
        }
    }

    /// The release that this machine runs, if it is one of these.
    pub(crate) fn of_this_machine() -> Option<Self> {
        let text = fs::read_to_string("/etc/os-release").ok()?;
        let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Kernels of which Debian's archive has ever newer ones. Tests run on the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Series {
    name: &'static str,
    /// Of Linux, such as `6.12`; whatever version the suite has where this is empty.
    version: &'static str,
    /// That of this machine if there is none.
    suite: Option<Suite>,
    flavour: Flavour,
}

impl Series {
    /// Linux 6.12, Debian 13's own, and a second one of Debian 12's: that of this machine.
    pub const V6_12: Self = Self::cloud("6.12", "6.12", None);
    /// Linux 6.1, Debian 12's own.
    pub const V6_1: Self = Self::cloud("6.1", "6.1", Some(Suite::Bookworm));
    /// Linux 5.10, Debian 11's own.
    pub const V5_10: Self = Self::cloud("5.10", "5.10", Some(Suite::Bullseye));
    /// Linux 6.12 of Debian 13.
    pub const TRIXIE: Self = Self::cloud("trixie", "6.12", Some(Suite::Trixie));
    /// The newest one for Debian 13.
    pub const BACKPORTS: Self = Self::cloud("backports", "", Some(Suite::TrixieBackports));
    /// The newest one that is to be part of a release.
    pub const SID: Self = Self::cloud("sid", "", Some(Suite::Sid));

    /// Every series, without the flavours.
    pub const ALL: [Self; 6] =
        [Self::V6_12, Self::V6_1, Self::V5_10, Self::TRIXIE, Self::BACKPORTS, Self::SID];

    const fn cloud(name: &'static str, version: &'static str, suite: Option<Suite>) -> Self {
        Self { name, version, suite, flavour: Flavour::Cloud }
    }

    /// The same kernels in another flavour.
    #[must_use]
    pub const fn flavour(self, flavour: Flavour) -> Self {
        Self { flavour, ..self }
    }

    /// The same kernels with every driver that Debian builds.
    #[must_use]
    pub const fn with_all_drivers(self) -> Self {
        match self.flavour {
            Flavour::Cloud => self.flavour(Flavour::Full),
            Flavour::Full | Flavour::RealTime => self,
        }
    }

    /// The suite that has them; none if that is what this machine has its own from.
    pub fn suite(self) -> Option<Suite> {
        self.suite.filter(|suite| Some(*suite) != Suite::of_this_machine())
    }

    /// The version of Linux, such as `6.12`, or nothing if it may be any.
    pub(crate) const fn version(self) -> &'static str {
        self.version
    }

    /// The packages that may depend on the newest of them: the one that is named after the
    /// version, and that of the suite's default kernel.
    pub(crate) fn image_metas(self, architecture: Architecture) -> Vec<String> {
        let flavour = architecture.kernels(self.flavour);
        let named = format!("linux-image-{}-{flavour}", self.version);
        let default = format!("linux-image-{flavour}");
        if self.version.is_empty() { vec![default] } else { vec![named, default] }
    }

    /// Whether `image` is the package of one of them, and not of another version.
    pub(crate) fn has_image(self, image: &str) -> bool {
        let Some(release) = image.strip_prefix("linux-image-") else { return false };
        match release.strip_prefix(self.version) {
            Some(rest) if self.version.is_empty() => rest.starts_with(|c: char| c.is_ascii_digit()),
            Some(rest) => rest.starts_with('.'),
            None => false,
        }
    }

    /// The suite that has what its modules are built with, where that does not run on this
    /// machine: a newer release's needs a newer C library, and Debian 11's compiler is not
    /// in later releases.
    pub(crate) fn foreign_tools(self) -> Option<Suite> {
        let suite = self.suite()?;
        let own = Suite::of_this_machine();
        let foreign = suite == Suite::Bullseye || own.is_none_or(|own| own < suite.release());
        foreign.then_some(suite)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flavour = match self.flavour {
            Flavour::Cloud => "",
            Flavour::Full => "-full",
            Flavour::RealTime => "-rt",
        };
        formatter.pad(&format!("{}{flavour}", self.name))
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let flavours = [Flavour::Cloud, Flavour::Full, Flavour::RealTime];
        Self::ALL
            .into_iter()
            .flat_map(|series| flavours.map(|flavour| series.flavour(flavour)))
            .find(|series| series.to_string() == text)
            .ok_or_else(|| Error::Series(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_images_of_their_version() {
        assert!(Series::V6_1.has_image("linux-image-6.1.0-56-cloud-amd64"));
        assert!(!Series::V6_1.has_image("linux-image-6.12.117+deb12-cloud-amd64"));
        assert!(Series::SID.has_image("linux-image-7.2.13+deb14-amd64"));
        assert!(!Series::SID.has_image("linux-image-amd64"));
        assert!(!Series::SID.has_image("linux-base-7.2.13+deb14-amd64"));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for series in Series::ALL {
            for flavour in [Flavour::Cloud, Flavour::Full, Flavour::RealTime] {
                let series = series.flavour(flavour);
                assert_eq!(series.to_string().parse::<Series>().unwrap(), series);
            }
        }
        assert!("6.12-".parse::<Series>().is_err());
        assert!("7".parse::<Series>().is_err());
    }
}
