// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interpreter.
//!
//! It reads nothing but what the plan names and does not forbid, and of that nothing that
//! a device in its state cannot answer: a function that does not answer, whose link is
//! down or which has no power is left alone, as a read of its registers may stall or take
//! down the machine.

use vmcore::bytes::Endian::Little;

use crate::code::{Address, Fact, Instruction, LOOPS, NONE, VARIABLES};
use crate::device::{Host, Missed, NoRoom, Options};
use crate::dump::{self, Device, End, Outcome, Reason, Segment, Status};
use crate::pci;
use crate::place::{Class, Place, Space};
use crate::plan::{Kind, Plan};

/// How many bytes are read before the device is asked whether it is alive, and before they
/// are put into the dump, at most.
const CHUNK: usize = 512;
/// How many instructions run at most, so that loops in loops end in a bearable time.
const STEPS_MAX: u32 = 1 << 22;
/// How often a zero is read again where that is asked for.
const RETRIES: u32 = 3;

/// Reads a device by a plan: puts its record, its segments and its end into the dump, after
/// what stands there already. `device` is what is known of it; what its configuration
/// space and the plan say is filled in here.
///
/// # Errors
/// [`NoRoom`] when not even the end had room.
pub fn collect<H: Host>(
    host: &mut H,
    plan: &Plan<'_>,
    device: &Device,
    options: Options,
) -> Result<End, NoRoom> {
    let mut device = Device {
        profile: plan.about().name,
        profile_version: plan.about().version,
        digest: plan.about().digest,
        ..*device
    };
    let state = State::find(host, &mut device);
    host.put(&device.record())?;
    let mut run = Run {
        host,
        plan,
        options,
        bound: device.bound,
        state,
        variables: [0; VARIABLES as usize],
        frames: [Frame::default(); LOOPS],
        depth: 0,
        alive: None,
        label: None,
        stuck: false,
        left: plan.about().most.into(),
        pending: Pending::new(),
        segments: 0,
        skipped: false,
    };
    let mut reason = match state.untouchable {
        Some(reason) => reason,
        None => run.run().err().unwrap_or(Reason::None),
    };
    if run.flush().is_err() {
        reason = Reason::NoRoom;
    }
    let segments = run.segments;
    if reason == Reason::None && run.skipped {
        reason = state.no_memory.unwrap_or(Reason::None);
    }
    let outcome = match reason {
        Reason::None => Outcome::Complete,
        Reason::Link | Reason::Power | Reason::Excluded => Outcome::LeftAlone,
        Reason::NoAnswer if segments == 0 => Outcome::LeftAlone,
        _ => Outcome::Partial,
    };
    let end = End { outcome, reason, segments };
    run.host.put(&end.record())?;
    Ok(end)
}

/// The dump of a device that is not read at all.
///
/// # Errors
/// [`NoRoom`].
pub fn leave_alone<H: Host>(host: &mut H, device: &Device, reason: Reason) -> Result<End, NoRoom> {
    host.put(&device.record())?;
    let end = End { outcome: Outcome::LeftAlone, reason, segments: 0 };
    host.put(&end.record())?;
    Ok(end)
}

/// What of a device can be read.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Why nothing can.
    untouchable: Option<Reason>,
    /// Why nothing but its configuration space can, or no memory.
    no_memory: Option<Reason>,
    /// `PCI_COMMAND`.
    command: u64,
}

impl State {
    fn find<H: Host>(host: &mut H, device: &mut Device) -> Self {
        if device.kind != Kind::Pci {
            return Self { command: pci::COMMAND_MEMORY | pci::COMMAND_IO, ..Self::default() };
        }
        let untouchable = |reason| Self { untouchable: Some(reason), ..Self::default() };
        if device.link_down {
            return untouchable(Reason::Link);
        }
        // Without power even configuration space may not answer.
        if device.power == 4 {
            return untouchable(Reason::Power);
        }
        if !pci::answers(host) {
            return untouchable(Reason::NoAnswer);
        }
        device.power = pci::power(host);
        let command = pci::command(host);
        device.no_decode = command & pci::COMMAND_MEMORY == 0;
        let no_memory = match device.power {
            0 => device.no_decode.then_some(Reason::Decode),
            _ => Some(Reason::Power),
        };
        Self { untouchable: None, no_memory, command }
    }
}

