// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The manifest note: what became of every collection.
//!
//! One note after the device dumps, owner [`OWNER`], type [`NT_MANIFEST`], whose
//! desc is text, lines of `KEY=VALUE` as in VMCOREINFO. The first lines are of the
//! manifest itself, then each `NAME` starts the record of one collection:
//!
//! | key | value |
//! |---|---|
//! | `VERSION` | 1 |
//! | `UNRECORDED` | how many collections have no record, for want of memory; not there when none |
//! | `NAME` | name of the dump, empty where a refused one had none |
//! | `RENAMED` | `unprintable`, `taken` or both: the driver asked for another name |
//! | `WANTED` | the name that the dump was to have, where it was attached to a file under another one |
//! | `STATUS` | [`Status`] |
//! | `REASON` | [`Reason`] in words; not there where there is none |
//! | `ERRNO` | the negative errno, where an error is the reason |
//! | `EXIT` | the exit status, as a shell gives it, where that of a command is the reason |
//! | `IN` | `vmcore` when the note stands in both files, `vmcoredd` when in `/proc/vmcoredd` alone |
//! | `LENGTH` | length of the payload, in bytes |
//! | `DECLARED` | the length that the collector declared, where it is another |
//! | `STORED` | how many bytes the payload takes in memory |
//! | `MILLISECONDS` | how long the collection took |
//! | `CRC32C` | CRC-32C of the payload, eight hexadecimal digits |
//!
//! `IN` to `STORED` and `CRC32C` are there where there is a payload; of records with
//! a payload no two have one name. A reader skips keys that it does not know.

use crate::bytes::{self, Endian};
use crate::device_dump::Name;
use crate::note::{self, NoteHeader};

/// The keys, whose values the table above describes.
pub mod key {
    /// Version of the manifest.
    pub const VERSION: &str = "VERSION";
    /// How many collections have no record.
    pub const UNRECORDED: &str = "UNRECORDED";
    /// Name of the dump; starts a record.
    pub const NAME: &str = "NAME";
    /// How the name differs from what was asked for.
    pub const RENAMED: &str = "RENAMED";
    /// The name that an attached dump was to have.
    pub const WANTED: &str = "WANTED";
    /// How the collection ended.
    pub const STATUS: &str = "STATUS";
    /// Why it is not complete.
    pub const REASON: &str = "REASON";
    /// The negative errno that is the reason.
    pub const ERRNO: &str = "ERRNO";
    /// The exit status that is the reason.
    pub const EXIT: &str = "EXIT";
    /// Where the note stands.
    pub const IN: &str = "IN";
    /// Length of the payload, in bytes.
    pub const LENGTH: &str = "LENGTH";
    /// The length that was declared, in bytes.
    pub const DECLARED: &str = "DECLARED";
    /// How many bytes the payload takes in memory.
    pub const STORED: &str = "STORED";
    /// How long the collection took.
    pub const MILLISECONDS: &str = "MILLISECONDS";
    /// CRC-32C of the payload.
    pub const CRC32C: &str = "CRC32C";
}

/// Owner of the manifest note, as it stands in the file.
pub const OWNER: [u8; 9] = *b"VMCOREDD\0";
/// `n_type` of the manifest note: no type of a core file, as which tools would
/// decode it whoever its owner is.
pub const NT_MANIFEST: u32 = 0x701;
/// Size of what stands before the text, in bytes: note header, padded owner.
pub const HEADER_SIZE: usize = note::HEADER_SIZE + 12;
/// The longest text of one record, in bytes.
pub const RECORD_MAX: usize = 384;
/// The longest text before the first record, in bytes.
pub const HEAD_MAX: usize = 64;

/// Size of a manifest note with `text_size` bytes of text, with padding, in bytes.
#[must_use]
pub const fn note_size(text_size: u64) -> u64 {
    (HEADER_SIZE as u64).saturating_add(note::align(text_size))
}

