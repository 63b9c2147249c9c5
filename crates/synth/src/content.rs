// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Bytes that need not be held to be written.

/// Some bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These.
    Bytes(Vec<u8>),
    /// So many zeros; a hole where the file is written to disk.
    Zeros(u64),
    /// So many bytes that look random, the same ones for the same `seed`.
    Pattern {
        /// What the bytes depend on.
        seed: u64,
        /// How many there are.
        length: u64,
    },
}

impl Content {
    /// How many bytes this is.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(length) | Self::Pattern { length, .. } => *length,
        }
    }

    /// Fills `to` with the bytes from `start` on.
    ///
    /// # Panics
    /// When the content ends before `to` is full.
    pub fn read(&self, start: u64, to: &mut [u8]) {
        assert!(start + to.len() as u64 <= self.length(), "read past the end");
        match self {
            Self::Bytes(bytes) => to.copy_from_slice(&bytes[start as usize..][..to.len()]),
            Self::Zeros(_) => to.fill(0),
            Self::Pattern { seed, .. } => {
                for (byte, at) in to.iter_mut().zip(start..) {
                    let mixed = (seed ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    *byte = (mixed >> 56) as u8;
                }
            }
        }
    }

    /// All bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length() as usize];
        self.read(0, &mut bytes);
        bytes
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
