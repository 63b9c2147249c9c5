// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd decode`.

mod json;
mod print;
mod records;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ::decode::DECODERS;
use ::decode::model::Decoded;
use ::plan::dump::{Damage, MAGIC};
use ::profile::Library;
use kdumpfile::{DeviceDump, Escaped, EscapedPath};

use crate::failure::{Exit, Failure, complain};
use crate::own_profiles::Directory;
use crate::payload::{DECODED_MAX, check_whole, read_all, read_full};
use crate::read::{self, Contents};

/// From how many bytes at its start it is told whether a dump can be decoded.
const START: usize = 4096;

/// Show what device dumps say
///
/// Reads the register dumps that the module made by profiles of devices: one line for the
/// device, what is abnormal, the worst first, what was not read and why, and every register
/// with its fields. So are error records of the firmware, logs of NVMe drives and management
/// controllers, and logs of kernels. Without NAME, all dumps of FILE are decoded that can be.
/// FILE may be a register dump by itself, too, as `extract` writes it.
///
/// A device whose profile is not known is shown as numbers. Of one that was read by another
/// version of its profile, that is said.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump; - is standard input
    file: PathBuf,
    /// Which register dumps: their names or indices
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
    /// Print a JSON object for each device, on a line of its own
    #[arg(long)]
    json: bool,
    /// Show nothing but what is abnormal
    #[arg(long)]
    abnormal: bool,
    /// Print it for another tool: configuration space as `lspci -F` reads it
    #[arg(long = "as", value_name = "FORM", conflicts_with_all = ["json", "abnormal"])]
    form: Option<Form>,
    #[command(flatten)]
    profiles: Directory,
}

/// A form that another tool reads.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// lspci -F FILE -vvv
    Lspci,
}

/// Decodes what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    // A device has hundreds of lines, and each would be written by itself.
    let stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
    let mut to = BufWriter::new(stdout);
    let mut decoder =
        Decoder { arguments, library: arguments.profiles.library()?, has_printed: false };
    if let Some(bytes) = plain(&arguments.file)? {
        let name = EscapedPath(&arguments.file).to_string();
        let status = decoder.dump(&mut to, &name, &bytes)?;
        to.flush()?;
        return Ok(status);
    }
    let dump = read::open(&arguments.file)?;
    let contents = Contents::read(&dump);
    let mut status = Exit::Done;
    let chosen = match arguments.names.as_slice() {
        [] => decodable(&contents)?,
        names => names
            .iter()
            .map(|name| contents.find(&dump, Some(name)))
            .collect::<Result<Vec<_>, _>>()?,
    };
    if chosen.is_empty() {
        let path = EscapedPath(dump.path());
        complain(format_args!("{path}: expected dumps that can be decoded, found none"));
        status = Exit::Negative;
    }
    for device_dump in &chosen {
        let bytes = read_all(device_dump, DECODED_MAX)?;
        status =
            status.max(decoder.dump(&mut to, &Escaped(device_dump.name()).to_string(), &bytes)?);
        to.flush()?;
        if let Err(failure) = check_whole(&dump, device_dump) {
            status = status.max(failure.report());
        }
    }
    Ok(status.max(contents.complain(dump.path())))
}

/// The file, if it is a register dump by itself.
fn plain(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    // That it cannot be read is found when it is opened as a vmcore.
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut magic = [0; MAGIC.len()];
    if file.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read =
        file.seek(SeekFrom::Start(0)).and_then(|_| file.take(DECODED_MAX).read_to_end(&mut bytes));
    read.map_err(|error| Failure::Blob { path: path.to_owned(), error })?;
    Ok(Some(bytes))
}

/// The device dumps of a file that can be decoded.
fn decodable<'a>(contents: &Contents<'a>) -> Result<Vec<DeviceDump<'a>>, Failure> {
    let mut found = Vec::new();
    for device_dump in &contents.device_dumps {
        let mut start = [0; START];
        let length = read_full(&mut device_dump.part(0, START as u64), &mut start)?;
        let start = start.get(..length).unwrap_or_default();
        let name = Escaped(device_dump.name()).to_string();
        let is_known = |decoder: &&dyn ::decode::model::Decoder| decoder.recognises(&name, start);
        if start.starts_with(&MAGIC) || DECODERS.iter().any(is_known) {
            found.push(*device_dump);
        }
    }
    Ok(found)
}

struct Decoder<'a> {
    arguments: &'a Arguments,
    library: Library,
    has_printed: bool,
}

impl Decoder<'_> {
    /// Decodes one dump.
    fn dump(&mut self, to: &mut impl Write, name: &str, bytes: &[u8]) -> Result<Exit, Failure> {
        if let Some(Form::Lspci) = self.arguments.form {
            to.write_all(::decode::pci::lspci(bytes).as_bytes())?;
            return Ok(Exit::Done);
        }
        if !bytes.starts_with(&MAGIC) {
            let decoded = ::decode::decode(name, bytes, &mut self.library);
            if !decoded.is_empty() {
                return self.records(to, name, &decoded);
            }
        }
        let path = EscapedPath(&self.arguments.file).to_string();
        let damaged = |damage| {
            complain(format_args!("{path}: {name}: {}", words(damage)));
            Ok(Exit::Negative)
        };
        let devices = match ::profile::decode(bytes, &mut self.library) {
            Ok(devices) => devices,
            Err(damage) => return damaged(damage),
        };
        for device in devices {
            let device = match device {
                Ok(device) => device,
                Err(damage) => {
                    to.flush()?;
                    return damaged(damage);
                }
            };
            if self.arguments.json {
                json::print(to, &self.arguments.file, name, &device)?;
                continue;
            }
            if self.arguments.abnormal && device.findings.is_empty() {
                continue;
            }
            if std::mem::replace(&mut self.has_printed, true) {
                writeln!(to)?;
            }
            print::print(to, name, &device, self.arguments.abnormal)?;
        }
        Ok(Exit::Done)
    }

    /// What a dump says that is no register dump.
    fn records(
        &mut self,
        to: &mut impl Write,
        name: &str,
        all: &[Decoded],
    ) -> Result<Exit, Failure> {
        let Arguments { json, abnormal, file, .. } = self.arguments;
        for decoded in all {
            if *json {
                records::print_json(to, file, name, decoded)?;
            } else if !abnormal || !decoded.findings.is_empty() {
                if std::mem::replace(&mut self.has_printed, true) {
                    writeln!(to)?;
                }
                records::print(to, name, decoded, *abnormal)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// What is wrong with a dump, in words.
fn words(damage: Damage) -> String {
    match damage {
        Damage::Magic => "offset 0: expected VMCDREGS, found something else".to_owned(),
        Damage::Version(found) => format!("offset 0x8: expected version 1, found {found}"),
        Damage::Cut(at, end) => {
            format!("offset {at:#x}: expected a whole record, found the end at {end:#x}")
        }
    }
}
