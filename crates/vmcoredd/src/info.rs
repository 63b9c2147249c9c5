// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd info`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anstyle::Style;
use crash_id::{FleetId, MachineId};
use indicatif::BinaryBytes;
use jiff::Timestamp;
use kdumpfile::{Dump, Error, Escaped, EscapedPath, VmcoreInfo};
use serde::Serialize;

use crate::dead_kernel::{self, Identity, Likeness};
use crate::failure::{Exit, Failure, complain};
use crate::json::{self, ErrorEntry};
use crate::read::{self, Contents};
use crate::table::{Align, Column, Table};

/// The most kinds of notes that are counted separately.
const KINDS_MAX: usize = 1000;

/// How much is read of a file with the id of a machine, in bytes.
const MACHINE_ID_MAX: u64 = 64;

/// The columns of the table of notes.
const COLUMNS: [Column; 4] = [
    ("OWNER", Align::Left),
    ("TYPE", Align::Left),
    ("NOTES", Align::Right),
    ("BYTES", Align::Right),
];

/// Show what dumps are: format, kernel, memory, notes
///
/// Kernel, build ID, page size, offset (KASLR) and phys_base are as the dead kernel gave
/// them in VMCOREINFO: the vmlinux with this build ID is that of the dump. Of a
/// kdump-compressed dump without it, machine and kernel are those of its header.
///
/// The crash ID is made of VMCOREINFO, too: all files that were saved of a crash have the same.
/// What is after "Panic" is the signature of the panic, as the dead kernel's log has it: what
/// went wrong, in which function, of which module.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dumps; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print a JSON object for each file, on a line of its own
    #[arg(long)]
    json: bool,
    /// Show the crash's id among those of many machines, too; FILE is the /etc/machine-id of
    /// the machine that crashed
    #[arg(long, value_name = "FILE")]
    machine_id: Option<PathBuf>,
}

/// Shows what every file is.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let machine_id = arguments.machine_id.as_deref().map(machine_id).transpose()?;
    let mut stdout = crate::stdout::lock();
    let mut has_printed = false;
    read::each_file(&arguments.files, |path, dump| {
        let dump = match dump {
            Ok(dump) => dump,
            Err(error) => {
                if arguments.json {
                    json::line(&mut stdout, &About::of_unreadable(path, error))?;
                    stdout.flush()?;
                }
                return Ok(Exit::Done);
            }
        };
        let contents = Contents::read(dump);
        let (log, log_error) = match dead_kernel::log(dump) {
            Ok((log, _)) => (log, None),
            Err(Failure::Input(error)) => (None, Some(error)),
            Err(failure) => return Err(failure),
        };
        let identity = Identity::new(dump, log.as_ref());
        let (about, more) = About::new(dump, &contents, &identity, machine_id, log_error);
        if arguments.json {
            json::line(&mut stdout, &about)?;
        } else {
            if has_printed {
                writeln!(stdout)?;
            }
            about.print(dump, &mut stdout)?;
            has_printed = true;
        }
        // Where both go to one place, the errors of a file come after what is shown of it.
        stdout.flush()?;
        let status = contents.complain(dump.path());
        more.iter().for_each(complain);
        Ok(more.iter().map(read::status).fold(status, Exit::max))
    })
}

/// What is known of a file.
#[derive(Debug, Default, Serialize)]
struct About {
    version: u32,
    file: String,
    size: Option<u64>,
    format: Option<&'static str>,
    flattened: bool,
    bits: Option<u32>,
    byte_order: Option<&'static str>,
    machine: Option<String>,
    kernel: Option<String>,
    build_id: Option<String>,
    page_size: Option<u64>,
    kernel_offset: Option<u64>,
    phys_base: Option<i64>,
    crashed: Option<u64>,
    crash_id: Option<String>,
    fleet_id: Option<String>,
    signature: Option<Likeness>,
    written: Option<u64>,
    dump_level: Option<u32>,
    memory: Option<u64>,
    memory_end: Option<u64>,
    device_dumps: usize,
    notes: Vec<NoteEntry>,
    errors: Vec<ErrorEntry>,
}

/// Notes of one owner and type.
#[derive(Debug, Serialize)]
struct NoteEntry {
    owner: Option<String>,
    #[serde(rename = "type")]
    note_type: Option<u32>,
    count: u64,
    bytes: u64,
    #[serde(skip)]
    type_name: String,
}

