// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd decode`.

mod bits;
mod filter;
mod json;
mod print;
mod raw;
mod values;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ::decode::behind::Memory;
use ::decode::model::Decoded;
use ::profile::Library;
use kdumpfile::{DeviceDump, Escaped, EscapedPath};

use crate::failure::{Exit, Failure, complain};
use crate::own_profiles::Directory;
use crate::payload::{self, DECODED_MAX, DeadMemory, check_whole, read_all, read_full};
use crate::read::{self, Contents};
use filter::Pattern;
use print::How;

/// From how many bytes at its start it is told whether a dump can be decoded.
const START: usize = 4096;
/// How a file begins that has device dumps.
const DUMPS: [&[u8]; 4] = [b"\x7fELF", b"KDUMP   ", b"DISKDUMP", b"makedumpfile"];

/// Show what device dumps say
///
/// Decodes the register dumps that the module made by profiles of devices, PCI configuration
/// space, error records of the firmware, machine checks, logs of NVMe drives and management
/// controllers, and logs of kernels. It prints a line for the device, what is abnormal, the
/// worst first, what was not read and why, and every register with its fields. Without NAME,
/// all dumps of FILE are decoded that can be. FILE may be one device dump by itself, too, as
/// `extract` writes it.
///
/// Where FILE has the memory of the dead kernel, what registers point to is decoded, too: the
/// admin queues of NVMe controllers, command lists of AHCI, event rings of xHCI, descriptor
/// rings of e1000e, and the tables of an Intel IOMMU for a device that it refused.
///
/// A device whose profile is not known is shown as numbers. Of one that was read by another
/// version of its profile, that is said.
///
/// PATTERN is the name of a register, field or block, such as CSTS, CSTS.CFS or port[1],
/// in which * is any text and ? a character.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dump; - is standard input
    file: PathBuf,
    /// Which device dumps: their names or indices
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
    /// Show only the values that this names; on a terminal with a diagram of their bits
    #[arg(short = 'r', long = "register", value_name = "PATTERN")]
    pattern: Option<String>,
    /// Show a diagram of the bits of each register
    #[arg(long)]
    bits: bool,
    /// Print a JSON object for each device, on a line of its own
    #[arg(long, conflicts_with = "bits")]
    json: bool,
    /// Show nothing but what is abnormal
    #[arg(long, conflicts_with = "pattern")]
    abnormal: bool,
    /// Print it for another tool
    #[arg(long = "as", value_name = "FORM", conflicts_with_all = ["json", "abnormal", "pattern", "bits"])]
    form: Option<Form>,
    #[command(flatten)]
    profiles: Directory,
}

/// A form that another tool reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Configuration space, as lspci -F reads it
    Lspci,
    /// Registers, each as address and value in hexadecimal; other dumps byte by byte
    Raw,
}

/// Decodes what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    // A device has hundreds of lines, and each would be written by itself.
    let stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
    let mut to = BufWriter::new(stdout);
    let mut decoder = Decoder {
        arguments,
        library: arguments.profiles.library()?,
        pattern: arguments.pattern.as_deref().map(Pattern::from),
        has_printed: false,
    };
    let mut status = Exit::Done;
    if let Some((name, bytes)) = plain(&arguments.file, &mut decoder.library)? {
        status = decoder.dump(&mut to, &name, &bytes, None)?;
    } else {
        let dump = read::open(&arguments.file)?;
        let contents = Contents::read(&dump);
        let chosen = match arguments.names.as_slice() {
            [] => decodable(&contents, &mut decoder.library)?,
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
        let memory = payload::memory(&dump);
        for device_dump in &chosen {
            let bytes = read_all(device_dump, DECODED_MAX)?;
            let name = Escaped(device_dump.name()).to_string();
            status = status.max(decoder.dump(&mut to, &name, &bytes, memory.as_ref())?);
            to.flush()?;
            if let Err(failure) = check_whole(&dump, device_dump) {
                status = status.max(failure.report());
            }
        }
        status = status.max(contents.complain(dump.path()));
    }
    to.flush()?;
    if let Some(pattern) = arguments.pattern.as_ref().filter(|_| !decoder.has_printed) {
        let path = EscapedPath(&arguments.file);
        complain(format_args!("{path}: expected values that {pattern:?} names, found none"));
        status = status.max(Exit::Negative);
    }
    Ok(status)
}