/// A loop that is running.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    /// The variable that counts.
    to: u8,
    /// How often it ran.
    done: u64,
    /// How often it runs.
    count: u64,
    /// Its first instruction.
    start: u32,
    /// The instruction after its last.
    end: u32,
}

/// What was read and is not in the dump yet.
struct Pending {
    segment: Option<Segment>,
    length: usize,
    /// How much of it was read while the device is known to have answered.
    good: usize,
    bytes: [u8; CHUNK],
}

impl Pending {
    const fn new() -> Self {
        Self { segment: None, length: 0, good: 0, bytes: [0; CHUNK] }
    }
}

/// A plan that is being carried out.
struct Run<'a, 'p, H> {
    host: &'a mut H,
    plan: &'a Plan<'p>,
    options: Options,
    bound: bool,
    state: State,
    variables: [u64; VARIABLES as usize],
    frames: [Frame; LOOPS],
    depth: usize,
    alive: Option<(Place, u64, u64)>,
    label: Option<(Place, u64)>,
    stuck: bool,
    /// How many bytes may still be read.
    left: u64,
    pending: Pending,
    segments: u32,
    /// Whether something was not read because of `state.no_memory`.
    skipped: bool,
}

impl<H: Host> Run<'_, '_, H> {
    fn run(&mut self) -> Result<(), Reason> {
        let mut next = 0;
        for step in 0..STEPS_MAX {
            if step % 1024 == 1023 && self.host.is_late() {
                return Err(Reason::Deadline);
            }
            while let Some(again) = self.loop_end(next) {
                next = again;
            }
            let instruction = self.plan.instruction(next).ok_or(Reason::Plan)?;
            next = next.checked_add(1).ok_or(Reason::Plan)?;
            match instruction {
                Instruction::End => return Ok(()),
                Instruction::Skip { unless, count } if self.variable(unless) == 0 => {
                    next = next.checked_add(count).ok_or(Reason::Plan)?;
                }
                Instruction::Skip { .. } => {}
                Instruction::Loop { to, count, most, body } => {
                    next =
                        self.loop_start(next, to, self.variable(count).min(most.into()), body)?;
                }
                other => self.step(other)?,
            }
        }
        Err(Reason::Plan)
    }

    /// Enters a loop, or goes on after it if it does not run.
    fn loop_start(&mut self, start: u32, to: u8, count: u64, body: u32) -> Result<u32, Reason> {
        let end = start.checked_add(body).ok_or(Reason::Plan)?;
        if count == 0 {
            return Ok(end);
        }
        let frame = self.frames.get_mut(self.depth).ok_or(Reason::Plan)?;
        *frame = Frame { to, done: 0, count, start, end };
        self.depth += 1;
        self.set(to, 0);
        Ok(start)
    }

    /// Where to go on where the innermost loop's body ends, unless it is not there.
    fn loop_end(&mut self, next: u32) -> Option<u32> {
        let depth = self.depth.checked_sub(1)?;
        let frame = self.frames.get_mut(depth)?;
        if next != frame.end {
            return None;
        }
        frame.done = frame.done.saturating_add(1);
        if frame.done >= frame.count {
            self.depth = depth;
            // The loop around it may end here, too.
            return self.loop_end(next);
        }
        let (to, done, start) = (frame.to, frame.done, frame.start);
        self.set(to, done);
        Some(start)
    }

