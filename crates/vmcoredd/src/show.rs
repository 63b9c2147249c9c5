// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd show`.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kdumpfile::{Escaped, EscapedPath};

use crate::failure::{Exit, Failure};
use crate::names::bytes;
use crate::payload::{check_whole, read_full};
use crate::read::{self, Contents};

/// Bytes of a line.
const LINE: usize = 16;
/// How much is read at a time, in bytes.
const BUFFER: usize = 1 << 16;

/// Show the payload of a device dump in hexadecimal
///
/// As `hexdump -C` shows it: the offset in the payload, 16 bytes, and those of them that
/// are printable ASCII; equal lines are folded to one `*`. On a terminal it goes through
/// $PAGER, or less.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump; - is standard input
    file: PathBuf,
    /// Which device dump: its name or index; not needed where there is one alone
    name: Option<OsString>,
    /// Where in the payload to start, in bytes; 0x is understood
    #[arg(long, value_name = "OFFSET", value_parser = bytes, default_value = "0")]
    at: u64,
    /// How many bytes to show
    #[arg(short = 'n', long, value_name = "N", value_parser = bytes)]
    length: Option<u64>,
    /// Show equal lines, too
    #[arg(short = 'v', long)]
    no_folding: bool,
}

/// Shows the device dump asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let dump = read::open(&arguments.file)?;
    let contents = Contents::read(&dump);
    let device_dump = contents.find(&dump, arguments.name.as_deref())?;
    if arguments.at > device_dump.length() {
        return Err(Failure::Usage(format!(
            "{}: {}: offset {:#x}: expected {:#x} at most, the length of the payload",
            EscapedPath(dump.path()),
            Escaped(device_dump.name()),
            arguments.at,
            device_dump.length(),
        )));
    }
    let part = device_dump.part(arguments.at, arguments.length.unwrap_or(u64::MAX));
    let mut pager = Pager::start();
    let shown = match pager.input() {
        Some(input) => hexdump(part, arguments.at, !arguments.no_folding, input),
        None => hexdump(part, arguments.at, !arguments.no_folding, io::stdout().lock()),
    };
    pager.wait();
    match shown {
        Err(failure) if !failure.is_broken_pipe() => return Err(failure),
        _ => {}
    }
    check_whole(&dump, &device_dump)?;
    Ok(Exit::Done)
}

/// Prints what `from` has, whose first byte is at `at`.
fn hexdump(mut from: impl Read, at: u64, folds: bool, to: impl Write) -> Result<(), Failure> {
    let mut to = io::BufWriter::new(to);
    let mut buffer = vec![0; BUFFER];
    let mut at = at;
    let mut before: Option<[u8; LINE]> = None;
    let mut is_folded = false;
    loop {
        let filled = read_full(&mut from, &mut buffer)?;
        for line in buffer.get(..filled).unwrap_or_default().chunks(LINE) {
            let this = line.first_chunk().copied();
            if folds && this.is_some() && this == before {
                if !is_folded {
                    to.write_all(b"*\n")?;
                }
                is_folded = true;
            } else {
                is_folded = false;
                write_line(&mut to, at, line)?;
            }
            before = this;
            at += line.len() as u64;
        }
        if filled < buffer.len() {
            break;
        }
    }
    writeln!(to, "{at:08x}")?;
    Ok(to.flush()?)
}

/// Writes one line: the offset, the bytes, and those of them that are printable.
fn write_line(to: &mut impl Write, at: u64, line: &[u8]) -> io::Result<()> {
    write!(to, "{at:08x}  ")?;
    for place in 0..LINE {
        match line.get(place) {
            Some(byte) => write!(to, "{byte:02x} ")?,
            None => to.write_all(b"   ")?,
        }
        if place == LINE / 2 - 1 {
            to.write_all(b" ")?;
        }
    }
    let readable = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    writeln!(to, " |{}|", line.iter().map(readable).collect::<String>())
}

/// A program that shows text page by page, where standard output is a terminal.
struct Pager(Option<Child>);

impl Pager {
    fn start() -> Self {
        if !io::stdout().is_terminal() {
            return Self(None);
        }
        let program = std::env::var_os("PAGER").filter(|program| !program.is_empty());
        let program = program.unwrap_or_else(|| "less".into());
        // As git and man do it: a command line, and for less to end where all fits.
        let mut command = Command::new("sh");
        command.arg("-c").arg(program).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", "FRX");
        }
        Self(command.spawn().ok())
    }

    fn input(&mut self) -> Option<impl Write + use<>> {
        self.0.as_mut()?.stdin.take()
    }

    fn wait(&mut self) {
        if let Some(child) = &mut self.0 {
            // Its user has ended it, one way or the other.
            let _ = child.wait();
        }
    }
}
