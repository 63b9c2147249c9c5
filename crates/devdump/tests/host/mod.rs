// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A host of the store for tests: the global allocator, with a given number of
//! allocations before it fails, LZ4 and CRC-32C of other crates, and a clock that
//! moves when a test says so.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use devdump::{Clock, Codec, Lock, Memory, NoMemory, OldMemory, Sink};

/// Memory whose allocations fail once `left` of them were made.
#[derive(Clone)]
pub struct Limited {
    gauges: Arc<Gauges>,
}

struct Gauges {
    /// How many allocations succeed before some fail.
    left: AtomicU64,
    /// How many then fail before all succeed.
    failures: AtomicU64,
    /// How many bytes were allocated and are not freed yet.
    held: AtomicU64,
    affords: AtomicBool,
    milliseconds: AtomicU64,
    /// How many blocks were decompressed.
    decompressed: AtomicU64,
}

impl Limited {
    pub fn unlimited() -> Self {
        let gauges = Gauges {
            left: AtomicU64::new(u64::MAX),
            failures: AtomicU64::new(0),
            held: AtomicU64::new(0),
            affords: AtomicBool::new(true),
            milliseconds: AtomicU64::new(0),
            decompressed: AtomicU64::new(0),
        };
        Self { gauges: Arc::new(gauges) }
    }

    /// So many more allocations succeed, and none after them.
    pub fn refill(&self, allocations: u64) {
        self.gauges.left.store(allocations, SeqCst);
        self.gauges.failures.store(u64::MAX, SeqCst);
    }

    /// So many more allocations succeed, one fails, all others succeed.
    pub fn fail_once(&self, allocations: u64) {
        self.gauges.left.store(allocations, SeqCst);
        self.gauges.failures.store(1, SeqCst);
    }

    /// What [`Memory::affords`] says from now on.
    pub fn set_affords(&self, affords: bool) {
        self.gauges.affords.store(affords, SeqCst);
    }

    pub fn advance(&self, milliseconds: u64) {
        self.gauges.milliseconds.fetch_add(milliseconds, SeqCst);
    }

    /// How many more allocations succeed before some fail.
    pub fn left(&self) -> u64 {
        self.gauges.left.load(SeqCst)
    }

    /// How many bytes are allocated.
    pub fn held(&self) -> u64 {
        self.gauges.held.load(SeqCst)
    }

    /// How many blocks were decompressed.
    pub fn decompressed(&self) -> u64 {
        self.gauges.decompressed.load(SeqCst)
    }

    fn allocate(&self, size: usize) -> Result<Held, NoMemory> {
        let one_less = |count: u64| count.checked_sub(1);
        let Gauges { left, failures, held, .. } = &*self.gauges;
        if left.fetch_update(SeqCst, SeqCst, one_less).is_err()
            && failures.fetch_update(SeqCst, SeqCst, one_less).is_ok()
        {
            return Err(NoMemory);
        }
        let size = size as u64;
        held.fetch_add(size, SeqCst);
        Ok(Held { gauges: self.gauges.clone(), size })
    }
}

/// An allocation, counted until it is dropped.
pub struct Held {
    gauges: Arc<Gauges>,
    size: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauges.held.fetch_sub(self.size, SeqCst);
    }
}

impl Memory for Limited {
    type Block = Block;
    type List<T> = List<T>;
    type Shared<T> = Shared<T>;
    type Mutex<T> = Mutex<T>;

    fn block(&self, size: usize) -> Result<Block, NoMemory> {
        Ok(Block { allocation: Arc::new(self.allocate(size)?), bytes: vec![0; size] })
    }

    fn list<T>(&self) -> List<T> {
        List { host: self.clone(), room: None, capacity: 0, values: Vec::new() }
    }

    fn list_of<T>(&self, capacity: usize) -> Result<List<T>, NoMemory> {
        let mut list = self.list();
        list.set_capacity(capacity)?;
        Ok(list)
    }

