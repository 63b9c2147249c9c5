// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device-dump note: `struct vmcoredd_header` of
//! `include/uapi/linux/vmcore.h` and the driver's data after it.
//!
//! | offset | size | field | value |
//! |---|---|---|---|
//! | 0 | 4 | `n_namesz` | 8 |
//! | 4 | 4 | `n_descsz` | 44 + length |
//! | 8 | 4 | `n_type` | [`NT_VMCOREDD`] |
//! | 12 | 8 | `name` | `LINUX\0\0\0` |
//! | 20 | 44 | `dump_name` | [`Name`], zero-padded |
//! | 64 | length | payload | what the driver handed over, zero-padded to 4 bytes |
//!
//! Numbers are in the byte order of the file. The C implementation rounds the
//! whole note up to a page and counts that as payload; here `n_descsz` is exact.

use core::fmt;
use core::iter::once;

use crate::bytes::{self, Endian};
use crate::note::{self, NoteHeader};

/// `n_type` of a device dump (`NT_VMCOREDD`).
pub const NT_VMCOREDD: u32 = 0x700;
/// Owner of the note, as it stands in the file (`VMCOREDD_NOTE_NAME`).
pub const OWNER: [u8; 8] = *b"LINUX\0\0\0";
/// Size of the name field at the start of the desc, in bytes
/// (`VMCOREDD_MAX_NAME_BYTES`).
pub const NAME_SIZE: usize = 44;
/// Size of what stands before the payload, in bytes: note header, owner, name.
pub const HEADER_SIZE: usize = note::HEADER_SIZE + OWNER.len() + NAME_SIZE;
/// The longest payload a note can have, in bytes: `n_descsz` has 32 bits.
pub const LENGTH_MAX: u64 = u32::MAX as u64 - NAME_SIZE as u64;

/// Size of the note of a dump of `length` bytes, with padding, in bytes.
///
/// `None` when `length` is above [`LENGTH_MAX`].
#[must_use]
pub const fn note_size(length: u64) -> Option<u64> {
    if length > LENGTH_MAX { None } else { Some(HEADER_SIZE as u64 + note::align(length)) }
}

/// What stands before the payload of the dump `name`.
///
/// `None` when `length` is above [`LENGTH_MAX`].
#[must_use]
pub fn header(endian: Endian, name: &Name, length: u64) -> Option<[u8; HEADER_SIZE]> {
    let note_header = NoteHeader {
        name_size: OWNER.len() as u32,
        desc_size: u32::try_from(length.checked_add(NAME_SIZE as u64)?).ok()?,
        note_type: NT_VMCOREDD,
    };
    let mut header = [0; HEADER_SIZE];
    note_header.write(endian, &mut header)?;
    bytes::put(&mut header, note::HEADER_SIZE, OWNER)?;
    bytes::put(&mut header, note::HEADER_SIZE + OWNER.len(), name.field)?;
    Some(header)
}

/// Whether a note of this header and owner is a device dump.
///
/// Other owners may use the same type for something else.
#[must_use]
pub fn is_device_dump(header: &NoteHeader, owner: &[u8]) -> bool {
    header.note_type == NT_VMCOREDD && owner == b"LINUX" && header.desc_size as usize >= NAME_SIZE
}

/// The name of a dump: 1 to 43 bytes of printable ASCII, zero-padded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The field as it stands in the note.
    field: [u8; NAME_SIZE],
    /// Bytes before the padding: at least 1, below [`NAME_SIZE`].
    length: u8,
}

/// Why bytes are no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// There is not one byte before the terminating zero.
    Empty,
    /// There is no terminating zero within [`NAME_SIZE`] bytes.
    Unterminated,
}

impl NameError {
    /// What is wrong, in words.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Empty => "the dump name is empty",
            Self::Unterminated => "the dump name is longer than 43 bytes",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for NameError {}

impl Name {
    /// The name in `bytes`, up to a terminating zero or their end.
    ///
    /// Every byte that is not printable ASCII becomes `?`, and `/` becomes `!` as
    /// in sysfs: a driver's dump is worth more than its spelling, and a name must
    /// neither disturb a terminal nor be taken for a path.
    ///
    /// # Errors
    /// [`NameError`] when nothing is left or it is too long.
    pub fn new(bytes: &[u8]) -> Result<Self, NameError> {
        let name = note::until_zero(bytes);
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() >= NAME_SIZE {
            return Err(NameError::Unterminated);
        }
        let mut field = [0; NAME_SIZE];
        for (to, from) in field.iter_mut().zip(name) {
            *to = match *from {
                b'/' => b'!',
                printable @ 0x20..=0x7e => printable,
                _ => b'?',
            };
        }
        Ok(Self { field, length: name.len() as u8 })
    }

