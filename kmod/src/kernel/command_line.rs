// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's command line, as `/proc/cmdline` shows it: the kernel's own copy
//! is not exported to modules.

use kmem::NoMemory;

use super::file::File;
use super::log::log;
use super::memory::Block;

/// The longest command line that is read: x86 itself has at most 2,048 bytes, a
/// bootconfig puts up to 32 KiB more before them.
const LENGTH_MAX: usize = 48 << 10;

/// The command line.
pub struct CommandLine {
    text: Block,
    length: usize,
}

impl CommandLine {
    /// Reads it; one that cannot be read is empty, with a line in the log. Sleeps.
    ///
    /// # Errors
    /// [`NoMemory`].
    pub fn read() -> Result<Self, NoMemory> {
        let mut text = Block::new(LENGTH_MAX)?;
        let read = File::open(c"/proc/cmdline").and_then(|file| file.read(0, &mut text));
        let length = read.unwrap_or_else(|errno| {
            log!(Warning, "/proc/cmdline cannot be read, ", errno);
            0
        });
        Ok(Self { text, length })
    }

    fn text(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    /// Whether `novmcoredd[=BOOL]` is given, which is read as the C implementation reads it.
    #[must_use]
    pub fn has_novmcoredd(&self) -> bool {
        vmcore::command_line::has_novmcoredd(self.text())
    }

    /// The physical address of the headers that the dead kernel left:
    /// `elfcorehdr=[size[KMG]@]address[KMG]`, where the last one counts. `None`
    /// without it, or when the command line was not read to its end.
    #[must_use]
    pub fn elfcorehdr(&self) -> Option<u64> {
        if self.length == LENGTH_MAX {
            return None;
        }
        let value = vmcore::command_line::value(self.text(), b"elfcorehdr")?;
        parse_size(value.rsplit(|byte| *byte == b'@').next()?)
    }
}

/// A number as the kernel's `memparse()` takes it: decimal, octal or
/// hexadecimal, with a unit of powers of 1024 at its end.
fn parse_size(text: &[u8]) -> Option<u64> {
    let (digits, unit) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 1 << 10),
        (b'm' | b'M', digits) => (digits, 1 << 20),
        (b'g' | b'G', digits) => (digits, 1 << 30),
        (b't' | b'T', digits) => (digits, 1 << 40),
        _ => (text, 1),
    };
    let (digits, base) = match digits {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        _ => (digits, 10),
    };
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(base)?;
        number.checked_mul(base.into())?.checked_add(digit.into())
    })?;
    number.checked_mul(unit).filter(|_| !digits.is_empty())
}
