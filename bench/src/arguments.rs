// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is to be measured.

use std::path::PathBuf;

use clap::Parser;

/// Compares vmcoredd with its peers
#[derive(Debug, Parser)]
#[command(about)]
pub struct Arguments {
    /// The command to measure
    #[arg(long, default_value = "target/release/vmcoredd")]
    pub command: PathBuf,
    /// How often each is run
    #[arg(long, default_value_t = 11)]
    pub rounds: usize,
    /// Measure once, and little: shows that it works, and no time that means anything
    #[arg(long)]
    pub smoke: bool,
    /// How many machines of each kernel are measured
    #[arg(long, default_value_t = 5)]
    pub pairs: usize,
    /// Measure one side alone
    #[arg(long, value_enum)]
    pub only: Option<Only>,
    /// Write all to this Markdown file, and pictures to the same directory
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Where the dumps are made, and removed again
    #[arg(long, default_value = "target/bench")]
    pub directory: PathBuf,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// The module and the C implementation, in virtual machines
    Kernel,
    /// The command and its peers
    Tools,
    /// What the module does, counted in instructions: the same on any machine, and quick
    Instructions,
}
