// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The module and the C implementation: two kernels that differ in nothing else, and
//! what both do in the crash kernel of a machine, in turns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indicatif::ProgressBar;
use system_tests::{Modules, own_dumps};
use vmtest::{Kernel, PanicCycle, Series};

use crate::arguments::Arguments;
use crate::error::Error;

const SCRIPT: &str = include_str!("kernel/script.sh");
const DUMPS: &str = include_str!("kernel/dumps.sh");
const EIGHT: &str = include_str!("kernel/eight.sh");
/// How many small dumps there are, one after the other.
pub const COUNTS: [u32; 5] = [20, 1000, 2000, 4000, 8000];
/// Size of each large dump, in bytes.
pub const LARGE: u32 = 12 << 20;
/// Size of each small dump, in bytes.
pub const SMALL: u32 = 1000;

/// Sizes of dumps whose memory is compared, in bytes; and of how many bytes there are of
/// each size, or a little less.
pub const SIZES: [u32; 4] = [1000, 16_000, 250_000, 4_000_000];
const EACH_SIZE: u32 = 4_000_000;

/// Whose device dumps are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The kernel's own.
    C,
    /// Ours.
    Rust,
}

/// Each figure's name, and its value in each run.
#[derive(Debug, Clone, Default)]
pub struct Figures(BTreeMap<String, Vec<f64>>);

impl Figures {
    fn read(&mut self, path: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::File { path: path.to_path_buf(), error })?;
        for line in text.lines() {
            let figure = line
                .split_once(' ')
                .and_then(|(name, number)| Some((name.to_owned(), number.trim().parse().ok()?)));
            let Some((name, number)) = figure else {
                let message = format!("expected a name and a number, found {line:?}");
                return Err(Error::Program { program: path.display().to_string(), message });
            };
            self.add(&name, number);
        }
        Ok(())
    }

    /// Adds what one run gave.
    pub fn add(&mut self, name: &str, number: f64) {
        self.0.entry(name.to_owned()).or_default().push(number);
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The median; not a number where nothing was measured.
    #[must_use]
    pub fn median(&self, name: &str) -> f64 {
        let sorted = self.sorted(name);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Size of the dumps `size-…`, in bytes.
    #[must_use]
    pub fn of_size(size: u32) -> f64 {
        f64::from(EACH_SIZE / size * size)
    }

    /// The least and the most.
    #[must_use]
    pub fn spread(&self, name: &str) -> [f64; 2] {
        let sorted = self.sorted(name);
        [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or(f64::NAN))
    }

    /// The most, which is the best of a rate.
    #[must_use]
    pub fn most(&self, name: &str) -> f64 {
        self.spread(name)[1]
    }

    /// The least, which is the best of a time.
    #[must_use]
    pub fn least(&self, name: &str) -> f64 {
        self.spread(name)[0]
    }

    fn sorted(&self, name: &str) -> Vec<f64> {
        let mut all = self.0.get(name).cloned().unwrap_or_default();
        all.sort_by(f64::total_cmp);
        all
    }
}

/// A codec of the kernel on chunks of one size, with what an adapter has.
#[derive(Debug, Clone, PartialEq)]
pub struct CodecFigure {
    /// As the kernel calls it.
    pub codec: String,
    /// Size of a chunk, in bytes.
    pub chunk: u64,
    /// What is stored, of all.
    pub stored: f64,
    /// Bytes a second, of what is compressed.
    pub compress: f64,
    /// Bytes a second, of what comes out.
    pub decompress: f64,
}

/// What parts of a dump cost by themselves, as the module `costs` reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// The kernel's codecs.
    pub codecs: Vec<CodecFigure>,
    /// Bytes a second of which the kernel makes a CRC-32C without such an instruction.
    pub checksum: f64,
    /// Of a thread that is waiting, until it has answered, in nanoseconds.
    pub thread: f64,
    /// Of a line in the log, in nanoseconds.
    pub log: f64,
}

impl Costs {
    fn read(log: &str) -> Self {
        let step = |name: &str| log.lines().find_map(|line| step_figure(line, name));
        Self {
            codecs: log.lines().filter_map(codec_figure).collect(),
            checksum: log.lines().find_map(checksum_figure).unwrap_or(f64::NAN),
            thread: step("thread").unwrap_or(f64::NAN),
            log: step("log").unwrap_or(f64::NAN),
        }
    }

