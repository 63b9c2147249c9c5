// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a panic cycle and a plain boot have in common: the guest's script
//! environment, the machine around it, and what comes back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::initramfs::Initramfs;
use crate::monitor::{self, Monitor};
use crate::programs::Programs;
use crate::qemu::{Device, Ended, Qemu, Watcher};
use crate::workspace;
use crate::{Error, Failure, Kernel, Result};

/// Arguments for every kernel beside its architecture's: nothing that is slow under emulation.
/// One that hangs before its init dies of it; from there on init lets it hang.
pub(crate) const KERNEL_ARGS: &str = "nokaslr mitigations=off \
     printk.devkmsg=on panic=-1 softlockup_panic=1";

/// Ports of vmtest's own.
const STATUS_PORT: &str = "status";
const DMESG_PORT: &str = "dmesg";

/// What every script starts with. A `!` before a command hides its failure to
/// fail from `set -e`, so there is a function for that.
pub(crate) const SCRIPT_START: &str = "set -e -o pipefail
fails() { if \"$@\"; then echo \"succeeds: $*\"; return 1; fi; }
pause() { { echo \"$1\" >&3; read -r _ <&3; } 3<>/ports/pause; }";

/// What the host does at a pause.
type Pause = Box<dyn FnMut(&mut Monitor) -> Result<()>>;

const CONSOLE_LINES_IN_ERROR: usize = 4;

/// A run in a virtual machine, to be configured and started; used as
/// [`PanicCycle`](crate::PanicCycle) or [`Boot`](crate::Boot).
///
/// The script is run by busybox's shell with `set -e -o pipefail`, and `fails
/// COMMAND…` where a command must not succeed; `pause NAME` waits until [`Vm::at_pause`]
/// is done. Its output
/// goes to the console; a line `@@ text` is a stage for [`Vm::on_stage`]. What
/// it writes to `/ports/<name>` arrives in a file on the host. Applets of
/// busybox hide programs of the same name unless these are called by their path.
///
/// A kernel that dies before its init is started again, at most twice; its console is
/// kept as `console-1.log` and `console-2.log`.
pub struct Vm<Mode> {
    pub(crate) kernel: Kernel,
    pub(crate) mode: Mode,
    pub(crate) append: String,
    name: String,
    memory_mib: u32,
    smp: u32,
    devices: Vec<Device>,
    qemu_args: Vec<OsString>,
    clock_of_instructions: bool,
    programs: Vec<PathBuf>,
    files: Vec<(PathBuf, String)>,
    ports: Vec<String>,
    script: String,
    time_limit: Duration,
    on_stage: Box<dyn FnMut(&str)>,
    pauses: BTreeMap<String, Pause>,
}

impl<Mode> Vm<Mode> {
    pub(crate) fn with_mode(kernel: &Kernel, name: &str, mode: Mode) -> Self {
        Self {
            kernel: kernel.clone(),
            mode,
            append: String::new(),
            name: name.to_owned(),
            memory_mib: 512,
            smp: 1,
            devices: Vec::new(),
            qemu_args: Vec::new(),
            clock_of_instructions: false,
            programs: Vec::new(),
            files: Vec::new(),
            ports: Vec::new(),
            script: String::new(),
            time_limit: Duration::from_secs(120) * kernel.architecture().slowness(),
            on_stage: Box::new(|_| {}),
            pauses: BTreeMap::new(),
        }
    }

    /// Sets the machine's memory; 512 MiB if not called, and more on an architecture that
    /// needs it.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Sets the number of processors; one if not called. A crash kernel uses one.
    pub fn smp(mut self, processors: u32) -> Self {
        self.smp = processors;
        self
    }

    /// Adds memory shared with a file on the host, whose size is a power of two.
    pub fn ivshmem(mut self, backing_file: impl AsRef<Path>) -> Self {
        let backing_file = backing_file.as_ref().to_path_buf();
        self.devices.push(Device::Ivshmem(backing_file));
        self
    }

    /// Adds QEMU's educational device.
    pub fn edu(mut self) -> Self {
        self.devices.push(Device::Edu);
        self
    }

    /// Lets the machine's clock advance by one nanosecond with each instruction, and not
    /// otherwise: what the script measures are then instructions.
    pub fn clock_of_instructions(mut self) -> Self {
        self.clock_of_instructions = true;
        self
    }

    /// Adds an argument to QEMU's command line as it is.
    pub fn qemu_arg(mut self, arg: impl Into<OsString>) -> Self {
        self.qemu_args.push(arg.into());
        self
    }

    /// Adds arguments for the kernel that QEMU boots.
    pub fn append(mut self, args: &str) -> Self {
        self.append.push(' ');
        self.append.push_str(args);
        self
    }

    /// Adds a program of the host for the script, with its libraries, at the same path.
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        self.programs.push(path.as_ref().to_path_buf());
        self
    }

    /// Adds a file of the host for the script.
    pub fn file(mut self, host: impl AsRef<Path>, guest: &str) -> Self {
        self.files.push((host.as_ref().to_path_buf(), guest.to_owned()));
        self
    }

    /// Adds a file that comes back: what the script writes to `/ports/<name>`.
    pub fn port(mut self, name: &str) -> Self {
        self.ports.push(name.to_owned());
        self
    }

    /// Sets after how long the machine is killed; 120 s if not called. On an architecture
    /// that is slower it is longer.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit * self.kernel.architecture().slowness();
        self
    }

    /// Sets what is called at each stage of the run.
    pub fn on_stage(mut self, observer: impl FnMut(&str) + 'static) -> Self {
        self.on_stage = Box::new(observer);
        self
    }

    /// Sets what the host does while a script waits in `pause <name>`, in either kernel.
    pub fn at_pause(
        mut self,
        name: &str,
        action: impl FnMut(&mut Monitor) -> Result<()> + 'static,
    ) -> Self {
        self.pauses.insert(name.to_owned(), Box::new(action));
        self
    }

    pub(crate) fn with_script(mut self, script: &str) -> Self {
        self.script = script.to_owned();
        self
    }

    /// The name of the run once it is fit for a directory's name, and its ports'.
    pub(crate) fn check_names(&self) -> Result<()> {
        let mut taken = vec![STATUS_PORT, DMESG_PORT, monitor::PORT];
        check_name(&self.name, &[])?;
        for port in &self.ports {
            check_name(port, &taken)?;
            taken.push(port);
        }
        Ok(())
    }

    /// The initramfs in which `role` runs the script.
    pub(crate) fn script_initramfs(&self, role: &str) -> Result<Initramfs> {
        let mut initramfs = self.environment(role, &self.script)?;
        let programs = self.guest_programs()?;
        for program in &self.programs {
            initramfs.program(&programs, program)?;
        }
        for (host, guest) in &self.files {
            initramfs.file(host, guest);
        }
        Ok(initramfs)
    }

    /// Debian's programs for this machine.
    pub(crate) fn guest_programs(&self) -> Result<Programs> {
        Programs::of(self.kernel.architecture())
    }

    /// The initramfs in which `role` runs any script, without programs and files.
    pub(crate) fn environment(&self, role: &str, script: &str) -> Result<Initramfs> {
        let mut initramfs = Initramfs::new();
        initramfs.busybox(&self.guest_programs()?)?;
        for directory in ["proc", "sys", "dev", "ports", "tmp"] {
            initramfs.directory(directory);
        }
        for (position, module) in self.kernel.virtio_serial_modules()?.iter().enumerate() {
            // The shell's glob sorts them back into this order.
            initramfs.file(module, &format!("virtio/{position:02}.ko"));
        }
        let pause = (!self.pauses.is_empty()).then_some(monitor::PORT);
        let ports: String = self.all_ports().chain(pause).map(|port| format!("{port}\n")).collect();
        initramfs.text("vmtest/ports", &ports);
        initramfs.text("vmtest/role", role);
        initramfs.text("script", &format!("{SCRIPT_START}\n{script}\n"));
        initramfs.script("init", include_str!("init.sh"));
        Ok(initramfs)
    }

    /// Boots the kernel with an initramfs and hands what came back to `judge`,
    /// which says whether the run did what it was for.
    pub(crate) fn boot(
        mut self,
        files: RunFiles,
        initrd: &Path,
        judge: impl FnOnce(&Report) -> Option<Failure>,
    ) -> Result<Run> {
        let architecture = self.kernel.architecture();
        let append = format!("{} {KERNEL_ARGS}{}", architecture.kernel_args(), self.append);
        let ports: BTreeMap<String, PathBuf> =
            self.all_ports().map(|port| (port.to_owned(), files.directory.join(port))).collect();
        let mut qemu = Qemu::new(&self.kernel.vmlinuz(), initrd, &append)
            .architecture(architecture)
            // What is taken from it for the crash kernel is taken in one piece.
            .memory_mib(self.memory_mib + 2 * architecture.more_memory())
            .smp(self.smp);
        for (name, file) in &ports {
            qemu = qemu.port(name, file);
        }
        for device in self.devices.drain(..) {
            qemu = qemu.device(device);
        }
        for arg in self.qemu_args.drain(..) {
            qemu = qemu.arg(arg);
        }
        if self.clock_of_instructions {
            qemu = qemu.clock_of_instructions();
        }

        if !self.pauses.is_empty() {
            qemu = qemu.monitor();
        }

        let mut stages = Stages::new(self.on_stage, self.pauses);
        let console = files.directory.join("console.log");
        let messages = files.directory.join("qemu.log");
        let ended = qemu.run_watched(&console, &messages, self.time_limit, &mut stages)?;
        let report =
            Report { statuses: read_text(&ports[STATUS_PORT])?, panicked: stages.panics > 0 };
        let failure = match ended {
            Ended::ByGuest => judge(&report),
            Ended::Failed(_) => {
                Some(Failure::Qemu(crate::command::one_line(&read_text(&messages)?)))
            }
            Ended::AtTimeLimit => {
                Some(Failure::TimeLimit { limit: self.time_limit, stage: stages.last.clone() })
            }
        };
        let run = Run {
            console_text: read_text(&console)?,
            dmesg_text: read_text(&ports[DMESG_PORT])?,
            console,
            ports,
        };
        match failure {
            None => {
                stages.enter("powered off");
                Ok(run)
            }
            Some(failure) => Err(run.failed(self.name, failure)),
        }
    }

    /// Empties the run's directory; nobody else can have it until the value is dropped.
    pub(crate) fn run_files(&self) -> Result<RunFiles> {
        let runs = format!("vmtest{}", self.kernel.architecture().suffix());
        let runs = workspace::target_dir().join(runs);
        let turn = workspace::lock(&runs.join(format!(".{}.lock", self.name)))?;
        let directory = runs.join(&self.name);
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(Error::file("remove", &directory))?;
        }
        fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
        Ok(RunFiles { directory, _turn: turn })
    }

    fn all_ports(&self) -> impl Iterator<Item = &str> {
        let own = [STATUS_PORT, DMESG_PORT];
        own.into_iter().chain(self.ports.iter().map(String::as_str))
    }
}

