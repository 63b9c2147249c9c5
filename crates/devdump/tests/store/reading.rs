// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Readers of one open file: what they cost, and several of them at once.

use std::thread;

use devdump::{Buffer, Sink, Snapshot};
use kmem::NoMemory;

use crate::given::{Given, assert_same, read, read_all};
use crate::host::{Limited, Pattern};
use crate::naive::{CHUNK, Collected, Files, registers};

const CHUNKS: usize = 5;

/// The offset of the first dump's payload in a file of one header page.
const PAYLOAD: u64 = 4096 + 64;

fn given_dump() -> (Given, Files) {
    let given = Given::new();
    let payload = registers(1, CHUNKS * CHUNK);
    given.collect("nic", &payload);
    (given, Files::after([Collected::complete("nic", &payload)]))
}

#[test]
fn reading_on_decompresses_each_chunk_once() {
    let (given, files) = given_dump();
    let snapshot = given.snapshot(&given.vmcore);
    let pages = (0..snapshot.size()).step_by(4096).map(|offset| read(&snapshot, offset, 4096));
    let file: Vec<u8> = pages.collect::<Vec<_>>().concat();
    assert_same(&file, &files.vmcore());
    assert_eq!(given.host.decompressed(), CHUNKS as u64);
}

#[test]
fn reading_allocates_nothing() {
    let (given, files) = given_dump();
    let snapshot = given.snapshot(&given.vmcore);
    given.host.refill(0);
    assert_same(&read_all(&snapshot), &files.vmcore());
}

#[test]
fn several_threads_read_one_open_file() {
    let (given, files) = given_dump();
    let (snapshot, whole) = (&given.snapshot(&given.vmcore), &files.vmcore());
    thread::scope(|scope| {
        for thread in 0..3_usize {
            scope.spawn(move || {
                for step in 0..40 {
                    let offset = (thread * 37 + step * 31) % (whole.len() / 4096) * 4096 + 100;
                    let expected = &whole[offset..whole.len().min(offset + 9000)];
                    assert_same(&read(snapshot, offset as u64, expected.len()), expected);
                }
            });
        }
    });
}

/// Reads elsewhere in the file while it takes bytes, as another thread may do.
struct Interrupted<'a> {
    snapshot: &'a Snapshot<Limited>,
    elsewhere: u64,
    /// What it read there.
    meanwhile: Option<Result<Vec<u8>, NoMemory>>,
    taken: Vec<u8>,
    space: usize,
}

impl Sink for Interrupted<'_> {
    fn space(&self) -> usize {
        self.space
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let mut meanwhile = vec![0; 100];
        let mut to = Buffer::new(&mut meanwhile);
        let read = self.snapshot.read(self.elsewhere, &mut to, &Pattern);
        self.meanwhile = Some(read.map(|count| meanwhile[..count].to_vec()));
        self.taken.extend(bytes);
        self.space -= bytes.len();
        bytes.len()
    }

    fn zeros(&mut self, count: usize) -> usize {
        self.bytes(&vec![0; count])
    }
}

/// Reads 100 bytes of the first chunk, and as many of the fourth meanwhile.
fn interrupted(snapshot: &Snapshot<Limited>) -> Interrupted<'_> {
    let elsewhere = PAYLOAD + 3 * CHUNK as u64;
    let (meanwhile, taken) = (None, Vec::new());
    let mut sink = Interrupted { snapshot, elsewhere, meanwhile, taken, space: 100 };
    assert_eq!(snapshot.read(PAYLOAD, &mut sink, &Pattern), Ok(100));
    sink
}

#[test]
fn a_chunk_stays_while_it_is_copied() {
    let (given, files) = given_dump();
    let snapshot = given.snapshot(&given.vmcore);
    let sink = interrupted(&snapshot);
    let file = files.vmcore();
    assert_same(&sink.taken, &file[PAYLOAD as usize..][..100]);
    let expected = file[sink.elsewhere as usize..][..100].to_vec();
    assert_eq!(sink.meanwhile, Some(Ok(expected)));
}

#[test]
fn want_of_memory_is_not_the_end_of_the_file() {
    let (given, files) = given_dump();
    let snapshot = given.snapshot(&given.vmcore);
    given.host.refill(0);
    let sink = interrupted(&snapshot);
    assert_same(&sink.taken, &files.vmcore()[PAYLOAD as usize..][..100]);
    assert_eq!(sink.meanwhile, Some(Err(NoMemory)));
    // Alone it needs none.
    assert_same(&read_all(&snapshot), &files.vmcore());
}
