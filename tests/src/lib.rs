// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the tests of the whole system, and the demonstration, have in common:
//! this project's modules, built for a stock kernel, and adapters whose memory
//! the host knows.
#![forbid(unsafe_code)]

pub mod chelsio;
pub mod crash_header;
pub mod cudbg;
mod in_tree;
pub mod own_dumps;
pub mod registers;
pub mod soft;
pub mod watched;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use vmtest::{Architecture, Flavour, Kernel, Series, Vm};

pub use in_tree::{InTreeDriver, source};

/// Why something could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The virtual machine.
    #[error(transparent)]
    Vm(#[from] vmtest::Error),
    /// A dump.
    #[error(transparent)]
    Dump(#[from] kdumpfile::Error),
    /// A file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// A program that failed.
    #[error("{program}: {message}")]
    Program {
        /// The program and its arguments.
        program: String,
        /// What it said, or how it ended.
        message: String,
    },
    /// A dump that is not what it must be.
    #[error("{0}")]
    Different(String),
}

/// The result of preparing something.
pub type Result<T> = std::result::Result<T, Error>;

fn file_error(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |error| Error::File { path: path.to_owned(), error }
}

/// Runs a program to its end; returns what it printed.
///
/// # Errors
/// [`Error::Program`] when it does not end with status 0.
pub fn output(command: &mut Command) -> Result<String> {
    let program = format!("{command:?}");
    let failed = |message: String| Error::Program { program: program.clone(), message };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        // Some, patch and checkpatch among them, report their errors on standard output.
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        let said = String::from_utf8_lossy(&said);
        return Err(failed(format!("{}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `vmcoredd explain` says of the file at `path`, without what differs each time: where
/// the file is, the id of the crash, and the times in kernel logs.
///
/// # Errors
/// [`Error::Program`] where it cannot be read.
pub fn explained(path: &Path) -> Result<String> {
    let mut explain = Command::new(vmtest::static_program("vmcoredd")?);
    explain.arg("explain").arg(path);
    let program = format!("{explain:?}");
    let failed = |message: String| Error::Program { program: program.clone(), message };
    let output = explain.output().map_err(|error| failed(error.to_string()))?;
    let (said, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    // 1 says that something fatal was found.
    if !matches!(output.status.code(), Some(0 | 1)) || !errors.is_empty() {
        return Err(failed(format!("{}: {errors}", output.status)));
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.replace(&format!("{}:", path.display()), "FILE:");
    Ok(without_times(&without_id(&said)))
}

/// The id of the crash, which is of one panic, becomes `[id]`.
fn without_id(text: &str) -> String {
    let id = text.lines().find_map(|line| line.strip_prefix("crash:"));
    match id.map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => text.replace(id, "[id]"),
        None => text.to_owned(),
    }
}

/// `[   12.345678]` becomes `[time]`.
fn without_times(text: &str) -> String {
    let mut parts = text.split('[');
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let time = part.split_once(']').filter(|(time, _)| {
            time.contains('.') && time.trim().bytes().all(|b| b.is_ascii_digit() || b == b'.')
        });
        match time {
            Some((_, rest)) => said += &format!("[time]{rest}"),
            None => said += &format!("[{part}"),
        }
    }
    said
}

/// The lines of a text of [`explained`] that begin a finding, the worst first.
#[must_use]
pub fn findings(explained: &str) -> Vec<&str> {
    let severities = ["fatal ", "error ", "warn  ", "info  "];
    let is_one = |line: &&str| severities.iter().any(|severity| line.starts_with(severity));
    explained.lines().filter(is_one).collect()
}

/// What the files of a directory have in them, by their names.
///
/// # Errors
/// [`Error::File`].
pub fn files_in(directory: &Path) -> Result<BTreeMap<OsString, Vec<u8>>> {
    let entries = fs::read_dir(directory).map_err(file_error(directory))?;
    let read = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.map_err(file_error(directory))?;
        let bytes = fs::read(entry.path()).map_err(file_error(&entry.path()))?;
        Ok((entry.file_name(), bytes))
    };
    entries.map(read).collect()
}

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Takes from a build's environment what an outer make or cargo set for itself.
pub fn without_outer_build(build: &mut Command) -> &mut Command {
    for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LD_LIBRARY_PATH"] {
        build.env_remove(variable);
    }
    build
}

/// Where finished objects of Rust code are kept, as the Makefile has it.
const OBJECTS: &str = "target/kmod/objects";

/// Runs `make` for `kernel`, with flags for `rust-module`. Where C is compiled elsewhere,
/// Rust is compiled here before.
fn make(kernel: &Kernel, arguments: &[&str], flags: &str) -> Result<()> {
    let mut flags = flags.to_owned();
    let _turn = turn_to_build()?;
    if kernel.builds_elsewhere() {
        let configuration = kernel.headers().join("include/config/auto.conf");
        let mut objects = Command::new("make");
        objects.current_dir(root()).arg("driver-objects");
        objects.arg(format!("CONFIGS={}", configuration.display()));
        output(without_outer_build(&mut objects))?;
        flags += &format!(" --objects {OBJECTS}");
    }
    let mut make = kernel.build_command("make", root())?;
    make.args(arguments);
    make.arg(format!("KVER={}", kernel.release()));
    make.arg(format!("KDIR={}", kernel.headers().display()));
    make.arg(format!("MODULE_FLAGS={flags}"));
    output(&mut make)?;
    Ok(())
}

/// One builds at a time, until the value is dropped: tests that run at once
/// share the results.
fn turn_to_build() -> Result<fs::File> {
    let turn = vmtest::target_dir().join("kmod").join(".lock");
    fs::create_dir_all(turn.with_file_name("")).map_err(file_error(&turn))?;
    let turn_file = fs::File::create(&turn).map_err(file_error(&turn))?;
    turn_file.lock().map_err(file_error(&turn))?;
    Ok(turn_file)
}

/// This project's modules for one kernel.
#[derive(Debug)]
pub struct Modules {
    out: PathBuf,
    kernel: Kernel,
}

impl Modules {
    /// Builds the module and the sample drivers for `kernel`, as `make drivers` does.
    ///
    /// # Errors
    /// [`Error::Program`] with what the build printed.
    pub fn build(kernel: &Kernel) -> Result<Self> {
        make(kernel, &["drivers"], "")?;
        let out = vmtest::target_dir().join("kmod").join(kernel.release());
        Ok(Self { out, kernel: kernel.clone() })
    }

    /// Builds a `vmcoredd.ko` in which calls of the kernel can be made to fail: its
    /// parameters `fail_at`, `fail_count` and `calls`.
    ///
    /// # Errors
    /// [`Error::Program`] with what the build printed.
    pub fn build_with_faults(kernel: &Kernel) -> Result<PathBuf> {
        let out = format!("target/kmod/{}/faults", kernel.release());
        make(kernel, &["kmod", &format!("OUT={out}")], "--cflag -DVMCOREDD_FAULTS")?;
        Ok(root().join(out).join("vmcoredd.ko"))
    }

    /// `vmcoredd.ko`.
    #[must_use]
    pub fn vmcoredd(&self) -> PathBuf {
        self.out.join("vmcoredd.ko")
    }

    /// The sample driver `name`.
    #[must_use]
    pub fn driver(&self, name: &str) -> PathBuf {
        self.out.join("drivers").join(name).join(name).with_extension("ko")
    }

    /// Builds a module of the tests' own, whose source is in `tests/modules/<name>`.
    ///
    /// # Errors
    /// [`Error::Program`] with what the build printed.
    pub fn test_module(&self, name: &str) -> Result<PathBuf> {
        self.test_module_with(name, "", &[])
    }

    /// Builds one of them in which mainline's function is ours, `vmcoredd_add_device_dump()`,
    /// as for a kernel that has device dumps of its own.
    ///
    /// # Errors
    /// [`Error::Program`] with what the build printed.
    pub fn test_module_by_our_name(&self, name: &str) -> Result<PathBuf> {
        let renamed = "-Dvmcore_add_device_dump=vmcoredd_add_device_dump";
        self.test_module_with(name, "our-name", &["--cflag", renamed])
    }

    fn test_module_with(&self, name: &str, variant: &str, arguments: &[&str]) -> Result<PathBuf> {
        let out = self.out.join("tests").join(variant).join(name);
        let source = root().join("tests/modules").join(name).join(name).with_extension("c");
        let mut build = self.kernel.build_command(root().join("kmod/build/rust-module"), root())?;
        build.args(["--name", name, "--cflag", "-DCONFIG_PROC_VMCORE_DEVICE_DUMP=1"]);
        build.args(arguments);
        build.arg("--c-source").arg(source).arg("--kdir").arg(self.kernel.headers());
        build.arg("--cache").arg(vmtest::target_dir().join("kmod/cache"));
        build.arg("--include").arg(root().join("kmod/include"));
        build.arg("--out").arg(&out).arg("--symvers").arg(self.out.join("Module.symvers"));
        let _turn = turn_to_build()?;
        output(&mut build)?;
        Ok(out.join(name).with_extension("ko"))
    }

    /// Adds the module and the sample drivers for `vm`'s script, in `/modules`.
    pub fn add_to<Mode>(&self, vm: Vm<Mode>) -> Vm<Mode> {
        vm.file(self.vmcoredd(), "/modules/vmcoredd.ko")
            .file(self.driver("edu"), "/modules/edu.ko")
            .file(self.driver("ivshmem"), "/modules/ivshmem.ko")
    }
}

/// The `.ko` of modules that came with the kernel, and of those that they depend on, in an
/// order in which they can be loaded; without those that every machine loads for its ports.
///
/// # Errors
/// [`Error::Vm`].
pub fn with_dependencies(kernel: &Kernel, names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut modules = kernel.modules_with_dependencies(names)?;
    let loaded = kernel.virtio_serial_modules()?;
    modules.retain(|module| !loaded.contains(module));
    Ok(modules)
}

/// Makes the memory of an adapter: a file of `size` bytes, a power of two, with
/// content that depends on `seed`, 4 KiB in 64 of it zeros.
///
/// # Errors
/// [`Error::File`].
pub fn make_adapter(path: &Path, size: usize, seed: u64) -> Result<()> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut memory = vec![0; size];
    for (index, page) in memory.chunks_mut(4096).enumerate() {
        if index % 16 == 5 {
            continue;
        }
        for word in page.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
        }
    }
    write(path, &memory)
}

/// Writes a file, and makes the directory that it is in.
///
/// # Errors
/// [`Error::File`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(file_error(directory))?;
    }
    fs::write(path, bytes).map_err(file_error(path))
}