    /// How long the codec that the module uses takes to compress `size` bytes, in
    /// nanoseconds.
    pub fn compressing(&self, size: u32) -> f64 {
        // A dump that is no whole chunk is compressed alone.
        let chunk = if size <= 1 << 10 { 1 << 10 } else { 32 << 10 };
        let used = |codec: &&CodecFigure| codec.codec == "lzo-rle" && codec.chunk == chunk;
        let rate = self.codecs.iter().find(used).map_or(f64::NAN, |codec| codec.compress);
        f64::from(size) / rate * 1e9
    }
}

/// How large the module is, without its debug information, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModuleSize {
    /// Its file.
    pub file: f64,
    /// Its file as Debian ships modules, compressed by xz.
    pub compressed: f64,
    /// What of it stays in memory.
    pub loaded: f64,
}

/// All that was measured.
#[derive(Debug)]
pub struct Measured {
    /// Releases of the kernels: with C's implementation, and without.
    pub releases: [String; 2],
    /// Of the C implementation.
    pub c: Figures,
    /// Of ours.
    pub rust: Figures,
    /// In instructions, instead of time.
    pub c_instructions: Figures,
    /// The same of ours.
    pub rust_instructions: Figures,
    /// What parts of a dump cost by themselves.
    pub costs: Costs,
    /// The same in instructions.
    pub cost_instructions: Costs,
    /// The module.
    pub module: ModuleSize,
}

/// A kernel, and the modules for it.
struct Subject {
    side: Side,
    kernel: Kernel,
    modules: Modules,
    adapters: PathBuf,
    plain: PathBuf,
    costs: PathBuf,
    guest: PathBuf,
}

impl Subject {
    fn new(side: Side, kernel: Kernel) -> Result<Self, Error> {
        let modules = Modules::build(&kernel)?;
        let module = |name: &str| modules.test_module(name);
        let (adapters, plain) = (module("adapters")?, module("plain")?);
        let (costs, guest) = (module("costs")?, vmtest::guest_program()?);
        Ok(Self { side, kernel, modules, adapters, plain, costs, guest })
    }

    fn machine(&self, what: &str) -> PanicCycle {
        let name = match self.side {
            Side::C => format!("bench-c-{what}"),
            Side::Rust => format!("bench-rust-{what}"),
        };
        let machine = PanicCycle::new(&self.kernel, &name)
            .memory_mib(1024)
            .crashkernel_mib(512)
            // All memory is the machine's from the start, not when it is first used.
            .qemu_arg("-object")
            .qemu_arg("memory-backend-ram,id=ram,size=1024M,prealloc=on")
            .qemu_arg("-machine")
            .qemu_arg("memory-backend=ram")
            // As Debian has it: what the module reports is not on the console.
            .crash_append("quiet")
            .time_limit(Duration::from_secs(600))
            .file(&self.adapters, "/modules/adapters.ko")
            .file(&self.plain, "/modules/plain.ko")
            .program("/usr/bin/makedumpfile")
            .program("/usr/bin/cp")
            .program("/usr/bin/dd")
            .file(&self.guest, "/usr/bin/vmtest-guest")
            .port("figures");
        match self.side {
            Side::C => machine,
            Side::Rust => machine.file(self.modules.vmcoredd(), "/modules/vmcoredd.ko"),
        }
    }

    fn module_size(&self) -> Result<ModuleSize, Error> {
        let module = self.modules.vmcoredd();
        let stripped = module.with_extension("stripped");
        let mut strip = Command::new("strip");
        strip.arg("--strip-debug").arg("-o").arg(&stripped).arg(&module);
        system_tests::output(&mut strip)?;
        let size_of = |path: &Path| {
            let metadata = fs::metadata(path);
            metadata.map_err(|error| Error::File { path: path.to_path_buf(), error })
        };
        let file = size_of(&stripped)?.len() as f64;
        // A line of titles, and then code, data and all other, and their sum.
        let sections = system_tests::output(Command::new("size").arg(&stripped))?;
        let sum = sections.lines().nth(1).and_then(|line| line.split_whitespace().nth(3));
        let loaded = sum.and_then(|sum| sum.parse().ok()).unwrap_or(f64::NAN);
        system_tests::output(Command::new("xz").args(["--force", "--keep"]).arg(&stripped))?;
        let compressed = size_of(&stripped.with_extension("stripped.xz"))?.len() as f64;
        Ok(ModuleSize { file, compressed, loaded })
    }
}

