// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! One QEMU process from its start to its end, with its console in a file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command;
use crate::monitor::Monitor;
use crate::{Architecture, Error, Result};

/// How often the console is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How often a machine is started again whose kernel died before its init. Nothing of
/// ours has run by then: QEMU before 8.1 has a race in software emulation that lets
/// one of some thousand kernels die or hang while it rewrites its own code at boot.
const MORE_STARTS: u32 = 2;

/// A device of the virtual machine.
#[derive(Debug, Clone)]
pub enum Device {
    /// `ivshmem-plain`: memory shared with a file on the host, seen as BAR 2.
    /// The file's size, a power of two, is the BAR's.
    Ivshmem(PathBuf),
    /// QEMU's educational PCI device.
    Edu,
}

/// Follows a machine by the lines of its console.
pub trait Watcher {
    /// Takes the next line.
    fn line(&mut self, line: &str);
    /// Whether the kernel that was started last, the first or the crash kernel, ended
    /// before its init.
    fn died_before_init(&self) -> bool;
    /// Forgets all, as the machine is started again.
    fn start_again(&mut self);
    /// Does what the guest waits for, where the machine has a [`Qemu::monitor`].
    fn pause(&mut self, _name: &str, _monitor: &mut Monitor) -> Result<()> {
        Ok(())
    }
}

/// Counts what a kernel with its ordinary log says of its init and of its end.
#[derive(Debug, Default)]
pub struct KernelLog {
    inits: u32,
    panics: u32,
}

impl Watcher for KernelLog {
    fn line(&mut self, line: &str) {
        self.inits += u32::from(line.contains("] Run /init as init process"));
        self.panics += u32::from(line.contains("] Kernel panic - not syncing"));
    }

    /// Also when it hangs there until its time is up.
    fn died_before_init(&self) -> bool {
        self.panics >= self.inits
    }

    fn start_again(&mut self) {
        *self = Self::default();
    }
}

/// How a QEMU process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The guest powered off or rebooted.
    ByGuest,
    /// It was killed at its time limit.
    AtTimeLimit,
    /// QEMU failed.
    Failed(ExitStatus),
}

/// A virtual machine to be run.
#[derive(Debug, Clone)]
pub struct Qemu {
    architecture: Architecture,
    kernel: PathBuf,
    initrd: PathBuf,
    append: String,
    memory_mib: u32,
    smp: u32,
    devices: Vec<Device>,
    ports: Vec<(String, PathBuf)>,
    args: Vec<OsString>,
    clock_of_instructions: bool,
    has_monitor: bool,
}

impl Qemu {
    /// A machine of the host's architecture with 512 MiB and one processor.
    pub fn new(kernel: &Path, initrd: &Path, append: &str) -> Self {
        Self {
            architecture: Architecture::host(),
            kernel: kernel.to_path_buf(),
            initrd: initrd.to_path_buf(),
            append: append.to_owned(),
            memory_mib: 512,
            smp: 1,
            devices: Vec::new(),
            ports: Vec::new(),
            args: Vec::new(),
            clock_of_instructions: false,
            has_monitor: false,
        }
    }

    /// Sets the architecture.
    pub fn architecture(mut self, architecture: Architecture) -> Self {
        self.architecture = architecture;
        self
    }

    /// Sets the size of the memory.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Sets the number of processors.
    pub fn smp(mut self, processors: u32) -> Self {
        self.smp = processors;
        self
    }

    /// Adds a device.
    pub fn device(mut self, device: Device) -> Self {
        self.devices.push(device);
        self
    }

    /// Adds a virtio-serial port whose bytes go to a file on the host.
    pub fn port(mut self, name: &str, file: &Path) -> Self {
        self.ports.push((name.to_owned(), file.to_path_buf()));
        self
    }

    /// Lets the machine's clock advance by one nanosecond with each instruction, and not
    /// otherwise: its times are then numbers of instructions.
    pub fn clock_of_instructions(mut self) -> Self {
        self.clock_of_instructions = true;
        self
    }

    /// Adds a monitor, and a port through which the guest has [`Watcher::pause`] called.
    /// The machine must have another port.
    pub fn monitor(mut self) -> Self {
        self.has_monitor = true;
        self
    }

    /// Adds an argument as it is.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs the machine to its end, or kills it at `limit`. The console goes to
    /// `console`, each of its lines to `watcher`, QEMU's own words to `messages`.
    pub fn run(
        &self,
        console: &Path,
        messages: &Path,
        limit: Duration,
        watcher: &mut impl Watcher,
    ) -> Result<Ended> {
        let mut lines = ConsoleLines::create(console)?;
        let messages = File::create(messages).map_err(Error::file("create", messages))?;
        let mut command = self.command(console)?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(messages);
        let mut monitor = None;
        if self.has_monitor {
            let (ours, ends) = Monitor::new()?;
            ends.add_to(&mut command);
            monitor = Some(ours);
        }
        let started = Instant::now();
        let child = command.spawn().map_err(|error| command::cannot_start(&command, &error))?;
        // Which has QEMU's ends: what waits for them is to see when QEMU closes them.
        drop(command);
        let mut process = Process(child);
        loop {
            // Asked before the console is read, so that nothing written last is missed.
            let ended = process.ended()?;
            lines.new_lines(&mut |line| watcher.line(line))?;
            if let Some(monitor) = &mut monitor
                && let Some(name) = monitor.asked()?
            {
                watcher.pause(&name, monitor)?;
                monitor.go_on()?;
            }
            match ended {
                Some(status) if status.success() => return Ok(Ended::ByGuest),
                Some(status) => return Ok(Ended::Failed(status)),
                None if started.elapsed() >= limit => return Ok(Ended::AtTimeLimit),
                None => thread::sleep(POLL),
            }
        }
    }

