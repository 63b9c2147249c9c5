// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The file that readers see, and one state of it.

use kmem::{Arc, Block, NoMemory, Vec};
use vmcore::Error;
use vmcore::elf::Encoding;
use vmcore::layout::{Bounds, DumpTable as _, Layout, Load, Place, Span};
use vmcore::original::{Original, write_notes_header};

use crate::cache::Cache;
use crate::host::Host;
use crate::sink::{Sink, part};
use crate::state::State;
use crate::table::Notes;

/// The memory of the dead kernel, for sinks of the kind `S`.
///
/// Others may write to it at any time, so that it is never lent as bytes: how it gets
/// into a sink is between the two of them, whom the host brings.
pub trait OldMemory<S> {
    /// Why memory cannot be read.
    type Error: From<NoMemory>;

    /// Puts up to `length` bytes from `physical` on into `sink`; gives how many
    /// it took, fewer only when `sink` takes no more.
    ///
    /// # Errors
    /// When nothing of it could be read.
    fn read(&self, physical: u64, length: usize, sink: &mut S) -> Result<usize, Self::Error>;
}

/// Why a [`CoreFile`] or [`Snapshot`] is not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildError {
    /// The kernel's header is not what it must be.
    Header(Error),
    /// The header cannot say where things would stand.
    NoRoom,
    /// No memory is left.
    NoMemory,
}

impl From<NoMemory> for BuildError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        Self::Header(error)
    }
}

enum Header<H: Host> {
    /// The kernel's own header pages, to be rewritten around the dumps.
    Original(Block<H>),
    /// One page with nothing but a `PT_NOTE`.
    NotesOnly { machine: u16 },
}

/// A file that readers see, but for the device dumps in it.
pub struct CoreFile<H: Host> {
    encoding: Encoding,
    header: Header<H>,
    notes: Arc<Block<H>, H>,
    loads: Vec<Load, H>,
}

impl<H: Host> CoreFile<H> {
    /// The kernel's own vmcore: its header pages, its notes, and old memory, whose
    /// ranges stand in the order of the header's `PT_LOAD`s.
    ///
    /// # Errors
    /// [`Error`] when the header is not as the kernel writes it.
    pub fn vmcore(
        header: Block<H>,
        notes: Arc<Block<H>, H>,
        loads: Vec<Load, H>,
    ) -> Result<Self, Error> {
        let encoding = Original::parse(&header)?.encoding();
        Ok(Self { encoding, header: Header::Original(header), notes, loads })
    }

    /// A file of notes alone, without memory.
    #[must_use]
    pub fn notes_only(encoding: Encoding, machine: u16, notes: Arc<Block<H>, H>) -> Self {
        Self { encoding, header: Header::NotesOnly { machine }, notes, loads: Vec::new() }
    }

    /// The ranges of old memory.
    #[must_use]
    pub fn loads(&self) -> &[Load] {
        &self.loads
    }

    /// Size of the file at the moment of `state`, in bytes; `None` when no file can
    /// be so large.
    #[must_use]
    pub fn size(&self, state: &State<H>) -> Option<u64> {
        Some(self.bounds(state, state.manifest_size())?.size())
    }

