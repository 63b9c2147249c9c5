// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The running kernel's log.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// What is read. Each `read()` gives one record, and the next one continues after it.
pub const DEVICE: &str = "/dev/kmsg";
/// More than a record has, in bytes: the kernel's `PRINTK_MESSAGE_MAX` is 2,048, and each
/// byte may be escaped in 4.
const RECORD_MAX: usize = 16 << 10;
/// How long the log is read at most: a driver may log faster than we read.
const DEADLINE: Duration = Duration::from_secs(10);

/// The log as text, in the form that `dmesg` has: one line a record, after its time since
/// the boot in seconds. It ends where the log ends for now.
///
/// The form of a record is that of `Documentation/ABI/testing/dev-kmsg`. Bytes that are
/// not printable stay escaped, as `\x1b`.
pub struct KernelLog<R> {
    records: R,
    record: Vec<u8>,
    line: Vec<u8>,
    /// How much of `line` was given.
    given: usize,
    end: Instant,
}

impl KernelLog<File> {
    /// Opens the log, from the oldest record that the kernel has.
    pub fn open() -> io::Result<Self> {
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let records =
            OpenOptions::new().read(true).custom_flags(nonblock).open(Path::new(DEVICE))?;
        Ok(Self::new(records))
    }
}

impl<R: Read> KernelLog<R> {
    fn new(records: R) -> Self {
        let end = Instant::now() + DEADLINE;
        Self { records, record: vec![0; RECORD_MAX], line: Vec::new(), given: 0, end }
    }

    /// Reads the next record; false when there is none.
    fn next_line(&mut self) -> io::Result<bool> {
        loop {
            let length = match self.records.read(&mut self.record) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                // Records were overwritten; the next call gives the oldest that is there.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::PIPE) => {
                    self.line.clear();
                    self.line
                        .extend_from_slice(b"(records were overwritten before they were read)\n");
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if length == 0 {
                return Ok(false);
            }
            if Instant::now() >= self.end {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the log grows faster than it is read",
                ));
            }
            let record = self.record.get(..length).unwrap_or_default();
            self.line.clear();
            write_line(&mut self.line, record)?;
            return Ok(true);
        }
    }
}

/// Writes `record`, `PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT` and lines of a dictionary,
/// as one line. What has another form is written as it is.
fn write_line(to: &mut Vec<u8>, record: &[u8]) -> io::Result<()> {
    let line = record.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let end_of_prefix = line.iter().position(|byte| *byte == b';');
    let parts = end_of_prefix.and_then(|at| line.split_at_checked(at));
    let time = parts.and_then(|(prefix, _)| {
        let field = prefix.split(|byte| *byte == b',').nth(2)?;
        str::from_utf8(field).ok()?.parse::<u64>().ok()
    });
    match (time, parts) {
        (Some(time), Some((_, text))) => {
            write!(to, "[{:5}.{:06}] ", time / 1_000_000, time % 1_000_000)?;
            to.extend_from_slice(text.strip_prefix(b";").unwrap_or(text));
        }
        _ => to.extend_from_slice(line),
    }
    to.push(b'\n');
    Ok(())
}

impl<R: Read> Read for KernelLog<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.given = 0;
            if !self.next_line()? {
                self.line.clear();
                return Ok(0);
            }
        }
        let left = self.line.get(self.given..).unwrap_or_default();
        let length = vmcore::bytes::copy(to, left);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one of these for each call of `read()`.
    struct Records(std::vec::IntoIter<io::Result<&'static [u8]>>);

    impl Read for Records {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let record = self.0.next().unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
            to[..record.len()].copy_from_slice(record);
            Ok(record.len())
        }
    }

    fn text(records: Vec<io::Result<&'static [u8]>>) -> io::Result<String> {
        let mut text = String::new();
        KernelLog::new(Records(records.into_iter())).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_record_is_a_line() {
        let records: Vec<io::Result<&'static [u8]>> = vec![
            Ok(b"5,0,0,-;Linux version 6.12; a\n"),
            Err(ErrorKind::Interrupted.into()),
            Ok(b"6,1,12345678,-;pci 0000:00:01.0: \\x1b[0m\n SUBSYSTEM=pci\n DEVICE=+pci:0000\n"),
            Err(io::Error::from(Errno::PIPE)),
            Ok(b"4,9,9123456000001,c;late\n"),
            Ok(b"of another form\n"),
        ];
        let expected = "[    0.000000] Linux version 6.12; a\n\
                        [   12.345678] pci 0000:00:01.0: \\x1b[0m\n\
                        (records were overwritten before they were read)\n\
                        [9123456.000001] late\n\
                        of another form\n";
        assert_eq!(text(records).expect("a log"), expected);
        assert_eq!(text(Vec::new()).expect("a log"), "");
        let failing = vec![Ok(&b"5,0,0,-;a\n"[..]), Err(io::Error::from(Errno::IO))];
        assert_eq!(
            text(failing).expect_err("fails").raw_os_error(),
            Some(Errno::IO.raw_os_error())
        );
    }

    /// Whoever reads a byte at a time gets the same.
    #[test]
    fn lines_are_given_in_parts() {
        let records = vec![Ok(&b"5,0,1000000,-;ab\n"[..]), Ok(&b"5,0,1000001,-;c\n"[..])];
        let mut log = KernelLog::new(Records(records.into_iter()));
        let mut bytes = Vec::new();
        let mut byte = [0];
        while log.read(&mut byte).expect("a byte") == 1 {
            bytes.extend(byte);
        }
        assert_eq!(bytes, b"[    1.000000] ab\n[    1.000001] c\n");
    }
}