    fn step(&mut self, instruction: Instruction) -> Result<(), Reason> {
        match instruction {
            Instruction::Set { to, value } => self.set(to, value),
            Instruction::Alu { to, alu, first, second, constant } => {
                let second = if second == NONE { constant } else { self.variable(second) };
                let value = alu.of(self.variable(first), second);
                self.set(to, value);
            }
            Instruction::Load { to, place, address } => {
                let at = self.at(address);
                let value = if self.may_touch(place) { self.load(place, at)? } else { None };
                self.set(to, value.unwrap_or(0));
            }
            Instruction::Fact { to, fact } => {
                let value = self.fact(fact);
                self.set(to, value);
            }
            Instruction::Capability { to, after, id, extended } => {
                // At 0 there is no capability, nor is one after it.
                let offset = |at: u64| u16::try_from(at).unwrap_or(0);
                let after = (after != NONE).then(|| offset(self.variable(after)));
                let found = if extended {
                    pci::extended(self.host, id, after)
                } else {
                    pci::capability(self.host, id, after)
                };
                self.set(to, found.unwrap_or(0).into());
            }
            Instruction::Alive { place, address, dead } => {
                let at = self.at(address);
                self.alive = Some((place, at, self.variable(dead)));
                if self.can_answer(place) && self.is_dead()? {
                    return Err(Reason::NoAnswer);
                }
            }
            Instruction::As { place, address } => {
                self.label = Some((place, self.at(address)));
            }
            Instruction::Read { block, place, address, length } => {
                let (at, length) = (self.at(address), self.variable(length));
                self.block(block, place, at, length)?;
            }
            Instruction::Write { value, place, address } => {
                let at = self.at(address);
                if self.may_touch(place) && self.can_answer(place) {
                    self.check(place, at)?;
                    let value = self.variable(value) & place.width.ones();
                    let value = if place.big { place.width.swapped(value) } else { value };
                    // A window that cannot be moved shows in what is read through it.
                    let _ = self.host.write(place, at, value);
                }
            }
            Instruction::Poll { bit, set, place, address, milliseconds } => {
                let at = self.at(address);
                if self.may_touch(place) {
                    self.poll(bit, set, place, at, milliseconds)?;
                }
            }
            Instruction::End | Instruction::Skip { .. } | Instruction::Loop { .. } => {}
        }
        Ok(())
    }

    fn variable(&self, number: u8) -> u64 {
        self.variables.get(usize::from(number)).copied().unwrap_or(0)
    }

    fn set(&mut self, number: u8, value: u64) {
        if let Some(variable) = self.variables.get_mut(usize::from(number)) {
            *variable = value;
        }
    }

    fn at(&self, address: Address) -> u64 {
        match address.base {
            NONE => address.offset,
            base => self.variable(base).wrapping_add(address.offset),
        }
    }

    fn fact(&mut self, fact: Fact) -> u64 {
        let place = |width| Place::new(Space::Config, 0, width);
        let config = |host: &mut H, width, at| host.read(place(width), at).unwrap_or(0);
        let bar = |host: &mut H, index| host.bar(index).map_or(0, |bar| bar.size);
        use crate::place::Width::{W8, W16, W32};
        match fact {
            Fact::Vendor => config(self.host, W16, 0x00),
            Fact::Device => config(self.host, W16, 0x02),
            Fact::SubVendor => config(self.host, W16, 0x2c),
            Fact::SubDevice => config(self.host, W16, 0x2e),
            Fact::ClassCode => config(self.host, W32, 0x08) >> 8,
            Fact::Revision => config(self.host, W8, 0x08),
            Fact::Command => self.state.command,
            Fact::MsixEnabled => pci::msix_enabled(self.host).into(),
            Fact::MsiEnabled => pci::msi_enabled(self.host).into(),
            Fact::Bound => self.bound.into(),
            Fact::Bar0Size => bar(self.host, 0),
            Fact::Bar1Size => bar(self.host, 1),
            Fact::Bar2Size => bar(self.host, 2),
            Fact::Bar3Size => bar(self.host, 3),
            Fact::Bar4Size => bar(self.host, 4),
            Fact::Bar5Size => bar(self.host, 5),
            Fact::ConfigSize => {
                let extended = self.host.read(place(W32), pci::SIZE).is_ok();
                if extended { pci::SIZE_EXTENDED } else { pci::SIZE }
            }
            Fact::CpuVendor => self.host.cpu().vendor.into(),
            Fact::CpuFamily => self.host.cpu().family.into(),
            Fact::CpuModel => self.host.cpu().model.into(),
        }
    }

    /// Whether what is done at `place` was asked for. A driver that has the device moves
    /// its windows and counts its events itself.
    fn may_touch(&self, place: Place) -> bool {
        match place.class {
            Class::Pure => true,
            Class::Touches => self.options.touches && !self.bound,
            Class::Clears => self.options.clears && !self.bound,
        }
    }

    /// Whether the device can answer at `place`, in the state in which it is.
    fn can_answer(&mut self, place: Place) -> bool {
        if place.space != Space::Bar {
            return true;
        }
        let needs = match self.host.bar(place.index) {
            Some(bar) if bar.io => pci::COMMAND_IO,
            _ => pci::COMMAND_MEMORY,
        };
        let can = self.state.no_memory != Some(Reason::Power) && self.state.command & needs != 0;
        self.skipped |= !can;
        can
    }

