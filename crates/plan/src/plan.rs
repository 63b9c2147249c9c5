// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A whole plan: what it is for, what it must never touch, its instructions.
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`] |
//! | 8 | 2 | [`VERSION`] |
//! | 10 | 2 | size of the header, [`HEADER_SIZE`] |
//! | 12 | 4 | size of the plan |
//! | 16 | 32 | name of the profile, padded with zero bytes |
//! | 48 | 4 | version of the profile |
//! | 52 | 4 | how many bytes it reads at most |
//! | 56 | 2 | how many matches |
//! | 58 | 2 | how many ranges that are never read |
//! | 60 | 4 | how many instructions |
//! | 64 | 32 | SHA-256 of the profile's file |
//!
//! Then the matches, the ranges and the instructions, without padding.

use vmcore::bytes::Endian::Little;

use crate::code::{Instruction, LOOPS, SIZE};
use crate::place::{Place, Space};

/// The first bytes of a plan.
pub const MAGIC: [u8; 8] = *b"VMCDPLAN";
/// The version of this form.
pub const VERSION: u16 = 1;
/// Size of what stands before the matches, in bytes.
pub const HEADER_SIZE: usize = 96;
/// Size of the field for a name, in bytes; the last one is 0.
pub const NAME_SIZE: usize = 32;
/// Size of a digest, in bytes.
pub const DIGEST_SIZE: usize = 32;
/// Size of a match, in bytes.
pub const MATCH_SIZE: usize = 28;
/// Size of a range that is never read, in bytes.
pub const NEVER_SIZE: usize = 24;
/// How many instructions a plan has at most.
pub const INSTRUCTIONS_MAX: u32 = 16384;
/// How many bytes a plan reads at most.
pub const READS_MAX: u32 = 16 << 20;
/// How many ranges that are never read a plan has at most: each address is compared with
/// all of them.
pub const NEVERS_MAX: usize = 256;
/// How large a plan is at most, in bytes.
pub const SIZE_MAX: usize = 1 << 20;

/// Why bytes are no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// They do not begin as one.
    Magic,
    /// It is of another version.
    Version(u16),
    /// They end before it does, or its sizes contradict each other.
    Cut,
    /// Its name is empty, too long, or has other bytes than `a` to `z`, `0` to `9` and `-`.
    Name,
    /// It is too large, or reads too much.
    TooLarge,
    /// This match is none, counted from 0.
    Match(u32),
    /// This range is none, counted from 0.
    Never(u32),
    /// This instruction is none, counted from 0.
    Instruction(u32),
    /// This instruction jumps out of the plan, of its loop, or nests loops too deeply.
    Jump(u32),
    /// This instruction touches what is never read.
    Forbidden(u32),
}

impl Error {
    /// What is wrong, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Magic => "it does not begin as a plan",
            Self::Version(_) => "it is of another version",
            Self::Cut => "its sizes contradict each other",
            Self::Name => "its name is none",
            Self::TooLarge => "it is too large",
            Self::Match(_) => "a match is none",
            Self::Never(_) => "a range that is never read is none",
            Self::Instruction(_) => "an instruction is none",
            Self::Jump(_) => "an instruction jumps where it may not",
            Self::Forbidden(_) => "an instruction touches what is never to be read",
        }
    }
}

/// What kind of device a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A PCI function.
    Pci,
    /// A processor.
    Cpu,
    /// An Intel IOMMU: a DRHD structure of the ACPI table DMAR.
    Drhd,
    /// An AMD IOMMU: an IVHD block of the ACPI table IVRS.
    Ivhd,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Pci, Self::Cpu, Self::Drhd, Self::Ivhd];

    /// Its number in plans and dumps.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Pci => 1,
            Self::Cpu => 2,
            Self::Drhd => 3,
            Self::Ivhd => 4,
        }
    }

    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// What identifies a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// What kind of device it is.
    pub kind: Kind,
    /// Vendor id of a PCI function; for a processor 1 Intel, 2 AMD, 0 somebody else.
    pub vendor: u16,
    /// Device id of a PCI function.
    pub device: u16,
    /// Subsystem vendor id of a PCI function.
    pub sub_vendor: u16,
    /// Subsystem id of a PCI function.
    pub sub_device: u16,
    /// Class, subclass and programming interface of a PCI function, 24 bits.
    pub class: u32,
}

/// Which devices a plan is for: those for which all that is given is so.
///
/// In a plan: kind, 0, which ids are given as bits (1 vendor, 2 device, 4 subsystem vendor,
/// 8 subsystem), 0, the four ids (16 bits each), 4 zero bytes, class and its mask (32 bits
/// each), 4 zero bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Of which kind it is.
    pub kind: Kind,
    /// Vendor id; for a processor as in [`Ids`].
    pub vendor: Option<u16>,
    /// Device id.
    pub device: Option<u16>,
    /// Subsystem vendor id.
    pub sub_vendor: Option<u16>,
    /// Subsystem id.
    pub sub_device: Option<u16>,
    /// Class, where the bits of `class_mask` count.
    pub class: u32,
    /// Which bits of the class count.
    pub class_mask: u32,
}

impl Match {
    /// Every device of `kind`.
    #[must_use]
    pub const fn any(kind: Kind) -> Self {
        Self {
            kind,
            vendor: None,
            device: None,
            sub_vendor: None,
            sub_device: None,
            class: 0,
            class_mask: 0,
        }
    }

    /// As a plan has it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; MATCH_SIZE] {
        let mut bytes = [0; MATCH_SIZE];
        let ids = [self.vendor, self.device, self.sub_vendor, self.sub_device];
        let mut given = 0;
        for (at, id) in ids.into_iter().enumerate() {
            given |= u8::from(id.is_some()) << at;
            Little.put_u16(&mut bytes, 4 + 2 * at, id.unwrap_or(0));
        }
        for (to, from) in bytes.iter_mut().zip([self.kind.number(), 0, given]) {
            *to = from;
        }
        Little.put_u32(&mut bytes, 16, self.class);
        Little.put_u32(&mut bytes, 20, self.class_mask);
        bytes
    }

    /// What a plan has; `None` for what is no match.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; MATCH_SIZE]) -> Option<Self> {
        let [kind, _, given, ..] = *bytes;
        let id = |at: usize| {
            let id = Little.u16(bytes, 4 + 2 * at)?;
            (given & 1 << at != 0).then_some(id)
        };
        let found = Self {
            kind: Kind::from_number(kind)?,
            vendor: id(0),
            device: id(1),
            sub_vendor: id(2),
            sub_device: id(3),
            class: Little.u32(bytes, 16)?,
            class_mask: Little.u32(bytes, 20)?,
        };
        (found.to_bytes() == *bytes).then_some(found)
    }

    /// How much of `ids` it names, if it is for them: the plan whose match names most is
    /// the one for a device.
    #[must_use]
    pub fn names(&self, ids: &Ids) -> Option<u32> {
        let wanted = [
            (self.vendor, ids.vendor),
            (self.device, ids.device),
            (self.sub_vendor, ids.sub_vendor),
            (self.sub_device, ids.sub_device),
        ];
        let fits = self.kind == ids.kind
            && (self.class ^ ids.class) & self.class_mask == 0
            && wanted.iter().all(|(wanted, id)| wanted.is_none_or(|wanted| wanted == *id));
        let named = wanted.iter().filter(|(wanted, _)| wanted.is_some()).count() as u32;
        fits.then(|| named.saturating_mul(32).saturating_add(self.class_mask.count_ones()))
    }
}

/// What is never read: the registers from `start` up to `end`, which is not one of them.
///
/// In a plan: space, index, 6 zero bytes, start and end (64 bits each).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Never {
    /// The space.
    pub space: Space,
    /// Which of the spaces, as in [`Place`].
    pub index: u8,
    /// The first address.
    pub start: u64,
    /// The address after the last one.
    pub end: u64,
}

impl Never {
    /// As a plan has it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; NEVER_SIZE] {
        let mut bytes = [0; NEVER_SIZE];
        for (to, from) in bytes.iter_mut().zip([self.space.number(), self.index]) {
            *to = from;
        }
        Little.put_u64(&mut bytes, 8, self.start);
        Little.put_u64(&mut bytes, 16, self.end);
        bytes
    }

    /// What a plan has; `None` for what is no range.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; NEVER_SIZE]) -> Option<Self> {
        let [space, index, ..] = *bytes;
        let found = Self {
            space: Space::from_number(space)?,
            index,
            start: Little.u64(bytes, 8)?,
            end: Little.u64(bytes, 16)?,
        };
        (found.start < found.end && found.to_bytes() == *bytes).then_some(found)
    }

    /// Whether any of `length` addresses from `start` on is one of these, in the space of
    /// `place`.
    #[must_use]
    pub fn covers(&self, place: Place, start: u64, length: u64) -> bool {
        let end = start.saturating_add(length);
        (self.space, self.index) == (place.space, place.index)
            && start < self.end
            && self.start < end
    }
}

/// What a plan says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Name of its profile, padded with zero bytes.
    pub name: [u8; NAME_SIZE],
    /// Version of the profile.
    pub version: u32,
    /// How many bytes it reads at most.
    pub most: u32,
    /// SHA-256 of the profile's file.
    pub digest: [u8; DIGEST_SIZE],
}

impl About {
    /// What stands before the matches of a plan with so many matches, ranges and
    /// instructions; `None` when that is more than a plan can have.
    #[must_use]
    pub fn header(
        &self,
        matches: usize,
        nevers: usize,
        instructions: usize,
    ) -> Option<[u8; HEADER_SIZE]> {
        let size = HEADER_SIZE
            .checked_add(matches.checked_mul(MATCH_SIZE)?)?
            .checked_add(nevers.checked_mul(NEVER_SIZE)?)?
            .checked_add(instructions.checked_mul(SIZE)?)?;
        let mut bytes = [0; HEADER_SIZE];
        vmcore::bytes::copy(&mut bytes, &MAGIC);
        Little.put_u16(&mut bytes, 8, VERSION)?;
        Little.put_u16(&mut bytes, 10, HEADER_SIZE as u16)?;
        Little.put_u32(&mut bytes, 12, u32::try_from(size).ok()?)?;
        vmcore::bytes::copy(bytes.get_mut(16..48)?, &self.name);
        Little.put_u32(&mut bytes, 48, self.version)?;
        Little.put_u32(&mut bytes, 52, self.most)?;
        Little.put_u16(&mut bytes, 56, u16::try_from(matches).ok()?)?;
        Little.put_u16(&mut bytes, 58, u16::try_from(nevers).ok()?)?;
        Little.put_u32(&mut bytes, 60, u32::try_from(instructions).ok()?)?;
        vmcore::bytes::copy(bytes.get_mut(64..)?, &self.digest);
        (size <= SIZE_MAX).then_some(bytes)
    }
}

/// A plan that was verified: it can be run on any device.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    bytes: &'a [u8],
    about: About,
    matches: &'a [u8],
    nevers: &'a [u8],
    code: &'a [u8],
}

impl<'a> Plan<'a> {
    /// The plan at the start of `bytes`, and what stands after it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Error::Magic);
        }
        let version = Little.u16(bytes, 8).ok_or(Error::Cut)?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let size = Little.u32(bytes, 12).ok_or(Error::Cut)? as usize;
        if size > SIZE_MAX {
            return Err(Error::TooLarge);
        }
        let (bytes, rest) = bytes.split_at_checked(size).ok_or(Error::Cut)?;
        let plan = Self::split(bytes).ok_or(Error::Cut)?;
        plan.verify()?;
        Ok((plan, rest))
    }

    /// Its parts, by the sizes that it has.
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (header, parts) = bytes.split_first_chunk::<HEADER_SIZE>()?;
        let count = |at: usize| Some(usize::from(Little.u16(header, at)?));
        let matches = count(56)?.checked_mul(MATCH_SIZE)?;
        let nevers = count(58)?.checked_mul(NEVER_SIZE)?;
        let (matches, parts) = parts.split_at_checked(matches)?;
        let (nevers, code) = parts.split_at_checked(nevers)?;
        let instructions = Little.u32(header, 60)? as usize;
        let about = About {
            name: *header.get(16..)?.first_chunk()?,
            version: Little.u32(header, 48)?,
            most: Little.u32(header, 52)?,
            digest: *header.get(64..)?.first_chunk()?,
        };
        let fits = Little.u16(header, 10)? as usize == HEADER_SIZE
            && code.len() == instructions.checked_mul(SIZE)?;
        fits.then_some(Self { bytes, about, matches, nevers, code })
    }

    fn verify(&self) -> Result<(), Error> {
        let name = self.name();
        let padded = self.about.name.iter().skip(name.len()).all(|byte| *byte == 0);
        let allowed = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if name.is_empty() || name.len() >= NAME_SIZE || !padded || !name.iter().all(allowed) {
            return Err(Error::Name);
        }
        if self.about.most > READS_MAX
            || self.length() > INSTRUCTIONS_MAX
            || self.nevers.len() > NEVERS_MAX * NEVER_SIZE
        {
            return Err(Error::TooLarge);
        }
        for (number, bytes) in (0..).zip(self.matches.as_chunks().0) {
            Match::from_bytes(bytes).ok_or(Error::Match(number))?;
        }
        for (number, bytes) in (0..).zip(self.nevers.as_chunks().0) {
            Never::from_bytes(bytes).ok_or(Error::Never(number))?;
        }
        self.verify_code()
    }

    /// Each instruction is one, what is known of its address is allowed, and jumps stay
    /// in the loop that they are in.
    fn verify_code(&self) -> Result<(), Error> {
        let length = self.length();
        // Where the loops end that are around an instruction, the innermost last.
        let mut ends = [length; LOOPS + 1];
        let mut depth = 0;
        for number in 0..length {
            while depth > 0 && ends.get(depth).is_some_and(|end| *end <= number) {
                depth -= 1;
            }
            let end = ends.get(depth).copied().unwrap_or(length);
            let instruction = self.instruction(number).ok_or(Error::Instruction(number))?;
            let after = |count: u32| {
                let after = number.checked_add(1)?.checked_add(count)?;
                (after <= end && after < length).then_some(after)
            };
            match instruction {
                Instruction::Skip { count, .. } => {
                    after(count).ok_or(Error::Jump(number))?;
                }
                Instruction::Loop { body, .. } => {
                    depth += 1;
                    let end = after(body).filter(|_| body > 0).ok_or(Error::Jump(number))?;
                    *ends.get_mut(depth).ok_or(Error::Jump(number))? = end;
                }
                Instruction::End if number + 1 != length => return Err(Error::Jump(number)),
                _ => {}
            }
            if self.is_forbidden(instruction) {
                return Err(Error::Forbidden(number));
            }
        }
        match length.checked_sub(1).and_then(|last| self.instruction(last)) {
            Some(Instruction::End) => Ok(()),
            _ => Err(Error::Jump(length)),
        }
    }

    /// Whether an instruction whose address is constant touches what is never read. The
    /// interpreter asks again where it is not, and where the length is not known here.
    fn is_forbidden(&self, instruction: Instruction) -> bool {
        let (place, address) = match instruction {
            Instruction::Load { place, address, .. }
            | Instruction::Alive { place, address, .. }
            | Instruction::Read { place, address, .. }
            | Instruction::Write { place, address, .. }
            | Instruction::Poll { place, address, .. } => (place, address),
            _ => return false,
        };
        address.base == crate::code::NONE
            && self.covers_never(place, address.offset, place.space.step(place.width))
    }

    /// Whether any of `length` addresses from `start` on is never to be read.
    #[must_use]
    pub fn covers_never(&self, place: Place, start: u64, length: u64) -> bool {
        self.nevers().any(|never| never.covers(place, start, length))
    }

    /// The bytes that it is.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Name of its profile.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        vmcore::note::until_zero(&self.about.name)
    }

    /// The devices that it is for.
    pub fn matches(&self) -> impl Iterator<Item = Match> + 'a {
        self.matches.as_chunks().0.iter().filter_map(Match::from_bytes)
    }

    /// What it never touches.
    pub fn nevers(&self) -> impl Iterator<Item = Never> + 'a {
        self.nevers.as_chunks().0.iter().filter_map(Never::from_bytes)
    }

    /// How much of `ids` its best match names; `None` where it is not for that device.
    #[must_use]
    pub fn names(&self, ids: &Ids) -> Option<u32> {
        self.matches().filter_map(|each| each.names(ids)).max()
    }

    /// How many instructions it has.
    #[must_use]
    pub fn length(&self) -> u32 {
        (self.code.len() / SIZE) as u32
    }

    /// The instruction `number`, counted from 0.
    #[must_use]
    pub fn instruction(&self, number: u32) -> Option<Instruction> {
        self.code.as_chunks().0.get(number as usize).and_then(Instruction::from_bytes)
    }
}

/// The plans in `bytes`, one after the other; the first that is none ends them.
pub fn all(bytes: &[u8]) -> impl Iterator<Item = Result<Plan<'_>, Error>> {
    let mut left = bytes;
    core::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        match Plan::parse(left) {
            Ok((plan, rest)) => {
                left = rest;
                Some(Ok(plan))
            }
            Err(error) => {
                left = &[];
                Some(Err(error))
            }
        }
    })
}
