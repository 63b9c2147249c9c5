// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The main job, to watch: a stock kernel panics in a virtual machine, and the
//! vmcore that ordinary tools save has the memory of its adapters.
#![forbid(unsafe_code)]

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use system_tests::{Error, Modules, Result, make_adapter, names, output, payload, rearranged};
use vmtest::{Kernel, PanicCycle, Series};

const ADAPTERS: [(&str, usize); 2] = [("adapter0.bin", 1 << 20), ("adapter1.bin", 4 << 20)];

/// What the crash kernel does; its stages are shown.
const SCRIPT: &str = "
    echo '@@ loading vmcoredd and the drivers'
    insmod /modules/vmcoredd.ko
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
    echo '@@ makedumpfile saves an ELF vmcore'
    makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore
    echo '@@ makedumpfile saves a compressed one'
    makedumpfile -c -d 31 -F /proc/vmcore >/ports/vmcore.kdump
";

/// The widest line of another tool's output that is shown; readelf puts all of
/// a note on one.
const WIDTH: usize = 78;

fn main() -> ExitCode {
    let steps = Steps::new();
    match demonstrate(&steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps.end("failed");
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(steps: &Arc<Steps>) -> Result<()> {
    let directory = vmtest::target_dir().join("demo");
    let adapters = ADAPTERS.map(|(name, _)| directory.join(name));

    steps.begin("fetching Debian's 6.12 kernel");
    let kernel = Kernel::fetch(Series::V6_12)?;
    steps.begin(&format!("building vmcoredd.ko for {}", kernel.release()));
    let modules = Modules::build(&kernel)?;
    for (seed, (path, (_, size))) in adapters.iter().zip(ADAPTERS).enumerate() {
        make_adapter(path, size, seed as u64 + 1)?;
    }

    let shown = Arc::clone(steps);
    let vm = PanicCycle::new(&kernel, "demo").crashkernel_mib(160).edu();
    let vm = adapters.iter().fold(modules.add_to(vm), |vm, adapter| vm.ivshmem(adapter));
    let run = vm
        .program("/usr/bin/makedumpfile")
        .crash_script(SCRIPT)
        .port("vmcore")
        .port("vmcore.kdump")
        .on_stage(move |stage| shown.begin(described(stage)))
        .run()?;
    let vmcore = rearranged(run.port("vmcore"), &directory)?;
    rearranged(run.port("vmcore.kdump"), &directory)?;
    steps.end("done");

    show(Command::new("readelf").arg("-n"), &vmcore)?;
    show(Command::new(beside("vmcoredd")?).arg("list"), &vmcore)?;
    compare(&vmcore, &adapters)
}

/// What a stage of the run is to somebody who watches it.
fn described(stage: &str) -> &str {
    match stage {
        "booting" => "booting it in a virtual machine",
        "first kernel up" => "loading the crash kernel",
        "crash kernel loaded" => "panic!",
        "panicked" => "booting the crash kernel",
        "crash kernel up" => "looking for the vmcore",
        "powered off" => "putting the saved files together",
        other => other,
    }
}

/// A program that was built together with this one.
fn beside(program: &str) -> Result<PathBuf> {
    let own =
        std::env::current_exe().map_err(|error| Error::File { path: program.into(), error })?;
    Ok(own.with_file_name(program))
}

fn show(command: &mut Command, file: &Path) -> Result<()> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_owned()).collect();
    let file_shown = file.strip_prefix(system_tests::root()).unwrap_or(file);
    let words = [program].into_iter().chain(arguments);
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    println!("\n$ {} {}", words.join(" "), file_shown.display());
    for line in output(command.arg(file))?.lines() {
        let cut: String = line.chars().take(WIDTH).collect();
        println!("{cut}{}", if cut.len() < line.len() { " …" } else { "" });
    }
    Ok(())
}

fn compare(vmcore: &Path, adapters: &[PathBuf]) -> Result<()> {
    let dumps: Vec<String> =
        names(vmcore)?.into_iter().filter(|name| name.starts_with("ivshmem_")).collect();
    if dumps.len() != adapters.len() {
        let found = dumps.len();
        return Err(Error::Different(format!(
            "{found} adapters in the vmcore, not {}",
            adapters.len()
        )));
    }
    for (name, adapter) in dumps.iter().zip(adapters) {
        let memory =
            fs::read(adapter).map_err(|error| Error::File { path: adapter.clone(), error })?;
        if payload(vmcore, name)? != memory {
            let adapter = adapter.display();
            return Err(Error::Different(format!("{name} is not the memory of {adapter}")));
        }
    }
    println!("\nThe device dumps equal the adapters' memory, byte for byte.");
    Ok(())
}

/// The steps of the demonstration: a line each, with a spinner while it runs
/// where there is a terminal.
struct Steps {
    running: Mutex<Option<Running>>,
    terminal: bool,
}

struct Running {
    what: String,
    since: Instant,
    spinner: ProgressBar,
}

impl Steps {
    fn new() -> Arc<Self> {
        let terminal = std::io::stderr().is_terminal();
        Arc::new(Self { running: Mutex::new(None), terminal })
    }

    fn begin(&self, what: &str) {
        self.end("");
        let spinner =
            if self.terminal { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        let step = Running { what: what.to_owned(), since: Instant::now(), spinner };
        if let Ok(mut running) = self.running.lock() {
            *running = Some(step);
        }
    }

    fn end(&self, how: &str) {
        let ended = self.running.lock().ok().and_then(|mut running| running.take());
        if let Some(Running { what, since, spinner }) = ended {
            spinner.finish_and_clear();
            eprintln!("  {what:<58} {:>5.1} s {how}", since.elapsed().as_secs_f32());
        }
    }
}
