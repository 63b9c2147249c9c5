// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Packages of this machine's release of Debian, or of another one.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;
use crate::workspace;
use crate::{Error, Result, Series};

/// apt's programs, with the sources of one release.
pub(crate) struct Apt {
    /// apt's configuration and lists, if they are not this machine's.
    directory: Option<PathBuf>,
}

impl Apt {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(directory) = &self.directory {
            let places = [("Etc", ""), ("State::Lists", "lists"), ("Cache", "cache")];
            command.args(places.map(|(name, place)| {
                let place = directory.join(place);
                format!("-oDir::{name}={}/", place.to_string_lossy().trim_end_matches('/'))
            }));
        }
        command
    }

    fn update(&self) -> Result<()> {
        command::stdout(self.command("apt-get").args(["--quiet", "update"])).map(drop)
    }

    /// Downloads packages to a directory.
    pub(crate) fn download(&self, packages: &[impl AsRef<str>], directory: &Path) -> Result<()> {
        let mut download = self.command("apt-get");
        download.args(["--quiet", "download"]).args(packages.iter().map(AsRef::as_ref));
        command::stdout(download.current_dir(directory)).map(drop)
    }

    /// The first package that the candidate of `package` depends on and that `wanted`
    /// accepts.
    pub(crate) fn dependency(
        &self,
        package: &str,
        what: &'static str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let mut show = self.command("apt-cache");
        show.args(["show", "--no-all-versions", package]);
        command::stdout(&mut show)?
            .lines()
            .filter_map(|line| line.strip_prefix("Depends: "))
            .flat_map(|depends| depends.split([',', '|']))
            .filter_map(|alternative| alternative.split_whitespace().next())
            .find(|name| wanted(name))
            .map(str::to_owned)
            .ok_or_else(|| Error::Package { package: package.to_owned(), what })
    }
}

/// Downloads, and once more with new package lists when that fails: what the lists name
/// may be gone from the archive, or there are none. Then the same from the archive of
/// the release that has the series, should it not be this machine's.
pub(crate) fn from_archive<T>(
    series: Series,
    report: &mut dyn FnMut(&str),
    download: impl Fn(&Apt, &mut dyn FnMut(&str)) -> Result<T>,
) -> Result<T> {
    let own = with_newer_lists(&Apt { directory: None }, report, &download);
    own.or_else(|first| {
        let Some(release) = series.elsewhere() else { return Err(first) };
        let elsewhere = other_release(release)?;
        with_newer_lists(&elsewhere, report, &download).map_err(|_| first)
    })
}

fn with_newer_lists<T>(
    apt: &Apt,
    report: &mut dyn FnMut(&str),
    download: &impl Fn(&Apt, &mut dyn FnMut(&str)) -> Result<T>,
) -> Result<T> {
    download(apt, report).or_else(|first| {
        report("updating the package lists");
        match apt.update() {
            Ok(()) => download(apt, report),
            Err(_) => Err(first),
        }
    })
}

/// apt for another release of Debian, by way of this machine's own sources.
fn other_release(name: &str) -> Result<Apt> {
    let directory = workspace::target_dir().join("kernels").join(format!("apt-{name}"));
    let _turn = workspace::lock(&directory.with_extension("lock"))?;
    if !directory.join("sources.list").exists() {
        let script = workspace::root().join("scripts/apt-configuration");
        command::stdout(Command::new(script).arg(name).arg(&directory))?;
        // apt makes such a directory only below /var/lib/apt.
        let partial = directory.join("lists/partial");
        std::fs::create_dir_all(&partial).map_err(Error::file("create", &partial))?;
    }
    Ok(Apt { directory: Some(directory) })
}
