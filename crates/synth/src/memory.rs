// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Physical memory of which some pages are there.

use std::collections::BTreeMap;

use crate::PAGE;

/// Pages of memory, by their numbers.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Pages {
    /// No memory at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with `bytes` at `physical`; the rest of the pages that these are on is zero
    /// where nothing else was put there.
    #[must_use]
    pub fn with(mut self, physical: u64, bytes: &[u8]) -> Self {
        for (at, byte) in (physical..).zip(bytes) {
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; PAGE as usize]);
            page[(at % PAGE) as usize] = *byte;
        }
        self
    }

    /// The same with little-endian numbers of 4 bytes at `physical`.
    #[must_use]
    pub fn with_words(self, physical: u64, words: &[u32]) -> Self {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.with(physical, &bytes)
    }

    /// The same with little-endian numbers of 8 bytes at `physical`.
    #[must_use]
    pub fn with_wides(self, physical: u64, wides: &[u64]) -> Self {
        let bytes: Vec<u8> = wides.iter().flat_map(|wide| wide.to_le_bytes()).collect();
        self.with(physical, &bytes)
    }

    /// The same without the page at `physical`.
    #[must_use]
    pub fn without(mut self, physical: u64) -> Self {
        self.pages.remove(&(physical / PAGE));
        self
    }

    /// Fills `to` with what is at `physical`; false where not all of it is there.
    pub fn read(&self, physical: u64, to: &mut [u8]) -> bool {
        for (at, byte) in (physical..).zip(to) {
            let Some(page) = self.pages.get(&(at / PAGE)) else { return false };
            *byte = page[(at % PAGE) as usize];
        }
        true
    }

    /// All pages.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(number, page)| (*number, page.as_slice()))
    }
}
