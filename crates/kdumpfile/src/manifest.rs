// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The manifest of a dump: what became of every collection.
//!
//! Its format is described in [`vmcore::manifest`].

use std::collections::HashMap;

use vmcore::manifest::{self, Lines, NT_MANIFEST, OWNER, Renamed, Status, Whereabouts, key};
use vmcore::note::until_zero;

use crate::device_dump::DeviceDump;
use crate::error::Error;
use crate::notes::Note;
use crate::source::Source;

/// The longest text that is read, in bytes. One of thousands of collections has
/// a tenth of that.
pub(crate) const TEXT_MAX: u64 = 16 << 20;

/// What became of every collection, as the note after the device dumps says.
///
/// The default one says nothing. What a manifest tells may be wrong: nothing in
/// it is checked against the rest of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    version: Option<u64>,
    unrecorded: Option<u64>,
    /// The records.
    text: Vec<u8>,
}

/// Whether `note` is a manifest.
pub(crate) fn is_manifest(note: &Note) -> bool {
    note.header.note_type == NT_MANIFEST && note.owner() == until_zero(&OWNER)
}

impl Manifest {
    /// All manifests among `notes`, one after the other: that of the crash kernel,
    /// and one for each time dumps were attached.
    pub(crate) fn find<E: From<Error>>(
        source: &Source,
        notes: impl Iterator<Item = Result<Note, E>>,
    ) -> Result<Option<Self>, E> {
        let mut found = None::<Self>;
        for note in notes {
            let note = note?;
            if is_manifest(&note) {
                found.get_or_insert_with(Self::default).append(source, &note)?;
            }
        }
        Ok(found)
    }

    /// Reads one more; of a damaged one, what there is.
    fn append(&mut self, source: &Source, note: &Note) -> Result<(), Error> {
        let size = note.header.desc_size;
        let before = self.text.len() as u64;
        if before + u64::from(size) > TEXT_MAX {
            let at = note.offset + 4;
            let expected = "at most 16 MiB";
            return Err(source.wrong(at, "n_descsz of the manifest", expected, size.into()));
        }
        let start = self.text.len();
        let length = note.available() as usize;
        self.reserve(length + 1);
        self.text.resize(start + length, 0);
        let text = self.text.get_mut(start..).unwrap_or_default();
        source.read_whole(note.desc_offset(), text, "manifest")?;
        let (head, records) = manifest::split(text);
        let records = text.len() - records.text().len();
        self.version = self.version.or(head.number(key::VERSION));
        let more = head.number(key::UNRECORDED);
        if let Some(more) = more {
            self.unrecorded = Some(self.unrecorded.unwrap_or_default().saturating_add(more));
        }
        self.text.drain(start..start + records);
        if self.text.last().is_some_and(|last| *last != b'\n') {
            self.text.push(b'\n');
        }
        Ok(())
    }

    /// Makes room for `more` bytes: twice what there was, for there may be many manifests,
    /// but not more than they may have.
    fn reserve(&mut self, more: usize) {
        let needed = self.text.len() + more;
        if needed > self.text.capacity() {
            let twice = (2 * self.text.capacity()).min(TEXT_MAX as usize + 1);
            self.text.reserve_exact(twice.max(needed) - self.text.len());
        }
    }

    /// Version of the format; so far there is 1.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// How many collections have no record, for want of memory; `None` when it does
    /// not say so.
    #[must_use]
    pub fn unrecorded(&self) -> Option<u64> {
        self.unrecorded
    }

    /// A record for each collection, in the order of the manifest.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records(manifest::split(&self.text).1)
    }

    /// Finds the record of each of `device_dumps`, all those of the file.
    ///
    /// They belong together by name. In one file names are unique; where they are not,
    /// the first dump of a name goes with the first record of it that says its length,
    /// and so on; then what is left goes together in its order. A record that says that
    /// there is no dump belongs to none.
    #[must_use]
    pub fn matched(&self, device_dumps: &[DeviceDump<'_>]) -> Matched<'_> {
        let mut of_dumps = vec![None; device_dumps.len()];
        // The numbers of the records that belong to one, in their order.
        let mut taken = Vec::<usize>::new();
        for by_length in [true, false] {
            // Of each name, or name and length, the first dump that has no record yet, and
            // of each dump the next one.
            let mut waiting = HashMap::<(&[u8], Option<u64>), usize>::new();
            let mut next = vec![None; device_dumps.len()];
            let places = device_dumps.iter().zip(&of_dumps).zip(&mut next).enumerate().rev();
            for (place, ((dump, record), next)) in places {
                if record.is_none() {
                    let length = by_length.then(|| dump.length());
                    *next = waiting.insert((dump.name(), length), place);
                }
            }
            let before = taken.len();
            for (number, record) in self.records().enumerate() {
                let length = record.length().filter(|_| by_length);
                let key = (record.name(), length);
                let Some(place) = waiting.get(&key).copied() else {
                    continue;
                };
                let is_taken =
                    taken.get(..before).unwrap_or_default().binary_search(&number).is_ok();
                if is_taken || length.is_some() != by_length || !record.may_leave_dump() {
                    continue;
                }
                match next.get(place).copied().flatten() {
                    Some(next) => waiting.insert(key, next),
                    None => waiting.remove(&key),
                };
                if let Some(of_dump) = of_dumps.get_mut(place) {
                    *of_dump = Some(record);
                    taken.push(number);
                }
            }
            taken.sort_unstable();
        }
        Matched { of_dumps, manifest: self, taken }
    }
}

/// Which record belongs to which device dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'a> {
    /// For each device dump its record, if there is one.
    pub of_dumps: Vec<Option<Record<'a>>>,
    manifest: &'a Manifest,
    /// The numbers of their records, in order.
    taken: Vec<usize>,
}

