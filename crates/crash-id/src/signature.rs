// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What crashes of one cause have in common.

use crate::frame::Frame;
use crate::line;
use crate::titles::{Cause, Class, Kind, PANIC, cause, starts_with, title};

/// The version of the rules by which signatures are made: those of different versions cannot
/// be compared. It grows when a class, a pattern or the list of boring functions changes.
pub const SIGNATURE_VERSION: u32 = 1;

/// In how many lines after a herald the report follows, at most: arm64 describes the fault in
/// between.
const HERALD_LINES: usize = 24;
/// Within how many lines a death is the reason why init was killed.
const RECENT_LINES: usize = 200;
/// How long a detail is at most, in bytes.
const DETAIL_MAX: usize = 60;

/// The signature of a panic.
///
/// Both forms are of printable ASCII, and bounded. They name functions and modules, never
/// addresses, offsets, processes or machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    class: &'static str,
    function: Option<String>,
    module: Option<String>,
    detail: Option<String>,
}

impl Signature {
    /// That of the crash whose kernel left a log with these lines, the oldest first: as
    /// `dmesg` prints them, or without times. `None` where none of them says why it crashed.
    ///
    /// It takes time in proportion to the log.
    #[must_use]
    pub fn of_log<'a>(lines: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut reader = Reader::default();
        lines.into_iter().for_each(|line| reader.read(line));
        reader.finish()
    }

    /// Class, first function that says something, and its module, as
    /// `null-dereference: e1000_clean [e1000e]`. The kernel's image is `[vmlinux]`.
    #[must_use]
    pub fn fine(&self) -> String {
        match (&self.function, &self.detail) {
            (Some(function), _) => format!("{}: {function} [{}]", self.class, self.module()),
            (None, Some(detail)) => format!("{}: {detail}", self.class),
            (None, None) => self.class.to_owned(),
        }
    }

    /// Class and module, as `null-dereference: [e1000e]`.
    #[must_use]
    pub fn coarse(&self) -> String {
        match &self.function {
            Some(_) => format!("{}: [{}]", self.class, self.module()),
            None => self.class.to_owned(),
        }
    }

    /// What kind of fault it is, in one word.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        self.class
    }

    fn module(&self) -> &str {
        self.module.as_deref().unwrap_or("vmlinux")
    }
}

/// One report of a fault.
#[derive(Debug)]
struct Event {
    class: Class,
    /// What ran could not go on.
    is_death: bool,
    /// Its first line says less than the next title.
    is_herald: bool,
    /// The number of its first line.
    line: usize,
    /// The first place that is not boring, as it is shown.
    place: Option<(String, Option<String>)>,
    /// A place was named, if only a boring one.
    has_frame: bool,
    /// Where the processor was, though that is boring: better than nothing.
    boring: Option<String>,
    detail: Option<String>,
    /// What comes after its end belongs to no report.
    is_over: bool,
}

/// Reads a log line by line, and holds of it what may become the signature: the last report of
/// each class, and the panic.
#[derive(Debug, Default)]
struct Reader {
    line: usize,
    events: Vec<Event>,
    panic: Option<(Cause, Event)>,
    is_over: bool,
}

impl Event {
    fn new(class: Class, kind: Kind, line: usize) -> Self {
        Self {
            class,
            is_death: kind == Kind::Death,
            is_herald: kind == Kind::Herald,
            line,
            place: None,
            has_frame: false,
            boring: None,
            detail: None,
            is_over: false,
        }
    }

    /// Takes from a line what it says of the place.
    fn read(&mut self, text: &str) {
        if self.is_over {
            return;
        }
        if text.starts_with("---[ end trace ") {
            self.is_over = true;
        } else if let Some(frame) = Frame::of_line(text) {
            self.take(frame);
        } else if self.detail.is_none() {
            self.detail = detail(self.class, text);
        }
    }

    fn take(&mut self, frame: Frame<'_>) {
        self.has_frame = true;
        if frame.is_boring() {
            if frame.is_counter {
                self.boring.get_or_insert_with(|| frame.function.to_owned());
            }
        } else if self.place.is_none() {
            self.place = Some((frame.function.to_owned(), frame.module.map(str::to_owned)));
        }
    }

    fn signature(self) -> Signature {
        let place = self.place.or_else(|| Some((self.boring?, None)));
        let place = place.filter(|_| self.class.has_place());
        let (function, module) = place.map_or((None, None), |(name, module)| (Some(name), module));
        Signature { class: self.class.word(), function, module, detail: self.detail }
    }
}

