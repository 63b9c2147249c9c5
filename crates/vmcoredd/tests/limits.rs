// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are larger than memory: what the command reads and holds of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use synth::{Class, Content, Endian, Image, Kdump, Load, NoteSpec, Vmcore, Width};
use tempfile::TempDir;

/// The most memory that a run may have written to, in bytes (`RLIMIT_DATA`). With the
/// program itself it stays below 32 MiB.
const DATA_MAX: u64 = 24 << 20;
/// The most that it may have written to where there is a manifest of 16 MiB.
const MANIFEST_DATA_MAX: u64 = 48 << 20;

struct Folder(TempDir);

impl Folder {
    fn with(name: &str, image: &Image) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        image.write(&folder.path().join(name)).expect("written");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the command with little memory: its exit status, and how many bytes it read.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, u64) {
        let mut child = Command::new("prlimit")
            .arg(format!("--data={DATA_MAX}"))
            .arg(env!("CARGO_BIN_EXE_vmcoredd"))
            .args(arguments)
            .current_dir(self.0.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("runs");
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), options).expect("it is a child");
        let counters = fs::read_to_string(format!("/proc/{}/io", child.id())).expect("counters");
        let read = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
        let read = read.and_then(|number| number.parse().ok()).expect("a number");
        (child.wait().expect("ends").code(), read)
    }
}

fn blocks(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).expect("there").blocks() * 512
}

/// As three adapters would leave them, of which makedumpfile cannot save the notes.
#[test]
fn three_notes_of_800_mib_need_no_memory() {
    const LENGTH: u64 = 800 << 20;
    let payload = || Content::Zeros(LENGTH);
    let elf = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("adapter0", payload())
        .dump("adapter1", payload())
        .dump("adapter2", payload())
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
        .load(Load::new(0x1000, vec![1; 4096]));
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6)
        .dump("adapter0", payload())
        .dump("adapter1", payload())
        .dump("adapter2", payload())
        .page(1, &[1; 4096]);
    for image in [elf.image(), kdump.image()] {
        let folder = Folder::with("dump", &image);
        fs::write(folder.path("blob"), "blob").expect("written");
        let commands: [&[&str]; 10] = [
            &["list", "dump"],
            &["list", "--json", "dump"],
            &["info", "dump"],
            &["verify", "dump"],
            &["show", "dump", "adapter2"],
            &["diff", "dump:adapter0", "dump:adapter2"],
            &["extract", "dump", "adapter1", "-o", "out"],
            &["extract", "dump", "--all", "-C", "."],
            &["attach", "dump", "blob=blob", "-o", "copy"],
            &["attach", "dump", "blob=blob", "--in-place"],
        ];
        for command in commands {
            let (status, _) = folder.run(command);
            assert_eq!(status, Some(0), "{command:?}");
        }
        for file in ["out", "adapter0", "adapter2"] {
            assert_eq!(fs::metadata(folder.path(file)).expect("written").len(), LENGTH);
            assert!(blocks(&folder.path(file)) < 1 << 20, "{file} has no holes");
        }
        assert!(blocks(&folder.path("copy")) < 1 << 20, "the copy has no holes");
        assert!(blocks(&folder.path("dump")) < 1 << 20, "attaching fills holes");
    }
}

#[test]
fn of_100_gib_nearly_nothing_is_read() {
    let image = hundred_gib();
    let folder = Folder::with("vmcore", &image);
    assert!(fs::metadata(folder.path("vmcore")).expect("written").len() > 100 << 30);
    for command in [&["list", "vmcore"][..], &["list", "--json", "vmcore"], &["info", "vmcore"]] {
        let (status, read) = folder.run(command);
        assert_eq!(status, Some(0), "{command:?}");
        assert!(read < 1 << 20, "{command:?} read {read} bytes");
    }
}

/// A vmcore of a machine with 100 GiB, and 300 device dumps of 100 KiB.
fn hundred_gib() -> Image {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n"))
        .load(Load::new(1 << 32, Content::Zeros(100 << 30)));
    (0..300)
        .fold(made, |made, number| made.dump(format!("device{number}"), Content::Zeros(100 << 10)))
        .image()
}

/// A manifest of millions of records, of which each is short: neither memory nor time nor
/// what is printed grows with them.
#[test]
fn a_manifest_of_millions_of_records_needs_no_more() {
    const NAMES: &str = "NAME=\n";
    const NEW: &str = "NAME=nic\nSTATUS=complete\nREASON=x\n";
    for (record, dumps) in [(NAMES, 0), (NEW, 20_000)] {
        let text = format!("VERSION=1\n{}", record.repeat((16 << 20) / record.len() - 10));
        let made = (0..dumps)
            .fold(Vmcore::new(Class::Elf64, Endian::Little), |made, _| made.dump("nic", vec![]));
        let folder = Folder::with("vmcore", &made.note(NoteSpec::manifest(text)).image());
        let commands = [
            &["list", "vmcore"][..],
            &["list", "--json", "vmcore"],
            &["info", "vmcore"],
            &["verify", "vmcore"],
        ];
        for command in commands {
            let started = Instant::now();
            let limit = format!("--data={MANIFEST_DATA_MAX}");
            let output = Command::new("prlimit")
                .arg(limit)
                .arg(env!("CARGO_BIN_EXE_vmcoredd"))
                .args(command)
                .current_dir(folder.0.path())
                .output()
                .expect("runs");
            let how = format!("{command:?} of {record:?} with {dumps} dumps");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{how}: {said}");
            assert_eq!(said, "", "{how}");
            let printed = output.stdout.len();
            assert!(printed < 16 << 20, "{how} printed {printed} bytes");
            // Without optimization it takes ten times as long.
            assert!(started.elapsed() < Duration::from_secs(20), "{how}");
            let stdout = String::from_utf8_lossy(&output.stdout);
            let more = others(record, dumps) - 10_000;
            let says = match command {
                ["list", "--json", _] => format!("\"more_lost\":{more},"),
                ["list", _] => format!("{more} more collections without a device dump"),
                ["verify", _] => format!("{more} more collections are not in this file"),
                _ => continue,
            };
            assert!(stdout.contains(&says), "{how}: {says}");
        }
    }
}

/// How many records of a text of 16 MiB belong to none of the dumps.
fn others(record: &str, dumps: usize) -> usize {
    (16 << 20) / record.len() - 10 - dumps
}

/// As many notes as there is room for, and all of them device dumps.
#[test]
fn a_file_full_of_device_dumps_needs_no_more() {
    let many = |count| {
        let made = Vmcore::new(Class::Elf64, Endian::Little);
        (0..count).fold(made, |made, number| made.dump(format!("d{number}"), vec![])).image()
    };
    let folder = Folder::with("many", &many(100_000));
    for command in [&["list", "many"][..], &["list", "--json", "many"], &["verify", "many"]] {
        let (status, _) = folder.run(command);
        assert_eq!(status, Some(1), "{command:?}: there are more than it looks at");
    }
    assert_eq!(folder.run(&["info", "many"]).0, Some(1));
}
