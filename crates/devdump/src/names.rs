// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which names are free, without a look at every dump.

use crate::host::Host;
use crate::memory::{List as _, NoMemory};

/// How many places there are at first; a power of two.
const PLACES_LEAST: usize = 64;

/// The hashes of all names: a table with a hash at the first free place behind the
/// one that it names. Without memory for it, any name may be there.
pub(crate) struct Names<H: Host> {
    /// Their number is a power of two; 0 is a free place.
    places: H::List<u32>,
    count: usize,
    /// There was no memory for all of them.
    incomplete: bool,
}

impl<H: Host> Names<H> {
    pub fn new(host: &H) -> Self {
        Self { places: host.list(), count: 0, incomplete: false }
    }

    /// Whether a name with `hash` may be there.
    pub fn may_have(&self, hash: u32) -> bool {
        self.incomplete || find(&self.places, hash).is_some_and(|place| place != 0)
    }

    /// Takes up a name with `hash`.
    pub fn add(&mut self, host: &H, hash: u32) {
        if self.may_have(hash) {
            return;
        }
        if self.count >= self.places.len() / 2 && self.grow(host) == Err(NoMemory) {
            self.incomplete = true;
            self.places = host.list();
            return;
        }
        put(&mut self.places, hash);
        self.count += 1;
    }

    fn grow(&mut self, host: &H) -> Result<(), NoMemory> {
        let size = self.places.len().saturating_mul(2).max(PLACES_LEAST);
        let mut places = host.list_of(size)?;
        for _ in 0..size {
            places.push(0)?;
        }
        self.places.iter().filter(|hash| **hash != 0).for_each(|hash| put(&mut places, *hash));
        self.places = places;
        Ok(())
    }
}

/// The places where `hash` may be, in turn; half of all are free.
fn places(count: usize, hash: u32) -> impl Iterator<Item = usize> {
    let mask = count.wrapping_sub(1);
    (0..count).map(move |step| (hash as usize).wrapping_add(step) & mask)
}

/// As it stands in a place.
fn shown(hash: u32) -> u32 {
    hash.max(1)
}

/// What stands where `hash` is or would be.
fn find(all: &[u32], hash: u32) -> Option<u32> {
    let hash = shown(hash);
    let mut found = places(all.len(), hash).filter_map(|index| all.get(index).copied());
    found.find(|place| *place == 0 || *place == hash)
}

fn put(all: &mut [u32], hash: u32) {
    let hash = shown(hash);
    for index in places(all.len(), hash) {
        if let Some(place) = all.get_mut(index)
            && *place == 0
        {
            *place = hash;
            return;
        }
    }
}
