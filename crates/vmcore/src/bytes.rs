// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Numbers in byte strings, without a panicking operation.

use crate::elf::Endian;

/// Copies `from` to the start of `to`, as far as both reach.
///
/// `copy_from_slice` panics on unequal lengths; this cannot.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Puts `value` at `at`; `None` when it would end behind `bytes`.
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut::<N>()? = value;
    Some(())
}

impl Endian {
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(raw),
            Self::Big => u16::from_be_bytes(raw),
        })
    }

    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(raw),
            Self::Big => u32::from_be_bytes(raw),
        })
    }

    pub(crate) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = array(bytes, at)?;
        Some(match self {
            Self::Little => u64::from_le_bytes(raw),
            Self::Big => u64::from_be_bytes(raw),
        })
    }

    pub(crate) fn put_u16(self, bytes: &mut [u8], at: usize, value: u16) -> Option<()> {
        put(
            bytes,
            at,
            match self {
                Self::Little => value.to_le_bytes(),
                Self::Big => value.to_be_bytes(),
            },
        )
    }

    pub(crate) fn put_u32(self, bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
        put(
            bytes,
            at,
            match self {
                Self::Little => value.to_le_bytes(),
                Self::Big => value.to_be_bytes(),
            },
        )
    }

    pub(crate) fn put_u64(self, bytes: &mut [u8], at: usize, value: u64) -> Option<()> {
        put(
            bytes,
            at,
            match self {
                Self::Little => value.to_le_bytes(),
                Self::Big => value.to_be_bytes(),
            },
        )
    }
}
