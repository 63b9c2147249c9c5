// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd generate`: what a package of the command has besides it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::failure::{Exit, Failure};
use crate::help;

/// Write man pages and shell completions into a directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The directory, which is made if it is not there
    directory: PathBuf,
}

/// The shells that there are completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// The name of the command.
const NAME: &str = "vmcoredd";

/// Writes the man pages and completions of `command`.
pub fn run(arguments: &Arguments, command: &Command) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let failed = |error| Failure::output(directory, error);
    fs::create_dir_all(directory).map_err(failed)?;
    man_pages(command, directory).map_err(failed)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut public(command), NAME, directory).map_err(failed)?;
    }
    Ok(Exit::Done)
}

/// `command` without its hidden subcommands and options, which clap would complete.
fn public(command: &Command) -> Command {
    let subcommand = |(name, _)| Some(shown(name, command.find_subcommand(name)?));
    shown(NAME, command)
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .subcommands(help::OF_SUBCOMMANDS.into_iter().filter_map(subcommand))
}

fn shown(name: &'static str, command: &Command) -> Command {
    Command::new(name)
        .about(command.get_about().cloned().unwrap_or_default())
        .long_about(command.get_long_about().cloned().unwrap_or_default())
        .args(command.get_arguments().filter(|each| !each.is_hide_set()).cloned())
        .subcommands(nested(command).cloned())
}

/// The subcommands of a subcommand.
fn nested(command: &Command) -> impl Iterator<Item = &Command> {
    let is_root = command.get_name() == NAME;
    command.get_subcommands().filter(move |each| !is_root && each.get_name() != "help")
}

fn man_pages(command: &Command, directory: &Path) -> io::Result<()> {
    let mut command = public(command).disable_help_subcommand(true);
    command.build();
    for each in [&command].into_iter().chain(command.get_subcommands()) {
        let examples = help::examples(each.get_name());
        for page in std::iter::once(each).chain(nested(each)) {
            let name = page.get_display_name().unwrap_or_else(|| page.get_name());
            let mut to = File::create(directory.join(format!("{name}.1")))?;
            man_page(page, examples, &mut to)?;
            to.flush()?;
        }
    }
    Ok(())
}

/// The sections that clap knows, in the order of man-pages(7), and those that it does not:
/// its synopsis has options without their values, and it has one section for all that
/// comes after the options.
fn man_page(command: &Command, of_examples: &[&str], to: &mut impl Write) -> io::Result<()> {
    let man = Man::new(command.clone())
        // Without a date, the source would be taken for one.
        .date(" ")
        .source(concat!("vmcoredd ", env!("CARGO_PKG_VERSION")))
        .manual("vmcoredd");
    man.render_title(to)?;
    man.render_name_section(to)?;
    synopsis(command).to_writer(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if command.has_subcommands() {
        man.render_subcommands_section(to)?;
    }
    exit_status().to_writer(to)?;
    examples(of_examples).to_writer(to)
}

/// The usage as clap has it, in the way of man pages: `<FILE>` becomes FILE, in italics.
fn synopsis(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let words = usage.strip_prefix(name).unwrap_or(usage).split_whitespace();
    let mut line = vec![bold(name)];
    for word in words {
        line.push(roman(" "));
        line.extend(synopsis_word(word));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text(line);
    roff
}

/// A word of a usage: what is to be typed as it is in bold, what is a placeholder in
/// italics, and what belongs to neither as it is.
fn synopsis_word(word: &str) -> Vec<Inline> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-=:_".contains(c);
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let is_a_name = is_name(first);
        let end = rest.find(|c| is_name(c) != is_a_name).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        parts.push(match part.replace(['<', '>'], "") {
            part if !is_a_name => roman(part),
            part if part.starts_with('-') => bold(part),
            part => italic(part),
        });
    }
    parts
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in help::EXIT_STATUS {
        roff.control("TP", []).text([bold(status.to_string())]).text([roman(meaning)]);
    }
    roff
}

fn examples(examples: &[&str]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for example in examples {
        roff.text([roman(*example)]);
    }
    roff.control("fi", []);
    roff
}
