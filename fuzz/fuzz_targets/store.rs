// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store of device dumps and its snapshots, against whole files made by
//! `synth`, with a manifest that is written here.
//!
//! The input is a list of steps, with memory, time and budget that run out among
//! them.
#![no_main]

#[allow(dead_code, reason = "tests of the crate use more of it")]
#[path = "../../crates/devdump/tests/host/mod.rs"]
mod host;

use arbitrary::Arbitrary;
use devdump::{
    Buffer, BuildError, CHUNK_SIZE, Collection, CoreFile, DumpWriter, Ending, Limits, Snapshot,
    Store,
};
use host::{Limited, Pattern};
use kmem::Block;
use libfuzzer_sys::fuzz_target;
use synth::{Class, Endian, NoteSpec, Vmcore};
use vmcore::device_dump::{Name, note_size};
use vmcore::manifest::{Reason, Record, Renamed, Status, Whereabouts};
use vmcore::original::Original;

const LOADS: [(u64, u64); 2] = [(0x10_0000, 0x3000), (0x4000_0000, 0x1000)];
/// How much is written to all dumps of one run, in bytes.
const WRITTEN_MAX: usize = 400_000;
/// How many snapshots are taken in one run.
const SNAPSHOTS_MAX: usize = 4;
/// How long a collector has, in milliseconds.
const LIMIT: u64 = 1000;

/// A name out of few, so that many are alike.
#[derive(Debug, Arbitrary)]
struct Label {
    length: u8,
    number: u8,
}

