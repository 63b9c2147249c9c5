// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd after`.

mod sources;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kdumpfile::{Additions, Collected, Dump, EscapedPath, Name, NewDump, NewPayload, Strerror};
use sources::Source;
use vmcore::bytes::Endian;
use vmcore::elf::{Class, EM_X86_64, ET_CORE, Encoding, FileHeader, PT_NOTE, ProgramHeader};
use vmcore::manifest::Reason;
use vmcoredd_producer::Outcome;

use crate::capture::{Sink, take_output};
use crate::failure::{Exit, Failure, complain};
use crate::names::seconds;
use crate::output;

/// Where kdump-tools saves crashes.
const CRASHES: &str = "/var/crash";
/// Where the name of the newest crash that is known is kept.
const STATE: &str = "/var/lib/vmcoredd/newest-crash";
/// The directory of the operator's own sources, below the root.
const OWN_SOURCES: &str = "etc/vmcoredd/after.d";
/// How much of one source is taken, in bytes.
const LENGTH_MAX: u64 = 64 << 20;
/// How the file is called that is added to a crash, before its time.
const PREFIX: &str = "vmcoredd-after.";
/// How well it is compressed: of a few megabytes, the fastest level.
const LEVEL: i32 = 3;

/// After a crash, collect what only the firmware knows by now
///
/// The firmware records some errors where Linux can read them after the next boot alone:
/// the boot error record (BERT), the event log of the management controller, logs of NVMe
/// drives, what pstore has. This adds them to the directory of the newest crash, as
/// vmcoredd-after.TIME.zst, which is a file of device dumps as vmcoredd.TIME.zst is, with
/// the log of this boot and the output of each executable of /etc/vmcoredd/after.d.
///
/// A unit runs it at each boot. It does nothing unless there is a crash that was not there
/// when it ran last; so it collects on the first boot after a crash, once.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Where crashes are saved, each in a directory of its own
    #[arg(default_value = CRASHES)]
    crashes: PathBuf,
    /// Only take note of the newest crash, so that nothing is collected for it
    #[arg(long)]
    note: bool,
    /// Collect for the newest crash, even if it is known, unless it has such a file
    #[arg(long, conflicts_with = "note")]
    again: bool,
    /// Where the name of the newest known crash is kept
    #[arg(long, value_name = "FILE", default_value = STATE)]
    state: PathBuf,
    /// How long one source may take, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    deadline: Duration,
    /// How long all may take, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "180", value_parser = seconds)]
    total: Duration,
    /// Where the system is whose files are read; for tests
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Collects.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { crashes, note, again, state, root, .. } = arguments;
    let newest = newest(crashes)?;
    let known = known(state)?;
    let name = newest.as_deref().and_then(Path::file_name).unwrap_or_default();
    // Names are times. Where the newest one was removed, the one before it is no new one.
    let is_new = known.as_deref().is_some_and(|known| name > known) || *again;
    if let (Some(crash), true, false) = (&newest, is_new, *note)
        && !has_one(crash)?
    {
        let sources = sources::find(root, &root.join(OWN_SOURCES))?;
        collect(arguments, crash, sources)?;
    }
    // Last: where it fails or is killed, it is tried again on the next boot.
    // Where there is no crash, its file system may not be mounted.
    if known.is_none() || (newest.is_some() && known.as_deref() != Some(name)) {
        keep(state, name)?;
    }
    Ok(Exit::Done)
}

/// The directory of the newest crash: kdump-tools names them by the minute,
/// `202611271639`.
fn newest(crashes: &Path) -> Result<Option<PathBuf>, Failure> {
    let failed = |error| Failure::Blob { path: crashes.to_owned(), error };
    let entries = match fs::read_dir(crashes) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(failed)?,
    };
    let mut newest = None;
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_time = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
        if is_time && path.is_dir() {
            newest = newest.max(Some(path));
        }
    }
    Ok(newest)
}