    /// FNV-1a of the name, to tell most names apart by one number.
    #[must_use]
    pub fn hash(&self) -> u32 {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        self.as_bytes().iter().fold(0x811c_9dc5, step)
    }

    /// The name's bytes, without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.field.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// This name with `#number` at its end, cut where both would be too long.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let digits = number.checked_ilog10().unwrap_or(0) + 1;
        let digit = |place| number.checked_div(10_u32.pow(place)).unwrap_or(0) % 10;
        let suffix = once(b'#').chain((0..digits).rev().map(|place| b'0' + digit(place) as u8));
        let base = self.as_bytes().iter().copied().take(NAME_SIZE - 2 - digits as usize);

        let mut field = [0; NAME_SIZE];
        let mut length = 0;
        for (to, from) in field.iter_mut().zip(base.chain(suffix)) {
            *to = from;
            length += 1;
        }
        Self { field, length }
    }

    /// The number with which [`Name::numbered`] makes this name of `base`; 1
    /// when this is `base` itself.
    #[must_use]
    pub fn number_of(&self, base: &Self) -> Option<u32> {
        if self == base {
            return Some(1);
        }
        let digits = self.as_bytes().rsplit(|byte| *byte == b'#').next()?;
        let number = digits.iter().try_fold(0_u32, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        })?;
        (base.numbered(number) == *self).then_some(number)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).expect("a good name")
    }

    #[test]
    fn header_is_the_struct_of_the_kernel() {
        let header = header(Endian::Little, &name(b"edu_0000:00:04.0"), 1000).expect("fits");
        assert_eq!(&header[..20], b"\x08\0\0\0\x14\x04\0\0\x00\x07\0\0LINUX\0\0\0");
        assert_eq!(&header[20..37], b"edu_0000:00:04.0\0");
        assert!(header[37..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_longest_dump_fills_the_size_field() {
        let header = header(Endian::Big, &name(b"n"), LENGTH_MAX).expect("fits");
        assert_eq!(&header[4..8], [0xff; 4]);
        assert_eq!(note_size(LENGTH_MAX), Some(64 + (1 << 32) - 44));
        assert!(super::header(Endian::Big, &name(b"n"), LENGTH_MAX + 1).is_none());
        assert!(note_size(LENGTH_MAX + 1).is_none());
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(Name::new(b""), Err(NameError::Empty));
        assert_eq!(Name::new(b"\0later"), Err(NameError::Empty));
        assert_eq!(Name::new(&[b'a'; 44]), Err(NameError::Unterminated));
        assert_eq!(name(&[b'a'; 43]).as_bytes(), [b'a'; 43]);
        assert_eq!(name(b"a\nb\xff\0c").as_bytes(), b"a?b?");
        assert_eq!(name(b"../nvme0/ctrl").as_bytes(), b"..!nvme0!ctrl");
    }

    #[test]
    fn numbered_names_stay_within_the_field() {
        assert_eq!(name(b"nic").numbered(2).as_bytes(), b"nic#2");
        assert_eq!(name(b"nic").numbered(0).as_bytes(), b"nic#0");
        assert_eq!(name(b"nic").numbered(10_203).as_bytes(), b"nic#10203");
        let long = name(&[b'a'; 43]).numbered(u32::MAX);
        assert_eq!(long.as_bytes().len(), 43);
        assert!(long.as_bytes().ends_with(b"a#4294967295"));
    }

    #[test]
    fn a_number_is_found_again() {
        for base in [name(b"nic"), name(&[b'a'; 43]), name(b"a#7")] {
            assert_eq!(base.number_of(&base), Some(1));
            for number in [2, 9, 10, 4711, u32::MAX] {
                assert_eq!(base.numbered(number).number_of(&base), Some(number));
            }
        }
        assert_eq!(name(b"nic#x").number_of(&name(b"nic")), None);
        assert_eq!(name(b"nic#02").number_of(&name(b"nic")), None);
        assert_eq!(name(b"nic2#2").number_of(&name(b"nic")), None);
    }
}
