// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The lines by which the kernel reports faults, and what each means.
//!
//! A pattern is the start of a line, with `*` for anything in it. The files of Linux 6.12 that
//! print the lines are named, and older forms of them stand beside.

/// What kind of fault it is. A change of the words changes signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Another class says it better, where there is one.
    Oops,
    NullDereference,
    PageFault,
    GeneralProtection,
    ControlProtection,
    InvalidOpcode,
    DivideError,
    Alignment,
    Exception,
    DoubleFault,
    StackOverflow,
    StackCorruption,
    Bug,
    Warning,
    ListCorruption,
    Refcount,
    Usercopy,
    Fortify,
    Ubsan,
    Kasan,
    Kfence,
    Kmsan,
    Kcsan,
    SlabCorruption,
    BadPage,
    Lockdep,
    Spinlock,
    AtomicSleep,
    HungTask,
    SoftLockup,
    HardLockup,
    RcuStall,
    WorkqueueLockup,
    MachineCheck,
    Ghes,
    Aer,
    Edac,
    Serror,
    ExternalAbort,
    Nmi,
    Watchdog,
    Oom,
    Sysrq,
    InitKilled,
    NoRoot,
    Panic,
}

impl Class {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Oops => "oops",
            Self::NullDereference => "null-dereference",
            Self::PageFault => "page-fault",
            Self::GeneralProtection => "general-protection",
            Self::ControlProtection => "control-protection",
            Self::InvalidOpcode => "invalid-opcode",
            Self::DivideError => "divide-error",
            Self::Alignment => "alignment",
            Self::Exception => "exception",
            Self::DoubleFault => "double-fault",
            Self::StackOverflow => "stack-overflow",
            Self::StackCorruption => "stack-corruption",
            Self::Bug => "bug",
            Self::Warning => "warning",
            Self::ListCorruption => "list-corruption",
            Self::Refcount => "refcount",
            Self::Usercopy => "usercopy",
            Self::Fortify => "fortify",
            Self::Ubsan => "ubsan",
            Self::Kasan => "kasan",
            Self::Kfence => "kfence",
            Self::Kmsan => "kmsan",
            Self::Kcsan => "kcsan",
            Self::SlabCorruption => "slab-corruption",
            Self::BadPage => "bad-page",
            Self::Lockdep => "lockdep",
            Self::Spinlock => "spinlock",
            Self::AtomicSleep => "atomic-sleep",
            Self::HungTask => "hung-task",
            Self::SoftLockup => "soft-lockup",
            Self::HardLockup => "hard-lockup",
            Self::RcuStall => "rcu-stall",
            Self::WorkqueueLockup => "workqueue-lockup",
            Self::MachineCheck => "machine-check",
            Self::Ghes => "ghes",
            Self::Aer => "aer",
            Self::Edac => "edac",
            Self::Serror => "serror",
            Self::ExternalAbort => "external-abort",
            Self::Nmi => "nmi",
            Self::Watchdog => "watchdog",
            Self::Oom => "oom",
            Self::Sysrq => "sysrq",
            Self::InitKilled => "init-killed",
            Self::NoRoot => "no-root",
            Self::Panic => "panic",
        }
    }

    /// Whether where the processor was says what went wrong: hardware, and who asks for a
    /// crash, stop it anywhere.
    pub const fn has_place(self) -> bool {
        !matches!(
            self,
            Self::MachineCheck
                | Self::Ghes
                | Self::Aer
                | Self::Edac
                | Self::Serror
                | Self::Nmi
                | Self::Watchdog
                | Self::Oom
                | Self::Sysrq
                | Self::InitKilled
                | Self::NoRoot
        )
    }

    /// Whether a machine that it befalls can be no use any more, though the kernel goes on:
    /// then somebody from outside ends it.
    pub const fn can_hang(self) -> bool {
        matches!(
            self,
            Self::HungTask
                | Self::SoftLockup
                | Self::HardLockup
                | Self::RcuStall
                | Self::WorkqueueLockup
                | Self::Aer
        )
    }
}