/// What stands before the text; `None` when that is longer than a note can say.
#[must_use]
pub fn header(endian: Endian, text_size: u64) -> Option<[u8; HEADER_SIZE]> {
    let note_header = NoteHeader {
        name_size: OWNER.len() as u32,
        desc_size: u32::try_from(text_size).ok()?,
        note_type: NT_MANIFEST,
    };
    let mut header = [0; HEADER_SIZE];
    note_header.write(endian, &mut header)?;
    bytes::put(&mut header, note::HEADER_SIZE, OWNER)?;
    Some(header)
}

/// How a collection ended, or that it has not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All that the collector wrote is there.
    Complete,
    /// A part is there, and a [`Reason`] why not more.
    Partial,
    /// Nothing is there: the collector gave nothing.
    Failed,
    /// Nothing is there: what was asked for cannot be.
    Refused,
    /// The collector has not ended yet.
    Running,
}

impl Status {
    /// The word in the manifest.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Running => "running",
        }
    }

    /// The status with this word in the manifest.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let all = [Self::Complete, Self::Partial, Self::Failed, Self::Refused, Self::Running];
        all.into_iter().find(|status| status.word().as_bytes() == word)
    }
}

/// Why a dump is not complete, not there, or not what was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// All dumps together reached their limit.
    Budget,
    /// The dump reached its own limit, or its share of what was left.
    DumpLimit,
    /// The kernel had no memory.
    NoMemory,
    /// It is longer than a note, or the file's header, can say.
    TooLong,
    /// The collector had not ended at its deadline.
    Deadline,
    /// The collector's thread died.
    Crashed,
    /// The collector's thread could not be started, with this negative errno.
    NotStarted(i32),
    /// The collector wrote from memory that is not there.
    BadAddress,
    /// The collector gave this negative errno.
    Errno(i32),
    /// The command whose output it is ended with this status, above 128 by a signal.
    Exit(u8),
    /// The producer, a process, ended or closed it without a commit.
    NotCommitted,
    /// It wrote less than it had declared.
    Shorter,
    /// It wrote more than it had declared.
    Longer,
    /// It wrote nothing.
    Empty,
    /// There was no description of what to collect.
    NoData,
    /// There was no name, or an empty one.
    NoName,
    /// The name had more than 43 bytes.
    NameTooLong,
    /// A size of 0 was declared where one is needed.
    NoSize,
    /// There was no callback.
    NoCallback,
    /// The collector's module was not named.
    NoOwner,
    /// No dump is taken: `novmcoredd` is on the kernel's command line, or the module's
    /// parameter `off` is set.
    SwitchedOff,
    /// It was read from a file that does not have all of it.
    Cut,
    /// The device did not answer.
    NoAnswer,
    /// The device answered, and then no more.
    Stopped,
    /// The device was in a state of low power.
    NoPower,
    /// The link of the device was down.
    LinkDown,
    /// The device decoded no memory.
    NoDecode,
    /// The configuration leaves the device out.
    LeftOut,
    /// The plan by which the device was read does what it may not.
    BadPlan,
}

impl Reason {
    /// The reason in words, but for the number of an errno.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Budget => "the budget of all dumps is used up",
            Self::DumpLimit => "it reached the limit of one dump",
            Self::NoMemory => "no memory is left for it",
            Self::TooLong => "it is longer than a note can say",
            Self::Deadline => "its collector did not end in time",
            Self::Crashed => "its collector crashed",
            Self::NotStarted(_) => "its collector could not be started",
            Self::BadAddress => "its collector wrote from a bad address",
            Self::Errno(_) => "its collector gave an error",
            Self::Exit(_) => "its command failed",
            Self::NotCommitted => "its producer did not commit it",
            Self::Shorter => "it is shorter than declared",
            Self::Longer => "it is longer than declared",
            Self::Empty => "its collector wrote nothing",
            Self::NoData => "nothing says what to collect",
            Self::NoName => "its name is empty",
            Self::NameTooLong => "its name is longer than 43 bytes",
            Self::NoSize => "its size is 0",
            Self::NoCallback => "it has no callback",
            Self::NoOwner => "its module is not named",
            Self::SwitchedOff => "device dumps are switched off",
            Self::Cut => "the file that it came from is cut",
            Self::NoAnswer => "its device does not answer",
            Self::Stopped => "its device stopped answering",
            Self::NoPower => "its device is not in power state D0",
            Self::LinkDown => "the link of its device is down",
            Self::NoDecode => "its device does not decode memory",
            Self::LeftOut => "the configuration leaves it out",
            Self::BadPlan => "the plan of its profile is at fault",
        }
    }
}