    /// The dumps that stand in this file: those that are inline in the kernel's
    /// own, all in one of notes alone.
    fn dumps<'a>(&self, state: &'a State<H>) -> Notes<'a, H> {
        let all = matches!(self.header, Header::NotesOnly { .. });
        Notes { table: &state.table, all }
    }

    fn bounds(&self, state: &State<H>, manifest_size: u64) -> Option<Bounds> {
        let notes_size = self.notes.len() as u64;
        let dumps = self.dumps(state);
        let header_size = self.header_size();
        Some(Layout::new(header_size, &dumps, manifest_size, notes_size, &self.loads)?.bounds())
    }

    fn header_size(&self) -> u64 {
        match &self.header {
            Header::Original(header) => header.len() as u64,
            Header::NotesOnly { .. } => vmcore::PAGE_SIZE,
        }
    }

    fn header_pages(&self, added: u64) -> Result<Block<H>, BuildError> {
        let written;
        let mut pages;
        match &self.header {
            Header::Original(header) => {
                pages = Block::new(header.len())?;
                written = Original::parse(header)?.write_header(added, &mut pages);
            }
            Header::NotesOnly { machine } => {
                pages = Block::new(vmcore::PAGE_SIZE as usize)?;
                let size = added.checked_add(self.notes.len() as u64);
                let size = size.ok_or(BuildError::NoRoom)?;
                written = write_notes_header(self.encoding, *machine, size, &mut pages);
            }
        }
        written.ok_or(BuildError::NoRoom)?;
        Ok(pages)
    }
}

/// One state of the file. Never changes, whatever is added later.
pub struct Snapshot<H: Host> {
    file: Arc<CoreFile<H>, H>,
    state: State<H>,
    header: Block<H>,
    bounds: Bounds,
    cache: Cache<H>,
}

impl<H: Host> Snapshot<H> {
    /// `file` at the moment of `state`. Has all memory that reading it needs.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(file: Arc<CoreFile<H>, H>, state: State<H>) -> Result<Self, BuildError> {
        let manifest_size = state.manifest_size();
        let added = file.dumps(&state).size().checked_add(manifest_size);
        let header = file.header_pages(added.ok_or(BuildError::NoRoom)?)?;
        let bounds = file.bounds(&state, manifest_size).ok_or(BuildError::NoRoom)?;
        let cache = Cache::new()?;
        Ok(Self { file, state, header, bounds, cache })
    }

    /// Size of the file, in bytes; a multiple of [`vmcore::PAGE_SIZE`].
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bounds.size()
    }

    /// What stands at `offset`, and how far it reaches.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Span> {
        Layout::of(self.bounds, &self.file.dumps(&self.state), &self.file.loads).at(offset)
    }

    /// Fills `sink` with the file's bytes from `offset` on, until it takes no
    /// more or the file ends; gives how many it took.
    ///
    /// # Errors
    /// When the first bytes are of old memory that cannot be read, or
    /// [`NoMemory`] when they are of a dump that several threads read at once. An
    /// error after them only ends the reading.
    pub fn read<S: Sink, O: OldMemory<S>>(
        &self,
        offset: u64,
        sink: &mut S,
        old_memory: &O,
    ) -> Result<usize, O::Error> {
        let mut done = 0;
        while sink.space() > 0 {
            let Some(span) = self.at(offset.saturating_add(done as u64)) else {
                break;
            };
            let reach = usize::try_from(span.length).unwrap_or(usize::MAX).min(sink.space());
            let taken = match self.read_span(span.place, reach, sink, old_memory) {
                Err(error) if done == 0 => return Err(error),
                Ok(taken) => taken,
                Err(_) => 0,
            };
            if taken == 0 {
                break;
            }
            done += taken;
        }
        Ok(done)
    }

    fn read_span<S: Sink, O: OldMemory<S>>(
        &self,
        place: Place,
        reach: usize,
        sink: &mut S,
        old_memory: &O,
    ) -> Result<usize, O::Error> {
        Ok(match place {
            Place::Header { within } => sink.bytes(part(&self.header, within, reach)),
            Place::Notes { within } => sink.bytes(part(&self.file.notes, within, reach)),
            Place::Zeros => sink.zeros(reach),
            Place::Dump { index, within } => match self.state.table.get(index) {
                Some(dump) => {
                    let endian = self.file.encoding.endian;
                    dump.read_note(endian, within, reach, &self.cache, sink)?
                }
                None => 0,
            },
            Place::Manifest { within } => {
                self.state.read_manifest(self.file.encoding.endian, within, reach, sink)
            }
            Place::Memory { physical } => return old_memory.read(physical, reach, sink),
        })
    }
}
