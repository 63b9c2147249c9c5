// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's command line, as `/proc/cmdline` shows it: the kernel's own copy
//! is not exported to modules.

use devdump::{Memory, NoMemory};

use super::file::File;
use super::log::log;
use super::memory::{Block, KernelMemory};

/// The longest command line that x86 has (`COMMAND_LINE_SIZE`).
const LENGTH_MAX: usize = 2048;

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
        let mut text = KernelMemory.block(LENGTH_MAX)?;
        let read = File::open(c"/proc/cmdline").and_then(|file| file.read(0, &mut text));
        let length = read.unwrap_or_else(|errno| {
            log!(Warning, "/proc/cmdline cannot be read, ", errno);
            0
        });
        Ok(Self { text, length })
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.text.get(..self.length).unwrap_or_default();
        text.split(|byte| byte.is_ascii_whitespace())
    }

    /// Whether device dumps are switched off, as for the C implementation.
    #[must_use]
    pub fn has_novmcoredd(&self) -> bool {
        self.words().any(|word| word == b"novmcoredd")
    }

    /// The physical address of the headers that the dead kernel left:
    /// `elfcorehdr=[size[KMG]@]address[KMG]`, where the last one counts.
    #[must_use]
    pub fn elfcorehdr(&self) -> Option<u64> {
        let value = self.words().filter_map(|word| word.strip_prefix(b"elfcorehdr=")).last()?;
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