/// What a title is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The report of something after which the kernel goes on, unless it is told otherwise.
    Report,
    /// The report of something after which what ran cannot go on.
    Death,
    /// The first line of a report: one of another kind follows, which says less of the cause.
    Herald,
    /// A line after a title that knows better what it is.
    Correction,
}

/// A title: its pattern, what it means, and what it is.
pub type Title = (&'static str, Class, Kind);

use Class::*;
use Kind::*;

pub const TITLES: &[Title] = &[
    // arch/x86/mm/fault.c; before 5.1, and before 5.2.
    ("BUG: kernel NULL pointer dereference", NullDereference, Death),
    ("BUG: unable to handle kernel NULL pointer dereference", NullDereference, Death),
    ("BUG: unable to handle page fault for address", PageFault, Death),
    ("BUG: unable to handle kernel paging request", PageFault, Death),
    ("BUG: unable to handle kernel ", PageFault, Death),
    ("*: Corrupted page table at address", PageFault, Death),
    // arch/arm64/mm/fault.c
    ("Unable to handle kernel NULL pointer dereference", NullDereference, Death),
    ("Unable to handle kernel ", PageFault, Death),
    // arch/x86/kernel/traps.c, by die(): with "Oops: " before it from 6.10 on.
    ("general protection fault", GeneralProtection, Death),
    ("divide error: ", DivideError, Death),
    ("invalid opcode: ", InvalidOpcode, Death),
    ("stack segment: ", Exception, Death),
    ("segment not present: ", Exception, Death),
    ("invalid TSS: ", Exception, Death),
    ("bounds: ", Exception, Death),
    ("int3: ", Exception, Death),
    ("iret exception: ", Exception, Death),
    ("unexpected #NM exception: ", Exception, Death),
    ("simd exception: ", Exception, Death),
    ("alignment check: ", Alignment, Death),
    ("Split lock detected", Alignment, Death),
    ("control protection fault: ", ControlProtection, Death),
    ("Missing ENDBR: ", ControlProtection, Herald),
    ("PANIC: double fault", DoubleFault, Herald),
    ("double fault: ", DoubleFault, Death),
    ("kernel stack overflow ", StackOverflow, Death),
    ("BUG: * stack guard page was hit at ", StackOverflow, Herald),
    ("stack guard page: ", StackOverflow, Death),
    // arch/arm64/kernel/traps.c and mm/fault.c, by die().
    ("Insufficient stack space to handle exception", StackOverflow, Herald),
    ("Internal error: Oops - BUG: ", Bug, Death),
    ("Internal error: Oops - Undefined instruction: ", InvalidOpcode, Death),
    ("Internal error: undefined instruction: ", InvalidOpcode, Death),
    ("Internal error: Oops - BTI: ", ControlProtection, Death),
    ("Internal error: Oops - FPAC: ", ControlProtection, Death),
    ("Internal error: Oops - CFI: ", ControlProtection, Death),
    ("Internal error: Oops - KASAN: ", Kasan, Death),
    ("Internal error: UBSAN: ", Ubsan, Death),
    ("Internal error: SP/PC alignment exception: ", Alignment, Death),
    ("Internal error: alignment fault: ", Alignment, Death),
    ("Internal error: synchronous external abort: ", ExternalAbort, Death),
    ("Internal error: synchronous parity", ExternalAbort, Death),
    ("Internal error: level *(translation table walk)", ExternalAbort, Death),
    ("SError Interrupt on CPU", Serror, Herald),
    ("Internal error: ", Oops, Death),
    // By die() of x86, with the number of the error alone.
    ("Oops: ", Oops, Death),
    ("Oops[#", Oops, Death),
    // lib/bug.c, kernel/panic.c
    ("kernel BUG at ", Bug, Death),
    ("Kernel BUG at ", Bug, Death),
    ("WARNING: possible ", Lockdep, Report),
    ("WARNING: bad unlock balance", Lockdep, Report),
    ("WARNING: inconsistent lock state", Lockdep, Report),
    ("WARNING: suspicious RCU usage", Lockdep, Report),
    ("WARNING: held lock freed", Lockdep, Report),
    ("WARNING: lock held when returning", Lockdep, Report),
    ("WARNING: still has locks held", Lockdep, Report),
    ("WARNING: * still has locks held", Lockdep, Report),
    ("BUG: bad unlock balance", Lockdep, Report),
    ("BUG: held lock freed", Lockdep, Report),
    ("INFO: trying to register non-static key", Lockdep, Report),
    ("INFO: possible ", Lockdep, Report),
    ("INFO: suspicious RCU usage", Lockdep, Report),
    // Before 4.11, lockdep had brackets around its titles.
    ("[ INFO: possible ", Lockdep, Report),
    ("[ INFO: suspicious RCU usage", Lockdep, Report),
    ("[ INFO: inconsistent lock state", Lockdep, Report),
    ("[ BUG: bad unlock balance", Lockdep, Report),
    ("[ BUG: held lock freed", Lockdep, Report),
    ("WARNING: CPU: ", Warning, Report),
    ("WARNING: at ", Warning, Report),
    ("WARNING: *:* at *+0x", Warning, Report),
    // lib/list_debug.c, lib/refcount.c, mm/usercopy.c, lib/string_helpers.c, kernel/cfi.c, lib/ubsan.c
    ("list_add corruption", ListCorruption, Herald),
    ("list_del corruption", ListCorruption, Herald),
    ("list_add double add", ListCorruption, Herald),
    ("refcount_t: ", Refcount, Herald),
    ("Kernel memory * attempt detected", Usercopy, Herald),
    ("detected buffer overflow in ", Fortify, Herald),
    ("*: detected buffer overflow: ", Fortify, Herald),
    ("memcpy: detected field-spanning ", Fortify, Herald),
    ("CFI failure at ", ControlProtection, Herald),
    ("CFI failure ", ControlProtection, Herald),
    ("UBSAN: ", Ubsan, Report),
    // mm/kasan, mm/kfence, mm/kmsan, kernel/kcsan
    ("BUG: KASAN: ", Kasan, Report),
    ("BUG: KFENCE: ", Kfence, Report),
    ("BUG: KMSAN: ", Kmsan, Report),
    ("BUG: KCSAN: ", Kcsan, Report),
    ("KASAN: null-ptr-deref in range", NullDereference, Correction),
    // mm/slub.c, mm/page_alloc.c, mm/memory.c
    ("BUG * (*): ", SlabCorruption, Report),
    ("BUG: Bad page ", BadPage, Report),
    ("BUG: Bad rss-counter state", BadPage, Report),
    // kernel/locking/spinlock_debug.c, kernel/sched/core.c
    ("BUG: spinlock ", Spinlock, Report),
    ("BUG: rwlock ", Spinlock, Report),
    ("BUG: scheduling while atomic", AtomicSleep, Report),
    ("BUG: scheduling in a non-blocking section", AtomicSleep, Report),
    ("BUG: sleeping function called from invalid context", AtomicSleep, Report),
    ("BUG: using *() in preemptible", AtomicSleep, Report),
    // kernel/hung_task.c, kernel/watchdog.c, kernel/workqueue.c, kernel/rcu/tree_stall.h
    ("INFO: task * blocked for more than ", HungTask, Report),
    ("INFO: task * blocked on ", HungTask, Report),
    ("BUG: soft lockup", SoftLockup, Report),
    ("CPU*: Watchdog detected hard LOCKUP on cpu ", HardLockup, Report),
    ("Watchdog detected hard LOCKUP on cpu ", HardLockup, Report),
    ("INFO: rcu_* detected stalls on CPUs/tasks", RcuStall, Report),
    ("INFO: rcu_* detected expedited stalls", RcuStall, Report),
    ("INFO: rcu_* self-detected stall", RcuStall, Report),
    ("INFO: rcu_* detected stall", RcuStall, Report),
    ("BUG: workqueue lockup", WorkqueueLockup, Report),
    // arch/x86/kernel/cpu/mce/core.c, drivers/acpi/apei/ghes.c, drivers/pci/pcie/aer.c
    ("[Hardware Error]: CPU *: Machine Check", MachineCheck, Report),
    ("*[Hardware Error]: Hardware error from APEI Generic Hardware Error Source", Ghes, Report),
    ("*PCIe Bus Error: severity=Uncorrected (Fatal)", Aer, Report),
    ("*PCIe Bus Error: severity=Uncorrectable (Fatal)", Aer, Report),
    // arch/x86/kernel/nmi.c
    ("NMI: PCI system error (SERR)", Nmi, Report),
    ("NMI: IOCK error", Nmi, Report),
    ("Uhhuh. NMI received", Nmi, Report),
];

/// Where the cause of a panic is to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is this.
    Is(Class),
    /// The last report of this class has the place; without one, it is this anyway.
    Last(Class),
    /// The last death has it.
    LastDeath,
    /// The same, where that came shortly before; else it is this.
    RecentDeath(Class),
    /// The last report of any class has it.
    Any,
}