impl Reader {
    fn read(&mut self, line: &str) {
        self.line += 1;
        if self.is_over {
            return;
        }
        let text = line::text(line);
        let named = line::title(text);
        if let Some((_, event)) = &mut self.panic {
            // What the kernel says once it is done, and what a crash kernel says after it.
            if text.starts_with("---[ end Kernel panic") || text.starts_with("Linux version ") {
                self.is_over = true;
            } else {
                event.read(text);
            }
        } else if let Some(reason) = text.strip_prefix(PANIC) {
            let mut event = Event::new(Class::Panic, Kind::Report, self.line);
            let cause = cause(reason);
            event.detail = match cause {
                // The word for it says all.
                Cause::Is(Class::Sysrq | Class::Serror) => None,
                Cause::RecentDeath(_) => exit_code(reason),
                _ => words(reason),
            };
            // The first function of the stack may be what is protected, not what failed.
            if let Some(frame) = Frame::in_title(reason) {
                event.take(frame);
            }
            self.panic = Some((cause, event));
        } else if let Some((class, kind)) = title(named) {
            self.title(named, class, kind);
        } else if let Some(event) = self.events.last_mut() {
            event.read(text);
        }
    }

    fn title(&mut self, text: &str, class: Class, kind: Kind) {
        let line = self.line;
        let is_same = |event: &&mut Event| {
            let is_near = !event.is_over && line - event.line <= HERALD_LINES;
            // A processor that died says that again, in other words: `Oops:` after `BUG:`. Kernels
            // before 4.10 name the place in between.
            let says_again = event.is_death && kind == Kind::Death;
            let is_more =
                !event.has_frame && (event.is_herald || says_again || kind == Kind::Correction);
            is_near && (is_more || (says_again && class == Class::Oops))
        };
        if let Some(event) = self.events.last_mut().filter(is_same) {
            event.is_death |= kind == Kind::Death;
            event.is_herald &= kind == Kind::Herald;
            if kind == Kind::Correction {
                event.class = class;
            }
            return;
        }
        if kind == Kind::Correction {
            return;
        }
        let mut event = Event::new(class, kind, line);
        event.detail = detail(class, text);
        if let Some(frame) = Frame::in_title(text) {
            event.take(frame);
        }
        // The title alone is not yet all of the report.
        event.has_frame = false;
        // Of each class and kind one is held: the last one.
        self.events.retain(|held| (held.class, held.is_death) != (event.class, event.is_death));
        self.events.push(event);
    }

    fn finish(self) -> Option<Signature> {
        let Self { mut events, panic, .. } = self;
        let mut last = |is_wanted: &dyn Fn(&Event) -> bool| {
            let at = events.iter().rposition(is_wanted)?;
            Some(events.swap_remove(at))
        };
        let Some((cause, panic)) = panic else {
            // An oops starts the crash kernel before it panics.
            let death = last(&|event| event.is_death);
            return death.or_else(|| last(&|event| event.class.can_hang())).map(Event::signature);
        };
        let is_recent = |event: &Event| panic.line - event.line <= RECENT_LINES;
        let (class, found) = match cause {
            Cause::Is(class) => (class, None),
            Cause::Last(class) => (class, last(&|event| event.class == class)),
            Cause::LastDeath => (Class::Oops, last(&|event| event.is_death)),
            Cause::RecentDeath(class) => (class, last(&|event| event.is_death && is_recent(event))),
            Cause::Any => (Class::Warning, last(&|_| true)),
        };
        let Some(mut event) = found else { return Some(Event { class, ..panic }.signature()) };
        // A warning that panics prints its stack as that of the panic.
        event.place = event.place.or(panic.place);
        Some(event.signature())
    }
}

/// What a line of a report of `class` says of the fault besides.
fn detail(class: Class, text: &str) -> Option<String> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim_start());
    match class {
        Class::MachineCheck => {
            let bank = after(" Bank ")?.split(':').next()?;
            let is_number = !bank.is_empty() && bank.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && bank.len() <= 4).then(|| format!("bank {bank}"))
        }
        Class::Ghes => words(after("section_type: ")?),
        Class::Aer => words(after("type=")?.split(',').next()?),
        Class::Nmi if starts_with(text, "NMI: PCI system error") => Some("SERR".to_owned()),
        Class::Nmi if starts_with(text, "NMI: IOCK error") => Some("IOCK".to_owned()),
        _ => None,
    }
}

/// Text without what differs from one machine to the next: of a word with a digit in it, `#` is
/// left.
fn words(text: &str) -> Option<String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+/.,()".contains(&byte);
    let word = |word: &str| -> String {
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            return "#".to_owned();
        }
        word.chars().filter(|each| u8::try_from(*each).is_ok_and(is_fit)).collect()
    };
    let words: Vec<_> =
        line::cut(text, 4 * DETAIL_MAX).split_ascii_whitespace().map(word).collect();
    let all = words.join(" ");
    let all = line::cut(&all, DETAIL_MAX).trim();
    (!all.is_empty()).then(|| all.to_owned())
}

/// The exit code of init, which is the signal that killed it, or what it returned.
fn exit_code(reason: &str) -> Option<String> {
    let (_, digits) = reason.split_once("exitcode=0x")?;
    let end = digits.bytes().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(digits.len());
    let digits = digits.get(..end).filter(|digits| (1..=8).contains(&digits.len()))?;
    Some(format!("exit code 0x{digits}"))
}