/// All that is measured in a machine, so much of each.
fn script(memory_mib: u32, large: u32, counts: &[u32], sizes: &[u32], each_size: u32) -> String {
    let words = |numbers: &[u32]| {
        let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
        words.join(" ")
    };
    let (counts, sizes) = (words(counts), words(sizes));
    format!(
        "MEMORY_MIB={memory_mib} LARGE={large} EACH_SIZE={each_size}\n\
         COUNTS='{counts}' SIZES='{sizes}'\n{SCRIPT}{DUMPS}"
    )
}

/// Measures little of ours alone, on a stock kernel: that all figures come.
pub fn smoke() -> Result<Figures, Error> {
    let subject = Subject::new(Side::Rust, Kernel::fetch(Series::V6_12)?)?;
    let script = script(16, 1 << 20, &[20, 40], &[1000], 20_000);
    let run = subject.machine("smoke").crash_script(&script).run()?;
    let mut figures = Figures::default();
    figures.read(run.port("figures"))?;
    Ok(figures)
}

fn progress(steps: u64) -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    let style = style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style)
}

/// Both kernels, C's first, with the modules for them.
fn subjects(bar: &ProgressBar) -> Result<[Subject; 2], Error> {
    bar.set_message("kernels");
    let report = |step: &str| bar.println(step);
    let without = own_dumps::kernel_without(report)?;
    let with = own_dumps::kernel_with(report)?;
    Ok([Subject::new(Side::C, with)?, Subject::new(Side::Rust, without)?])
}

/// The figures of both, C's first, where each instruction takes a nanosecond.
pub fn instructions() -> Result<[Figures; 2], Error> {
    let bar = progress(2);
    let counted = counted(&subjects(&bar)?, &bar)?;
    bar.finish_and_clear();
    Ok(counted.figures)
}

/// What was counted where each instruction takes a nanosecond.
struct Counted {
    /// C's first.
    figures: [Figures; 2],
    costs: Costs,
}

fn counted(subjects: &[Subject; 2], bar: &ProgressBar) -> Result<Counted, Error> {
    let script = script(32, LARGE, COUNTS.get(..3).unwrap_or(&COUNTS), &SIZES, EACH_SIZE);
    let mut all = [Figures::default(), Figures::default()];
    let mut costs = Costs::read("");
    for (subject, figures) in subjects.iter().zip(&mut all) {
        bar.set_message("instructions");
        // What every server has had for many years is an instruction for checksums;
        // emulated, it takes longer than a table.
        let machine = subject.machine("instructions").clock_of_instructions();
        let machine = machine.qemu_arg("-cpu").qemu_arg("qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt");
        // The kernel's own functions are the same in both.
        let with_costs = subject.side == Side::Rust;
        let machine = match with_costs {
            true => machine.file(&subject.costs, "/modules/costs.ko"),
            false => machine,
        };
        let run = machine.crash_script(&script).run()?;
        figures.read(run.port("figures"))?;
        if with_costs {
            costs = Costs::read(run.dmesg());
        }
        bar.inc(1);
    }
    Ok(Counted { figures: all, costs })
}