/// Whether the crash in `directory` has a file of this command.
fn has_one(directory: &Path) -> Result<bool, Failure> {
    let failed = |error| Failure::Blob { path: directory.to_owned(), error };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.to_string_lossy().starts_with(PREFIX) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The newest crash that was known; empty where there was none, nothing where this never
/// ran.
fn known(state: &Path) -> Result<Option<std::ffi::OsString>, Failure> {
    match fs::read_to_string(state) {
        Ok(name) => Ok(Some(name.trim().into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Blob { path: state.to_owned(), error }),
    }
}

/// Keeps the name of the newest crash.
fn keep(state: &Path, name: &OsStr) -> Result<(), Failure> {
    let failed = |error| Failure::output(state, error);
    if let Some(directory) = state.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    output::write(state, &[], |to, _| writeln!(to, "{}", name.to_string_lossy()).map_err(failed))
}

/// Adds what `sources` have to the crash in `directory`.
fn collect(arguments: &Arguments, directory: &Path, sources: Vec<Source>) -> Result<(), Failure> {
    let end = Instant::now().checked_add(arguments.total);
    let mut dumps = Vec::new();
    for source in sources {
        let Ok(name) = Name::new(source.name.as_bytes()) else { continue };
        let left = end.map_or(arguments.deadline, |end| {
            end.saturating_duration_since(Instant::now()).min(arguments.deadline)
        });
        let payload = match Captured::new(left) {
            Ok(dump) => take_output(dump, &source.command, left, false),
            Err(error) => nothing(&error, 0),
        };
        if let NewPayload::Nothing(collected) | NewPayload::Collected(_, collected) = &payload
            && let Some(reason) = collected.reason
        {
            complain(format_args!("{}: {}", source.name, reason.words()));
        }
        dumps.push(NewDump { name, payload });
    }
    let time = jiff::Zoned::now().strftime("%Y%m%d%H%M");
    let path = directory.join(format!("{PREFIX}{time}.zst"));
    // Logs of the firmware are for those who may read the vmcore.
    let crash = directory.file_name().unwrap_or_default().to_string_lossy();
    let vmcore = directory.join(format!("dump.{crash}"));
    let length = output::write_new(&path, &[&vmcore], |to| {
        let failed = |error| Failure::output(&path, error);
        let mut whole = tempfile::tempfile().map_err(failed)?;
        attach(&whole, dumps, &path)?;
        whole.rewind().map_err(failed)?;
        zstd::stream::copy_encode(&mut whole, &mut *to, LEVEL).map_err(failed)?;
        // The next crash may be near.
        to.sync_all().map_err(failed)?;
        to.metadata().map(|metadata| metadata.len()).map_err(failed)
    })?;
    let mut stdout = crate::stdout::lock();
    writeln!(stdout, "{}: {length} bytes", EscapedPath(&path))?;
    stdout.flush()?;
    Ok(())
}

/// Fills the empty file `to` with an ELF core file that has `dumps`.
fn attach(to: &File, dumps: Vec<NewDump<'_>>, path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::output(path, error);
    let mut empty = tempfile::tempfile().map_err(failed)?;
    empty.write_all(&empty_core().unwrap_or_default()).map_err(failed)?;
    let empty = Dump::from_file(path, empty)?;
    empty
        .attach_to_copy(to, Additions { dumps, force: false }, |_| {})
        .map(|_| ())
        .map_err(Failure::Payload)
}

/// An ELF core file that has neither notes nor memory.
fn empty_core() -> Option<Vec<u8>> {
    let encoding = Encoding { class: Class::Elf64, endian: Endian::Little };
    let header = FileHeader {
        encoding,
        file_type: ET_CORE,
        machine: EM_X86_64,
        flags: 0,
        entry: 0,
        program_headers_offset: encoding.file_header_size() as u64,
        program_headers: 1,
        section_headers_offset: 0,
    };
    let size = encoding.file_header_size() + encoding.program_header_size();
    let notes = ProgramHeader {
        segment_type: PT_NOTE,
        offset: size as u64,
        align: 4,
        ..ProgramHeader::default()
    };
    let mut bytes = vec![0; size];
    header.write(&mut bytes)?;
    notes.write(encoding, bytes.get_mut(encoding.file_header_size()..)?)?;
    Some(bytes)
}

/// A collection that gave nothing because of `error`.
fn nothing(error: &io::Error, milliseconds: u64) -> NewPayload<'static> {
    let errno = error.raw_os_error().map_or(Reason::Empty, |errno| Reason::Errno(-errno));
    NewPayload::Nothing(Collected { reason: Some(errno), milliseconds })
}

/// The output of a command, in a file without a name.
struct Captured {
    file: File,
    length: u64,
    start: Instant,
    error: Option<io::Error>,
}

impl Captured {
    /// Starts, with this much time; where there is none, it is over at once.
    fn new(left: Duration) -> io::Result<Self> {
        if left.is_zero() {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::TIMEDOUT.raw_os_error()));
        }
        let file = tempfile::tempfile()?;
        Ok(Self { file, length: 0, start: Instant::now(), error: None })
    }
}

impl Sink for Captured {
    type Ended = NewPayload<'static>;

    fn write(&mut self, bytes: &[u8]) -> bool {
        let left = LENGTH_MAX.saturating_sub(self.length);
        let taken = bytes.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(bytes);
        if let Err(error) = self.file.write_all(taken) {
            self.error = Some(error);
            return false;
        }
        self.length += taken.len() as u64;
        taken.len() == bytes.len()
    }

    fn end(mut self, outcome: Outcome, _reason: Option<String>) -> NewPayload<'static> {
        let milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(error) = &self.error {
            complain(format_args!("temporary file: cannot write: {}", Strerror(error)));
        }
        let cut = self.error.as_ref().and_then(io::Error::raw_os_error).map(|e| Reason::Errno(-e));
        let full = (self.length == LENGTH_MAX).then_some(Reason::DumpLimit);
        let reason = cut.or(full).or(match outcome {
            Outcome::Complete if self.length == 0 => Some(Reason::Empty),
            Outcome::Complete => None,
            Outcome::Deadline => Some(Reason::Deadline),
            Outcome::Error(errno) => Some(Reason::Errno(-errno)),
            Outcome::Exit(status) => Some(Reason::Exit(status)),
        });
        let collected = Collected { reason, milliseconds };
        if self.length == 0 {
            return NewPayload::Nothing(collected);
        }
        match self.file.rewind() {
            Ok(()) => NewPayload::Collected(self.file, collected),
            Err(error) => nothing(&error, milliseconds),
        }
    }
}
