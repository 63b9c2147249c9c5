// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store of device dumps and its snapshots, against whole files made by
//! `synth`.
//!
//! The input is a list of steps, with memory that runs out among them.
#![no_main]

#[path = "../../crates/devdump/tests/host/mod.rs"]
mod host;

use std::rc::Rc;

use arbitrary::Arbitrary;
use devdump::{AddError, Buffer, BuildError, CoreFile, Dump, DumpWriter, List, Memory};
use devdump::{Snapshot, Store, WriteError};
use host::{Limited, Pattern};
use libfuzzer_sys::fuzz_target;
use synth::{Class, Endian, Note, Vmcore};
use vmcore::device_dump::{Name, note_size};
use vmcore::original::Original;

const LOADS: [(u64, u64); 2] = [(0x10_0000, 0x3000), (0x4000_0000, 0x1000)];
/// How much is written to all dumps of one run, in bytes.
const WRITTEN_MAX: usize = 400_000;
/// How many snapshots are taken in one run.
const SNAPSHOTS_MAX: usize = 4;

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
    /// Starts a dump; an unfinished one is dropped.
    Begin(Label),
    /// So many bytes, twice; `fill` 0 is all zeros.
    Write {
        length: u16,
        fill: u8,
    },
    /// Ends the dump and adds it.
    Add,
    Snapshot,
    Read {
        snapshot: u8,
        offset: u32,
        length: u16,
    },
    /// So many more allocations, or any number.
    Allocations(Option<u8>),
}

#[derive(Debug, Arbitrary)]
struct Run {
    wide: bool,
    big: bool,
    room: Option<u32>,
    steps: Vec<Step>,
}

fuzz_target!(|run: Run| {
    let mut world = World::new(&run);
    run.steps.iter().for_each(|step| world.step(step));
    world.memory.refill(u64::MAX);
    world.take_snapshot();
    for (snapshot, file) in &world.snapshots {
        assert!(read(snapshot, 0, file.len() + 1) == *file, "not the file of its moment");
    }
});

/// The store, and what it must be.
struct World {
    memory: Limited,
    limited: bool,
    file: Rc<CoreFile<Limited>>,
    store: Store<Limited>,
    room: u64,
    /// The dump being written, and what is in it.
    open: Option<(DumpWriter<Limited>, Name, Vec<u8>)>,
    /// How much may still be written.
    left: usize,
    names: Vec<Name>,
    /// The file of now, and the size of the dumps' notes in it.
    made: Vmcore,
    dumps_size: u64,
    /// Each with the whole file of its moment.
    snapshots: Vec<(Snapshot<Limited>, Vec<u8>)>,
}

impl World {
    fn new(run: &Run) -> Self {
        let class = if run.wide { Class::Elf64 } else { Class::Elf32 };
        let endian = if run.big { Endian::Big } else { Endian::Little };
        let empty = Vmcore::new(class, endian)
            .note(Note::prstatus(endian, 1))
            .note(Note::vmcoreinfo("OSRELEASE=6.12\n"));
        let made = LOADS.into_iter().fold(empty, |made, (physical, size)| {
            let bytes: Vec<u8> = (physical..physical + size).map(Pattern::byte).collect();
            made.load(synth::Load::new(physical, bytes))
        });
        let memory = Limited::unlimited();
        let room = run.room.map_or(1 << 30, u64::from);
        Self {
            limited: false,
            file: core_file(&memory, &made),
            store: Store::new(memory.clone(), room),
            room,
            open: None,
            left: WRITTEN_MAX,
            names: Vec::new(),
            made,
            dumps_size: 0,
            snapshots: Vec::new(),
            memory,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Begin(label) => {
                let name = label.name();
                let writer = DumpWriter::new(self.memory.clone(), name);
                assert!(writer.is_ok() || self.limited);
                self.open = writer.ok().map(|writer| (writer, name, Vec::new()));
            }
            Step::Write { length, fill } => {
                let length = (usize::from(*length) * 2).min(self.left);
                self.left -= length;
                self.write(length, *fill);
            }
            Step::Add => self.finish(),
            Step::Snapshot => self.take_snapshot(),
            Step::Read { snapshot, offset, length } => {
                if let Some((snapshot, file)) = self.snapshots.get(usize::from(*snapshot)) {
                    let start = file.len().min(*offset as usize);
                    let end = file.len().min(start + usize::from(*length));
                    let read = read(snapshot, (*offset).into(), (*length).into());
                    assert!(read == file[start..end], "not the bytes of its moment");
                }
            }
            Step::Allocations(count) => {
                self.limited = count.is_some();
                self.memory.refill(count.map_or(u64::MAX, u64::from));
            }
        }
    }

