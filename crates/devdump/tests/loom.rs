// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What several threads do to one store, in every order that matters:
//!
//!     RUSTFLAGS="--cfg loom" cargo test --release -p devdump --test loom --target-dir target/loom
#![cfg(loom)]

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};

use devdump::{
    Block, Buffer, CHUNK_SIZE, Clock, Codec, Collection, CoreFile, Ending, Lent, Limits, List,
    Lock, Memory, Mutex, NoMemory, OldMemory, Shared, Snapshot, State, Store,
};
use loom::model::Builder;
use loom::thread;
use vmcore::device_dump::Name;
use vmcore::elf::{Class, EM_X86_64, Encoding, Endian};
use vmcore::manifest::{Reason, Record, Renamed, Status};

/// A host whose locks and owners loom watches. Of its codec, a chunk of one
/// value is that value, and no other chunk can be compressed.
#[derive(Clone)]
struct Watched;

struct Bytes(Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Block for Bytes {
    fn split_to(&mut self, at: usize) -> Self {
        let rest = self.0.split_off(at.min(self.0.len()));
        Self(std::mem::replace(&mut self.0, rest))
    }
}

struct Values<T>(Vec<T>);

impl<T> Deref for Values<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Values<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> List<T> for Values<T> {
    fn push(&mut self, value: T) -> Result<(), NoMemory> {
        self.0.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn shrink(&mut self) {}
}

struct Owned<T>(loom::sync::Arc<T>);

impl<T> Clone for Owned<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Shared<T> for Owned<T> {
    fn unique(&mut self) -> Option<&mut T> {
        loom::sync::Arc::get_mut(&mut self.0)
    }
}

struct Locked<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> for Locked<T> {
    fn with<R>(&self, use_value: impl FnOnce(&mut T) -> R) -> R {
        use_value(&mut self.0.lock().unwrap())
    }
}

impl Memory for Watched {
    type Block = Bytes;
    type List<T> = Values<T>;
    type Shared<T> = Owned<T>;
    type Mutex<T> = Locked<T>;

    fn block(&self, size: usize) -> Result<Bytes, NoMemory> {
        Ok(Bytes(vec![0; size]))
    }

    fn list<T>(&self) -> Values<T> {
        Values(Vec::new())
    }

    fn list_of<T>(&self, capacity: usize) -> Result<Values<T>, NoMemory> {
        Ok(Values(Vec::with_capacity(capacity)))
    }

    fn share<T>(&self, value: T) -> Result<Owned<T>, NoMemory> {
        Ok(Owned(loom::sync::Arc::new(value)))
    }

    fn mutex<T>(&self, _lock: Lock, value: T) -> Result<Locked<T>, NoMemory> {
        Ok(Locked(loom::sync::Mutex::new(value)))
    }

    fn affords(&self, _bytes: u64) -> bool {
        true
    }
}

impl Codec for Watched {
    type Workspace = ();

    fn workspace(&self) -> Result<(), NoMemory> {
        Ok(())
    }

    fn bound(&self, length: usize) -> usize {
        length
    }

    fn compress(&self, (): &mut (), from: &[u8], to: &mut [u8]) -> Option<usize> {
        to[0] = from[0];
        from.iter().all(|byte| *byte == from[0]).then_some(1)
    }

    fn decompress(&self, from: &[u8], to: &mut [u8]) -> bool {
        to.fill(from[0]);
        true
    }

    fn crc32c(&self, crc: u32, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc, bytes)
    }
}

impl Clock for Watched {
    fn milliseconds(&self) -> u64 {
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

fn store(limits: Limits) -> Owned<Store<Watched>> {
    Watched.share(Store::new(Watched, limits).unwrap()).unwrap()
}

fn start(store: &Owned<Store<Watched>>) -> Collection<Watched> {
    Collection::start(store, &Name::new(b"nic").unwrap(), Renamed::default(), 0)
}

fn collect(store: &Owned<Store<Watched>>, payload: &[u8]) -> Record {
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
    let notes = Watched.share(Watched.block(0).unwrap()).unwrap();
    let file = CoreFile::notes_only(&Watched, encoding, EM_X86_64, notes);
    Snapshot::new(&Watched, Watched.share(file).unwrap(), state).unwrap()
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
        let lent = Lent::new(&Watched, collection.writer(None).unwrap()).unwrap();
        let lent = Watched.share(lent).unwrap();
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
        let open = Watched.share(snapshot(store.state())).unwrap();
        let other = {
            let open = open.clone();
            thread::spawn(move || read(&open, 4096 + 64 + CHUNK_SIZE, 10))
        };
        assert_eq!(read(&open, 4096 + 64, 10), [1; 10]);
        assert_eq!(read(&open, 4096 + 64 + CHUNK_SIZE, 10), [2; 10]);
        assert_eq!(other.join().unwrap(), [2; 10]);
    });
}