impl About {
    /// Reads it, and what is wrong besides what `contents` has.
    fn new(
        dump: &Dump,
        contents: &Contents<'_>,
        identity: &Identity,
        machine: Option<MachineId>,
        log_error: Option<Error>,
    ) -> (Self, Vec<Error>) {
        let mut more = Vec::new();
        let info = readable(dump.vmcoreinfo(), &mut more).flatten();
        let info = info.as_ref();
        let text = |key| info.and_then(|info: &VmcoreInfo| info.get(key)).map(escaped);
        let release = readable(dump.release(), &mut more).flatten();
        let memory = readable(dump.memory().size(), &mut more);
        let memory_end = readable(dump.memory().end(), &mut more);
        more.extend(log_error);
        // An error that was met twice is reported once, and so is that the file ends too early.
        let size = dump.known_size();
        let mut reported: Vec<_> = contents.errors.iter().map(Error::to_string).collect();
        more.retain(|error| {
            let is_at_end = size.is_some_and(|size| error.offset() >= Some(size));
            let line = error.to_string();
            let is_new = !reported.contains(&line) && (contents.is_whole() || !is_at_end);
            reported.push(line);
            is_new
        });
        let mut errors = json::errors(contents);
        errors.extend(more.iter().map(ErrorEntry::new));
        let format = dump.format();
        let about = Self {
            version: json::VERSION,
            file: EscapedPath(dump.path()).to_string(),
            size,
            format: Some(json::format_name(format)),
            flattened: format.flattened,
            bits: Some(format.bits),
            byte_order: Some(json::byte_order(format)),
            machine: dump.machine().map(|machine| escaped(&machine)),
            kernel: release.as_deref().map(escaped),
            build_id: text("BUILD-ID"),
            page_size: info.and_then(|info| info.number("PAGESIZE")),
            kernel_offset: info.and_then(|info| info.hexadecimal("KERNELOFFSET")),
            phys_base: info.and_then(|info| info.signed("NUMBER(phys_base)")),
            crashed: info.and_then(|info| info.number("CRASHTIME")),
            crash_id: identity.crash.map(|id| id.to_string()),
            fleet_id: machine
                .zip(identity.crash)
                .map(|(machine, crash)| FleetId::new(machine, crash).to_string()),
            signature: identity.signature.as_ref().map(Likeness::of),
            written: dump.written(),
            dump_level: dump.dump_level(),
            memory,
            memory_end,
            device_dumps: contents.device_dumps.len(),
            notes: notes(dump),
            errors,
        };
        (about, more)
    }

    /// The same of the file at `path`, of which nothing can be read.
    fn of_unreadable(path: &Path, error: &Error) -> Self {
        let file = EscapedPath(path).to_string();
        let errors = vec![ErrorEntry::new(error)];
        Self { version: json::VERSION, file, errors, ..Self::default() }
    }

    /// Prints it for people.
    fn print(&self, dump: &Dump, to: &mut impl Write) -> io::Result<()> {
        let memory = self.memory.zip(self.memory_end);
        let number = |number: u64| format!("{number:#x}");
        let lines = [
            ("File", Some(self.file.clone())),
            ("Size", Some(self.size.map_or_else(|| "unknown before all is read".to_owned(), size))),
            ("Format", Some(dump.format().to_string())),
            ("Machine", self.machine.clone()),
            ("Kernel", self.kernel.clone()),
            ("Build ID", self.build_id.clone()),
            ("Page size", self.page_size.map(|bytes| format!("{bytes} bytes"))),
            ("Kernel offset", self.kernel_offset.map(number)),
            ("phys_base", self.phys_base.map(signed)),
            ("Crashed", self.crashed.map(utc)),
            ("Crash ID", self.crash_id.clone()),
            ("Fleet ID", self.fleet_id.clone()),
            ("Panic", self.signature.as_ref().map(|signature| signature.fine.clone())),
            ("Written", self.written.map(utc)),
            ("Left out", self.dump_level.map(left_out)),
            ("Memory", memory.map(|(there, end)| format!("{}, below {end:#x}", size(there)))),
            ("Device dumps", Some(self.device_dumps.to_string())),
        ];
        for (key, value) in lines {
            if let Some(value) = value {
                writeln!(to, "{:<15}{value}", format!("{key}:"))?;
            }
        }
        if self.notes.is_empty() {
            return Ok(());
        }
        writeln!(to)?;
        let table = Table { columns: &COLUMNS, always: COLUMNS.len() };
        table.print(to, || self.notes.iter().map(NoteEntry::row), |_, _| Style::new())
    }
}