    fn write(&mut self, length: usize, fill: u8) {
        let Some((writer, _, written)) = &mut self.open else {
            return;
        };
        let byte = |at: usize| if fill == 0 { 0 } else { (at as u8).wrapping_mul(fill) | 1 };
        let data: Vec<u8> = (0..length).map(byte).collect();
        written.extend(&data);
        match writer.write(&data) {
            Ok(()) => assert_eq!(writer.length(), written.len() as u64),
            Err(WriteError::NoMemory) => {
                assert!(self.limited && writer.length() < written.len() as u64);
                written.truncate(writer.length() as usize);
            }
            Err(WriteError::TooLong) => panic!("{} bytes are not too long", written.len()),
        }
    }

    fn finish(&mut self) {
        let Some((writer, name, written)) = self.open.take() else {
            return;
        };
        match writer.finish() {
            Ok(dump) => self.add(dump, name, written),
            Err(_) => assert!(self.limited),
        }
    }

    fn add(&mut self, dump: Dump<Limited>, name: Name, written: Vec<u8>) {
        let length = written.len() as u64;
        assert_eq!((dump.name(), dump.length()), (&name, length));
        let size = note_size(length).expect("a short dump");
        let fits = self.dumps_size + size <= self.room;
        match self.store.add(dump) {
            Ok(added) => {
                assert!(length > 0 && fits);
                assert!(!self.names.contains(&added), "{added:?} is there already");
                let taken = self.names.contains(&name);
                assert!(taken || added == name, "{name:?} is not taken: {added:?}");
                self.names.push(added);
                self.made = self.made.clone().dump(added.as_bytes(), written);
                self.dumps_size += size;
            }
            Err(AddError::Empty) => assert_eq!(length, 0),
            Err(AddError::NoRoom) => assert!(length > 0 && !fits),
            Err(AddError::NoMemory) => assert!(self.limited),
        }
        assert_eq!(self.store.table().size(), self.dumps_size);
        assert!(self.store.table().iter().map(Dump::name).eq(&self.names));
    }

    fn take_snapshot(&mut self) {
        if self.snapshots.len() > SNAPSHOTS_MAX {
            return;
        }
        let table = self.store.table().clone();
        match Snapshot::new(&self.memory, self.file.clone(), table) {
            Ok(snapshot) => {
                let file = self.made.image().to_vec();
                assert_eq!(snapshot.size(), file.len() as u64);
                self.snapshots.push((snapshot, file));
            }
            Err(BuildError::NoMemory) => assert!(self.limited),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn core_file(memory: &Limited, made: &Vmcore) -> Rc<CoreFile<Limited>> {
    let mut header = made.image().to_vec();
    let behind = header.split_off(made.header_size() as usize);
    let notes = behind[..made.notes_size() as usize].to_vec();
    let mut loads = memory.list();
    for load in Original::parse(&header).expect("the kernel's form").loads() {
        loads.push(load).expect("memory");
    }
    Rc::new(CoreFile::vmcore(header, Rc::new(notes), loads).expect("the kernel's form"))
}

fn read(snapshot: &Snapshot<Limited>, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; length];
    let count = snapshot.read(offset, &mut Buffer::new(&mut bytes), &Pattern).expect("readable");
    bytes.truncate(count);
    bytes
}
