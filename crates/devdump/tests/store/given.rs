// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What every test starts from: a host, an empty store, and the two files.

use devdump::{Buffer, Collection, CoreFile, DumpWriter, Ending, Limits, Snapshot, State, Store};
use kmem::{Arc, Block};
use synth::{Class, Endian};
use vmcore::device_dump::Name;
use vmcore::manifest::{Record, Renamed};
use vmcore::original::Original;

use crate::host::{Limited, Pattern};
use crate::naive::Files;

/// More than any test uses, of everything.
pub const PLENTY: Limits = Limits { total: 1 << 40, dump: 1 << 40, inline: 1 << 40, room: 1 << 40 };

pub type File = Arc<CoreFile<Limited>, Limited>;

/// A store with its host, and the files that show what is in it.
pub struct Given {
    pub host: Limited,
    pub store: Arc<Store<Limited>, Limited>,
    pub vmcore: File,
    pub vmcoredd: File,
}

impl Given {
    pub fn new() -> Self {
        Self::with(PLENTY)
    }

    pub fn with(limits: Limits) -> Self {
        Self::of(Class::Elf64, Endian::Little, limits)
    }

    pub fn of(class: Class, endian: Endian, limits: Limits) -> Self {
        let host = Limited::unlimited();
        let store = Arc::new(Store::new(limits).unwrap()).unwrap();
        let files = Files::new(class, endian);
        let notes = Arc::new(block(&files.notes())).unwrap();

        let kernels_own = files.vmcore();
        let header_size = Original::header_size(&kernels_own).unwrap() as usize;
        let header = block(&kernels_own[..header_size]);
        let original = Original::parse(&header).unwrap();
        let (encoding, machine) = (original.encoding(), original.machine());
        let mut loads = kmem::Vec::new();
        original.loads().try_for_each(|load| loads.push(load)).unwrap();
        let vmcore = CoreFile::vmcore(header, notes.clone(), loads).unwrap();
        let vmcoredd = CoreFile::notes_only(encoding, machine, notes);
        Self {
            vmcore: Arc::new(vmcore).unwrap(),
            vmcoredd: Arc::new(vmcoredd).unwrap(),
            host,
            store,
        }
    }

    pub fn start(&self, name: &str) -> Collection<Limited> {
        self.start_declared(name, 0)
    }

    pub fn start_declared(&self, name: &str, declared: u64) -> Collection<Limited> {
        let name = Name::new(name.as_bytes()).unwrap();
        Collection::start(&self.store, &name, Renamed::default(), declared)
    }

    /// A whole collection of a collector that writes what it can, and returns 0.
    pub fn collect(&self, name: &str, payload: &[u8]) -> Record {
        let collection = self.start(name);
        let mut writer = collection.writer(None).unwrap();
        let _ = write(&mut writer, payload);
        collection.end(Some(writer), Ending::Returned(0))
    }

    pub fn snapshot(&self, file: &File) -> Snapshot<Limited> {
        self.snapshot_of(file, self.store.state())
    }

    pub fn snapshot_of(&self, file: &File, state: State<Limited>) -> Snapshot<Limited> {
        Snapshot::new(file.clone(), state).unwrap()
    }

    /// Checks that both files are now as expected.
    #[track_caller]
    pub fn assert_files(&self, expected: &Files) {
        assert_same(&read_all(&self.snapshot(&self.vmcore)), &expected.vmcore());
        assert_same(&read_all(&self.snapshot(&self.vmcoredd)), &expected.vmcoredd());
    }
}

fn block(bytes: &[u8]) -> Block<Limited> {
    let mut block = Block::new(bytes.len()).unwrap();
    block.copy_from_slice(bytes);
    block
}

/// Writes in pieces that do not fit chunks.
pub fn write(
    writer: &mut DumpWriter<Limited>,
    payload: &[u8],
) -> Result<(), vmcore::manifest::Reason> {
    payload.chunks(4099).try_for_each(|part| writer.write(part))
}

pub fn read(snapshot: &Snapshot<Limited>, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; length];
    let done = snapshot.read(offset, &mut Buffer::new(&mut bytes), &Pattern).unwrap();
    bytes.truncate(done);
    bytes
}

pub fn read_all(snapshot: &Snapshot<Limited>) -> Vec<u8> {
    read(snapshot, 0, snapshot.size() as usize + 1)
}

/// As `assert_eq`, whose message would be all bytes of both files.
#[track_caller]
pub fn assert_same(file: &[u8], expected: &[u8]) {
    if file == expected {
        return;
    }
    let at = file.iter().zip(expected).take_while(|(one, other)| one == other).count();
    panic!(
        "{} bytes, expected {}; from {at} on they differ\n{}expected:\n{}",
        file.len(),
        expected.len(),
        manifest(file),
        manifest(expected)
    );
}

/// The text of the manifest that is somewhere in `file`.
fn manifest(file: &[u8]) -> String {
    let is_start = |bytes: &[u8]| bytes == b"VERSION=1\n";
    let start = file.windows(10).position(is_start).unwrap_or(file.len());
    let text = file[start..].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