    fn share<T>(&self, value: T) -> Result<Shared<T>, NoMemory> {
        let held = self.allocate(size_of::<(usize, T)>())?;
        Ok(Shared(Arc::new(Owned { value, _held: held })))
    }

    fn mutex<T>(&self, _lock: Lock, value: T) -> Result<Mutex<T>, NoMemory> {
        let held = self.allocate(size_of::<(usize, T)>())?;
        Ok(Mutex(std::sync::Mutex::new(Owned { value, _held: held })))
    }

    fn affords(&self, _bytes: u64) -> bool {
        self.gauges.affords.load(SeqCst)
    }
}

/// Some bytes of an allocation, all of which is held as long as a part of it is.
pub struct Block {
    allocation: Arc<Held>,
    bytes: Vec<u8>,
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl devdump::Block for Block {
    fn split_to(&mut self, at: usize) -> Self {
        let rest = self.bytes.split_off(at.min(self.bytes.len()));
        let bytes = std::mem::replace(&mut self.bytes, rest);
        Self { allocation: self.allocation.clone(), bytes }
    }
}

pub struct List<T> {
    host: Limited,
    room: Option<Held>,
    capacity: usize,
    values: Vec<T>,
}

impl<T> List<T> {
    fn set_capacity(&mut self, capacity: usize) -> Result<(), NoMemory> {
        let size = capacity * size_of::<T>();
        self.room = if size == 0 { None } else { Some(self.host.allocate(size)?) };
        self.capacity = capacity;
        Ok(())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values
    }
}

impl<T> devdump::List<T> for List<T> {
    fn push(&mut self, value: T) -> Result<(), NoMemory> {
        if self.values.len() == self.capacity {
            self.set_capacity((self.capacity * 2).max(4))?;
        }
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        self.values.pop()
    }

    fn shrink(&mut self) {
        if self.values.len() < self.capacity {
            // Without memory for that it stays as it is.
            let _ = self.set_capacity(self.values.len());
        }
    }
}

pub struct Shared<T>(Arc<Owned<T>>);

struct Owned<T> {
    value: T,
    _held: Held,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> devdump::Shared<T> for Shared<T> {
    fn unique(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.0).map(|owned| &mut owned.value)
    }
}

pub struct Mutex<T>(std::sync::Mutex<Owned<T>>);

impl<T> devdump::Mutex<T> for Mutex<T> {
    fn with<R>(&self, use_value: impl FnOnce(&mut T) -> R) -> R {
        use_value(&mut self.0.lock().expect("nobody panicked with it").value)
    }
}

impl Codec for Limited {
    type Workspace = Held;

    fn workspace(&self) -> Result<Held, NoMemory> {
        self.allocate(16 * 1024)
    }

    fn bound(&self, length: usize) -> usize {
        lz4_flex::block::get_maximum_output_size(length)
    }

    fn compress(&self, _workspace: &mut Held, from: &[u8], to: &mut [u8]) -> Option<usize> {
        lz4_flex::block::compress_into(from, to).ok()
    }

    fn decompress(&self, from: &[u8], to: &mut [u8]) -> bool {
        self.gauges.decompressed.fetch_add(1, SeqCst);
        lz4_flex::block::decompress_into(from, to).is_ok_and(|length| length == to.len())
    }

    fn crc32c(&self, crc: u32, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc, bytes)
    }
}

impl Clock for Limited {
    fn milliseconds(&self) -> u64 {
        self.gauges.milliseconds.load(SeqCst)
    }
}

/// Old memory whose byte at an address can be told from the address.
pub struct Pattern;

impl Pattern {
    pub fn byte(physical: u64) -> u8 {
        (physical ^ (physical >> 8) ^ (physical >> 16)) as u8
    }
}

impl<S: Sink> OldMemory<S> for Pattern {
    type Error = NoMemory;

    fn read(&self, physical: u64, length: usize, sink: &mut S) -> Result<usize, NoMemory> {
        let bytes: Vec<u8> = (physical..physical + length as u64).map(Self::byte).collect();
        Ok(sink.bytes(&bytes))
    }
}
