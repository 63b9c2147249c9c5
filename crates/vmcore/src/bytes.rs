// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Byte strings and the numbers in them, without a panicking operation.

/// Byte order of every number in a file (`EI_DATA`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first (`ELFDATA2LSB`).
    Little,
    /// Most significant byte first (`ELFDATA2MSB`).
    Big,
}

/// Copies `from` to the start of `to`, as far as both reach; gives how many bytes.
///
/// `copy_from_slice` panics on unequal lengths; this cannot.
pub fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let length = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
    length
}

/// The `N` bytes at `at`.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Puts `value` at `at`; `None` when it would end after `bytes`.
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut::<N>()? = value;
    Some(())
}

/// Reads and writes numbers of one width in either byte order.
macro_rules! numbers {
    ($($number:ty: $get:ident, $put:ident;)+) => {
        impl Endian {
            $(
                #[doc = concat!("The `", stringify!($number), "` at `at`; `None` when it ends after `bytes`.")]
                #[must_use]
                pub fn $get(self, bytes: &[u8], at: usize) -> Option<$number> {
                    let raw = array(bytes, at)?;
                    Some(match self {
                        Self::Little => <$number>::from_le_bytes(raw),
                        Self::Big => <$number>::from_be_bytes(raw),
                    })
                }

                #[doc = concat!("Puts the `", stringify!($number), "` `value` at `at`; `None` when it would end after `bytes`.")]
                pub fn $put(self, bytes: &mut [u8], at: usize, value: $number) -> Option<()> {
                    let raw = match self {
                        Self::Little => value.to_le_bytes(),
                        Self::Big => value.to_be_bytes(),
                    };
                    put(bytes, at, raw)
                }
            )+
        }
    };
}

numbers! {
    u16: u16, put_u16;
    u32: u32, put_u32;
    u64: u64, put_u64;
}
