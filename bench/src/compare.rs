// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the kernel side's figures mean: tables, pictures and goals.

use std::path::Path;

use crate::error::Error;
use crate::goal::{Goals, Kind};
use crate::kernel::{COUNTS, Costs, Figures, LARGE, Measured, SIZES, SMALL};
use crate::plot::{Axes, Curve, draw};
use crate::report::Report;

/// How many bytes a `read()` asks for.
const BLOCKS: [u32; 3] = [4 << 10, 64 << 10, 1 << 20];
/// What is measured as equal: a difference of two figures that is not more than noise.
const EQUAL: f64 = 0.97;

/// What a figure is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Bytes a second, reported in MB/s: more is better.
    Rate,
    /// Nanoseconds, reported in µs: less is better.
    Micros,
    /// Nanoseconds, reported in ms: less is better.
    Millis,
    /// Bytes, reported in KiB: less is better.
    Kib,
}

impl Unit {
    fn scale(self) -> (f64, &'static str) {
        match self {
            Self::Rate => (1e6, "MB/s"),
            Self::Micros => (1e3, "µs"),
            Self::Millis => (1e6, "ms"),
            Self::Kib => (1024.0, "KiB"),
        }
    }

    /// What the quickest run gave; memory is the same in all, but for noise.
    fn best(self, figures: &Figures, name: &str) -> f64 {
        match self {
            Self::Rate => figures.most(name),
            Self::Micros | Self::Millis => figures.least(name),
            Self::Kib => figures.median(name),
        }
    }

    /// How much `rust` is ahead of `c`: of rates, one by the other, of the rest the
    /// other way.
    fn ahead(self, c: f64, rust: f64) -> f64 {
        if self == Self::Rate { rust / c } else { c / rust }
    }
}

/// Adds all of it to the report, and draws the pictures in `directory`.
pub fn report(
    measured: &Measured,
    pairs: usize,
    directory: &Path,
    report: &mut Report,
    goals: &mut Goals,
) -> Result<(), Error> {
    report.text("## The module and the C implementation");
    report.text(&format!(
        "Two kernels, {} and {}, built from one source and configured alike but for \
         `CONFIG_PROC_VMCORE_DEVICE_DUMP`: in the first the dumps are the C \
         implementation's, in the other vmcoredd.ko's. The same driver and the same \
         measuring program run in the crash kernels of both, {pairs} times in turns, under \
         software emulation. Each figure is the median, with the least and the most. More than \
         1 means that vmcoredd is ahead, in the medians and in the quickest runs of both. The \
         latter are judged: whatever else the machine does only takes time, and a \
         median of so few says more about that than about the two.",
        measured.releases[0], measured.releases[1],
    ));
    let comparison = Comparison { measured, report, goals, behind: Vec::new() };
    comparison.all(directory)
}

struct Comparison<'a> {
    measured: &'a Measured,
    report: &'a mut Report,
    goals: &'a mut Goals,
    /// What the C implementation is ahead in.
    behind: Vec<String>,
}