impl<'a> Matched<'a> {
    /// The records that belong to none of the device dumps, in the order of the manifest.
    /// There may be millions: they are found anew each time, and not kept.
    pub fn others(&self) -> impl Iterator<Item = Record<'a>> {
        let mut taken = self.taken.iter().peekable();
        let records = self.manifest.records().enumerate();
        records
            .filter(move |(number, _)| taken.next_if_eq(&number).is_none())
            .map(|(_, record)| record)
    }
}

/// The records of a manifest.
#[derive(Debug, Clone)]
pub struct Records<'a>(manifest::Records<'a>);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Record)
    }
}

/// What became of one collection.
///
/// Where a value is not there, or not of the kind that it must be, it is `None`;
/// of one that is there more than once, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Record<'a>(Lines<'a>);

impl<'a> Record<'a> {
    /// Name of the dump, as the manifest has it: possibly empty, long or
    /// unprintable. See [`Escaped`](crate::Escaped).
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.0.get(key::NAME).unwrap_or_default()
    }

    /// Whether its length and its checksum are those of what was collected. Where they
    /// are not, they are those of what was attached: of a dump that was cut then, or had
    /// no record.
    #[must_use]
    pub fn is_of_collection(&self) -> bool {
        let is_cut = self.reason() == Some(manifest::Reason::Cut.words().as_bytes());
        !is_cut && self.has_status()
    }

    /// The name that the dump was to have, where it was attached under another one.
    #[must_use]
    pub fn wanted(&self) -> Option<&'a [u8]> {
        self.0.get(key::WANTED)
    }

    /// Whether it says how the collection ended, be it in a word that is not known.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.0.get(key::STATUS).is_some()
    }

    /// All its keys and values, in the order of the manifest.
    pub fn lines(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.pairs()
    }

    /// How its name differs from what the driver asked for.
    #[must_use]
    pub fn renamed(&self) -> Renamed {
        Renamed::from_words(self.0.get(key::RENAMED).unwrap_or_default())
    }

    /// How the collection ended, or that it had not when the file was read; `None` where the
    /// manifest does not say, or in a word that is not known.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::from_word(self.0.get(key::STATUS)?)
    }

    /// Whether there can be a dump of a collection that ended so.
    #[must_use]
    pub fn may_leave_dump(&self) -> bool {
        matches!(self.status(), None | Some(Status::Complete | Status::Partial))
    }

    /// Why it ended so, in words, which may be unprintable: see
    /// [`Escaped`](crate::Escaped).
    #[must_use]
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.0.get(key::REASON)
    }

    /// The negative errno, where an error is the reason.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        str::from_utf8(self.0.get(key::ERRNO)?).ok()?.parse().ok()
    }

    /// The exit status, as a shell gives it, where that of a command is the reason.
    #[must_use]
    pub fn exit(&self) -> Option<u8> {
        u8::try_from(self.0.number(key::EXIT)?).ok()
    }

    /// Where the note of the dump stands.
    #[must_use]
    pub fn whereabouts(&self) -> Option<Whereabouts> {
        Whereabouts::from_word(self.0.get(key::IN)?)
    }

    /// Length of the payload, in bytes.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.number(key::LENGTH)
    }

    /// The length that the collector had declared, in bytes, where it is another.
    #[must_use]
    pub fn declared(&self) -> Option<u64> {
        self.0.number(key::DECLARED)
    }

    /// How many bytes the payload took in the crash kernel's memory.
    #[must_use]
    pub fn stored(&self) -> Option<u64> {
        self.0.number(key::STORED)
    }

    /// How long the collection took, in milliseconds.
    #[must_use]
    pub fn milliseconds(&self) -> Option<u64> {
        self.0.number(key::MILLISECONDS)
    }

    /// CRC-32C of the payload, to be compared with [`DeviceDump::crc32c`].
    #[must_use]
    pub fn crc32c(&self) -> Option<u32> {
        self.0.crc32c()
    }
}

/// The word for how a collection ended, or `unknown` where that is not known.
#[must_use]
pub fn status_word(status: Option<Status>) -> &'static str {
    status.map_or("unknown", Status::word)
}