/// Name and bytes of the file, if it is a device dump by itself.
fn plain(path: &Path, library: &mut Library) -> Result<Option<(String, Vec<u8>)>, Failure> {
    // That it cannot be read is found when it is opened as a vmcore.
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut bytes = Vec::new();
    if Read::by_ref(&mut file).take(START as u64).read_to_end(&mut bytes).is_err() {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_dump = DUMPS.iter().any(|magic| bytes.starts_with(magic));
    if is_dump || !::decode::recognises(&name, &bytes, library) {
        return Ok(None);
    }
    bytes.clear();
    let read =
        file.seek(SeekFrom::Start(0)).and_then(|_| file.take(DECODED_MAX).read_to_end(&mut bytes));
    read.map_err(|error| Failure::Blob { path: path.to_owned(), error })?;
    Ok(Some((Escaped(name.as_bytes()).to_string(), bytes)))
}

/// The device dumps of a file that can be decoded.
fn decodable<'a>(
    contents: &Contents<'a>,
    library: &mut Library,
) -> Result<Vec<DeviceDump<'a>>, Failure> {
    let mut found = Vec::new();
    for device_dump in &contents.device_dumps {
        let mut start = [0; START];
        let length = read_full(&mut device_dump.part(0, START as u64), &mut start)?;
        let start = start.get(..length).unwrap_or_default();
        if ::decode::recognises(&Escaped(device_dump.name()).to_string(), start, library) {
            found.push(*device_dump);
        }
    }
    Ok(found)
}

struct Decoder<'a> {
    arguments: &'a Arguments,
    library: Library,
    pattern: Option<Pattern>,
    has_printed: bool,
}

impl Decoder<'_> {
    /// Decodes one dump.
    fn dump(
        &mut self,
        to: &mut impl Write,
        name: &str,
        bytes: &[u8],
        memory: Option<&DeadMemory<'_>>,
    ) -> Result<Exit, Failure> {
        match self.arguments.form {
            Some(Form::Lspci) => to.write_all(::decode::pci::lspci(bytes).as_bytes())?,
            Some(Form::Raw) => raw::print(to, bytes)?,
            None => return self.decode(to, name, bytes, memory),
        }
        Ok(Exit::Done)
    }

    fn decode(
        &mut self,
        to: &mut impl Write,
        name: &str,
        bytes: &[u8],
        memory: Option<&DeadMemory<'_>>,
    ) -> Result<Exit, Failure> {
        let Arguments { json, abnormal, bits, file, .. } = self.arguments;
        let how = How {
            abnormal: *abnormal,
            values: self.pattern.is_some(),
            bits: *bits || self.pattern.is_some() && std::io::stdout().is_terminal(),
        };
        let mut status = Exit::Done;
        let mut is_known = false;
        let memory = memory.map(|memory| memory as &dyn Memory);
        for mut decoded in ::decode::decode_with(name, bytes, &mut self.library, memory) {
            is_known = true;
            if let Some(pattern) = &self.pattern
                && !pattern.filter(&mut decoded.nodes)
                && decoded.damage.is_none()
            {
                continue;
            }
            if *json {
                self.has_printed = true;
                json::print(to, file, name, &decoded)?;
            } else if is_shown(&decoded, *abnormal) {
                if std::mem::replace(&mut self.has_printed, true) {
                    writeln!(to)?;
                }
                print::print(to, name, bytes, &decoded, how)?;
            }
            if let Some(damage) = &decoded.damage {
                to.flush()?;
                complain(format_args!("{}: {name}: {damage}", EscapedPath(file)));
                status = Exit::Negative;
            }
        }
        if !is_known {
            let path = EscapedPath(file);
            complain(format_args!(
                "{path}: {name}: expected a dump of a format that is decoded, found another"
            ));
            status = Exit::Negative;
        }
        Ok(status)
    }
}

/// Whether it is for people: damage without anything else is only complained of.
fn is_shown(decoded: &Decoded, abnormal: bool) -> bool {
    match abnormal {
        true => !decoded.findings.is_empty(),
        false => decoded.damage.is_none() || !decoded.nodes.is_empty(),
    }
}