/// Where the note of a dump stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nowhere: there is no payload.
    Nowhere,
    /// In `/proc/vmcoredd` alone.
    Vmcoredd,
    /// In `/proc/vmcore`, too.
    Inline,
}

impl Whereabouts {
    /// The word in the manifest, which has none where there is no payload.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Nowhere => None,
            Self::Vmcoredd => Some("vmcoredd"),
            Self::Inline => Some("vmcore"),
        }
    }

    /// Where the note stands of which the manifest has this word.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        let all = [Self::Vmcoredd, Self::Inline];
        all.into_iter().find(|place| place.word().map(str::as_bytes) == Some(word))
    }
}

/// How a dump's name differs from what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Renamed {
    /// It had bytes that no name may have.
    pub unprintable: bool,
    /// Another dump had it.
    pub taken: bool,
}

impl Renamed {
    /// The words in the manifest, which has none where the name is the one asked for.
    #[must_use]
    pub const fn words(self) -> Option<&'static str> {
        match (self.unprintable, self.taken) {
            (false, false) => None,
            (true, false) => Some("unprintable"),
            (false, true) => Some("taken"),
            (true, true) => Some("unprintable,taken"),
        }
    }

    /// What these words say; others are skipped.
    #[must_use]
    pub fn from_words(words: &[u8]) -> Self {
        let mut renamed = Self::default();
        for word in words.split(|byte| *byte == b',') {
            renamed.unprintable |= word == b"unprintable";
            renamed.taken |= word == b"taken";
        }
        renamed
    }
}

/// What became of one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Name of the dump; `None` where a refused one had none.
    pub name: Option<Name>,
    /// How it differs from what was asked for.
    pub renamed: Renamed,
    /// How the collection ended.
    pub status: Status,
    /// Why it ended so.
    pub reason: Option<Reason>,
    /// Where the note stands.
    pub whereabouts: Whereabouts,
    /// Length of the payload, in bytes, at most
    /// [`device_dump::LENGTH_MAX`](crate::device_dump::LENGTH_MAX).
    pub length: u32,
    /// What the collector had declared, in bytes, cut at 32 bits; 0 when it had
    /// not.
    pub declared: u32,
    /// How many bytes the payload takes in memory.
    pub stored: u32,
    /// How long the collection took.
    pub milliseconds: u32,
    /// CRC-32C of the payload.
    pub crc32c: u32,
}

impl Record {
    /// A record of something that has not yet left anything.
    #[must_use]
    pub const fn new(name: Option<Name>, renamed: Renamed, status: Status) -> Self {
        Self {
            name,
            renamed,
            status,
            reason: None,
            whereabouts: Whereabouts::Nowhere,
            length: 0,
            declared: 0,
            stored: 0,
            milliseconds: 0,
            crc32c: 0,
        }
    }

    /// Its lines in the manifest.
    #[must_use]
    pub fn text(&self) -> Text<RECORD_MAX> {
        let mut text = Text::new();
        text.line(key::NAME, self.name.as_ref().map_or(&[], Name::as_bytes));
        if let Some(words) = self.renamed.words() {
            text.line(key::RENAMED, words.as_bytes());
        }
        text.line(key::STATUS, self.status.word().as_bytes());
        if let Some(reason) = self.reason {
            text.line(key::REASON, reason.words().as_bytes());
            if let Reason::Errno(errno) | Reason::NotStarted(errno) = reason {
                text.errno(key::ERRNO, errno);
            }
            if let Reason::Exit(status) = reason {
                text.number(key::EXIT, status.into());
            }
        }
        if let Some(word) = self.whereabouts.word() {
            text.line(key::IN, word.as_bytes());
        }
        let has_payload = self.whereabouts != Whereabouts::Nowhere;
        if has_payload {
            text.number(key::LENGTH, self.length.into());
            if self.declared != 0 && self.declared != self.length {
                text.number(key::DECLARED, self.declared.into());
            }
            text.number(key::STORED, self.stored.into());
        }
        if !matches!(self.status, Status::Running | Status::Refused) {
            text.number(key::MILLISECONDS, self.milliseconds.into());
        }
        if has_payload {
            text.key(key::CRC32C);
            text.digits(self.crc32c.into(), 16, 8);
            text.push(b"\n");
        }
        text
    }
}