/// The id of the machine whose `/etc/machine-id` is at `path`.
fn machine_id(path: &Path) -> Result<MachineId, Failure> {
    let failed = |error| Failure::Blob { path: path.to_owned(), error };
    // An id is much shorter: what is longer is none.
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MACHINE_ID_MAX).read_to_string(&mut text).map_err(failed)?;
    MachineId::parse(&text).ok_or_else(|| {
        let path = EscapedPath(path);
        Failure::Usage(format!("{path}: expected the id of a machine, 32 hexadecimal digits"))
    })
}

/// The value that could be read; otherwise the error joins `errors`.
fn readable<T>(result: Result<T, Error>, errors: &mut Vec<Error>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn escaped(text: &[u8]) -> String {
    Escaped(text).to_string()
}

/// A number in hexadecimal, with its sign.
fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:#x}", number.unsigned_abs())
}

/// A number of bytes, exactly and as people say it.
fn size(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} bytes")
    } else {
        format!("{bytes} bytes ({})", BinaryBytes(bytes))
    }
}

/// What `makedumpfile -d` left out.
fn left_out(level: u32) -> String {
    const PAGES: [(u32, &str); 5] = [
        (1, "zero pages"),
        (2, "non-private cache"),
        (4, "private cache"),
        (8, "user data"),
        (16, "free pages"),
    ];
    let names = PAGES.iter().filter(|(bit, _)| level & bit != 0).map(|(_, name)| *name);
    match names.collect::<Vec<_>>().join(", ").as_str() {
        "" => "nothing".to_owned(),
        names => format!("{names} (dump level {level})"),
    }
}

/// Seconds since 1970 as a date and time.
fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| format!("{seconds} s after 1970"), |time| time.to_string())
}

/// Owner and type of notes, how many there are, and how many bytes their descs have.
fn notes(dump: &Dump) -> Vec<NoteEntry> {
    let mut kinds = BTreeMap::<(Vec<u8>, u32), (u64, u64)>::new();
    let mut others = (0, 0_u64);
    for note in dump.notes().flatten() {
        let kind = (note.owner().to_vec(), note.header.note_type);
        let is_new = !kinds.contains_key(&kind);
        let (count, bytes) = if is_new && kinds.len() == KINDS_MAX {
            &mut others
        } else {
            kinds.entry(kind).or_default()
        };
        *count += 1;
        *bytes = bytes.saturating_add(note.header.desc_size.into());
    }
    let entry = |((owner, note_type), (count, bytes)): ((Vec<u8>, u32), _)| NoteEntry {
        type_name: type_name(&owner, note_type),
        owner: Some(escaped(&owner)),
        note_type: Some(note_type),
        count,
        bytes,
    };
    let mut entries: Vec<_> = kinds.into_iter().map(entry).collect();
    if let (count @ 1.., bytes) = others {
        entries.push(NoteEntry {
            owner: None,
            note_type: None,
            count,
            bytes,
            type_name: String::new(),
        });
    }
    entries
}

impl NoteEntry {
    fn row(&self) -> [String; COLUMNS.len()] {
        let owner = self.owner.as_deref().unwrap_or("others").to_owned();
        [owner, self.type_name.clone(), self.count.to_string(), self.bytes.to_string()]
    }
}

fn type_name(owner: &[u8], note_type: u32) -> String {
    let name = match (owner, note_type) {
        (b"LINUX", 0x700) => "device dump",
        (owner, 0x700) if owner.starts_with(b"VMCOREDD_") => "device dump",
        (b"VMCOREDD", 0x701) => "manifest",
        (b"CORE", 1) => "prstatus",
        (b"VMCOREINFO", 0) => "vmcoreinfo",
        _ => return format!("{note_type:#x}"),
    };
    format!("{note_type:#x} {name}")
}
