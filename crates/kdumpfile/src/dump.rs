// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A dump: opened, and asked what it says of the dead kernel.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use vmcore::device_dump::NT_VMCOREDD;

use crate::copy;
use crate::device_dump::DeviceDumps;
use crate::error::{CopyError, Error, Fault, Foreign};
use crate::foreign;
use crate::format::{Format, Layout};
use crate::machine;
use crate::manifest::Manifest;
use crate::note_area::NoteArea;
use crate::notes::Notes;
use crate::source::Source;
use crate::vmcoreinfo::{self, VmcoreInfo};

/// How many notes are looked at: the telling ones of a process stand before those of its
/// second thread.
const FOREIGN_NOTES: usize = 64;

/// A dump of a crashed kernel: a file, or `/proc/vmcore` of the crash kernel.
#[derive(Debug)]
pub struct Dump {
    pub(crate) source: Source,
    pub(crate) layout: Layout,
    pub(crate) notes: NoteArea,
    /// The other files of a split set.
    pub(crate) others: Vec<Dump>,
}

impl Dump {
    /// Opens the dump at `path` and reads its headers.
    ///
    /// What is wrong with them, but for the very first, keeps nobody from reading the
    /// rest: the errors come with the [`notes`](Self::notes).
    ///
    /// # Errors
    /// [`Error`] when there is no such file, it is no dump, or its first header is not
    /// whole.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of_source(Source::open(path.as_ref())?)
    }

    /// Opens the dump in `file`, from its start on; errors call it `name`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(name: impl AsRef<Path>, file: File) -> Result<Self, Error> {
        Self::of_source(Source::of_file(name.as_ref(), file)?)
    }

    /// Opens the dump that comes out of `from`, compressed or not; errors call it `name`.
    ///
    /// As much as is asked for is copied to a temporary file in `TMPDIR`; the rest is
    /// not read.
    ///
    /// # Errors
    /// As [`open`](Self::open); and when no temporary file can be made.
    pub fn from_reader(
        name: impl AsRef<Path>,
        from: impl Read + Send + 'static,
    ) -> Result<Self, Error> {
        Self::of_source(Source::spool(name.as_ref(), Box::new(from))?)
    }

    /// Opens the files of a split set (`makedumpfile --split`), in any order: notes are
    /// those of the first, memory is that of all.
    ///
    /// # Errors
    /// As [`open`](Self::open); and when one of several is not of a split set, or they
    /// are of different dumps.
    pub fn open_split<P: AsRef<Path>>(
        first: impl AsRef<Path>,
        others: impl IntoIterator<Item = P>,
    ) -> Result<Self, Error> {
        let mut dump = Self::open(first)?;
        dump.others = others.into_iter().map(Self::open).collect::<Result<_, _>>()?;
        if !dump.others.is_empty() {
            for part in std::iter::once(&dump).chain(&dump.others) {
                part.check_same_set(&dump)?;
            }
        }
        Ok(dump)
    }

    pub(crate) fn of_source(source: Source) -> Result<Self, Error> {
        let (layout, notes) = Layout::open(&source).map_err(|error| {
            // Why a stream gave no dump says more than what it gave.
            source.look_ahead();
            source.end_fault().unwrap_or(error)
        })?;
        let dump = Self { source, layout, notes, others: Vec::new() };
        match dump.layout {
            Layout::Elf(_) => match foreign_notes(dump.notes()) {
                Some(foreign) => Err(foreign::error(&dump.source, foreign)),
                None => Ok(dump),
            },
            Layout::Compressed(_) => Ok(dump),
        }
    }

    fn check_same_set(&self, first: &Self) -> Result<(), Error> {
        let (Layout::Compressed(this), Layout::Compressed(first)) = (&self.layout, &first.layout)
        else {
            return Err(self.source.missing(0, "file format", "kdump-compressed, of a split set"));
        };
        let (this, first) = (&this.header, &first.header);
        let wrong = |field, expected, found| Err(self.source.wrong(0, field, expected, found));
        if this.split.is_none() {
            return wrong("split", "1, as in all files of a set", 0);
        }
        if (this.block_size, this.pages_end) != (first.block_size, first.pages_end) {
            return wrong("max_mapnr", "that of the set's first file", this.pages_end);
        }
        Ok(())
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.layout.format(&self.source)
    }

    /// Its size in bytes, if that is known: that of the dump in a flattened or compressed
    /// file, and of a stream or a compressed file once it was read to its end.
    #[must_use]
    pub fn known_size(&self) -> Option<u64> {
        self.source.stated_so_far()
    }

    /// Its size in bytes, as stated when it was opened; of a flattened stream, that of
    /// the dump in it. A pipe or a compressed file is read to its end.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.source.stated_length()
    }

    /// The pages of which it has the data, when it is one of a split set: the number of
    /// the first, and that after the last.
    #[must_use]
    pub fn split_pages(&self) -> Option<(u64, u64)> {
        match &self.layout {
            Layout::Elf(_) => None,
            Layout::Compressed(compressed) => compressed.header.split,
        }
    }

    /// Copies all of it to `to`, an empty file, with holes where there are zeros; a
    /// flattened stream is put in order. `progress` is told how many bytes are done.
    ///
    /// # Errors
    /// [`CopyError`], by which side failed.
    pub fn copy_to_file(&self, to: &File, progress: impl FnMut(u64)) -> Result<(), CopyError> {
        copy::copy(&self.source, 0, self.source.stated_length(), to, 0, progress)
    }

    /// The dead machine's instruction set, as `uname -m` gives it, or as ELF numbers it
    /// where that has no name here; `None` where a kdump-compressed dump does not tell it
    /// in a way that makes sense. Of 32-bit Arm in an ELF vmcore, `arm` without a version.
    #[must_use]
    pub fn machine(&self) -> Option<Cow<'static, [u8]>> {
        let compressed = match &self.layout {
            Layout::Elf(elf) => {
                let number = elf.header.machine;
                return Some(match machine::of_elf(number, elf.header.encoding) {
                    Some(name) => Cow::Borrowed(name.as_bytes()),
                    None => Cow::Owned(format!("ELF machine {number}").into_bytes()),
                });
            }
            Layout::Compressed(compressed) => compressed,
        };
        // That it cannot be read is told by who asks for it.
        let info = self.vmcoreinfo().ok().flatten();
        let told = info.and_then(|info| machine::of_vmcoreinfo(&info, compressed.header.endian));
        match told {
            Some(name) => Some(Cow::Borrowed(name.as_bytes())),
            None => compressed.header.machine().map(|name| Cow::Owned(name.to_vec())),
        }
    }

    /// The dead kernel's release (`uname -r`): as VMCOREINFO has it, or a kdump-compressed
    /// dump's header where that makes sense.
    ///
    /// # Errors
    /// Those of [`vmcoreinfo`](Self::vmcoreinfo), where the header does not tell either.
    pub fn release(&self) -> Result<Option<Vec<u8>>, Error> {
        let info = self.vmcoreinfo();
        if let Ok(Some(info)) = &info
            && let Some(release) = info.get("OSRELEASE")
        {
            return Ok(Some(release.to_vec()));
        }
        let of_header = match &self.layout {
            Layout::Compressed(compressed) => compressed.header.release(),
            Layout::Elf(_) => None,
        };
        match (of_header, info) {
            (None, Err(error)) => Err(error),
            (of_header, _) => Ok(of_header.map(<[u8]>::to_vec)),
        }
    }

    /// When the kernel crashed, in seconds since 1970: as VMCOREINFO has it, or as a
    /// kdump-compressed dump's header says when it was written.
    ///
    /// # Errors
    /// Those of [`vmcoreinfo`](Self::vmcoreinfo).
    pub fn time(&self) -> Result<Option<u64>, Error> {
        let crashed = self.vmcoreinfo()?.and_then(|info| info.number("CRASHTIME"));
        Ok(crashed.or(self.written()))
    }

    /// When a kdump-compressed dump was written, in seconds since 1970, as its header says.
    #[must_use]
    pub fn written(&self) -> Option<u64> {
        match &self.layout {
            Layout::Compressed(compressed) => Some(compressed.header.written).filter(|at| *at > 0),
            Layout::Elf(_) => None,
        }
    }

    /// What was left out of a kdump-compressed dump, as makedumpfile's `-d` has it: 1
    /// for pages of zeros, 2 and 4 for caches, 8 for user data, 16 for free pages, or a
    /// sum of these.
    #[must_use]
    pub fn dump_level(&self) -> Option<u32> {
        match &self.layout {
            Layout::Compressed(compressed) => Some(compressed.header.dump_level),
            Layout::Elf(_) => None,
        }
    }

    /// Its notes, in the order of the file, without their descs.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes::new(&self.source, &self.notes, &self.layout)
    }

    /// Its device dumps, in the order of the file, without their payloads.
    #[must_use]
    pub fn device_dumps(&self) -> DeviceDumps<'_> {
        DeviceDumps::new(&self.source, self.notes())
    }

    /// What became of every collection, where the file says so: the notes of the owner
    /// `VMCOREDD` and the type 0x701. See [`vmcore::manifest`].
    ///
    /// # Errors
    /// [`Error`] when one cannot be read, or they are longer than 16 MiB. Damage
    /// elsewhere is no error here.
    pub fn manifest(&self) -> Result<Option<Manifest>, Error> {
        // What is wrong with other notes is told where these are listed. What cannot be
        // read this time, though, may be a manifest.
        let is_damage = |error: &Error| !matches!(error.fault, Fault::Read { .. });
        let notes = self.notes().filter(|note| !note.as_ref().is_err_and(is_damage));
        Manifest::find(&self.source, notes)
    }

    /// What the dead kernel said of itself, if the dump has it.
    ///
    /// # Errors
    /// [`Error`] when it cannot be read, or is longer than 64 KiB.
    pub fn vmcoreinfo(&self) -> Result<Option<VmcoreInfo>, Error> {
        let named = self.notes().flatten().find(|note| note.owner() == b"VMCOREINFO");
        let of_note = named.map(|note| (note.desc_offset(), note.header.desc_size.into()));
        let of_header = || match &self.layout {
            Layout::Compressed(compressed) => compressed.header.vmcoreinfo,
            Layout::Elf(_) => None,
        };
        let Some((offset, size)) = of_note.or_else(of_header) else {
            return Ok(None);
        };
        if size > vmcoreinfo::TEXT_MAX {
            return Err(self.source.wrong(offset, "size of VMCOREINFO", "at most 64 KiB", size));
        }
        let mut text = vec![0; size as usize];
        self.source.read_whole(offset, &mut text, "VMCOREINFO")?;
        Ok(Some(VmcoreInfo::new(text)))
    }
}

/// What an ELF core with these notes is, where they tell that it is of no dead kernel:
/// one of a process has what only processes have, and `/proc/kcore` has the state of a
/// process and VMCOREINFO.
fn foreign_notes(notes: Notes<'_>) -> Option<Foreign> {
    const PRPSINFO: u32 = 3;
    const TASKSTRUCT: u32 = 4;
    const AUXV: u32 = 6;
    const SIGINFO: u32 = 0x5349_4749;
    const FILE: u32 = 0x4649_4c45;
    let (mut has_process, mut has_task) = (false, false);
    for note in notes.take(FOREIGN_NOTES) {
        let Ok(note) = note else {
            return None;
        };
        match (note.owner(), note.header.note_type) {
            (b"LINUX", NT_VMCOREDD) | (b"VMCOREDD", _) => return None,
            (b"VMCOREINFO", _) => return (has_process && has_task).then_some(foreign::KCORE),
            (b"CORE", PRPSINFO) => has_process = true,
            (b"CORE", TASKSTRUCT) => has_task = true,
            (b"CORE", AUXV | SIGINFO | FILE) => return Some(foreign::USER),
            _ => {}
        }
    }
    None
}
