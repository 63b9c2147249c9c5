// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interpreter.
//!
//! It reads nothing but what the plan names and does not forbid, and of that nothing that
//! a device in its state cannot answer: a function that does not answer, whose link is
//! down or which has no power is left alone, as a read of its registers may stall or take
//! down the machine.

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
/// what stands there already. `device` is what is known of it; its power state, whether it
/// decodes memory and what the plan says of its profile are filled in here.
///
/// # Errors
/// [`NoRoom`] when not even the end had room.
pub fn collect<H: Host>(
    host: &mut H,
    plan: &Plan<'_>,
    device: &Device,
    options: Options,
) -> Result<End, NoRoom> {
    let mut device = with_profile(device, plan);
    let state = State::find(host, &mut device);
    host.put(&device.record())?;
    let mut run = Run {
        host,
        plan,
        options,
        device: &device,
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
        reason = state.no_memory.unwrap_or(Reason::Decode);
    }
    let outcome = match reason {
        Reason::None => Outcome::Complete,
        Reason::NoAnswer | Reason::Power | Reason::Link | Reason::Decode if segments == 0 => {
            Outcome::LeftAlone
        }
        _ => Outcome::Partial,
    };
    let end = End { outcome, reason, segments };
    run.host.put(&end.record())?;
    Ok(end)
}

/// The dump of a device that is not read at all; `plan` is that by which it would be.
///
/// # Errors
/// [`NoRoom`].
pub fn leave_alone<H: Host>(
    host: &mut H,
    plan: &Plan<'_>,
    device: &Device,
    reason: Reason,
) -> Result<End, NoRoom> {
    host.put(&with_profile(device, plan).record())?;
    let end = End { outcome: Outcome::LeftAlone, reason, segments: 0 };
    host.put(&end.record())?;
    Ok(end)
}

/// `device` with what `plan` says of its profile.
fn with_profile(device: &Device, plan: &Plan<'_>) -> Device {
    let about = plan.about();
    Device { profile: about.name, profile_version: about.version, digest: about.digest, ..*device }
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
        // Without power even configuration space may not answer.
        if device.power == 4 {
            return untouchable(Reason::Power);
        }
        if !pci::answers(host) {
            return untouchable(if device.link_down { Reason::Link } else { Reason::NoAnswer });
        }
        // Some ports, such as QEMU's where hotplug is ACPI's, say that their link is down
        // when it is not: what answers has one.
        device.link_down = false;
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

    /// Whether the device must be asked before another register is read.
    fn is_due(&self) -> bool {
        self.length.saturating_sub(self.good) >= CHUNK / 2 || self.length.saturating_add(8) > CHUNK
    }

    /// Whether the first register of `next` is the one after these.
    fn is_continued_by(&self, next: &Segment) -> bool {
        self.segment.is_some_and(|segment| {
            let registers = self.length.checked_div(segment.width.bytes().into()).unwrap_or(0);
            let after = segment.after(registers as u64);
            Segment { wanted: next.wanted, ..after } == *next
        })
    }
}

