// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd profile`.

mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ::profile::{BUILT_IN, Compiled};
use kdumpfile::EscapedPath;

use crate::failure::{Exit, Failure, complain};
use crate::output;
use crate::own_profiles::{self, Directory};

/// Check, compile and show profiles of devices
///
/// A profile says of a kind of device what may be read of it after a crash, what the
/// registers mean, and what is abnormal: see docs/profiles.md.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Report what is wrong with profiles, one line for each error
    Check {
        /// The profiles
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Compile a profile to the plan that the module carries out
    Compile {
        /// The profile
        #[arg(required_unless_present = "all")]
        file: Option<PathBuf>,
        /// Compile all profiles that are built in, one after the other
        #[arg(long, conflicts_with = "file", requires = "output")]
        all: bool,
        /// Where to write the plan: without it, beside the profile, as FILE.plan
        #[arg(short, long, value_name = "PLAN")]
        output: Option<PathBuf>,
    },
    /// Show what a profile reads, in which order, and what it never reads
    Show {
        /// The profile: its name, or a file
        profile: PathBuf,
        #[command(flatten)]
        profiles: Directory,
    },
    /// Print a profile to be completed, of registers that an SVD file has
    FromSvd {
        /// The file
        file: PathBuf,
    },
    /// Print a profile to be completed, of registers that a list with commas has
    FromCsv {
        /// The file: columns name, offset, width, title; or address and count, as mstdump's
        file: PathBuf,
    },
    /// List the profiles that there are
    List {
        #[command(flatten)]
        profiles: Directory,
    },
}

/// Does what is asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check { files } => {
            let mut status = Exit::Done;
            for file in files {
                let found = read(file)?;
                status = status.max(report(file, &found));
            }
            Ok(status)
        }
        Command::Compile { file: Some(file), output, .. } => compile(file, output.as_deref()),
        Command::Compile { output, .. } => compile_all(output.as_deref()),
        Command::Show { profile, profiles } => show(profile, profiles),
        Command::FromSvd { file } => convert(file, ::profile::from_svd),
        Command::FromCsv { file } => convert(file, ::profile::from_csv),
        Command::List { profiles } => list(profiles),
    }
}

/// The profile in `file`.
fn read(file: &Path) -> Result<Compiled, Failure> {
    Ok(::profile::compile_file(&own_profiles::name(file), &own_profiles::read_file(file)?))
}

/// Reports what is wrong with it.
fn report(file: &Path, found: &Compiled) -> Exit {
    let Err(faults) = found else { return Exit::Done };
    for fault in faults {
        // As compilers do it, so that editors find the place.
        let _ = writeln!(io::stderr(), "{}:{fault}", EscapedPath(file));
    }
    Exit::Negative
}

fn compile(file: &Path, output: Option<&Path>) -> Result<Exit, Failure> {
    let found = read(file)?;
    let Ok((_, plan)) = &found else { return Ok(report(file, &found)) };
    if plan.is_empty() {
        complain(format_args!("{}: matches no device, so that it has no plan", EscapedPath(file)));
        return Ok(Exit::Negative);
    }
    let beside = file.with_extension("plan");
    write(output.unwrap_or(&beside), plan)
}

fn compile_all(output: Option<&Path>) -> Result<Exit, Failure> {
    let mut plans = Vec::new();
    for (name, text) in BUILT_IN {
        let found = ::profile::compile_file(name, text.as_bytes());
        match &found {
            Ok((_, plan)) => plans.extend_from_slice(plan),
            Err(_) => return Ok(report(&PathBuf::from(format!("{name}.kdl")), &found)),
        }
    }
    write(output.unwrap_or(Path::new("-")), &plans)
}

fn write(output: &Path, bytes: &[u8]) -> Result<Exit, Failure> {
    let failed = |error| Failure::output(output, error);
    output::write(output, &[], |to, _| to.write_all(bytes).map_err(failed))?;
    Ok(Exit::Done)
}

fn show(profile: &Path, profiles: &Directory) -> Result<Exit, Failure> {
    let is_file = profile.extension().is_some() || profile.components().count() > 1;
    if is_file {
        let found = read(profile)?;
        return match &found {
            Ok((found, _)) => show::print(found),
            Err(_) => Ok(report(profile, &found)),
        };
    }
    let name = profile.to_string_lossy();
    let mut library = profiles.library()?;
    match library.named(&name).as_deref() {
        Some(Ok((found, _))) => show::print(found),
        Some(found @ Err(_)) => Ok(report(&PathBuf::from(format!("{name}.kdl")), found)),
        None => {
            let all: Vec<_> = library.names().collect();
            let name = EscapedPath(profile);
            let all = all.join(", ");
            complain(format_args!("{name}: expected a profile, there are: {all}"));
            Ok(Exit::Negative)
        }
    }
}

fn list(profiles: &Directory) -> Result<Exit, Failure> {
    let mut status = Exit::Done;
    let mut rows = Vec::new();
    let operator = profiles.files()?;
    let files = operator.iter().map(|(path, bytes)| (path.clone(), bytes.as_slice(), "operator"));
    let built_in = BUILT_IN
        .iter()
        .map(|(name, text)| (PathBuf::from(format!("{name}.kdl")), text.as_bytes(), "built in"));
    for (path, bytes, from) in files.chain(built_in) {
        let found = ::profile::compile_file(&own_profiles::name(&path), bytes);
        match &found {
            Ok((found, plan)) => rows.push(show::row(found, plan.len(), from)),
            Err(_) => status = status.max(report(&path, &found)),
        }
    }
    show::print_list(&rows)?;
    Ok(status)
}

/// Prints the profile that `from` makes of the file.
fn convert(
    file: &Path,
    from: impl Fn(&str, &str, &str) -> Result<String, String>,
) -> Result<Exit, Failure> {
    let failed = |error| Failure::Blob { path: file.to_owned(), error };
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let source = file.file_name().unwrap_or_default().to_string_lossy();
    match from(&own_profiles::name(file), &source, &text) {
        Ok(profile) => {
            let mut to = crate::stdout::lock();
            to.write_all(profile.as_bytes())?;
            to.flush()?;
            Ok(Exit::Done)
        }
        Err(why) => {
            complain(format_args!("{}: {why}", EscapedPath(file)));
            Ok(Exit::Negative)
        }
    }
}
