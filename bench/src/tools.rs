// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command, compared with the tools that read the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use synth::cudbg::Collection;
use synth::{
    Class, Config, Content, Endian, Image, Load, NoteSpec, RegisterDevice, RegisterSpace,
    Registers, Vmcore, configs,
};
use system_tests::Modules;
use tempfile::TempDir;
use vmtest::{Kernel, PanicCycle, Series};

use crate::arguments::Arguments;
use crate::error::Error;
use crate::goal::{Goals, Kind};
use crate::measure::{Measured, Subject, in_turns, table};
use crate::report::Report;

const MIB: u64 = 1 << 20;
/// How many device dumps the large vmcore has, and of how many bytes each.
const DUMPS: u64 = 300;
const DUMP_LENGTH: u64 = 100 << 10;
/// How much memory it has, in bytes; the file has holes there.
const MEMORY: u64 = 100 << 30;

/// How many functions the explained machine has.
const FUNCTIONS: usize = 64;
/// The entities of cxgb4 that have the memories EDC0 and EDC1, and how long each is here.
const MEMORIES: [u32; 2] = [18, 19];
const ENTITY: usize = 16 << 20;
/// How many registers one device has, and the profile that names them.
const REGISTERS: usize = 10_000;
const PROFILE: &str = r#"
profile "many" version=1 title="a device with many registers"
source "none"
match { pci vendor=0x8086 device=0x10d3 }
collect { block all bar=0 at=0x0 len=40000 width=32 }
block all { reg R at=0 count=10000 { LOW 0 15; HIGH 16 31 } }
"#;

/// Measures `list`, `info`, `extract`, `verify`, `explain` and `decode`.
pub fn run(arguments: &Arguments, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
    report.text("## The command and its peers");
    report.text(&format!(
        "On the same files, in turns, {} times each. The ratios are those of the medians to the \
         first line's; among the goals they are those of the fastest runs. What is mapped does \
         not count as read.",
        arguments.rounds,
    ));
    let bench = Bench::new(arguments)?;
    bench.list(report, goals)?;
    bench.extract(report, goals)?;
    bench.explain(report, goals)?;
    bench.decode(report, goals)?;
    // It needs the kernel's debug symbols, a large download.
    if arguments.smoke { Ok(()) } else { bench.crash(report, goals) }
}