use Cause::*;

/// What `panic()` is called with, and why that is.
pub const REASONS: &[(&str, Cause)] = &[
    // arch/*/kernel/{dumpstack,traps}.c, kernel/exit.c
    ("Fatal exception", LastDeath),
    ("*: Fatal exception", LastDeath),
    ("Aiee, killing interrupt handler!", LastDeath),
    ("Attempted to kill the idle task!", LastDeath),
    ("Oopsed too often", LastDeath),
    ("Oops failed to kill thread", LastDeath),
    ("Unhandled exception", LastDeath),
    ("Attempted to kill init!", RecentDeath(InitKilled)),
    // kernel/panic.c, mm/kasan/report.c, mm/kmsan/report.c
    ("panic_on_warn set", Any),
    ("*: panic_on_warn set", Any),
    ("*: system warned too often", Any),
    ("panic_on_taint set", Any),
    ("kasan.fault=panic", Last(Kasan)),
    ("kmsan.panic set", Last(Kmsan)),
    ("stack-protector: ", Is(StackCorruption)),
    ("corrupted stack end detected", Is(StackCorruption)),
    ("corrupted shadow stack detected", Is(StackCorruption)),
    ("kernel stack overflow", Last(StackOverflow)),
    ("* stack guard hit", Last(StackOverflow)),
    ("Machine halted.", Last(DoubleFault)),
    // kernel/hung_task.c, kernel/watchdog.c, kernel/rcu/tree_stall.h
    ("hung_task: ", Last(HungTask)),
    ("softlockup: ", Last(SoftLockup)),
    ("Hard LOCKUP", Last(HardLockup)),
    ("Watchdog detected hard LOCKUP", Last(HardLockup)),
    ("RCU Stall", Last(RcuStall)),
    ("workqueue: ", Last(WorkqueueLockup)),
    ("scheduling while atomic", Last(AtomicSleep)),
    // drivers/tty/sysrq.c
    ("sysrq triggered crash", Is(Sysrq)),
    // mm/oom_kill.c
    ("Out of memory", Is(Oom)),
    ("System is deadlocked on memory", Is(Oom)),
    // arch/x86/kernel/cpu/mce/core.c, mm/memory-failure.c
    ("Timeout: Not all CPUs entered broadcast exception handler", Last(MachineCheck)),
    ("Timeout synchronizing machine check over CPUs", Last(MachineCheck)),
    ("Timeout: CPUs synchronization timeout", Last(MachineCheck)),
    ("Unexpected CPU", Last(MachineCheck)),
    ("MCA architectural violation", Last(MachineCheck)),
    ("Failed kernel mode recovery", Last(MachineCheck)),
    ("Consecutive machine checks", Last(MachineCheck)),
    ("Too many consecutive machine checks", Last(MachineCheck)),
    ("Panicing machine check CPU died", Last(MachineCheck)),
    ("Memory failure on page", Last(MachineCheck)),
    ("*achine check", Last(MachineCheck)),
    // drivers/acpi/apei/ghes.c, drivers/edac
    ("Fatal hardware error", Last(Ghes)),
    ("EDAC", Is(Edac)),
    ("UE ", Is(Edac)),
    // arch/x86/kernel/nmi.c, drivers/watchdog, drivers/char/ipmi/ipmi_watchdog.c
    ("NMI", Last(Nmi)),
    ("An NMI occurred", Last(Nmi)),
    ("Watchdog pre-timeout", Is(Watchdog)),
    ("pre-timeout", Is(Watchdog)),
    ("watchdog pretimeout", Is(Watchdog)),
    ("Software Watchdog Timer expired", Is(Watchdog)),
    ("Watchdog Timeout", Is(Watchdog)),
    ("Kernel Watchdog", Is(Watchdog)),
    // arch/arm64/kernel/traps.c
    ("Asynchronous SError Interrupt", Is(Serror)),
    // init/do_mounts.c, init/main.c
    ("VFS: Unable to mount root fs", Is(NoRoot)),
    ("No working init found", Is(NoRoot)),
    ("Requested init ", Is(NoRoot)),
];

