// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What several threads do to one store, in every order that matters:
//!
//!     RUSTFLAGS="--cfg loom" cargo test --release -p devdump --test loom --target-dir target/loom
#![cfg(loom)]

use std::alloc::Layout;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use devdump::{
    Buffer, CHUNK_SIZE, Clock, Codec, Collection, CoreFile, Ending, Host, Lent, Limits, Lock,
    OldMemory, Snapshot, State, Store,
};
use kmem::{Allocator, Arc, Block, NoMemory, RawLock};
use loom::alloc::{alloc_zeroed, dealloc};
use loom::model::Builder;
use loom::thread;
use vmcore::bytes::Endian;
use vmcore::device_dump::Name;
use vmcore::elf::{Class, EM_X86_64, Encoding};
use vmcore::manifest::{Reason, Record, Renamed, Status};

/// A host whose memory, locks and owners loom watches. Of its codec, a chunk of one
/// value is that value, and no other chunk can be compressed.
struct Watched;

// SAFETY: it is the global allocator's zero-filled memory; loom watches that it is freed.
unsafe impl Allocator for Watched {
    const ALIGN: usize = 8;

    fn allocate(size: NonZeroUsize) -> Result<NonNull<u8>, NoMemory> {
        // SAFETY: the layout has a size.
        NonNull::new(unsafe { alloc_zeroed(layout(size)) }).ok_or(NoMemory)
    }

    unsafe fn free(memory: NonNull<u8>, size: NonZeroUsize) {
        // SAFETY: the caller promises that it is of `allocate`, with the same layout.
        unsafe { dealloc(memory.as_ptr(), layout(size)) }
    }
}

fn layout(size: NonZeroUsize) -> Layout {
    Layout::from_size_align(size.get(), Watched::ALIGN).unwrap()
}

struct WatchedLock(loom::sync::Mutex<()>);

// SAFETY: loom lets one thread at a time have the guard.
unsafe impl RawLock for WatchedLock {
    type Guard<'a> = loom::sync::MutexGuard<'a, ()>;

    fn lock(&self) -> loom::sync::MutexGuard<'_, ()> {
        self.0.lock().unwrap()
    }
}

impl Host for Watched {
    type Lock = WatchedLock;

    fn lock(_which: Lock) -> Result<WatchedLock, NoMemory> {
        Ok(WatchedLock(loom::sync::Mutex::new(())))
    }

    fn affords(_bytes: u64) -> bool {
        true
    }
}

impl Codec for Watched {
    type Workspace = ();

    fn workspace() -> Result<(), NoMemory> {
        Ok(())
    }

    fn bound(length: usize) -> usize {
        length
    }

    fn compress((): &mut (), from: &[u8], to: &mut [u8]) -> Option<usize> {
        to[0] = from[0];
        from.iter().all(|byte| *byte == from[0]).then_some(1)
    }

    fn decompress(from: &[u8], to: &mut [u8]) -> bool {
        to.fill(from[0]);
        true
    }

    fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc, bytes)
    }
}

impl Clock for Watched {
    fn milliseconds() -> u64 {
        0
    }
}

/// There is none in a file of notes alone.
impl<S> OldMemory<S> for Watched {
    type Error = NoMemory;

    fn read(&self, _physical: u64, _length: usize, _sink: &mut S) -> Result<usize, NoMemory> {
        unreachable!()
    }
}

const PLENTY: Limits = Limits { total: 1 << 40, dump: 1 << 40, inline: 1 << 40, room: 1 << 40 };

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(model);
}

fn store(limits: Limits) -> Arc<Store<Watched>, Watched> {
    Arc::new(Store::new(limits).unwrap()).unwrap()
}

fn start(store: &Arc<Store<Watched>, Watched>) -> Collection<Watched> {
    Collection::start(store, &Name::new(b"nic").unwrap(), Renamed::default(), 0)
}

fn collect(store: &Arc<Store<Watched>, Watched>, payload: &[u8]) -> Record {
    let collection = start(store);
    let mut writer = collection.writer(None).unwrap();
    let _ = writer.write(payload);
    collection.end(Some(writer), Ending::Returned(0))
}

/// How much of the budget these payloads take, one after the other.
fn used_by(payloads: &[&[u8]]) -> u64 {
    let store = store(PLENTY);
    for payload in payloads {
        collect(&store, payload);
    }
    store.used()
}

fn snapshot(state: State<Watched>) -> Snapshot<Watched> {
    let encoding = Encoding { class: Class::Elf64, endian: Endian::Little };
    let notes = Arc::new(Block::new(0).unwrap()).unwrap();
    let file = CoreFile::notes_only(encoding, EM_X86_64, notes);
    Snapshot::new(Arc::new(file).unwrap(), state).unwrap()
}

fn read(snapshot: &Snapshot<Watched>, offset: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut to = Buffer::new(&mut bytes);
    assert_eq!(snapshot.read(offset as u64, &mut to, &Watched), Ok(length));
    bytes
}