impl<Mode: fmt::Debug> fmt::Debug for Vm<Mode> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Vm")
            .field("name", &self.name)
            .field("kernel", &self.kernel.release())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// A run that did what it was for, and what it left.
#[derive(Debug, Clone)]
pub struct Run {
    console: PathBuf,
    console_text: String,
    dmesg_text: String,
    ports: BTreeMap<String, PathBuf>,
}

impl Run {
    /// The file on the host that holds what was written to a port.
    ///
    /// # Panics
    /// If the run was not given a port of this name.
    pub fn port(&self, name: &str) -> &Path {
        match self.ports.get(name) {
            Some(path) => path,
            None => panic!("this run has no port {name:?}"),
        }
    }

    /// All that was written to the serial console.
    pub fn console(&self) -> &str {
        &self.console_text
    }

    /// The console log.
    pub fn console_path(&self) -> &Path {
        &self.console
    }

    /// The kernel log of the kernel that ran the script.
    pub fn dmesg(&self) -> &str {
        &self.dmesg_text
    }

    fn failed(self, name: String, failure: Failure) -> Error {
        // Where a script failed, its own words say why, whatever the kernel says
        // meanwhile.
        let of_a_script =
            matches!(failure, Failure::Script(_) | Failure::BeforePanic(_) | Failure::KexecLoad(_));
        let is_wanted = |line: &&str| !of_a_script || !is_of_the_kernel(line);
        let lines: Vec<&str> = self.console_text.lines().map(str::trim).filter(is_wanted).collect();
        let first = lines.len().saturating_sub(CONSOLE_LINES_IN_ERROR);
        Error::Run {
            name,
            failure,
            last_lines: lines[first..].iter().map(|line| line.to_string()).collect(),
            console: self.console,
        }
    }
}

