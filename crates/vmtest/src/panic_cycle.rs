// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A kernel that panics, and a script in the crash kernel after it.

use std::path::{Path, PathBuf};

use crate::initramfs::Initramfs;
use crate::vm::{KERNEL_ARGS, Report, Run, SCRIPT_START, Vm};
use crate::{Architecture, Failure, Kernel, Result};

const FIRST_ROLE: &str = "first kernel";
const CRASH_ROLE: &str = "crash kernel";

/// Boots a kernel, loads a crash kernel, panics, and runs a script in the crash
/// kernel; see [`Vm`] for what else can be set. Programs and files are for the
/// crash kernel's script, [`PanicCycle::first_file`] is for the lines before the
/// panic; the ports are there for both.
pub type PanicCycle = Vm<Panic>;

/// The mode of a [`PanicCycle`].
#[derive(Debug)]
pub struct Panic {
    crashkernel_mib: u32,
    crash_append: String,
    before_panic: String,
    first_files: Vec<(PathBuf, String)>,
    first_programs: Vec<PathBuf>,
    kexec_call: KexecCall,
}

/// The system call that loads a crash kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KexecCall {
    /// `kexec_file_load`: the kernel makes the ELF core header.
    FileLoad,
    /// `kexec_load`: kexec-tools makes it, and its purgatory moves the lowest
    /// memory of the dead kernel out of the crash kernel's way.
    Load,
}

impl KexecCall {
    fn option(self) -> &'static str {
        match self {
            Self::FileLoad => "--kexec-file-syscall",
            Self::Load => "--kexec-syscall",
        }
    }
}

impl PanicCycle {
    /// A run whose files are kept in `target/vmtest/<name>/`.
    pub fn new(kernel: &Kernel, name: &str) -> Self {
        let mode = Panic {
            crashkernel_mib: 128,
            crash_append: String::new(),
            before_panic: String::new(),
            first_files: Vec::new(),
            first_programs: Vec::new(),
            // Debian's kernels of arm64 are built without kexec_file_load.
            kexec_call: match kernel.architecture() {
                Architecture::X86_64 => KexecCall::FileLoad,
                Architecture::Arm64 | Architecture::Arm64Pages16k => KexecCall::Load,
            },
        };
        Self::with_mode(kernel, name, mode)
    }

    /// Sets the memory reserved for the crash kernel; 128 MiB if not called. An architecture
    /// that needs more gets more.
    pub fn crashkernel_mib(mut self, mib: u32) -> Self {
        self.mode.crashkernel_mib = mib;
        self
    }

    /// Sets how the crash kernel is loaded; if not called by `kexec_file_load`, where the
    /// kernel has it.
    pub fn kexec_call(mut self, call: KexecCall) -> Self {
        self.mode.kexec_call = call;
        self
    }

    /// Adds arguments for the crash kernel.
    pub fn crash_append(mut self, args: &str) -> Self {
        self.mode.crash_append.push(' ');
        self.mode.crash_append.push_str(args);
        self
    }

    /// Sets shell lines to run in the first kernel once the crash kernel is loaded.
    pub fn before_panic(mut self, lines: &str) -> Self {
        self.mode.before_panic = lines.to_owned();
        self
    }

    /// Adds a file of the host for the lines before the panic. The crash kernel does
    /// not have it.
    pub fn first_file(mut self, host: impl AsRef<Path>, guest: &str) -> Self {
        self.mode.first_files.push((host.as_ref().to_path_buf(), guest.to_owned()));
        self
    }

    /// Adds a program of the host for the lines before the panic, as [`Vm::program`] does
    /// for the crash kernel.
    pub fn first_program(mut self, path: impl AsRef<Path>) -> Self {
        self.mode.first_programs.push(path.as_ref().to_path_buf());
        self
    }

    /// Sets the shell lines to run in the crash kernel.
    pub fn crash_script(self, lines: &str) -> Self {
        self.with_script(lines)
    }

    /// Boots, panics, and waits until the crash kernel has powered off.
    pub fn run(self) -> Result<Run> {
        self.check_names()?;
        let files = self.run_files()?;
        let crash_initrd = files.directory.join("crash.cpio");
        self.script_initramfs(CRASH_ROLE)?.write(&crash_initrd)?;
        let initrd = files.directory.join("first.cpio");
        self.first_initramfs(&crash_initrd)?.write(&initrd)?;
        let crashkernel_mib = self.mode.crashkernel_mib + self.kernel.architecture().more_memory();
        let reserve = format!("quiet crashkernel={crashkernel_mib}M");
        self.append(&reserve).boot(files, &initrd, judge)
    }

    fn first_initramfs(&self, crash_initrd: &Path) -> Result<Initramfs> {
        // `irqpoll` and `reset_devices`: nobody shut the devices down.
        let crash_args = format!(
            "{} {KERNEL_ARGS} loglevel=7 nr_cpus=1 irqpoll reset_devices \
             cgroup_disable=memory{}",
            self.kernel.architecture().kernel_args(),
            self.mode.crash_append
        );
        let mut initramfs = self.environment(FIRST_ROLE, include_str!("first.sh"))?;
        let programs = self.guest_programs()?;
        initramfs.program(&programs, Path::new("/usr/sbin/kexec"))?;
        initramfs.file(&self.kernel.vmlinuz(), "crash/vmlinuz");
        initramfs.file(crash_initrd, "crash/initramfs.cpio");
        initramfs.text("crash/args", &crash_args);
        initramfs.text("crash/call", self.mode.kexec_call.option());
        let before_panic = format!("{SCRIPT_START}\n{}\n", self.mode.before_panic);
        initramfs.text("before_panic", &before_panic);
        for program in &self.mode.first_programs {
            initramfs.program(&programs, program)?;
        }
        for (host, guest) in &self.mode.first_files {
            initramfs.file(host, guest);
        }
        Ok(initramfs)
    }
}

fn judge(report: &Report) -> Option<Failure> {
    let failed = |what| report.status(what).filter(|status| *status != 0);
    if let Some(status) = failed("kexec") {
        return Some(Failure::KexecLoad(status));
    }
    if let Some(status) = failed("before_panic") {
        return Some(Failure::BeforePanic(status));
    }
    match report.status(CRASH_ROLE) {
        Some(0) => None,
        Some(status) => Some(Failure::Script(status)),
        None if report.panicked => Some(Failure::NoStatus),
        None => Some(Failure::NoPanic),
    }
}
