// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The profiles that there are: those of this project, and the operator's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use plan::plan::DIGEST_SIZE;
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::model::{DriverDump, Profile};

/// The profiles that are built in, each with its name and text, in the order of the names.
pub const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// A profile that was compiled, or what is wrong with it.
pub type Compiled = Result<(Profile, Vec<u8>), Vec<Fault>>;

/// A profile of a library.
#[derive(Debug)]
struct Entry {
    name: String,
    bytes: Cow<'static, [u8]>,
    /// Compiled when it is asked for first: most dumps need few.
    compiled: Option<Rc<Compiled>>,
}

/// Profiles by their names. Of a name there can be several: those that were added first come
/// before others.
#[derive(Debug)]
pub struct Library {
    entries: Vec<Entry>,
    by_digest: BTreeMap<[u8; DIGEST_SIZE], usize>,
}

impl Library {
    /// No profile.
    #[must_use]
    pub const fn empty() -> Self {
        Self { entries: Vec::new(), by_digest: BTreeMap::new() }
    }

    /// `operator`, each with the name of its file without the extension, and the profiles
    /// that are built in after them.
    #[must_use]
    pub fn with_built_in(operator: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut library = Self::empty();
        for (name, bytes) in operator {
            library.add(name, Cow::Owned(bytes));
        }
        for (name, text) in BUILT_IN {
            library.add((*name).to_owned(), Cow::Borrowed(text.as_bytes()));
        }
        library
    }

    /// Adds the profile of the file that has `bytes`.
    pub fn add(&mut self, name: String, bytes: Cow<'static, [u8]>) {
        let digest = Sha256::digest(&bytes).into();
        self.by_digest.entry(digest).or_insert(self.entries.len());
        self.entries.push(Entry { name, bytes, compiled: None });
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The profile of a name that comes before others of it.
    pub fn named(&mut self, name: &str) -> Option<Rc<Compiled>> {
        let number = self.entries.iter().position(|entry| entry.name == name)?;
        self.compiled(number)
    }

    /// The profile whose file has this SHA-256, or else the one of this name.
    pub(crate) fn of(&mut self, name: &str, digest: &[u8; DIGEST_SIZE]) -> Option<Rc<Compiled>> {
        match self.by_digest.get(digest).copied() {
            Some(number) => self.compiled(number),
            None => self.named(name),
        }
    }

    /// The profile for the dumps that `driver` makes, and what it says of them.
    pub(crate) fn of_driver(&mut self, driver: &str) -> Option<(Rc<Compiled>, DriverDump)> {
        (0..self.entries.len()).find_map(|number| {
            // To compile all of them would take longer than all else: what has no such node
            // does not have its name either.
            let bytes = &self.entries.get(number)?.bytes;
            let mut words = bytes.windows(b"dump".len());
            words.find(|word| *word == b"dump")?;
            let compiled = self.compiled(number)?;
            let (profile, _) = compiled.as_ref().as_ref().ok()?;
            let dump = profile.dumps.iter().find(|dump| dump.driver == driver)?.clone();
            Some((compiled, dump))
        })
    }

    fn compiled(&mut self, number: usize) -> Option<Rc<Compiled>> {
        let entry = self.entries.get_mut(number)?;
        let compile = || Rc::new(crate::compile_file(&entry.name, &entry.bytes));
        Some(Rc::clone(entry.compiled.get_or_insert_with(compile)))
    }
}