/// Whether a line of the console is of the kernel's log, as in `[    2.112412] tsc: …`.
fn is_of_the_kernel(line: &str) -> bool {
    let time = line.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    time.is_some_and(|(time, _)| time.trim_start().parse::<f64>().is_ok())
}

/// A run's directory, held.
pub(crate) struct RunFiles {
    pub(crate) directory: PathBuf,
    _turn: fs::File,
}

/// What the guest reported.
pub(crate) struct Report {
    statuses: String,
    pub(crate) panicked: bool,
}

impl Report {
    /// The exit status that was reported for `what`, if any was.
    pub(crate) fn status(&self, what: &str) -> Option<i32> {
        self.statuses.lines().find_map(|line| {
            let status = line.strip_prefix(what)?.strip_prefix(':')?;
            status.trim().parse().ok()
        })
    }
}

/// Finds the stages in the lines of the console.
struct Stages {
    observer: Box<dyn FnMut(&str)>,
    pauses: BTreeMap<String, Pause>,
    last: String,
    /// How many kernels have reached their init.
    inits: u32,
    panics: u32,
}

impl Stages {
    fn new(observer: Box<dyn FnMut(&str)>, pauses: BTreeMap<String, Pause>) -> Self {
        let mut stages = Self { observer, pauses, last: String::new(), inits: 0, panics: 0 };
        stages.enter("booting");
        stages
    }