    /// Refuses what the plan may not touch, however it computed the address.
    fn check(&self, place: Place, at: u64) -> Result<(), Reason> {
        let step = place.space.step(place.width);
        let aligned = at.checked_rem(step) == Some(0) || place.space == Space::Port;
        if !aligned || self.plan.covers_never(place, at, step) {
            return Err(Reason::Plan);
        }
        Ok(())
    }

    /// A register's value, in the byte order of the processor.
    fn load(&mut self, place: Place, at: u64) -> Result<Option<u64>, Reason> {
        if !self.can_answer(place) {
            return Ok(None);
        }
        self.check(place, at)?;
        let value = self.read(place, at).ok();
        Ok(value.map(|value| if place.big { place.width.swapped(value) } else { value }))
    }

    /// A register's value as it is on the bus.
    fn read(&mut self, place: Place, at: u64) -> Result<u64, Missed> {
        let mut value = self.host.read(place, at)?;
        if place.retry_zero {
            for _ in 0..RETRIES {
                if value != 0 {
                    break;
                }
                value = self.host.read(place, at)?;
            }
        }
        Ok(value)
    }

    /// Whether the register that says so has the value of a device that is dead.
    fn is_dead(&mut self) -> Result<bool, Reason> {
        match self.alive {
            Some((place, at, dead)) => Ok(self.load(place, at)? == Some(dead)),
            None => Ok(false),
        }
    }

    fn poll(
        &mut self,
        bit: u8,
        set: bool,
        place: Place,
        at: u64,
        milliseconds: u16,
    ) -> Result<(), Reason> {
        let start = self.host.milliseconds();
        loop {
            let Some(value) = self.load(place, at)? else {
                return Ok(());
            };
            if (value.checked_shr(bit.into()).unwrap_or(0) & 1 != 0) == set {
                return Ok(());
            }
            let waited = self.host.milliseconds().saturating_sub(start);
            if waited >= milliseconds.into() {
                // What would be read now is something else.
                self.stuck = true;
                return Ok(());
            }
            if self.host.is_late() {
                return Err(Reason::Deadline);
            }
            self.host.pause();
        }
    }

    /// Reads a block into the dump.
    fn block(&mut self, block: u8, place: Place, at: u64, length: u64) -> Result<(), Reason> {
        let (shown, shown_at) = self.label.take().unwrap_or((place, at));
        let shown = Place { width: place.width, big: place.big, ..shown };
        let stuck = core::mem::take(&mut self.stuck);
        if length == 0 {
            return Ok(());
        }
        let segment = |status, done: u64| {
            let step = shown.space.step(shown.width);
            let registers = done.checked_div(shown.width.bytes().into()).unwrap_or(0);
            let offset = shown_at.wrapping_add(registers.wrapping_mul(step));
            Segment {
                bound: self.bound,
                ..Segment::new(shown, offset, length.saturating_sub(done), block, status)
            }
        };
        let not_read = |status| segment(status, 0);
        if !self.may_touch(place) {
            return self.put_empty(not_read(Status::LeftOut));
        }
        if stuck {
            return self.put_empty(not_read(Status::NoAnswer));
        }
        let registers = length.div_ceil(place.width.bytes().into());
        let addresses = registers.saturating_mul(place.space.step(place.width));
        if self.plan.covers_never(place, at, addresses) {
            return self.put_empty(not_read(Status::Never));
        }
        self.left = self.left.checked_sub(length).ok_or(Reason::Plan)?;
        let whole = segment(Status::Complete, 0);
        if !self.can_answer(place) {
            return Ok(());
        }
        self.check(place, at)?;
        self.host.about_to_read(block, place, at, length);
        let mut done: u64 = 0;
        for register in 0..registers {
            let address = at.wrapping_add(register.wrapping_mul(place.space.step(place.width)));
            let rest = Segment {
                offset: whole
                    .offset
                    .wrapping_add(register.wrapping_mul(shown.space.step(shown.width))),
                wanted: length.saturating_sub(done),
                ..whole
            };
            match self.read(place, address) {
                Ok(value) => self.append(rest, value)?,
                Err(Missed::Absent) => {
                    self.settle()?;
                    return self.put_empty(Segment { status: Status::Absent, ..rest });
                }
                Err(Missed::Fault) => {
                    let one = place.width.bytes().into();
                    self.settle()?;
                    self.put_empty(Segment { status: Status::Fault, wanted: one, ..rest })?;
                }
            }
            done = done.saturating_add(place.width.bytes().into());
            if self.pending.length.saturating_sub(self.pending.good) >= CHUNK / 2 {
                self.settle()?;
                if self.host.is_late() {
                    return Err(Reason::Deadline);
                }
            }
        }
        self.settle()
    }