/// The lines before the first record, where `unrecorded` collections have none.
#[must_use]
pub fn head(unrecorded: u64) -> Text<HEAD_MAX> {
    let mut text = Text::new();
    text.number(key::VERSION, 1);
    if unrecorded > 0 {
        text.number(key::UNRECORDED, unrecorded);
    }
    text
}

/// Text of at most `N` bytes, put together without `core::fmt`, whose code can
/// panic; what does not fit is cut.
#[derive(Debug, Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    /// No text yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Puts `bytes` at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.length += bytes::copy(self.bytes.get_mut(self.length..).unwrap_or_default(), bytes);
    }

    /// Puts `number` at the end in digits of `base`, 10 or 16, at least `width` of them,
    /// and at most 20.
    pub fn digits(&mut self, number: u64, base: u64, width: usize) {
        self.push(digits(number, base, width, &mut [0; 20]));
    }

    fn key(&mut self, key: &str) {
        self.push(key.as_bytes());
        self.push(b"=");
    }

    fn line(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.push(value);
        self.push(b"\n");
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.digits(value, 10, 1);
        self.push(b"\n");
    }

    fn errno(&mut self, key: &str, errno: i32) {
        self.key(key);
        if errno < 0 {
            self.push(b"-");
        }
        self.digits(errno.unsigned_abs().into(), 10, 1);
        self.push(b"\n");
    }
}

/// The end of `to` with the digits of `number`.
fn digits(number: u64, base: u64, width: usize, to: &mut [u8; 20]) -> &[u8] {
    let mut left = number;
    let mut count = 0;
    for digit in to.iter_mut().rev() {
        if left == 0 && count >= width.max(1) {
            break;
        }
        let value = left.checked_rem(base).unwrap_or_default() as u8;
        *digit = if value < 10 { b'0' + value } else { b'a' - 10 + value };
        left = left.checked_div(base).unwrap_or_default();
        count += 1;
    }
    to.get(to.len().saturating_sub(count)..).unwrap_or_default()
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The lines of one record, or those before the first one, as they stand in a
/// manifest that may say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    /// The value of `key`; the first one where there are several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a [u8]> {
        lines(self.0).find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
    }

    /// Each key with its value; a line without `=` is left out.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        lines(self.0).filter_map(|line| {
            let (key, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b'=')?)?;
            Some((key, rest.get(1..)?))
        })
    }

    /// The value of `key`, a decimal number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.digits(key, 10)
    }

    /// `CRC32C`.
    #[must_use]
    pub fn crc32c(&self) -> Option<u32> {
        u32::try_from(self.digits(key::CRC32C, 16)?).ok()
    }

    fn digits(&self, key: &str, base: u32) -> Option<u64> {
        let digits = self.get(key).filter(|digits| !digits.is_empty())?;
        digits.iter().try_fold(0_u64, |number, digit| {
            let digit = char::from(*digit).to_digit(base)?;
            number.checked_mul(base.into())?.checked_add(digit.into())
        })
    }
}

/// Splits the text of a manifest into the lines before the first record, and
/// the records.
#[must_use]
pub fn split(text: &[u8]) -> (Lines<'_>, Records<'_>) {
    let start = record_start(text, 0);
    let (head, records) = text.split_at_checked(start).unwrap_or((text, &[]));
    (Lines(head), Records { rest: records })
}