impl Label {
    /// `aaa` or `aaa#7`, at most 43 bytes.
    fn name(&self) -> Name {
        let end = match self.number {
            0 => String::new(),
            u8::MAX => format!("#{}", u32::MAX),
            number => format!("#{}", number % 16),
        };
        let length = [1, 3, 42, 43][usize::from(self.length) % 4];
        let text = format!("{}{end}", "a".repeat(length.min(43 - end.len())));
        Name::new(text.as_bytes()).expect("a good name")
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// Starts a collection; one that has not ended crashes.
    Begin {
        label: Label,
        declared: Option<u16>,
    },
    /// So many bytes, twice; `fill` 0 is all zeros, odd ones do not compress.
    Write {
        length: u16,
        fill: u8,
    },
    /// Ends the collection.
    End(How),
    Refuse(Label),
    Snapshot,
    Read {
        snapshot: u8,
        offset: u32,
        length: u16,
    },
    /// So many more allocations, or any number.
    Allocations(Option<u8>),
    /// Whether the host has memory for dumps.
    Affords(bool),
    /// So many milliseconds pass.
    Pass(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum How {
    Returns,
    Fails(u8),
    Crashes,
    IsLate,
}

impl From<How> for Ending {
    fn from(how: How) -> Self {
        match how {
            How::Returns => Self::Returned(0),
            How::Fails(errno) => Self::Returned(-i32::from(errno.max(1))),
            How::Crashes => Self::Crashed,
            How::IsLate => Self::Late,
        }
    }
}

#[derive(Debug, Arbitrary)]
struct Run {
    wide: bool,
    big: bool,
    total: Option<u32>,
    dump: Option<u32>,
    inline: Option<u32>,
    steps: Vec<Step>,
}

fuzz_target!(|run: Run| {
    let mut world = World::new(&run);
    run.steps.iter().for_each(|step| world.step(step));
    world.memory.refill(u64::MAX);
    world.take_snapshots();
    for (snapshot, file) in &world.snapshots {
        assert!(read(snapshot, 0, file.len() + 1) == *file, "not the file of its moment");
    }
});

/// A collection that has not ended, and what was written to it.
struct Open {
    collection: Collection<Limited>,
    writer: Option<DumpWriter<Limited>>,
    renamed: Renamed,
    declared: u64,
    written: Vec<u8>,
    /// How much of it is in chunks already, and what those take; not known once
    /// memory was limited.
    packed: usize,
    stored: u64,
    /// Whether a write was refused.
    cut: bool,
    started: u64,
}

impl Open {
    /// Packs what was written, up to the first chunk that does not fit with
    /// `others`, where it is cut; says whether all fits. A chunk that is not whole
    /// is packed when the dump `ends`.
    fn pack(&mut self, limits: Limits, others: u64, ends: bool) -> bool {
        let left = limits.total.saturating_sub(others);
        let eighth = (limits.total / 8).min(left.saturating_sub(limits.total / 32));
        let most = limits.dump.min(eighth.max(left / 2));
        while self.packed < self.written.len() {
            let rest = &self.written[self.packed..];
            let chunk = &rest[..rest.len().min(CHUNK_SIZE)];
            if chunk.len() < CHUNK_SIZE && !ends {
                break;
            }
            let size = packed_size(chunk);
            if size > 0 && self.stored + size > most {
                self.written.truncate(self.packed);
                return false;
            }
            self.stored += size;
            self.packed += chunk.len();
        }
        true
    }
}

/// How many bytes a chunk takes: none when it is all zeros; what LZ4 makes of it
/// where that saves a sixteenth.
fn packed_size(chunk: &[u8]) -> u64 {
    if chunk.iter().all(|byte| *byte == 0) {
        return 0;
    }
    let small = lz4_flex::block::compress(chunk).len();
    let is_worthwhile = small < chunk.len() && small <= chunk.len() - chunk.len() / 16;
    (if is_worthwhile { small } else { chunk.len() }) as u64
}

/// The store, and what it must be.
struct World {
    memory: Limited,
    /// Whether memory, time or budget may have run out since the last start.
    limited: bool,
    now: u64,
    files: [Arc<CoreFile<Limited>>; 2],
    store: Arc<Store<Limited>>,
    limits: Limits,
    open: Option<Open>,
    /// How much may still be written.
    left: usize,
    /// Of every collection that was recorded, with its payload.
    records: Vec<(Record, Vec<u8>)>,
    unrecorded: u64,
    endian: Endian,
    made: Vmcore,
    /// Each with the whole file of its moment.
    snapshots: Vec<(Snapshot<Limited>, Vec<u8>)>,
}

type Arc<T> = kmem::Arc<T, Limited>;

impl World {
    fn new(run: &Run) -> Self {
        let class = if run.wide { Class::Elf64 } else { Class::Elf32 };
        let endian = if run.big { Endian::Big } else { Endian::Little };
        let made = Vmcore::new(class, endian);
        let memory = Limited::unlimited();
        // Plenty, or something that can be used up.
        let bytes =
            |given: Option<u32>| given.map_or(1 << 30, |bytes| u64::from(bytes) % (1 << 20));
        let limits = Limits {
            total: bytes(run.total),
            dump: bytes(run.dump),
            inline: bytes(run.inline),
            room: 1 << 30,
        };
        let store = Store::new(limits).expect("memory");
        Self {
            limited: false,
            now: 0,
            files: core_files(&with_the_rest(made.clone(), endian)),
            store: Arc::new(store).expect("memory"),
            limits,
            open: None,
            left: WRITTEN_MAX,
            records: Vec::new(),
            unrecorded: 0,
            endian,
            made,
            snapshots: Vec::new(),
            memory,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Begin { label, declared } => {
                self.end(How::Crashes);
                self.begin(&label.name(), declared.map_or(0, u64::from));
            }
            Step::Write { length, fill } => {
                let length = (usize::from(*length) * 2).min(self.left);
                self.left -= length;
                self.write(length, *fill);
            }
            Step::End(how) => self.end(*how),
            Step::Refuse(label) => {
                let name = label.name();
                let renamed = Renamed::default();
                let record = self.store.refuse(Some(name), renamed, Reason::NoCallback);
                self.recorded(record, Vec::new());
            }
            Step::Snapshot => self.take_snapshots(),
            Step::Read { snapshot, offset, length } => {
                if let Some((snapshot, file)) = self.snapshots.get(usize::from(*snapshot)) {
                    let start = file.len().min(*offset as usize);
                    let end = file.len().min(start + usize::from(*length));
                    let read = read(snapshot, (*offset).into(), (*length).into());
                    assert!(read == file[start..end], "not the bytes of its moment");
                }
            }
            Step::Allocations(count) => {
                self.limited |= count.is_some();
                self.memory.refill(count.map_or(u64::MAX, u64::from));
            }
            Step::Affords(affords) => {
                self.limited |= !affords;
                self.memory.set_affords(*affords);
            }
            Step::Pass(milliseconds) => {
                self.now += u64::from(*milliseconds) * 4;
                self.memory.advance(u64::from(*milliseconds) * 4);
            }
        }
    }

    fn begin(&mut self, name: &Name, declared: u64) {
        let renamed = Renamed::default();
        let collection = Collection::start(&self.store, name, renamed, declared);
        let taken = collection.name() != name;
        let writer = collection.writer(Some(LIMIT)).ok();
        assert!(writer.is_some() || self.limited);
        self.open = Some(Open {
            collection,
            writer,
            renamed: Renamed { taken, ..renamed },
            declared,
            written: Vec::new(),
            packed: 0,
            stored: 0,
            cut: false,
            started: self.now,
        });
    }

    fn write(&mut self, length: usize, fill: u8) {
        let used = self.store.used();
        let Some(open) = &mut self.open else {
            return;
        };
        let Some(writer) = &mut open.writer else {
            return;
        };
        let data = data(length, fill);
        let written = writer.write(&data);
        let taken = writer.length();
        if self.limited {
            open.written.extend(&data);
            open.cut |= written.is_err();
            assert!(taken == open.written.len() as u64 || open.cut);
            open.written.truncate(taken as usize);
        } else if !open.cut {
            open.cut = length > 0 && self.now - open.started >= LIMIT;
            if !open.cut {
                open.written.extend(&data);
                open.cut = !open.pack(self.limits, used - open.stored, false);
            }
        }
        assert_eq!((taken, written.is_err()), (open.written.len() as u64, open.cut));
    }

    fn end(&mut self, how: How) {
        let used = self.store.used();
        let Some(mut open) = self.open.take() else {
            return;
        };
        if !self.limited {
            open.cut |= !open.pack(self.limits, used - open.stored, true);
        }
        let record = open.collection.end(open.writer.take(), how.into());
        let is_lost = self.store.state().ended().count() == self.records.len();
        // What takes a part of the budget is never lost for want of it.
        assert!(self.limited || !is_lost || open.stored == 0);
        if !self.limited && !is_lost {
            let length = open.written.len() as u64;
            assert_eq!((record.length.into(), record.stored.into()), (length, open.stored));
            let is_short = open.cut || how != How::Returns || open.declared > length;
            let expected = match (length, is_short) {
                (0, _) if !open.cut && how == How::Returns => Status::Refused,
                (0, _) => Status::Failed,
                (_, true) => Status::Partial,
                (_, false) => Status::Complete,
            };
            assert_eq!(record.status, expected);
        }
        let kept = record.length as usize;
        assert!(kept <= open.written.len() && (kept > 0) == has_payload(&record));
        if kept < open.written.len() || open.cut {
            assert!(record.status != Status::Complete, "{record:?}");
        }
        open.written.truncate(kept);
        if kept > 0 {
            assert_eq!(record.crc32c, crc32c::crc32c(&open.written));
        }
        // One that was not listed for want of memory may find its name taken.
        assert!(self.limited || record.renamed == open.renamed);
        assert_eq!(u64::from(record.milliseconds), self.now - open.started);
        self.recorded(record, open.written);
    }

    /// What was recorded, or not for want of memory.
    fn recorded(&mut self, record: Record, payload: Vec<u8>) {
        let state = self.store.state();
        if state.ended().count() == self.records.len() {
            assert!(self.limited || self.limits.total < 4 * WRITTEN_MAX as u64);
            assert!(payload.is_empty() && !has_payload(&record));
            self.unrecorded += 1;
            return;
        }
        let last = state.ended().iter().last().expect("the new one");
        assert_eq!(*last.record(), record);
        if has_payload(&record) {
            let inline =
                |(record, _): &&(Record, Vec<u8>)| record.whereabouts == Whereabouts::Inline;
            let size = |length: u32| note_size(length.into()).expect("a short dump");
            let before = self.records.iter().filter(inline);
            let end: u64 = before.map(|(record, _)| size(record.length)).sum();
            let fits = end + size(record.length) <= self.limits.inline.min(self.limits.room / 2);
            assert_eq!(record.whereabouts == Whereabouts::Inline, fits);
            let has_name =
                |(other, _): &(Record, Vec<u8>)| has_payload(other) && other.name == record.name;
            assert!(!self.records.iter().any(has_name), "{:?} is there already", record.name);
        }
        self.records.push((record, payload));
        let stored: u64 = self.records.iter().map(|(record, _)| u64::from(record.stored)).sum();
        assert!(stored <= self.limits.total.min(self.store.used()));
        if self.open.is_none() {
            let lengths = self.records.iter().map(|(_, payload)| payload.len());
            let chunks: usize = lengths.map(|length| length.div_ceil(CHUNK_SIZE)).sum();
            let most = 500 * self.records.len() + 100 * chunks;
            assert!(self.store.used() - stored <= most as u64, "more than there is counts");
        }
    }

    /// The file of now: the vmcore, or all dumps and nothing else.
    fn file(&self, all: bool) -> Vec<u8> {
        let mut made = self.made.clone();
        for (record, payload) in &self.records {
            let wanted = match record.whereabouts {
                Whereabouts::Nowhere => false,
                Whereabouts::Inline => true,
                Whereabouts::Vmcoredd => all,
            };
            if wanted {
                let name = record.name.expect("a name");
                made = made.dump(name.as_bytes(), payload.clone());
            }
        }
        let text = self.manifest();
        if !text.is_empty() {
            made = made.note(NoteSpec::new("VMCOREDD", 0x701, text.into_bytes()));
        }
        let endian = self.endian;
        if !all {
            return with_the_rest(made, endian).image().to_vec();
        }
        with_notes(made, endian).image().to_vec()
    }

    fn manifest(&self) -> String {
        let state = self.store.state();
        let mut lines = String::new();
        for (record, _) in &self.records {
            lines += &text(record);
        }
        for record in state.running() {
            lines += &text(record);
        }
        match self.unrecorded {
            0 if lines.is_empty() => lines,
            0 => format!("VERSION=1\n{lines}"),
            count => format!("VERSION=1\nUNRECORDED={count}\n{lines}"),
        }
    }

    fn take_snapshots(&mut self) {
        for all in [false, true] {
            if self.snapshots.len() > SNAPSHOTS_MAX {
                return;
            }
            let file = self.files[usize::from(all)].clone();
            match Snapshot::new(file, self.store.state()) {
                Ok(snapshot) => {
                    let file = self.file(all);
                    assert_eq!(snapshot.size(), file.len() as u64);
                    self.snapshots.push((snapshot, file));
                }
                Err(BuildError::NoMemory) => assert!(self.limited),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

fn has_payload(record: &Record) -> bool {
    record.whereabouts != Whereabouts::Nowhere
}

/// So many bytes; 0 is all zeros, with an odd `fill` they do not compress.
fn data(length: usize, fill: u8) -> Vec<u8> {
    let mut state = u64::from(fill) << 32 | 1;
    let byte = |at: usize| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        match fill {
            0 => 0,
            fill if fill % 2 == 1 => (state >> 56) as u8,
            fill => (at as u8 / 16).wrapping_mul(fill),
        }
    };
    (0..length).map(byte).collect()
}

/// The record as docs/formats.md says.
fn text(record: &Record) -> String {
    let mut lines = match &record.name {
        Some(name) => format!("NAME={name}\n"),
        None => "NAME=\n".to_owned(),
    };
    if record.renamed.taken {
        lines += "RENAMED=taken\n";
    }
    lines += match record.status {
        Status::Complete => "STATUS=complete\n",
        Status::Partial => "STATUS=partial\n",
        Status::Failed => "STATUS=failed\n",
        Status::Refused => "STATUS=refused\n",
        Status::Running => return lines + "STATUS=running\n",
    };
    if let Some(reason) = record.reason {
        lines += &format!("REASON={}\n", reason.words());
        if let Reason::Errno(errno) = reason {
            lines += &format!("ERRNO={errno}\n");
        }
    }
    match record.whereabouts {
        Whereabouts::Nowhere => {}
        Whereabouts::Vmcoredd => lines += "IN=vmcoredd\n",
        Whereabouts::Inline => lines += "IN=vmcore\n",
    }
    if has_payload(record) {
        lines += &format!("LENGTH={}\n", record.length);
        if record.declared != 0 && record.declared != record.length {
            lines += &format!("DECLARED={}\n", record.declared);
        }
        lines += &format!("STORED={}\n", record.stored);
    }
    if record.status != Status::Refused {
        lines += &format!("MILLISECONDS={}\n", record.milliseconds);
    }
    if has_payload(record) {
        lines += &format!("CRC32C={:08x}\n", record.crc32c);
    }
    lines
}

/// `made` with the dead kernel's notes.
fn with_notes(made: Vmcore, endian: Endian) -> Vmcore {
    made.note(NoteSpec::prstatus(endian, 1)).note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
}

/// `made` with the dead kernel's notes and memory.
fn with_the_rest(made: Vmcore, endian: Endian) -> Vmcore {
    LOADS.into_iter().fold(with_notes(made, endian), |made, (physical, size)| {
        let bytes: Vec<u8> = (physical..physical + size).map(Pattern::byte).collect();
        made.load(synth::Load::new(physical, bytes))
    })
}

/// The vmcore, and the file of notes alone.
fn core_files(made: &Vmcore) -> [Arc<CoreFile<Limited>>; 2] {
    let file = made.image().to_vec();
    let (header, rest) = file.split_at(made.header_size() as usize);
    let notes = Arc::new(block(&rest[..made.notes_size() as usize]));
    let notes = notes.expect("memory");
    let original = Original::parse(header).expect("the kernel's form");
    let mut loads = kmem::Vec::new();
    for load in original.loads() {
        loads.push(load).expect("memory");
    }
    let (encoding, machine) = (original.encoding(), original.machine());
    let alone = CoreFile::notes_only(encoding, machine, notes.clone());
    let vmcore = CoreFile::vmcore(block(header), notes, loads);
    [vmcore.expect("the kernel's form"), alone].map(|file| Arc::new(file).expect("memory"))
}

fn block(bytes: &[u8]) -> Block<Limited> {
    let mut block = Block::new(bytes.len()).expect("memory");
    block.copy_from_slice(bytes);
    block
}

fn read(snapshot: &Snapshot<Limited>, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; length];
    let count = snapshot.read(offset, &mut Buffer::new(&mut bytes), &Pattern).expect("readable");
    bytes.truncate(count);
    bytes
}