/// The payload of the device dump `name` in the vmcore at `path`.
///
/// # Errors
/// [`Error::Different`] when there is no such dump.
pub fn payload(path: &Path, name: &str) -> Result<Vec<u8>> {
    let dump = kdumpfile::Dump::open(path)?;
    for device_dump in dump.device_dumps() {
        let device_dump = device_dump?;
        if device_dump.name() == name.as_bytes() {
            let mut bytes = Vec::new();
            device_dump
                .copy_to(&mut bytes)
                .map_err(|error| Error::Different(format!("{}: {error}", path.display())))?;
            return Ok(bytes);
        }
    }
    Err(Error::Different(format!("{}: no device dump {name}", path.display())))
}

/// The names of the device dumps in the vmcore at `path`, in their order.
///
/// # Errors
/// [`Error::Dump`].
pub fn names(path: &Path) -> Result<Vec<String>> {
    let dump = kdumpfile::Dump::open(path)?;
    let names = dump
        .device_dumps()
        .map(|device_dump| Ok(String::from_utf8_lossy(device_dump?.name()).into_owned()));
    names.collect()
}

/// The names of the device dumps in the first bytes of a vmcore, a file at `path` that has
/// all of it but memory at its end.
///
/// # Errors
/// [`Error::Dump`]; [`Error::Different`] when it has all of its memory.
pub fn names_before_memory(path: &Path) -> Result<Vec<String>> {
    let dump = kdumpfile::Dump::open(path)?;
    let mut names = Vec::new();
    for device_dump in dump.device_dumps() {
        match device_dump {
            Ok(device_dump) => {
                names.push(String::from_utf8_lossy(device_dump.name()).into_owned());
            }
            Err(error) if error.to_string().contains("p_filesz of PT_LOAD: ") => return Ok(names),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Different(format!("{}: expected no end of its memory", path.display())))
}

/// How the line begins with which the module says that `/proc/vmcore` is its own.
pub const TAKES: &str = "/proc/vmcore takes device dumps, ";

/// What the module itself said in a kernel log, line by line.
#[must_use]
pub fn module_log(dmesg: &str) -> Vec<&str> {
    let of_the_loader = ["loading out-of-tree module", "module verification failed"];
    dmesg
        .lines()
        .filter_map(|line| line.split_once("vmcoredd: "))
        .map(|(_, said)| said)
        .filter(|said| !of_the_loader.iter().any(|theirs| said.starts_with(theirs)))
        .collect()
}

/// What a line of the module's says of a collection, without what differs from one
/// run to the next, or from one kernel to another: the time it took, what the
/// payload takes in memory, and where its note is.
#[must_use]
pub fn outcome(line: &str) -> &str {
    match line.find(" bytes, ") {
        Some(at) => &line[..at + " bytes".len()],
        None => match line.rsplit_once(", ") {
            Some((before, time)) if time.ends_with(" ms") => before,
            _ => line,
        },
    }
}

/// A line of a kernel log that reports a fault in a kernel.
#[must_use]
pub fn fault(dmesg: &str) -> Option<&str> {
    let signs = [
        "WARNING:",
        "BUG:",
        "Oops",
        "Call Trace:",
        "ioremap on RAM",
        "Out of memory",
        "conflicting memory types",
        "map pfn",
    ];
    dmesg.lines().find(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// The command that writes an ELF vmcore to its standard output: makedumpfile, as a stream, or
/// cat, as it is, where makedumpfile does not know the kernel (see `tests/tests/arm64.rs`).
#[must_use]
pub fn saver(kernel: &Kernel) -> &'static str {
    match kernel.architecture() {
        Architecture::X86_64 => "makedumpfile -E -d 31 -F /proc/vmcore",
        Architecture::Arm64 | Architecture::Arm64Pages16k => "cat /proc/vmcore",
    }
}

/// Makes a file in `directory` of what a [`saver`] or makedumpfile wrote to a port.
///
/// # Errors
/// [`Error::Program`] with what makedumpfile said.
pub fn rearranged(stream: &Path, directory: &Path) -> Result<PathBuf> {
    let file = directory.join(stream.file_name().unwrap_or_default());
    let mut magic = [0; 4];
    let mut start = fs::File::open(stream).map_err(file_error(stream))?;
    if start.read_exact(&mut magic).is_ok() && magic == *b"\x7fELF" {
        fs::rename(stream, &file).map_err(file_error(stream))?;
        return Ok(file);
    }
    if file.exists() {
        fs::remove_file(&file).map_err(file_error(&file))?;
    }
    let stdin = fs::File::open(stream).map_err(file_error(stream))?;
    output(Command::new("makedumpfile").arg("-R").arg(&file).stdin(stdin))?;
    Ok(file)
}

/// The kernels that tests are run on: two of which by each change, the others of the list by
/// `make test-reach`.
pub const KERNELS: [Series; 8] = [
    Series::V6_12,
    Series::V6_1,
    Series::V5_10,
    Series::TRIXIE,
    Series::TRIXIE.flavour(Flavour::Full),
    Series::TRIXIE.flavour(Flavour::RealTime),
    Series::BACKPORTS,
    Series::SID,
];

/// What is made once of each of [`KERNELS`], by whoever needs it first, and then serves
/// many tests of the same process.
pub struct OnEachKernel<T> {
    make: fn(Series) -> Result<T>,
    made: [OnceLock<Result<T>>; KERNELS.len()],
}

impl<T> OnEachKernel<T> {
    /// Nothing yet; `make` makes it.
    #[must_use]
    pub const fn new(make: fn(Series) -> Result<T>) -> Self {
        Self { make, made: [const { OnceLock::new() }; KERNELS.len()] }
    }

    /// What was made of `series`.
    ///
    /// # Panics
    /// When it could not be made, with the error; when it is none of the list.
    pub fn get(&self, series: Series) -> &T {
        let position = KERNELS.iter().position(|kernel| *kernel == series);
        let once = position.and_then(|position| self.made.get(position));
        match once.expect("one of the list").get_or_init(|| (self.make)(series)) {
            Ok(made) => made,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether the archive has such a kernel. If not, this says so: a kernel that is gone is no
/// failure.
///
/// # Panics
/// When it cannot be fetched for another reason, with the error.
#[must_use]
pub fn there_is(series: Series) -> bool {
    match Kernel::fetch(series) {
        Ok(_) => true,
        Err(error) if error.is_gone() => {
            // To where it is seen although the test passes.
            let _ = writeln!(io::stderr(), "    skipped on {series}: {error}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// The crash kernel's memory, in MiB, in which the sample of eight adapters is taken whole:
/// the least multiple of 16 that was found. What the kernel itself takes makes the difference.
#[must_use]
pub fn least_crashkernel(series: Series) -> u32 {
    match series {
        Series::V5_10 => 144,
        Series::SID => 176,
        Series::BACKPORTS => 192,
        _ => 160,
    }
}

/// Makes each of the named functions, which take a [`Series`], a test on every kernel.
#[macro_export]
macro_rules! on_each_kernel {
    ($($test:ident)+) => {
        mod on_6_12 { $(#[test] fn $test() { super::$test(::vmtest::Series::V6_12) })+ }
        mod on_6_1 { $(#[test] fn $test() { super::$test(::vmtest::Series::V6_1) })+ }
        $crate::on_other_kernels! { $($test)+ }
    };
}

/// The same on the kernels that each change does without, for `make test-reach`.
#[macro_export]
macro_rules! on_other_kernels {
    ($($test:ident)+) => {
        $crate::on_other_kernels! { on_5_10 2 $($test)+ }
        $crate::on_other_kernels! { on_trixie 3 $($test)+ }
        $crate::on_other_kernels! { on_trixie_full 4 $($test)+ }
        $crate::on_other_kernels! { on_trixie_rt 5 $($test)+ }
        $crate::on_other_kernels! { on_backports 6 $($test)+ }
        $crate::on_other_kernels! { on_sid 7 $($test)+ }
    };
    ($name:ident $position:literal $($test:ident)+) => {
        mod $name { $(
            #[test]
            #[ignore = "make test-reach"]
            fn $test() {
                if $crate::there_is($crate::KERNELS[$position]) {
                    super::$test($crate::KERNELS[$position]);
                }
            }
        )+ }
    };
}