impl Comparison<'_> {
    fn all(mut self, directory: &Path) -> Result<(), Error> {
        self.memory();
        self.instructions();
        self.dumps();
        self.held();
        self.added();
        self.end_to_end();
        self.module();
        self.codecs();
        self.pictures(directory)?;
        self.report.text("### Where the C implementation is ahead");
        self.report.text(
            "The C implementation is ahead in adding a dump, and in what follows. vmcoredd keeps dumps \
             compressed: reading them takes the time of decompressing them, and a page that is \
             mapped is filled at its first access, where C has it already.",
        );
        let behind = self.behind.join("\n");
        self.report.text(if behind.is_empty() { "Nothing else." } else { &behind });
        Ok(())
    }

    fn c(&self, name: &str) -> f64 {
        self.measured.c.median(name)
    }

    fn rust(&self, name: &str) -> f64 {
        self.measured.rust.median(name)
    }

    /// How much ours is ahead in a figure, in the quickest runs, or in the medians of
    /// what is no time.
    fn ahead(&self, unit: Unit, name: &str) -> f64 {
        let Measured { c, rust, .. } = self.measured;
        unit.ahead(unit.best(c, name), unit.best(rust, name))
    }

    fn row(&self, what: &str, unit: Unit, name: &str) -> Vec<String> {
        let Measured { c, rust, .. } = self.measured;
        let cell = |figures: &Figures| with_spread(figures, unit, name);
        let of_medians = unit.ahead(c.median(name), rust.median(name));
        let ratios = [of_medians, self.ahead(unit, name)].map(|ratio| format!("{ratio:.2}"));
        [vec![what.to_owned(), cell(c), cell(rust)], ratios.into()].concat()
    }

    fn table(&mut self, title: &str, rows: &[(String, Unit, String)]) {
        self.report.text(&format!("### {title}"));
        for (what, unit, name) in rows {
            let ahead = self.ahead(*unit, name);
            if ahead < EQUAL && !name.starts_with("plain/") {
                self.behind.push(format!("- {title}: {what} ({ahead:.2})"));
            }
        }
        let rows: Vec<_> =
            rows.iter().map(|(what, unit, name)| self.row(what, *unit, name)).collect();
        self.report.table(&["", "C", "vmcoredd", "medians", "quickest"], &rows);
    }

    fn memory(&mut self) {
        let mut rows = Vec::new();
        for (label, what) in [("memory", "old memory"), ("plain", "plain kernel memory")] {
            for block in BLOCKS {
                let what = format!("{what}, read by {} KiB", block >> 10);
                rows.push((what, Unit::Rate, format!("{label}/read-{block}")));
            }
        }
        rows.push(("old memory, mapped by 4 MiB".to_owned(), Unit::Rate, "memory/map".to_owned()));
        let random = "old memory, 4 KiB at random places".to_owned();
        rows.push((random, Unit::Micros, "memory/random".to_owned()));
        self.table("Reading the dead kernel's memory", &rows);
        self.report.text(
            "Plain kernel memory is what a file serves that only copies it: the limit of all \
             reading. It is no different in the two kernels, and shows what the comparison of \
             the other figures is worth.",
        );
        for block in [BLOCKS[0], BLOCKS[2]] {
            let name = format!("memory/read-{block}");
            let rust = &self.measured.rust;
            let limit = rust.most(&name) / rust.most(&format!("plain/read-{block}"));
            let kib = block >> 10;
            let what = format!("old memory by {kib} KiB, of the copy limit");
            self.goals.at_least(Kind::Time, &what, limit, 0.9, "");
            let what = format!("old memory by {kib} KiB, times C's rate");
            self.goals.at_least(Kind::Time, &what, self.ahead(Unit::Rate, &name), 1.5, "");
        }
        let map = self.ahead(Unit::Rate, "memory/map");
        self.goals.at_least(Kind::Time, "old memory mapped, times C's rate", map, EQUAL, "");
    }

    /// A machine in which each instruction takes a nanosecond.
    fn instructions(&mut self) {
        self.report.text("### Instructions for each byte of the dead kernel's memory");
        let per_byte = |figures: &Figures, name: String| 1e9 / figures.median(&name);
        let (c, rust) = (&self.measured.c_instructions, &self.measured.rust_instructions);
        let mut rows = Vec::new();
        let mut goals = Vec::new();
        for block in BLOCKS {
            let of = |figures| {
                let copy = per_byte(figures, format!("plain/read-{block}"));
                (copy, per_byte(figures, format!("memory/read-{block}")))
            };
            let ((c_copy, c_all), (copy, all)) = (of(c), of(rust));
            let beyond = [c_all - c_copy, all - copy];
            let kib = block >> 10;
            let number = |number: f64| format!("{number:.3}");
            rows.push(vec![
                format!("by {kib} KiB"),
                number(copy),
                number(c_all),
                number(all),
                number(beyond[0]),
                number(beyond[1]),
            ]);
            goals.push((format!("instructions beyond the copy by {kib} KiB, of C's"), beyond));
        }
        let header =
            ["", "the copy alone", "C", "vmcoredd", "C beyond the copy", "vmcoredd beyond it"];
        self.report.table(&header, &rows);
        self.report.text(
            "Counted by QEMU, which lets the guest's clock advance by one nanosecond with each \
             instruction. A string instruction counts once for each word that it copies.",
        );
        for (what, [c, rust]) in goals {
            self.goals.at_most(Kind::Time, &what, rust / c, 0.1, "");
        }
    }

    fn dumps(&mut self) {
        let mut rows = Vec::new();
        for content in ["zeros", "adapter", "random"] {
            for block in BLOCKS {
                let what = format!("{}, by {} KiB", content_name(content), block >> 10);
                rows.push((what, Unit::Rate, format!("large-{content}/read-{block}")));
            }
            let what = format!("{}, mapped by 4 MiB", content_name(content));
            rows.push((what, Unit::Rate, format!("large-{content}/map")));
        }
        let title = format!("Reading a device dump of {} MiB", LARGE >> 20);
        self.table(&title, &rows);
        let least = BLOCKS
            .map(|block| self.ahead(Unit::Rate, &format!("large-adapter/read-{block}")))
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        let what = "what an adapter has, the worst of C's sequential rates";
        self.goals.at_least(Kind::Time, what, least, 0.5, "");

        let mut rows = Vec::new();
        for count in COUNTS {
            for (place, name) in [("first", "near-first"), ("last", "near-last")] {
                let what = format!("{count} dumps, 4 KiB among the {place}");
                rows.push((what, Unit::Micros, format!("small-{count}/{name}")));
            }
            let random = format!("{count} dumps, 4 KiB at random places");
            rows.push((random, Unit::Micros, format!("small-{count}/random")));
            for block in BLOCKS {
                let what = format!("{count} dumps, all by {} KiB", block >> 10);
                rows.push((what, Unit::Rate, format!("small-{count}/read-{block}")));
            }
            let what = format!("{count} dumps, mapped by 4 MiB");
            rows.push((what, Unit::Rate, format!("small-{count}/map")));
        }
        self.table(&format!("Reading many device dumps of {SMALL} bytes"), &rows);
        self.report.text(
            "The C implementation fills each dump up to a page, and its rates count that; ours \
             has 1,064 bytes for each.",
        );
        let [.., fourth, most] = COUNTS;
        let ends = |figures: &Figures, count: u32| {
            figures.least(&format!("small-{count}/near-last"))
                / figures.least(&format!("small-{count}/near-first"))
        };
        let what = format!("4 KiB among the last of {most} dumps, times the first");
        self.goals.at_most(Kind::Time, &what, ends(&self.measured.rust, most), 1.3, "");
        let sequential = self.ahead(Unit::Rate, &format!("small-{fourth}/read-4096"));
        let what = format!("{fourth} dumps by 4 KiB, times C's rate");
        self.goals.at_least(Kind::Time, &what, sequential, 10.0, "");
    }

    fn held(&mut self) {
        let mut rows: Vec<(String, Unit, String)> = ["zeros", "adapter", "random"]
            .map(|content| {
                let what = format!("{} MiB of {}", LARGE >> 20, content_name(content));
                (what, Unit::Kib, format!("large-{content}/held"))
            })
            .into();
        for size in SIZES {
            let what = format!("{} dumps of {size} bytes of what an adapter has", 4_000_000 / size);
            rows.push((what, Unit::Kib, format!("size-{size}/held")));
        }
        let [.., fourth, most] = COUNTS;
        let what = format!("{} dumps of {SMALL} bytes", most - fourth);
        rows.push((what, Unit::Kib, format!("small-{most}/held")));
        self.table("Memory that is held", &rows);
        let share = |name: &str| self.rust(name) / self.c(name);
        let adapter = share("large-adapter/held");
        let small = share(&format!("small-{most}/held"));
        let what = "memory for what an adapter has, of C's";
        self.goals.at_most(Kind::Time, what, adapter, 0.20, "");
        self.goals.at_most(Kind::Time, "memory for small dumps, of C's", small, 0.15, "");
    }

    fn added(&mut self) {
        self.report.text("### Adding a dump");
        let Measured { c, rust, c_instructions, rust_instructions, .. } = self.measured;
        let Measured { costs, cost_instructions, .. } = self.measured;
        let [.., fourth, most] = COUNTS;
        let small = format!("{SMALL} bytes");
        let large = format!("{} MiB of what an adapter has", LARGE >> 20);
        let one = ("large-adapter".to_owned(), 1);
        // Label, and how many dumps it adds: where time is measured, and where
        // instructions are counted.
        let many = (format!("small-{most}"), most - fourth);
        let fewer = (format!("small-{}", COUNTS[1]), COUNTS[1] - COUNTS[0]);
        let without_driver = |figures: &Figures, (label, count): &(String, u32)| {
            let of = |what: &str| figures.median(&format!("{label}/{what}"));
            (of("added_ns") - of("collected_ns")) / f64::from(*count)
        };
        let micros = |ns: f64| match ns / 1e3 {
            few if few < 10.0 => format!("{few:.1} µs"),
            many => format!("{many:.0} µs"),
        };
        let thousands = |number: f64| format!("{:.1} k", number / 1e3);
        let mut times = Vec::new();
        let mut counts = Vec::new();
        let mut judged = Vec::new();
        for (what, timed, counted, size) in
            [(small, &many, &fewer, SMALL), (large, &one, &one, LARGE)]
        {
            let checksum = f64::from(size) / costs.checksum * 1e9;
            let [ns, ours] = [c, rust].map(|figures| without_driver(figures, timed));
            let all = [ns, ours, costs.compressing(size), checksum, costs.thread, costs.log];
            times.push([vec![what.clone()], all.map(micros).into()].concat());

            let [theirs, ours] =
                [c_instructions, rust_instructions].map(|figures| without_driver(figures, counted));
            let compressing = cost_instructions.compressing(size);
            let Costs { thread, log, .. } = cost_instructions;
            let all = [theirs, ours, compressing, *thread, *log];
            counts.push([vec![what.clone()], all.map(thousands).into()].concat());
            let beyond = (ours - compressing) / theirs;
            judged.push((format!("adding {what} beyond compression, of C's"), beyond));
        }
        let header = [
            "time",
            "C",
            "vmcoredd",
            "of that, compression",
            "checksum",
            "thread",
            "line in the log",
        ];
        self.report.table(&header, &times);
        let header =
            ["instructions", "C", "vmcoredd", "of that, compression", "thread", "line in the log"];
        self.report.table(&header, &counts);
        self.report.text(
            "Without what the driver's callback takes. Compression, the checksum, the way to a \
             waiting thread and back, and a line in the log are what the kernel's own functions \
             take, measured apart. The processor that is emulated here has no instruction for \
             checksums, so the kernel uses tables; every x86 server has one, and so has the \
             processor whose instructions are counted, by which this is judged.",
        );
        for (what, ratio) in judged {
            self.goals.at_most(Kind::Time, &what, ratio, 1.0 / EQUAL, "");
        }
    }

    fn end_to_end(&mut self) {
        let mut rows = Vec::new();
        for (label, what) in [("plain", "without dumps"), ("dumps", "with three large ones")] {
            for (tool, line) in
                [("makedumpfile", "makedumpfile -l -d 31"), ("cp", "cp"), ("dd", "dd bs=1M")]
            {
                let what = format!("{line}, {what}");
                rows.push((what, Unit::Millis, format!("{label}/{tool}")));
            }
        }
        self.table("Saving the vmcore", &rows);
        for (label, what) in [("plain", "without dumps"), ("dumps", "with them")] {
            let ahead = self.ahead(Unit::Millis, &format!("{label}/makedumpfile"));
            let what = format!("makedumpfile {what}, of C's time");
            self.goals.at_most(Kind::Time, &what, 1.0 / ahead, 1.0 / EQUAL, "");
        }
        let saved = [self.c("eight/saved"), self.rust("eight/saved")]
            .map(|saved| if saved > 0.5 { "is saved" } else { "is **lost**" });
        self.report.text(&format!(
            "With eight adapters of 32 MiB and `crashkernel=256M`, the vmcore {} by makedumpfile \
             on the C implementation, and {} on ours.",
            saved[0], saved[1],
        ));
        let what = "eight adapters of 32 MiB in 256M: the vmcore is saved";
        self.goals.at_least(Kind::Exact, what, self.rust("eight/saved"), 1.0, "");
    }

    fn module(&mut self) {
        self.report.text("### The module itself");
        let size = self.measured.module;
        let load = self.rust("load") / 1e6;
        let [least, most] = self.measured.rust.spread("load").map(|ns| ns / 1e6);
        self.report.text(&format!(
            "vmcoredd.ko has {:.0} kB without debug information, {:.0} kB compressed by xz as \
             Debian ships modules; {:.0} kB of it stay in memory. Loading it takes {:.0} KiB of \
             memory, pages that are used later included, and {load:.1} ms ({least:.1} to \
             {most:.1}); {:.0} ms of that are for the comparison of {:.0} pages with the \
             kernel's own file.",
            size.file / 1e3,
            size.compressed / 1e3,
            size.loaded / 1e3,
            self.rust("load/held") / 1024.0,
            self.rust("load/compared_ms"),
            self.rust("load/compared_pages"),
        ));
        self.goals.at_most(Kind::Exact, "size of the module", size.file / 1e3, 120.0, " kB");
        self.goals.at_most(Kind::Time, "loading the module", load, 50.0, " ms");
    }

    fn codecs(&mut self) {
        self.report.text("### The kernel's codecs on what an adapter has");
        let rows: Vec<_> = self
            .measured
            .costs
            .codecs
            .iter()
            .map(|codec| {
                vec![
                    format!("{}, by {} KiB", codec.codec, codec.chunk >> 10),
                    format!("{:.3}", codec.stored),
                    format!("{:.0} MB/s", codec.compress / 1e6),
                    format!("{:.0} MB/s", codec.decompress / 1e6),
                ]
            })
            .collect();
        self.report.table(&["", "stored, of all", "compressing", "decompressing"], &rows);
    }

    fn pictures(&mut self, directory: &Path) -> Result<(), Error> {
        let Measured { c, rust, .. } = self.measured;
        let over = |figures: &Figures, xs: &[u32], name: &dyn Fn(u32) -> String, scale: f64| {
            let point = |x: &u32| (f64::from(*x), figures.median(&name(*x)) / scale);
            xs.iter().map(point).collect::<Vec<_>>()
        };
        let both = |xs: &[u32], name: &dyn Fn(u32) -> String, scale: f64| -> Vec<Curve> {
            vec![("C", over(c, xs, name, scale)), ("vmcoredd", over(rust, xs, name, scale))]
        };
        let near = |count| format!("small-{count}/near-last");
        let sequential = |count| format!("small-{count}/read-4096");
        let block = |block| format!("memory/read-{block}");
        let plain = |block| format!("plain/read-{block}");
        let mut rates = both(&BLOCKS, &block, 1e6);
        rates.push(("the copy alone", over(rust, &BLOCKS, &plain, 1e6)));
        let held = |figures: &Figures| {
            let share = |size: &u32| {
                let held = figures.median(&format!("size-{size}/held"));
                (f64::from(*size), held / Figures::of_size(*size))
            };
            SIZES.iter().map(share).collect::<Vec<_>>()
        };
        let held = vec![("C", held(c)), ("vmcoredd", held(rust))];
        let all: [(&str, Axes, Vec<Curve>); 4] = [
            (
                "performance-pread.svg",
                Axes {
                    title: "4 KiB among the last dumps",
                    x: "number of dumps",
                    y: "microseconds",
                },
                both(&COUNTS, &near, 1e3),
            ),
            (
                "performance-many.svg",
                Axes { title: "All dumps by 4 KiB", x: "number of dumps", y: "MB/s" },
                both(&COUNTS, &sequential, 1e6),
            ),
            (
                "performance-blocks.svg",
                Axes { title: "Reading old memory", x: "bytes a read", y: "MB/s" },
                rates,
            ),
            (
                "performance-held.svg",
                Axes {
                    title: "Memory held for what an adapter has",
                    x: "bytes of a dump",
                    y: "bytes held a byte",
                },
                held,
            ),
        ];
        for (file, axes, curves) in all {
            draw(&directory.join(file), axes, &curves)?;
            self.report.picture(file, axes.title);
        }
        Ok(())
    }
}