    fn enter(&mut self, stage: &str) {
        self.last = stage.to_owned();
        (self.observer)(stage);
    }
}

impl Watcher for Stages {
    fn line(&mut self, line: &str) {
        if let Some(stage) = line.strip_prefix("@@ ") {
            let stage = stage.trim_end();
            self.inits += u32::from(stage.ends_with(" up"));
            self.enter(stage);
        } else if line.contains("] Kernel panic - not syncing") {
            self.panics += 1;
            self.enter("panicked");
        }
    }

    /// One that hangs dies of [`KERNEL_ARGS`].
    fn died_before_init(&self) -> bool {
        self.panics > self.inits
    }

    fn start_again(&mut self) {
        self.inits = 0;
        self.panics = 0;
        self.enter("booting again, as the kernel died before its init");
    }

    fn pause(&mut self, name: &str, monitor: &mut Monitor) -> Result<()> {
        self.enter(name);
        match self.pauses.get_mut(name) {
            Some(action) => action(monitor),
            None => Err(Error::Pause(name.to_owned())),
        }
    }
}

fn check_name(name: &str, taken: &[&str]) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed);
    if fits && !taken.contains(&name) {
        return Ok(());
    }
    Err(Error::Name(name.to_owned()))
}

/// A text file that a guest may have filled with anything, or not at all.
fn read_text(path: &Path) -> Result<String> {
    match fs::read(path) {
        // A lone carriage return is a program's progress, drawn over and over.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANIC: &str = "[    1.545654] Kernel panic - not syncing: Fatal exception in interrupt";

    fn died_before_init(lines: &[&str]) -> bool {
        let mut stages = Stages::new(Box::new(|_| {}), BTreeMap::new());
        lines.iter().for_each(|line| stages.line(line));
        stages.died_before_init()
    }

    #[test]
    fn a_kernel_that_dies_before_its_init_is_known() {
        let (first, second) = ("@@ first kernel up", "@@ crash kernel up");
        assert!(died_before_init(&[PANIC]));
        assert!(died_before_init(&[first, PANIC, PANIC]));
        assert!(!died_before_init(&[first, PANIC]), "what was wanted, or no crash kernel");
        assert!(!died_before_init(&[first, PANIC, second, PANIC]), "its script's doing");
        let end = "[    1.6] ---[ end Kernel panic - not syncing: Fatal exception ]---";
        assert!(!died_before_init(&[first, PANIC, end]), "one panic, said twice");
    }
}