    /// As [`Qemu::run`], and again, at most twice, where the kernel died before its init;
    /// then its `console.log` is kept as `console-1.log`, and `console-2.log`.
    pub fn run_watched(
        &self,
        console: &Path,
        messages: &Path,
        limit: Duration,
        watcher: &mut impl Watcher,
    ) -> Result<Ended> {
        for attempt in 1..=MORE_STARTS {
            let ended = self.run(console, messages, limit, watcher)?;
            if matches!(ended, Ended::Failed(_)) || !watcher.died_before_init() {
                return Ok(ended);
            }
            let [stem, extension] = [console.file_stem(), console.extension()]
                .map(|part| part.unwrap_or_default().to_string_lossy());
            let kept = console.with_file_name(format!("{stem}-{attempt}.{extension}"));
            fs::rename(console, &kept).map_err(Error::file("rename", console))?;
            watcher.start_again();
        }
        self.run(console, messages, limit, watcher)
    }

    fn command(&self, console: &Path) -> Result<Command> {
        // A test that is killed takes its machine along.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", self.architecture.qemu()]);
        if self.clock_of_instructions {
            command.args(["-accel", "tcg,thread=single,tb-size=512"]);
            command.args(["-icount", "shift=0,sleep=off"]);
        } else {
            command.args(["-accel", "tcg,thread=multi,tb-size=512"]);
        }
        command.args(self.architecture.machine());
        command.args(["-display", "none", "-nodefaults", "-no-reboot"]);
        command.args(["-m", &format!("{}M", self.memory_mib)]);
        command.args(["-smp", &self.smp.to_string()]);
        command.arg("-kernel").arg(&self.kernel);
        command.arg("-initrd").arg(&self.initrd);
        command.args(["-append", &self.append]);
        command.args(["-chardev", &file_chardev("console", console)]);
        command.args(["-serial", "chardev:console"]);
        self.add_ports(&mut command);
        for (index, device) in self.devices.iter().enumerate() {
            device.add(index, &mut command)?;
        }
        command.args(&self.args);
        Ok(command)
    }

    fn add_ports(&self, command: &mut Command) {
        if self.ports.is_empty() {
            return;
        }
        command.args(["-device", "virtio-serial-pci"]);
        for (name, file) in &self.ports {
            let id = format!("port-{name}");
            command.args(["-chardev", &file_chardev(&id, file)]);
            command.arg("-device");
            command.arg(format!("virtserialport,chardev={id},name={name}"));
        }
    }
}

impl Device {
    fn add(&self, index: usize, command: &mut Command) -> Result<()> {
        match self {
            Self::Edu => {
                command.args(["-device", "edu"]);
            }
            Self::Ivshmem(path) => {
                let metadata = fs::metadata(path).map_err(Error::file("read", path))?;
                let size = metadata.len();
                if !size.is_power_of_two() {
                    let path = path.clone();
                    return Err(Error::IvshmemSize { path, size });
                }
                let backing = option_value(path);
                command.arg("-object").arg(format!(
                    "memory-backend-file,id=shared{index},share=on,mem-path={backing},size={size}"
                ));
                command.arg("-device");
                command.arg(format!("ivshmem-plain,memdev=shared{index}"));
            }
        }
        Ok(())
    }
}

fn file_chardev(id: &str, path: &Path) -> String {
    format!("file,id={id},path={}", option_value(path))
}

/// QEMU takes a comma for the end of a value unless it is doubled.
fn option_value(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// A running QEMU that does not outlive this value.
struct Process(Child);

impl Process {
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.0.try_wait().map_err(|error| Error::Program {
            program: "qemu-system".to_owned(),
            problem: format!("cannot be waited for: {error}"),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a growing console log.
struct ConsoleLines {
    path: PathBuf,
    file: File,
    unfinished: Vec<u8>,
}

impl ConsoleLines {
    fn create(path: &Path) -> Result<Self> {
        File::create(path).map_err(Error::file("create", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: File::open(path).map_err(Error::file("read", path))?,
            unfinished: Vec::new(),
        })
    }

    fn new_lines(&mut self, on_line: &mut impl FnMut(&str)) -> Result<()> {
        self.file.read_to_end(&mut self.unfinished).map_err(Error::file("read", &self.path))?;
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let finished: Vec<u8> = self.unfinished.drain(..=end).collect();
        String::from_utf8_lossy(&finished).lines().for_each(on_line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_init_is_known_by_its_log() {
        let init = "[    3.210000] Run /init as init process";
        let panic = "[   60.000000] Kernel panic - not syncing: sysrq triggered crash";
        let died = |lines: &[&str]| {
            let mut log = KernelLog::default();
            lines.iter().for_each(|line| log.line(line));
            log.died_before_init()
        };
        assert!(died(&[]), "it hung");
        assert!(died(&[panic]));
        assert!(!died(&[init]), "it has no crash kernel to start");
        assert!(died(&[init, panic]), "its crash kernel hung");
        assert!(died(&[init, panic, panic]));
        assert!(!died(&[init, panic, init]));
    }
}