fn content_name(content: &str) -> &'static str {
    match content {
        "zeros" => "zeros",
        "adapter" => "what an adapter has",
        _ => "random bytes",
    }
}

fn with_spread(figures: &Figures, unit: Unit, name: &str) -> String {
    let (scale, word) = unit.scale();
    let number = |number: f64| match number / scale {
        small if small.abs() < 10.0 => format!("{small:.2}"),
        large => format!("{large:.0}"),
    };
    let [least, most] = figures.spread(name).map(number);
    format!("{} {word} ({least}–{most})", number(figures.median(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{CodecFigure, ModuleSize};

    /// Every figure that is reported, each of the same value.
    fn figures(rate: f64, time: f64) -> Figures {
        let mut figures = Figures::default();
        for label in ["plain", "memory", "large-zeros", "large-adapter", "large-random"] {
            for block in BLOCKS {
                figures.add(&format!("{label}/read-{block}"), rate);
            }
            figures.add(&format!("{label}/map"), rate);
            figures.add(&format!("{label}/held"), time);
            figures.add(&format!("{label}/added_ns"), time);
            figures.add(&format!("{label}/collected_ns"), 0.0);
        }
        for label in ["plain", "dumps"] {
            for tool in ["makedumpfile", "cp", "dd"] {
                figures.add(&format!("{label}/{tool}"), time);
            }
        }
        for count in COUNTS {
            for name in ["read-4096", "read-65536", "read-1048576", "map"] {
                figures.add(&format!("small-{count}/{name}"), rate);
            }
            for name in ["near-first", "near-last", "random", "held", "added_ns", "collected_ns"] {
                figures.add(&format!("small-{count}/{name}"), time);
            }
        }
        for size in SIZES {
            figures.add(&format!("size-{size}/held"), time);
        }
        for name in
            ["memory/random", "load", "load/held", "load/compared_ms", "load/compared_pages"]
        {
            figures.add(name, time);
        }
        figures.add("eight/saved", 1.0);
        figures
    }

    fn goals(c: Figures, rust: Figures) -> (String, Vec<Vec<String>>) {
        let directory = tempfile::tempdir().expect("a folder");
        let codec = |chunk| CodecFigure {
            codec: "lzo-rle".to_owned(),
            chunk,
            stored: 0.2,
            compress: 1e18,
            decompress: 1e18,
        };
        let codecs = vec![codec(1 << 10), codec(32 << 10)];
        let costs = Costs { codecs, checksum: 1e18, thread: 1.0, log: 1.0 };
        let measured = Measured {
            releases: ["with".to_owned(), "without".to_owned()],
            c_instructions: c.clone(),
            rust_instructions: rust.clone(),
            c,
            rust,
            cost_instructions: costs.clone(),
            costs,
            module: ModuleSize { file: 1e5, compressed: 1e5, loaded: 1e5 },
        };
        let (mut report, mut goals) = (Report::default(), Goals::new(false));
        super::report(&measured, 1, directory.path(), &mut report, &mut goals).expect("reported");
        let path = directory.path().join("report.md");
        report.write(&path).expect("written");
        assert!(directory.path().join("performance-held.svg").exists());
        (std::fs::read_to_string(path).expect("there"), goals.rows())
    }

    fn is_reached(goals: &[Vec<String>], what: &str) -> bool {
        let row = goals.iter().find(|row| row[0].starts_with(what)).expect("judged");
        row[3] == "reached"
    }

    #[test]
    fn the_quickest_runs_are_compared() {
        let of = |numbers: [f64; 3]| {
            let mut figures = Figures::default();
            numbers.into_iter().for_each(|number| figures.add("a", number));
            figures
        };
        let (c, rust) = (of([10.0, 40.0, 20.0]), of([50.0, 20.0, 10.0]));
        let ahead = |unit: Unit| unit.ahead(unit.best(&c, "a"), unit.best(&rust, "a"));
        assert_eq!(ahead(Unit::Rate), 1.25);
        assert_eq!([ahead(Unit::Micros), ahead(Unit::Millis)], [1.0, 1.0]);
        assert_eq!(ahead(Unit::Kib), 1.0);
    }

    #[test]
    fn rates_and_times_are_judged_in_their_own_ways() {
        let (text, ahead) = goals(figures(1e6, 1000.0), figures(20e6, 100.0));
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let row = "| old memory, read by 4 KiB | 1.00 MB/s (1.00–1.00) | 20 MB/s (20–20) | 20.00 | 20.00 |";
        assert!(words.contains(row), "{text}");
        assert!(!text.contains("NaN"), "{text}");
        let (_, behind) = goals(figures(20e6, 100.0), figures(1e6, 1000.0));
        for what in [
            "old memory by 4 KiB, times C's rate",
            "old memory mapped",
            "what an adapter has",
            "4000 dumps by 4 KiB",
            "memory for what an adapter has",
            "memory for small dumps",
            "makedumpfile without dumps",
            "adding 12 MiB",
        ] {
            assert!(is_reached(&ahead, what), "{what}: {ahead:?}");
            assert!(!is_reached(&behind, what), "{what}: {behind:?}");
        }
    }
}
