// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Packages of this machine's release of Debian, or of another suite.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::workspace;
use crate::{Architecture, Error, Result, Suite};

/// apt's programs, with the sources of one suite.
pub(crate) struct Apt {
    /// The suite and apt's configuration and lists, if they are not this machine's.
    other: Option<(Suite, PathBuf)>,
    /// What Debian calls the architecture, if it is not this machine's.
    foreign: Option<&'static str>,
}

impl Apt {
    /// apt for a suite, by way of this machine's own sources; `None` is what these have.
    pub(crate) fn of(suite: Option<Suite>, architecture: Architecture) -> Result<Self> {
        let foreign = (!architecture.is_native()).then_some(architecture.debian());
        // This machine's lists do not have another architecture.
        let suite = suite.or_else(|| foreign.and(Suite::of_this_machine()));
        let Some(suite) = suite else { return Ok(Self { other: None, foreign: None }) };
        let suffix = foreign.map(|foreign| format!("-{foreign}")).unwrap_or_default();
        let name = format!("apt-{suite}{suffix}");
        let directory = workspace::target_dir().join("kernels").join(name);
        let _turn = workspace::lock(&directory.with_extension("lock"))?;
        if !directory.join("sources.list").exists() {
            let script = workspace::root().join("scripts/apt-configuration");
            command::stdout(Command::new(script).arg(suite.name()).arg(&directory))?;
            // apt makes such a directory only below /var/lib/apt.
            for name in ["lists/partial", "preferences.d"] {
                let needed = directory.join(name);
                std::fs::create_dir_all(&needed).map_err(Error::file("create", &needed))?;
            }
        }
        Ok(Self { other: Some((suite, directory)), foreign })
    }

    /// The directory of its configuration, if it is not this machine's.
    pub(crate) fn configuration(&self) -> Option<&Path> {
        self.other.as_ref().map(|(_, directory)| directory.as_path())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // What it says is read here.
        command.env("LC_ALL", "C");
        if let Some((suite, directory)) = &self.other {
            let places = [("Etc", ""), ("State::Lists", "lists"), ("Cache", "cache")];
            command.args(places.map(|(name, place)| {
                let place = directory.join(place);
                format!("-oDir::{name}={}/", place.to_string_lossy().trim_end_matches('/'))
            }));
            // What is installed here is none of the suite's.
            command.arg("-oDir::State::Status=/dev/null");
            // Else a release's own packages come before those of its backports.
            if *suite != suite.release() {
                command.arg(format!("-oAPT::Default-Release={suite}"));
            }
        }
        if let Some(foreign) = self.foreign {
            // Programs of the host come from the host's architecture: those of kbuild.
            let host = Architecture::host().debian();
            command.arg(format!("-oAPT::Architecture={foreign}"));
            command.args([foreign, host].map(|each| format!("-oAPT::Architectures::={each}")));
        }
        command
    }

    /// Asks the archive what it has.
    pub(crate) fn update(&self) -> Result<()> {
        command::stdout(self.command("apt-get").args(["--quiet", "update"])).map(drop).map_err(
            |error| match &self.other {
                Some((suite, _)) if error.to_string().contains("does not have a Release file") => {
                    Error::Suite(suite.name().to_owned())
                }
                _ => error,
            },
        )
    }

    /// Downloads packages to a directory.
    pub(crate) fn download(&self, packages: &[impl AsRef<str>], directory: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        download.args(["--quiet", "download"]).args(packages.iter().map(AsRef::as_ref));
        command::stdout(download.current_dir(directory)).map(drop).map_err(|error| {
            let names: Vec<&str> = packages.iter().map(AsRef::as_ref).collect();
            let is_gone = error.to_string().contains(" 404 ");
            if is_gone { Error::Missing(names.join(", ")) } else { error }
        })
    }

    /// Downloads packages and all that they depend on to a directory that has another one in
    /// it, `partial`.
    pub(crate) fn download_with_dependencies(
        &self,
        packages: &[&str],
        directory: &Path,
    ) -> Result<()> {
        let mut download = self.command("apt-get");
        download.args(["--quiet", "--yes", "--no-install-recommends", "--download-only"]);
        download.arg(format!("-oDir::Cache::archives={}/", directory.display()));
        command::stdout(download.arg("install").args(packages)).map(drop)
    }

    /// The first package that the candidate of `package` depends on and that `wanted`
    /// accepts.
    pub(crate) fn dependency(
        &self,
        package: &str,
        what: &'static str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let missing = || Error::Package { package: package.to_owned(), what };
        let mut show = self.command("apt-cache");
        show.args(["show", "--no-all-versions", package]);
        command::output(&mut show)
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())?
            .lines()
            .filter_map(|line| line.strip_prefix("Depends: "))
            .flat_map(|depends| depends.split([',', '|']))
            .filter_map(|alternative| alternative.split_whitespace().next())
            .find(|name| wanted(name))
            .map(str::to_owned)
            .ok_or_else(missing)
    }
}

/// Downloads from a suite, and once more with new package lists when that fails: what the
/// lists name may be gone from the archive, or there are none.
pub(crate) fn from_archive<T>(
    suite: Option<Suite>,
    report: &mut dyn FnMut(&str),
    download: impl Fn(&Apt, &mut dyn FnMut(&str)) -> Result<T>,
) -> Result<T> {
    from_archive_of(suite, Architecture::host(), report, download)
}

/// As [`from_archive`], for an architecture.
pub(crate) fn from_archive_of<T>(
    suite: Option<Suite>,
    architecture: Architecture,
    report: &mut dyn FnMut(&str),
    download: impl Fn(&Apt, &mut dyn FnMut(&str)) -> Result<T>,
) -> Result<T> {
    let apt = Apt::of(suite, architecture)?;
    download(&apt, report).or_else(|first| {
        report("updating the package lists");
        match apt.update() {
            Ok(()) => download(&apt, report),
            Err(error) if error.is_gone() => Err(error),
            Err(_) => Err(first),
        }
    })
}