/// Measures both, so many pairs of machines.
pub fn run(arguments: &Arguments) -> Result<Measured, Error> {
    let bar = progress(2 * arguments.pairs as u64 + 4);
    let subjects = subjects(&bar)?;
    let releases = subjects.each_ref().map(|subject| subject.kernel.release().to_owned());
    let mut measured = Measured {
        releases,
        c: Figures::default(),
        rust: Figures::default(),
        c_instructions: Figures::default(),
        rust_instructions: Figures::default(),
        costs: Costs::read(""),
        cost_instructions: Costs::read(""),
        module: subjects[1].module_size()?,
    };

    let all = script(128, LARGE, &COUNTS, &SIZES, EACH_SIZE);
    for pair in 0..arguments.pairs {
        for subject in &subjects {
            bar.set_message(format!("pair {}", pair + 1));
            let mut machine = subject.machine("times").crash_script(&all);
            let with_costs = pair == 0 && subject.side == Side::Rust;
            if with_costs {
                machine = machine.file(&subject.costs, "/modules/costs.ko");
            }
            let run = machine.run()?;
            if with_costs {
                measured.costs = Costs::read(run.dmesg());
            }
            measured.side(subject.side).read(run.port("figures"))?;
            bar.inc(1);
        }
    }
    let counted = counted(&subjects, &bar)?;
    [measured.c_instructions, measured.rust_instructions] = counted.figures;
    measured.cost_instructions = counted.costs;
    for subject in &subjects {
        bar.set_message("eight adapters of 32 MiB");
        let machine = subject.machine("eight").crashkernel_mib(256).port("vmcore");
        let run = machine.crash_script(EIGHT).run();
        let figures = measured.side(subject.side);
        match run {
            Ok(run) => figures.read(run.port("figures"))?,
            // The kernel did not survive it.
            Err(vmtest::Error::Run { .. }) if subject.side == Side::C => {
                figures.add("eight/saved", 0.0);
            }
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(measured)
}

impl Measured {
    fn side(&mut self, side: Side) -> &mut Figures {
        match side {
            Side::C => &mut self.c,
            Side::Rust => &mut self.rust,
        }
    }
}

/// What the module costs says of one step: `step NAME: NS ns`.
fn step_figure(line: &str, name: &str) -> Option<f64> {
    let (_, said) = line.split_once("costs: step ")?;
    said.strip_prefix(name)?.strip_prefix(": ")?.strip_suffix(" ns")?.parse().ok()
}

/// What the module costs says of checksums: `checksum CRC of ALL: NS ns`.
fn checksum_figure(line: &str) -> Option<f64> {
    let (_, said) = line.split_once("costs: checksum ")?;
    let (_, said) = said.split_once(" of ")?;
    let (all, rest) = said.split_once(": ")?;
    let ns: f64 = rest.strip_suffix(" ns")?.parse().ok()?;
    Some(all.parse::<f64>().ok()? / (ns / 1e9))
}

/// What the module costs says of one: `codec NAME CHUNK: stored N of ALL, compress NS ns,
/// decompress NS ns`.
fn codec_figure(line: &str) -> Option<CodecFigure> {
    let (_, said) = line.split_once("costs: codec ")?;
    let words: Vec<&str> = said.split_whitespace().collect();
    let [codec, chunk, _, stored, _, all, _, compress, _, _, decompress, _] = *words else {
        return None;
    };
    let number = |word: &str| word.trim_end_matches([',', ':']).parse::<f64>().ok();
    let all = number(all)?;
    let rate = |word: &str| Some(all / (number(word)? / 1e9));
    Some(CodecFigure {
        codec: codec.to_owned(),
        chunk: chunk.trim_end_matches(':').parse().ok()?,
        stored: number(stored)? / all,
        compress: rate(compress)?,
        decompress: rate(decompress)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_module_costs() {
        let line = "[    3.1] costs: codec lzo-rle 4096: stored 10 of 40, compress 20 ns, \
            decompress 10 ns";
        let expected = CodecFigure {
            codec: "lzo-rle".to_owned(),
            chunk: 4096,
            stored: 0.25,
            compress: 2e9,
            decompress: 4e9,
        };
        assert_eq!(codec_figure(line), Some(expected));
        assert_eq!(codec_figure("[ 1.0] costs: loading out-of-tree module"), None);
        assert_eq!(checksum_figure("[ 1.0] costs: checksum 0x1 of 8: 1000000000 ns"), Some(8.0));
        assert_eq!(checksum_figure(line), None);
        assert_eq!(step_figure("[ 1.0] costs: step thread: 7 ns", "thread"), Some(7.0));
        assert_eq!(step_figure("[ 1.0] costs: step thread: 7 ns", "log"), None);
    }

    #[test]
    fn the_median_of_each_figure() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("figures");
        let mut figures = Figures::default();
        for number in [3, 1, 2] {
            fs::write(&path, format!("a/b {number}\n")).expect("written");
            figures.read(&path).expect("figures");
        }
        assert_eq!(figures.median("a/b"), 2.0);
        assert_eq!(figures.spread("a/b"), [1.0, 3.0]);
        assert_eq!([figures.least("a/b"), figures.most("a/b")], [1.0, 3.0]);
        assert!(figures.median("a/c").is_nan());
        fs::write(&path, "a/b\n").expect("written");
        assert!(figures.read(&path).is_err());
    }
}