/// The records of the collections that have ended, after checks of a state that
/// somebody has seen.
fn ended(state: &State<Watched>) -> Vec<Record> {
    let ended: Vec<Record> = state.ended().iter().map(|dump| *dump.record()).collect();
    let running: Vec<Record> = state.running().copied().collect();
    let names: HashSet<String> =
        ended.iter().chain(&running).map(|record| record.name.unwrap().to_string()).collect();
    assert_eq!(names.len(), ended.len() + running.len(), "a name twice");
    assert!(running.iter().all(|record| record.status == Status::Running));

    let snapshot = snapshot(state.clone());
    let mut offset = 4096;
    for record in ended.iter().filter(|record| record.length > 0) {
        let note = read(&snapshot, offset, 64 + record.length as usize);
        let name = record.name.unwrap().to_string();
        assert_eq!(&note[20..20 + name.len()], name.as_bytes());
        assert_eq!(crc32c::crc32c(&note[64..]), record.crc32c);
        offset += note.len().next_multiple_of(4);
    }
    ended
}

#[test]
fn two_collect_and_a_reader_opens_the_file() {
    const PAYLOADS: [&[u8]; 2] = [b"some", b"registers"];
    check(|| {
        let store = store(PLENTY);
        let collectors = PAYLOADS.map(|payload| {
            let store = store.clone();
            thread::spawn(move || collect(&store, payload))
        });
        let (first, second) = (store.state(), store.state());
        let records = collectors.map(|collector| collector.join().unwrap());
        let last = store.state();

        assert!(ended(&second).starts_with(&ended(&first)));
        assert!(ended(&last).starts_with(&ended(&second)));
        assert_eq!(ended(&last).len(), 2);
        assert_eq!(last.running().count(), 0);
        for (record, payload) in records.iter().zip(PAYLOADS) {
            assert_eq!((record.status, record.length as usize), (Status::Complete, payload.len()));
            assert!(ended(&last).contains(record));
        }
        let names: HashSet<String> =
            records.iter().map(|record| record.name.unwrap().to_string()).collect();
        assert_eq!(names, HashSet::from(["nic".to_owned(), "nic#2".to_owned()]));
        assert_eq!(store.used(), used_by(&PAYLOADS));
    });
}

#[test]
fn a_writer_is_taken_away_between_pieces() {
    /// Two of them do not end where a chunk does.
    const PIECE: usize = CHUNK_SIZE / 4 * 3;
    const PIECES: usize = 3;
    check(|| {
        let store = store(PLENTY);
        let collection = start(&store);
        let lent = Lent::new(collection.writer(None).unwrap()).unwrap();
        let lent = Arc::<_, Watched>::new(lent).unwrap();
        let collector = {
            let lent = lent.clone();
            thread::spawn(move || {
                let write = |piece: usize| {
                    lent.write_with(PIECE as u64, |to| {
                        to.fill(piece as u8 + 1);
                        true
                    })
                };
                (0..PIECES).map(write).collect::<Vec<_>>()
            })
        };
        let writer = lent.take();
        assert!(lent.take().is_none());
        let record = collection.end(writer, Ending::Late);
        let written = collector.join().unwrap();

        let whole = written.iter().take_while(|written| written.is_ok()).count();
        assert_eq!(record.length as usize, whole * PIECE);
        assert!(written[whole..].iter().all(|written| *written == Err(Reason::Deadline)));
        assert_eq!(record.reason, Some(Reason::Deadline));
        let state = store.state();
        assert_eq!(ended(&state), [record]);
        let payload: Vec<u8> = (1..=whole as u8).flat_map(|piece| vec![piece; PIECE]).collect();
        assert_eq!(read(&snapshot(state), 4096 + 64, payload.len()), payload);
        assert_eq!(store.used(), used_by(&[&payload]));
    });
}

#[test]
fn two_writers_want_what_one_can_get() {
    // After one chunk, half of what is left is less than another one.
    const TOTAL: u64 = CHUNK_SIZE as u64 * 5 / 2;
    static PAYLOAD: [u8; CHUNK_SIZE] = {
        let mut payload = [1; CHUNK_SIZE];
        payload[0] = 2;
        payload
    };
    check(|| {
        let store = store(Limits { total: TOTAL, ..PLENTY });
        let collectors = [(); 2].map(|()| {
            let store = store.clone();
            thread::spawn(move || collect(&store, &PAYLOAD))
        });
        assert!(store.used() <= TOTAL);
        let records = collectors.map(|collector| collector.join().unwrap());
        assert!(store.used() <= TOTAL);
        let outcomes = records.map(|record| (record.length as usize, record.reason));
        let (gets_it, does_not) = ((CHUNK_SIZE, None), (0, Some(Reason::Budget)));
        assert!(outcomes == [gets_it, does_not] || outcomes == [does_not, gets_it], "{outcomes:?}");
        assert_eq!(store.used(), used_by(&[&PAYLOAD, b""]));
    });
}

#[test]
fn two_read_different_chunks_of_one_open_file() {
    check(|| {
        let store = store(PLENTY);
        collect(&store, &[vec![1; CHUNK_SIZE], vec![2; CHUNK_SIZE]].concat());
        let open = Arc::<_, Watched>::new(snapshot(store.state())).unwrap();
        let other = {
            let open = open.clone();
            thread::spawn(move || read(&open, 4096 + 64 + CHUNK_SIZE, 10))
        };
        assert_eq!(read(&open, 4096 + 64, 10), [1; 10]);
        assert_eq!(read(&open, 4096 + 64 + CHUNK_SIZE, 10), [2; 10]);
        assert_eq!(other.join().unwrap(), [2; 10]);
    });
}
