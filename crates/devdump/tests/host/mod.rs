// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A host of the store for tests: the global allocator, with a given number of
//! allocations before it fails.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use devdump::{Memory, NoMemory, OldMemory, Sink};

/// Memory whose allocations fail once `left` of them were made.
#[derive(Clone)]
pub struct Limited {
    left: Rc<Cell<u64>>,
}

impl Limited {
    pub fn unlimited() -> Self {
        Self::after(u64::MAX)
    }

    pub fn after(allocations: u64) -> Self {
        Self { left: Rc::new(Cell::new(allocations)) }
    }

    pub fn refill(&self, allocations: u64) {
        self.left.set(allocations);
    }

    fn allocate(&self) -> Result<(), NoMemory> {
        let left = self.left.get().checked_sub(1).ok_or(NoMemory)?;
        self.left.set(left);
        Ok(())
    }
}

pub struct List<T> {
    memory: Limited,
    values: Vec<T>,
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
        self.memory.allocate()?;
        self.values.push(value);
        Ok(())
    }
}

impl Memory for Limited {
    type Block = Vec<u8>;
    type List<T> = List<T>;
    type Shared<T> = Rc<T>;

    fn block(&self, size: usize) -> Result<Vec<u8>, NoMemory> {
        self.allocate()?;
        Ok(vec![0; size])
    }

    fn list<T>(&self) -> List<T> {
        List { memory: self.clone(), values: Vec::new() }
    }

    fn share<T>(&self, value: T) -> Result<Rc<T>, NoMemory> {
        self.allocate()?;
        Ok(Rc::new(value))
    }
}

/// Old memory whose byte at an address can be told from the address.
pub struct Pattern;

impl Pattern {
    pub fn byte(physical: u64) -> u8 {
        (physical ^ (physical >> 8) ^ (physical >> 16)) as u8
    }
}

impl OldMemory for Pattern {
    type Error = Infallible;

    fn read<S: Sink>(
        &self,
        physical: u64,
        length: usize,
        sink: &mut S,
    ) -> Result<usize, Infallible> {
        let bytes: Vec<u8> = (physical..physical + length as u64).map(Self::byte).collect();
        Ok(sink.bytes(&bytes))
    }
}