    /// Puts `value`, of the first register of `segment`, after what was read before it.
    fn append(&mut self, segment: Segment, value: u64) -> Result<(), Reason> {
        let width = segment.width.bytes();
        if !self.continues(&segment) || self.pending.length.saturating_add(width.into()) > CHUNK {
            self.settle()?;
            self.flush().map_err(|NoRoom| Reason::NoRoom)?;
            self.pending.segment = Some(Segment { wanted: 0, ..segment });
        }
        let mut bytes = [0; 8];
        Little.put_u64(&mut bytes, 0, value);
        let value = bytes.get(..width.into()).unwrap_or(&[]);
        let to = self.pending.bytes.get_mut(self.pending.length..).unwrap_or(&mut []);
        let copied = vmcore::bytes::copy(to, value);
        self.pending.length = self.pending.length.saturating_add(copied);
        Ok(())
    }

    /// Whether the first register of `segment` is the one after what is pending.
    fn continues(&self, segment: &Segment) -> bool {
        let Some(pending) = &self.pending.segment else {
            return false;
        };
        let registers =
            (self.pending.length as u64).checked_div(pending.width.bytes().into()).unwrap_or(0);
        let step = pending.space.step(pending.width);
        let next = pending.offset.wrapping_add(registers.wrapping_mul(step));
        let alike = Segment { offset: segment.offset, wanted: segment.wanted, ..*pending };
        next == segment.offset && alike == *segment
    }

    /// Asks the device whether it has answered so far.
    fn settle(&mut self) -> Result<(), Reason> {
        let new = self.pending.bytes.get(self.pending.good..self.pending.length).unwrap_or(&[]);
        if new.is_empty() {
            return Ok(());
        }
        let on_bus = self.pending.segment.is_some_and(|segment| segment.space.needs_decode());
        let ones = new.iter().all(|byte| *byte == 0xff);
        let dead = on_bus && (self.is_dead()? || (ones && !pci::answers(self.host)));
        if !dead {
            self.pending.good = self.pending.length;
            return Ok(());
        }
        let nothing = self.segments == 0 && self.pending.good == 0;
        // What was read before it died stays what it is.
        let (good, length) = (self.pending.good, self.pending.length);
        let lost = self.pending.segment;
        self.pending.length = good;
        self.flush().map_err(|NoRoom| Reason::NoRoom)?;
        if let Some(lost) = lost {
            let registers = (good as u64).checked_div(lost.width.bytes().into()).unwrap_or(0);
            let offset = registers.wrapping_mul(lost.space.step(lost.width));
            let wanted = length.saturating_sub(good) as u64;
            self.put_empty(Segment {
                offset: lost.offset.wrapping_add(offset),
                wanted,
                status: Status::NoAnswer,
                ..lost
            })?;
        }
        Err(if nothing { Reason::NoAnswer } else { Reason::Stopped })
    }

    /// Puts a segment without registers into the dump.
    fn put_empty(&mut self, segment: Segment) -> Result<(), Reason> {
        self.flush().map_err(|NoRoom| Reason::NoRoom)?;
        self.host.put(&segment.head(0)).map_err(|NoRoom| Reason::NoRoom)?;
        self.segments = self.segments.saturating_add(1);
        Ok(())
    }

    /// Puts what is pending into the dump.
    fn flush(&mut self) -> Result<(), NoRoom> {
        let length = core::mem::take(&mut self.pending.length);
        self.pending.good = 0;
        let (Some(segment), true) = (self.pending.segment.take(), length > 0) else {
            return Ok(());
        };
        let segment = Segment { wanted: length as u64, ..segment };
        self.host.put(&segment.head(length))?;
        self.host.put(self.pending.bytes.get(..length).unwrap_or(&[]))?;
        self.host.put(dump::padding(dump::SEGMENT_SIZE.saturating_add(length)))?;
        self.segments = self.segments.saturating_add(1);
        Ok(())
    }
}