/// The records of a manifest.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    /// Starts with a `NAME` line, or is empty.
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The text of those that have not come yet.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Lines<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = record_start(self.rest, 1);
        let (record, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        Some(Lines(record))
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// Where in `text`, after its first `skipped` lines, a `NAME` line starts; its
/// end when none does.
fn record_start(text: &[u8], skipped: usize) -> usize {
    let mut start = 0_usize;
    for (index, line) in lines(text).enumerate() {
        if index >= skipped
            && line.strip_prefix(key::NAME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        {
            return start;
        }
        start = start.saturating_add(line.len()).saturating_add(1);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let name = Name::new(b"nic_0000:00:04.0").expect("a good name");
        Record {
            whereabouts: Whereabouts::Inline,
            length: 4096,
            stored: 700,
            milliseconds: 12,
            crc32c: 0xabc,
            ..Record::new(Some(name), Renamed::default(), Status::Complete)
        }
    }

    #[test]
    fn a_complete_dump() {
        let expected = "NAME=nic_0000:00:04.0\nSTATUS=complete\nIN=vmcore\nLENGTH=4096\n\
            STORED=700\nMILLISECONDS=12\nCRC32C=00000abc\n";
        assert_eq!(core::str::from_utf8(record().text().as_bytes()), Ok(expected));
    }

    #[test]
    fn the_longest_record_fits() {
        let longest = Record {
            name: Name::new(&[b'a'; 43]).ok(),
            renamed: Renamed { unprintable: true, taken: true },
            status: Status::Complete,
            reason: Some(Reason::Errno(i32::MIN)),
            whereabouts: Whereabouts::Vmcoredd,
            length: u32::MAX,
            declared: u32::MAX - 1,
            stored: u32::MAX,
            milliseconds: u32::MAX,
            crc32c: u32::MAX,
        };
        let text = longest.text();
        assert!(text.as_bytes().ends_with(b"CRC32C=ffffffff\n"));
        let words = Reason::BadAddress.words().len() - Reason::Errno(0).words().len();
        assert!(text.as_bytes().len() + words < RECORD_MAX);
        let head = head(u64::MAX);
        assert_eq!(head.as_bytes(), b"VERSION=1\nUNRECORDED=18446744073709551615\n");
    }

    #[test]
    fn a_running_one_is_the_shortest() {
        let name = record().name;
        let running = Record::new(name, Renamed::default(), Status::Running);
        for status in [Status::Complete, Status::Partial, Status::Failed] {
            let ended = Record::new(name, Renamed::default(), status);
            assert!(ended.text().as_bytes().len() >= running.text().as_bytes().len());
        }
    }

    #[test]
    fn records_are_found_again() {
        let mut text = head(3).as_bytes().to_vec();
        let failed = Record {
            reason: Some(Reason::Errno(-5)),
            ..Record::new(None, Renamed::default(), Status::Failed)
        };
        for record in [record(), failed] {
            text.extend(record.text().as_bytes());
        }
        let (head, mut records) = split(&text);
        assert_eq!((head.number("VERSION"), head.number("UNRECORDED")), (Some(1), Some(3)));
        let first = records.next().expect("a record");
        assert_eq!(first.get("NAME"), Some(&b"nic_0000:00:04.0"[..]));
        assert_eq!((first.number("LENGTH"), first.crc32c()), (Some(4096), Some(0xabc)));
        let second = records.next().expect("a record");
        assert_eq!((second.get("NAME"), second.get("ERRNO")), (Some(&b""[..]), Some(&b"-5"[..])));
        assert_eq!(second.number("ERRNO"), None);
        assert_eq!(records.next(), None);
    }

    #[test]
    fn any_text_is_taken_apart() {
        for text in
            [&b""[..], b"\n\n", b"NAME=", b"x\nNAME=a\nNAME=b", b"LENGTH=99999999999999999999"]
        {
            let (head, records) = split(text);
            let records: usize = records.map(|record| record.0.len()).sum();
            assert_eq!(head.0.len() + records, text.len());
        }
        let (head, _) = split(b"LENGTH=99999999999999999999\nSTORED=\n");
        assert_eq!((head.number("LENGTH"), head.number("STORED")), (None, None));
    }
}