struct Bench<'a> {
    arguments: &'a Arguments,
    command: PathBuf,
    folder: TempDir,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self, Error> {
        let directory = &arguments.directory;
        let wrong = |error| Error::File { path: directory.clone(), error };
        fs::create_dir_all(directory).map_err(wrong)?;
        let folder = TempDir::new_in(directory).map_err(wrong)?;
        let command = fs::canonicalize(&arguments.command)
            .map_err(|error| Error::File { path: arguments.command.clone(), error })?;
        Ok(Self { arguments, command, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make(&self, name: &str, image: &Image) -> Result<PathBuf, Error> {
        let path = self.path(name);
        image.write(&path).map_err(|error| Error::File { path: path.clone(), error })?;
        Ok(path)
    }

    fn measure(
        &self,
        title: &str,
        subjects: &[Subject],
        report: &mut Report,
    ) -> Result<Vec<Measured>, Error> {
        let measured = in_turns(title, subjects, self.arguments.rounds)?;
        table(title, &measured, report);
        Ok(measured)
    }

    /// The program `name` with `arguments`, or ours where it has none.
    fn subject(&self, name: &'static str, line: &[&str], files: &[&Path]) -> Subject {
        let (program, options) = line.split_first().unwrap_or((&"", &[]));
        let program =
            if *program == "vmcoredd" { self.command.clone() } else { PathBuf::from(program) };
        let options = options.iter().map(|option| (*option).to_owned());
        let files = files.iter().map(|file| file.display().to_string());
        Subject { name, program, arguments: options.chain(files).collect(), output: None }
    }

    fn list(&self, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
        let made = Vmcore::new(Class::Elf64, Endian::Little)
            .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
            .load(Load::new(1 << 32, Content::Zeros(MEMORY)));
        let made = (0..DUMPS).fold(made, |made, number| {
            made.dump(format!("device{number}"), Content::Zeros(DUMP_LENGTH))
        });
        let vmcore = self.make("vmcore", &made.image())?;
        let files = [vmcore.as_path()];
        let python = "import kdumpfile, sys; \
            kdumpfile.kdumpfile(sys.argv[1]).attr['file.format']";
        let measured = self.measure(
            "Listing 300 device dumps of 100 KiB in a vmcore of 100 GiB",
            &[
                self.subject("vmcoredd list", &["vmcoredd", "list"], &files),
                self.subject("vmcoredd list --json", &["vmcoredd", "list", "--json"], &files),
                self.subject("vmcoredd info", &["vmcoredd", "info"], &files),
                self.subject("vmcoredd --version", &["vmcoredd", "--version"], &[]),
                self.subject("readelf -n", &["readelf", "-n", "-W"], &files),
                self.subject("eu-readelf -n", &["eu-readelf", "-n"], &files),
                self.subject("libkdumpfile opens it", &["/usr/bin/python3", "-c", python], &files),
            ],
            report,
        )?;
        let [list, json, info, _, readelf, eu_readelf, _] = measured.as_slice() else {
            return Ok(());
        };
        let ratio = |peer: &Measured| peer.fastest() / list.fastest();
        goals.at_most(Kind::Time, "list", list.median() * 1e3, 5.0, " ms");
        for (name, measured) in [("list", list), ("list --json", json), ("info", info)] {
            let read = measured.read() as f64 / MIB as f64;
            goals.at_most(Kind::Exact, &format!("{name} reads"), read, 1.0, " MiB");
        }
        goals.at_least(Kind::Time, "readelf -n / list", ratio(readelf), 100.0, "");
        goals.at_least(Kind::Time, "eu-readelf -n / list", ratio(eu_readelf), 4.0, "");
        Ok(())
    }

    fn extract(&self, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
        let length = if self.arguments.smoke { 16 * MIB } else { 1 << 30 };
        let payload = Content::Pattern { seed: 5, length };
        let checksum = checksum(&payload);
        let manifest = format!(
            "VERSION=1\nNAME=adapter\nSTATUS=complete\nIN=vmcore\nLENGTH={length}\n\
             STORED={length}\nMILLISECONDS=1\nCRC32C={checksum:08x}\n"
        );
        let made = Vmcore::new(Class::Elf64, Endian::Little)
            .dump("adapter", payload)
            .note(NoteSpec::manifest(&manifest));
        let vmcore = self.make("large", &made.image())?;
        let (same, output) = (self.path("same"), self.path("output"));
        let mut prepare = self.subject("", &["vmcoredd", "extract"], &[&vmcore]);
        prepare.arguments.extend(["-o".to_owned(), same.display().to_string()]);
        in_turns("preparing", &[prepare], 1)?;

        let mut extract = self.subject("vmcoredd extract", &["vmcoredd", "extract"], &[&vmcore]);
        extract.arguments.extend(["-o".to_owned(), output.display().to_string()]);
        let mut copy = self.subject("cp of the same bytes", &["cp"], &[&same, &output]);
        extract.output = Some(output.clone());
        copy.output = Some(output);
        let sum = self.subject("sha256sum of the same bytes", &["sha256sum"], &[&same]);
        let verify = self.subject("vmcoredd verify", &["vmcoredd", "verify"], &[&vmcore]);
        let title = format!("Extracting and verifying a device dump of {} MiB", length / MIB);
        let measured = self.measure(&title, &[copy, extract, verify, sum], report)?;
        let [copy, extract, verify, _] = measured.as_slice() else {
            return Ok(());
        };
        let ratio = extract.fastest() / copy.fastest();
        goals.at_most(Kind::Time, "extract / cp", ratio, 1.1, "");
        for (name, measured) in [("extract", extract), ("verify", verify)] {
            let peak = measured.peak() as f64 / MIB as f64;
            goals.at_most(Kind::Exact, &format!("{name} has in memory"), peak, 32.0, " MiB");
        }
        Ok(())
    }

    /// What a person waits for: a large vmcore with what a large machine has.
    fn explain(&self, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
        let functions: Vec<_> = (0..FUNCTIONS).map(function).collect();
        let slots = functions.iter().enumerate();
        let slots = slots.map(|(number, space)| (number as u8 / 8, number as u8 % 8, &space[..]));
        let functions = configs(slots).bytes().to_vec();
        let made = Vmcore::new(Class::Elf64, Endian::Little)
            .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
            .load(Load::new(1 << 32, Content::Zeros(MEMORY)))
            .dump("pci-config", functions)
            .dump("cxgb4_0000:02:00.4", adapter());
        let vmcore = self.make("explained", &made.image())?;
        let files = [vmcore.as_path()];
        // lspci reads what the command prints for it.
        let text = self.path("functions");
        let mut print = Command::new(&self.command);
        print.args(["decode", "--as", "lspci"]).arg(&vmcore).arg("pci-config");
        let print = print.output().map_err(|error| Error::File { path: text.clone(), error })?;
        fs::write(&text, print.stdout)
            .map_err(|error| Error::File { path: text.clone(), error })?;
        let mut lspci = self.subject("lspci -F", &["lspci", "-n", "-vvv", "-F"], &[]);
        lspci.arguments.push(text.display().to_string());
        let mut decode = self.subject("vmcoredd decode", &["vmcoredd", "decode"], &files);
        decode.arguments.push("pci-config".to_owned());
        let measured = self.measure(
            "64 functions and a collection of cxgb4 of 32 MiB in a vmcore of 100 GiB",
            &[self.subject("vmcoredd explain", &["vmcoredd", "explain"], &files), decode, lspci],
            report,
        )?;
        let [explain, decode, lspci] = measured.as_slice() else { return Ok(()) };
        goals.at_most(Kind::Time, "explain", explain.median() * 1e3, 500.0, " ms");
        let peak = explain.peak() as f64 / MIB as f64;
        goals.at_most(Kind::Exact, "explain has in memory", peak, 64.0, " MiB");
        let ratio = lspci.fastest() / decode.fastest();
        goals.at_least(Kind::Time, "lspci -F / decode of 64 functions", ratio, 1.0, "");
        Ok(())
    }

    /// A device with many registers, by a profile that names them.
    fn decode(&self, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
        let bytes: Vec<u8> = (0..4 * REGISTERS).map(|at| (at % 251) as u8).collect();
        let dump = Registers::new()
            .device(&RegisterDevice::pci("many", 1, [0; 32]))
            .read(RegisterSpace::Bar, 0, 0, &bytes)
            .end(0, 0);
        let made = Vmcore::new(Class::Elf64, Endian::Little)
            .dump("regs_0000:01:03.0", dump.bytes().to_vec());
        let vmcore = self.make("registers", &made.image())?;
        let profiles = self.path("profiles");
        let profile = profiles.join("many.kdl");
        let wrong = |error| Error::File { path: profile.clone(), error };
        fs::create_dir_all(&profiles).map_err(wrong)?;
        fs::write(&profile, PROFILE).map_err(wrong)?;
        let mut decode = self.subject("vmcoredd decode", &["vmcoredd", "decode"], &[&vmcore]);
        decode.arguments.extend(["--profiles".to_owned(), profiles.display().to_string()]);
        let mut json = self.subject("vmcoredd decode --json", &["vmcoredd", "decode"], &[&vmcore]);
        json.arguments.push("--json".to_owned());
        json.arguments.extend(["--profiles".to_owned(), profiles.display().to_string()]);
        let measured = self.measure("Decoding 10,000 registers", &[decode, json], report)?;
        let [decode, _] = measured.as_slice() else { return Ok(()) };
        let name = "decode of 10,000 registers";
        goals.at_most(Kind::Time, name, decode.median() * 1e3, 50.0, " ms");
        Ok(())
    }

    /// What crash, which knows 64 dumps, does with what it opens.
    fn crash(&self, report: &mut Report, goals: &mut Goals) -> Result<(), Error> {
        let kernel = Kernel::fetch(Series::V6_1)?;
        let modules = Modules::build(&kernel)?;
        let run = PanicCycle::new(&kernel, "bench-crash")
            .crash_script(
                "insmod /modules/vmcoredd.ko
                insmod /modules/adapters.ko count=64 size=100000
                cp /proc/vmcore /ports/vmcore",
            )
            .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
            .file(modules.test_module("adapters")?, "/modules/adapters.ko")
            .port("vmcore")
            .run()?;
        let (vmcore, vmlinux) = (run.port("vmcore"), kernel.vmlinux()?);
        let script = |name: &str, command: &str| {
            let path = self.path(name);
            let written = fs::write(&path, format!("{command}\nquit\n"));
            written.map(|()| path.clone()).map_err(|error| Error::File { path, error })
        };
        let listing = script("list", "dev -V")?;
        let output = self.path("dumped");
        let saving = script("save", &format!("dev -v 63 {}", output.display()))?;
        let crash = |name, commands: &Path| {
            let mut subject = self.subject(name, &["crash", "-s", "-i"], &[commands]);
            subject.arguments.extend([&vmlinux, vmcore].map(|path| path.display().to_string()));
            subject
        };
        let mut extract = self.subject("vmcoredd extract", &["vmcoredd", "extract"], &[vmcore]);
        extract.arguments.extend(["63".to_owned(), "-o".to_owned(), output.display().to_string()]);
        let mut save = crash("crash dev -v", &saving);
        save.output = Some(output.clone());
        extract.output = Some(output);
        let measured = self.measure(
            "A vmcore of a real panic, with 64 device dumps of 100 kB",
            &[
                self.subject("vmcoredd list", &["vmcoredd", "list"], &[vmcore]),
                crash("crash dev -V", &listing),
                extract,
                save,
            ],
            report,
        )?;
        report.text("Most of crash's time goes into the kernel's symbols, which it reads first.");
        if let [list, crash, ..] = measured.as_slice() {
            let ratio = crash.fastest() / list.fastest();
            goals.at_least(Kind::Time, "crash dev -V / list", ratio, 100.0, "");
        }
        Ok(())
    }
}

/// The configuration space of a healthy function with most of what one can have.
fn function(number: usize) -> Vec<u8> {
    let express = [&[2, 0][..], &[0; 0x38]].concat();
    let capabilities: [(u8, &[u8]); 4] =
        [(1, &[3, 0, 0, 0, 0, 0]), (5, &[0; 0x16]), (0x11, &[0; 10]), (0x10, &express)];
    let config = Config::new(0, 0x0200).put(4, &[6, 1, 0x10, 0]).put(0x10, &[number as u8; 4]);
    let config =
        capabilities.into_iter().fold(config, |config, (id, body)| config.capability(id, body));
    let extended =
        [(1, 0x44), (3, 8), (0x0d, 8), (0x0e, 4), (0x0f, 4), (0x10, 0x3c), (0x18, 4), (0x19, 0x4c)];
    let config = extended
        .into_iter()
        .fold(config, |config, (id, length)| config.extended(id, &vec![0; length]).0);
    config.bytes
}

/// What cxgb4 collects of an adapter: its small entities, and two of its memories.
fn adapter() -> Vec<u8> {
    let memory: Vec<u8> = (0..ENTITY).map(|at| (at % 253) as u8).collect();
    let made = (1..=53).filter(|entity| !MEMORIES.contains(entity));
    let made = made.fold(Collection::new(0x61, false), |made, entity| {
        made.entity(entity, &[entity as u8; 0x1000])
    });
    MEMORIES.into_iter().fold(made, |made, entity| made.entity(entity, &memory)).finished(0)
}

fn checksum(content: &Content) -> u32 {
    let mut buffer = vec![0; MIB as usize];
    let (mut at, mut sum) = (0, 0);
    while at < content.length() {
        let length = (content.length() - at).min(MIB) as usize;
        let part = buffer.get_mut(..length).unwrap_or_default();
        content.read(at, part);
        sum = crc32c::crc32c_append(sum, part);
        at += length as u64;
    }
    sum
}
