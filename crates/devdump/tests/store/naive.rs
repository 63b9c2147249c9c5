// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The files that readers must see, written down by another hand: from what a test
//! knows, by `synth`, and without a line of the crates under test.

use synth::{Class, Endian, Load, NoteSpec, Vmcore};

use crate::host::Pattern;

/// Of a dump, so many bytes are kept as one piece.
pub const CHUNK: usize = 32 * 1024;

const LOADS: [(u64, u64); 2] = [(0x10_0000, 0x3000), (0x4000_0000, 0x1000)];

/// One collection, as it must be told of.
#[derive(Debug, Clone)]
pub struct Collected {
    pub name: String,
    /// The value of `RENAMED`; empty where there is none.
    pub renamed: &'static str,
    pub status: &'static str,
    /// The value of `REASON`; empty where there is none.
    pub reason: &'static str,
    /// The value of `ERRNO`; 0 where there is none.
    pub errno: i32,
    pub payload: Vec<u8>,
    /// Whether its note stands in `/proc/vmcore`.
    pub inline: bool,
    pub declared: u64,
    pub milliseconds: u64,
}

impl Collected {
    /// All that was written is there.
    pub fn complete(name: &str, payload: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            renamed: "",
            status: "complete",
            reason: "",
            errno: 0,
            payload: payload.to_owned(),
            inline: true,
            declared: 0,
            milliseconds: 0,
        }
    }

    /// A part is there, or nothing.
    pub fn cut(name: &str, payload: &[u8], reason: &'static str) -> Self {
        let status = if payload.is_empty() { "failed" } else { "partial" };
        Self { status, reason, ..Self::complete(name, payload) }
    }

    pub fn refused(name: &str, reason: &'static str) -> Self {
        Self { status: "refused", reason, ..Self::complete(name, &[]) }
    }

    pub fn running(name: &str) -> Self {
        Self { status: "running", ..Self::complete(name, &[]) }
    }

    /// Its lines in the manifest.
    fn text(&self) -> String {
        let mut lines = vec![format!("NAME={}", self.name)];
        if !self.renamed.is_empty() {
            lines.push(format!("RENAMED={}", self.renamed));
        }
        lines.push(format!("STATUS={}", self.status));
        if !self.reason.is_empty() {
            lines.push(format!("REASON={}", self.reason));
        }
        if self.errno != 0 {
            lines.push(format!("ERRNO={}", self.errno));
        }
        let length = self.payload.len() as u64;
        if length > 0 {
            lines.push(format!("IN={}", if self.inline { "vmcore" } else { "vmcoredd" }));
            lines.push(format!("LENGTH={length}"));
            if self.declared != 0 && self.declared != length {
                lines.push(format!("DECLARED={}", self.declared));
            }
            lines.push(format!("STORED={}", stored(&self.payload)));
        }
        if !["running", "refused"].contains(&self.status) {
            lines.push(format!("MILLISECONDS={}", self.milliseconds));
        }
        if length > 0 {
            lines.push(format!("CRC32C={:08x}", crc32c::crc32c(&self.payload)));
        }
        lines.join("\n") + "\n"
    }
}

/// How many bytes a payload takes: nothing where a chunk is zeros, else what LZ4
/// makes of it, or the chunk itself where that saves less than a sixteenth.
pub fn stored(payload: &[u8]) -> u64 {
    let of = |chunk: &[u8]| {
        if chunk.iter().all(|byte| *byte == 0) {
            return 0;
        }
        let small = lz4_flex::block::compress(chunk).len();
        let worthwhile = small < chunk.len() && small <= chunk.len() - chunk.len() / 16;
        if worthwhile { small } else { chunk.len() }
    };
    payload.chunks(CHUNK).map(of).sum::<usize>() as u64
}

/// The state of both files at one moment.
#[derive(Debug, Clone)]
pub struct Files {
    pub class: Class,
    pub endian: Endian,
    /// In the order in which they ended.
    pub ended: Vec<Collected>,
    /// In the order of the places in which they stand.
    pub running: Vec<Collected>,
    pub unrecorded: u64,
}

impl Files {
    pub fn new(class: Class, endian: Endian) -> Self {
        Self { class, endian, ended: Vec::new(), running: Vec::new(), unrecorded: 0 }
    }

    /// Of 64 bits, little-endian, after these collections.
    pub fn after<const N: usize>(ended: [Collected; N]) -> Self {
        Self { ended: ended.to_vec(), ..Self::new(Class::Elf64, Endian::Little) }
    }

    pub fn vmcore(&self) -> Vec<u8> {
        let made = self.made(|collected| collected.inline);
        let with_memory = LOADS.into_iter().fold(made, |made, (physical, size)| {
            let bytes: Vec<u8> = (physical..physical + size).map(Pattern::byte).collect();
            made.load(Load::new(physical, bytes))
        });
        with_memory.image().to_vec()
    }

    pub fn vmcoredd(&self) -> Vec<u8> {
        self.made(|_| true).image().to_vec()
    }

    fn made(&self, stands_in_it: impl Fn(&Collected) -> bool) -> Vmcore {
        let mut made = Vmcore::new(self.class, self.endian);
        for dump in self.ended.iter().filter(|dump| !dump.payload.is_empty()) {
            if stands_in_it(dump) {
                made = made.dump(&dump.name, dump.payload.clone());
            }
        }
        if let Some(text) = self.manifest() {
            made = made.note(NoteSpec::new("VMCOREDD", 0x701, text.into_bytes()));
        }
        self.kernels_notes().into_iter().fold(made, Vmcore::note)
    }

    fn manifest(&self) -> Option<String> {
        if self.ended.is_empty() && self.running.is_empty() && self.unrecorded == 0 {
            return None;
        }
        let mut text = "VERSION=1\n".to_owned();
        if self.unrecorded > 0 {
            text += &format!("UNRECORDED={}\n", self.unrecorded);
        }
        text.extend(self.ended.iter().chain(&self.running).map(Collected::text));
        Some(text)
    }

    fn kernels_notes(&self) -> [NoteSpec; 2] {
        [NoteSpec::prstatus(self.endian, 1), NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n")]
    }

    /// The dead kernel's notes as they stand in the files, one after the other.
    pub fn notes(&self) -> Vec<u8> {
        let made = self
            .kernels_notes()
            .into_iter()
            .fold(Vmcore::new(self.class, self.endian), Vmcore::note);
        let header_size = made.header_size() as usize;
        made.image().to_vec()[header_size..][..made.notes_size() as usize].to_vec()
    }
}

/// `length` bytes of which nothing can be saved.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    // A generator of Marsaglia's, xorshift64*; it must not start with 0.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// `length` bytes of which much can be saved.
pub fn registers(seed: u64, length: usize) -> Vec<u8> {
    let register =
        |index: usize| format!("{index:08x}: {:08x}\n", seed.wrapping_mul(index as u64 / 7));
    (0..length.div_ceil(18)).flat_map(|index| register(index).into_bytes()).take(length).collect()
}