/// What `panic()` prints before its reason.
pub const PANIC: &str = "Kernel panic - not syncing: ";

/// Whether `text` starts with `pattern`, in which `*` is anything.
pub fn starts_with(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    pieces.all(|piece| match rest.find(piece) {
        Some(at) => {
            rest = rest.get(at + piece.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

/// The title that `text` is.
pub fn title(text: &str) -> Option<(Class, Kind)> {
    let find = |text: &str| TITLES.iter().find(|(pattern, ..)| starts_with(text, pattern));
    // From 6.10 on, x86 has "Oops: " before what the trap is; it is "Oops" itself, or another.
    let of_trap = text.strip_prefix("Oops: ").and_then(find);
    of_trap.or_else(|| find(text)).map(|(_, class, kind)| (*class, *kind))
}

/// The cause of the panic for `reason`.
pub fn cause(reason: &str) -> Cause {
    let found = REASONS.iter().find(|(pattern, _)| starts_with(reason, pattern));
    found.map_or(Is(Panic), |(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(starts_with("abc", "ab") && starts_with("abc", "a*c") && starts_with("abc", "*c"));
        assert!(
            !starts_with("abc", "b") && !starts_with("abc", "a*d") && !starts_with("ab", "abc")
        );
        // What two pieces match does not overlap.
        assert!(!starts_with("aba", "ab*ba"));
    }

    /// An earlier pattern would hide a later one that is never found.
    #[test]
    fn each_pattern_is_found() {
        for (number, (pattern, class, kind)) in TITLES.iter().enumerate() {
            let text = pattern.replace('*', "7");
            let first =
                TITLES.iter().position(|(pattern, ..)| starts_with(&text, pattern)).unwrap();
            let (_, first_class, first_kind) = TITLES[first];
            assert!(first == number || (first_class, first_kind) == (*class, *kind), "{pattern}");
        }
        for (number, (pattern, cause)) in REASONS.iter().enumerate() {
            let text = pattern.replace('*', "7");
            let first =
                REASONS.iter().position(|(pattern, _)| starts_with(&text, pattern)).unwrap();
            assert!(first == number || REASONS[first].1 == *cause, "{pattern}");
        }
    }

    #[test]
    fn the_word_before_a_trap_of_x86_is_no_class() {
        let of = |text| title(text).map(|(class, _)| class);
        assert_eq!(of("Oops: general protection fault, probably for"), Some(GeneralProtection));
        assert_eq!(of("Oops: Oops: 0002 [#1] SMP NOPTI"), Some(Oops));
        assert_eq!(of("Oops: 0002 [#1] SMP NOPTI"), Some(Oops));
        assert_eq!(of("Oops: divide error: 0000 [#1]"), Some(DivideError));
        assert_eq!(of("Oops is a word"), None);
    }
}