/// A plan that is being carried out.
struct Run<'a, 'p, H> {
    host: &'a mut H,
    plan: &'a Plan<'p>,
    options: Options,
    device: &'a Device,
    state: State,
    variables: [u64; VARIABLES as usize],
    frames: [Frame; LOOPS],
    depth: usize,
    alive: Option<(Place, u64, u64)>,
    label: Option<(Place, u64)>,
    /// Whether the device did not do what the next block, or register of a window, needs:
    /// what would be read now is something else. Until then nothing is written, as what is
    /// waited for may be a lock.
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
        for _ in 0..STEPS_MAX {
            // One step may wait for a device that takes long to answer.
            if self.host.is_late() {
                return Err(Reason::Deadline);
            }
            if let Some(again) = self.loop_end(next) {
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
                let stuck = place.class != Class::Pure && core::mem::take(&mut self.stuck);
                let may = self.may_touch(place) && !stuck;
                let value = if may { self.load(place, at)? } else { None };
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
                if self.is_dead()? {
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
                if self.may_touch(place) && !self.stuck && self.can_answer(place) {
                    self.check(place, at)?;
                    let value = self.variable(value) & place.width.ones();
                    let value = if place.big { place.width.swapped(value) } else { value };
                    self.stuck = self.host.write(place, at, value).is_err();
                }
            }
            Instruction::Poll { bit, set, place, address, milliseconds } => {
                let at = self.at(address);
                if self.may_touch(place) && !self.stuck {
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
        match fact {
            Fact::Vendor => self.device.vendor.into(),
            Fact::Device => self.device.device.into(),
            Fact::SubVendor => self.device.sub_vendor.into(),
            Fact::SubDevice => self.device.sub_device.into(),
            Fact::ClassCode => self.device.class.into(),
            Fact::Revision => self.device.revision.into(),
            Fact::Command => self.state.command,
            Fact::MsixEnabled => pci::msix_enabled(self.host).into(),
            Fact::MsiEnabled => pci::msi_enabled(self.host).into(),
            Fact::Bound => self.device.bound.into(),
            Fact::Bar0Size => self.bar_size(0),
            Fact::Bar1Size => self.bar_size(1),
            Fact::Bar2Size => self.bar_size(2),
            Fact::Bar3Size => self.bar_size(3),
            Fact::Bar4Size => self.bar_size(4),
            Fact::Bar5Size => self.bar_size(5),
            Fact::ConfigSize => pci::size(self.host),
            Fact::CpuVendor => self.host.cpu().vendor.into(),
            Fact::CpuFamily => self.host.cpu().family.into(),
            Fact::CpuModel => self.host.cpu().model.into(),
        }
    }

    fn bar_size(&mut self, index: u8) -> u64 {
        self.host.bar(index).map_or(0, |bar| bar.size)
    }

    /// Whether what is done at `place` was asked for. A driver that has the device moves
    /// its windows and counts its events itself.
    fn may_touch(&self, place: Place) -> bool {
        match place.class {
            Class::Pure => true,
            Class::Touches => self.options.touches && !self.device.bound,
            Class::Clears => self.options.clears && !self.device.bound,
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
                self.stuck = true;
                return Ok(());
            };
            if (value.checked_shr(bit.into()).unwrap_or(0) & 1 != 0) == set {
                return Ok(());
            }
            let waited = self.host.milliseconds().saturating_sub(start);
            if waited >= milliseconds.into() {
                self.stuck = true;
                return Ok(());
            }
            if self.host.is_late() {
                return Err(Reason::Deadline);
            }
            self.host.pause();
        }
    }

    /// Reads a block into the dump; says there what of it was not read, and why.
    fn block(&mut self, block: u8, place: Place, at: u64, length: u64) -> Result<(), Reason> {
        let (shown, shown_at) = self.label.take().unwrap_or((place, at));
        let shown = Place { width: place.width, big: place.big, ..shown };
        let stuck = core::mem::take(&mut self.stuck);
        // A register whose end is not in the block is none of it.
        let width = u64::from(place.width.bytes());
        let registers = length.checked_div(width).unwrap_or(0);
        let length = registers.saturating_mul(width);
        if length == 0 {
            return Ok(());
        }
        let segment = Segment {
            bound: self.device.bound,
            ..Segment::new(shown, shown_at, length, block, Status::Complete)
        };
        let ends = |place: Place, at: u64| {
            at.checked_add(registers.saturating_mul(place.space.step(place.width)))
        };
        let never = |place: Place, at: u64| {
            let addresses = registers.saturating_mul(place.space.step(place.width));
            self.plan.covers_never(place, at, addresses)
        };
        let not_read = if !self.may_touch(place) {
            Some(Status::LeftOut)
        } else if ends(place, at).is_none() || ends(shown, shown_at).is_none() {
            Some(Status::Absent)
        } else if never(place, at) || never(shown, shown_at) {
            Some(Status::Never)
        } else if !self.can_answer(place) {
            return Ok(());
        } else if stuck {
            Some(Status::NoAnswer)
        } else {
            None
        };
        if let Some(status) = not_read {
            return self.put_empty(Segment { status, ..segment });
        }
        self.check(place, at)?;
        self.left = self.left.checked_sub(length).ok_or(Reason::Plan)?;
        self.host.about_to_read(block, place, at, length);
        let mut known = 0;
        let read = self.registers(place, at, segment, registers, &mut known);
        if let Err(reason) = read {
            let status = match reason {
                Reason::Deadline => Status::Deadline,
                Reason::NoRoom => Status::NoRoom,
                _ => Status::NoAnswer,
            };
            self.put_empty(Segment { status, ..segment.after(known) })?;
        }
        read
    }

    /// Reads the registers of `segment`, which are so many from `at` of `place` on.
    /// Of `known` registers the dump says what became of them.
    fn registers(
        &mut self,
        place: Place,
        at: u64,
        segment: Segment,
        registers: u64,
        known: &mut u64,
    ) -> Result<(), Reason> {
        self.ask(place, false)?;
        for register in 0..registers {
            let late = self.host.is_late();
            if late || self.pending.is_due() {
                self.settle(place)?;
                *known = register;
            }
            if late {
                return Err(Reason::Deadline);
            }
            let address = at.wrapping_add(register.wrapping_mul(place.space.step(place.width)));
            let rest = segment.after(register);
            let (status, wanted) = match self.read(place, address) {
                Ok(value) => {
                    self.append(rest, value)?;
                    continue;
                }
                Err(Missed::Absent) => (Status::Absent, rest.wanted),
                Err(Missed::Fault) => (Status::Fault, place.width.bytes().into()),
            };
            self.settle(place)?;
            *known = register.saturating_add(1);
            self.put_empty(Segment { status, wanted, ..rest })?;
            if status == Status::Absent {
                return Ok(());
            }
        }
        self.settle(place)
    }

    /// Puts `value`, of the first register of `segment`, after what was read before it.
    fn append(&mut self, segment: Segment, value: u64) -> Result<(), Reason> {
        let width = segment.width.bytes().into();
        let full = self.pending.length.saturating_add(width) > CHUNK;
        if full || !self.pending.is_continued_by(&segment) {
            self.flush()?;
            self.pending.segment = Some(segment);
        }
        let value = value.to_le_bytes();
        let to = self.pending.bytes.get_mut(self.pending.length..).unwrap_or(&mut []);
        let copied = vmcore::bytes::copy(to, value.get(..width).unwrap_or(&[]));
        self.pending.length = self.pending.length.saturating_add(copied);
        Ok(())
    }

    /// Asks the device whether it has answered so far. What was read before it died stays
    /// what it is.
    fn settle(&mut self, place: Place) -> Result<(), Reason> {
        let new = self.pending.bytes.get(self.pending.good..self.pending.length).unwrap_or(&[]);
        if new.is_empty() {
            return Ok(());
        }
        let mut last = new.iter().rev().take(place.width.bytes().into());
        let ones = last.all(|byte| *byte == 0xff);
        let answered = self.ask(place, ones);
        match answered {
            Ok(()) => self.pending.good = self.pending.length,
            Err(_) => self.pending.length = self.pending.good,
        }
        answered
    }

    /// Asks the device whether it answers: by its register for that, and where it has ones
    /// in its registers, by its vendor id.
    fn ask(&mut self, place: Place, ones: bool) -> Result<(), Reason> {
        let dead = match place.space {
            Space::Config | Space::Msr => false,
            Space::Bar if ones && !pci::answers(self.host) => true,
            _ => self.is_dead()?,
        };
        match dead {
            false => Ok(()),
            true if self.segments == 0 && self.pending.good == 0 => Err(Reason::NoAnswer),
            true => Err(Reason::Stopped),
        }
    }

    /// Puts a segment without registers into the dump.
    fn put_empty(&mut self, segment: Segment) -> Result<(), Reason> {
        self.flush()?;
        self.segments = self.segments.saturating_add(1);
        self.host.put(&segment.head(0)).map_err(|NoRoom| Reason::NoRoom)
    }

    /// Puts what is pending into the dump.
    fn flush(&mut self) -> Result<(), Reason> {
        let length = core::mem::take(&mut self.pending.length);
        self.pending.good = 0;
        let (Some(segment), true) = (self.pending.segment.take(), length > 0) else {
            return Ok(());
        };
        let segment = Segment { wanted: length as u64, ..segment };
        let registers = self.pending.bytes.get(..length).unwrap_or(&[]);
        let padding = dump::padding(dump::SEGMENT_SIZE.saturating_add(length));
        self.segments = self.segments.saturating_add(1);
        for part in [&segment.head(length), registers, padding] {
            self.host.put(part).map_err(|NoRoom| Reason::NoRoom)?;
        }
        Ok(())
    }
}
