// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The tools that read vmcores today read ours, unmodified, and so does our own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crash_id::{CrashId, Signature};
use kdumpfile::{Dump, Fault, Kind};
use system_tests::{
    Modules, OnEachKernel, Result, make_adapter, names, output, payload, rearranged,
};
use vmtest::{Kernel, PanicCycle, Run, Series};

const ADAPTER_SIZE: usize = 1 << 20;

/// What makedumpfile is told in the crash kernel, by the port that it writes to.
const SAVED: [(&str, &str); 3] = [("zlib", "-c -d 31"), ("lzo", "-l -d 31"), ("elf", "-E -d 31")];

struct Saved {
    run: Run,
    adapter: Vec<u8>,
    directory: PathBuf,
}

fn panic(series: Series) -> Result<Saved> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let name = format!("tools-{series}");
    let directory = vmtest::target_dir().join("tools").join(&name);
    let adapter = directory.join("adapter.bin");
    make_adapter(&adapter, ADAPTER_SIZE, 11)?;
    let mut script = String::from(
        "insmod /modules/vmcoredd.ko
         insmod /modules/edu.ko
         insmod /modules/ivshmem.ko
         cp /proc/vmcore /ports/raw
         cat /proc/vmcoredd >/ports/vmcoredd
        ",
    );
    let mut vm = PanicCycle::new(&kernel, &name).crashkernel_mib(192).edu().ivshmem(&adapter);
    for (port, options) in SAVED {
        script += &format!("makedumpfile {options} -F /proc/vmcore >/ports/{port}\n");
        vm = vm.port(port);
    }
    let run = modules
        .add_to(vm)
        .port("raw")
        .port("vmcoredd")
        .program("/usr/bin/makedumpfile")
        .crash_script(&script)
        .run()?;
    let adapter =
        fs::read(&adapter).map_err(|error| system_tests::Error::File { path: adapter, error })?;
    Ok(Saved { run, adapter, directory })
}

/// One panic of each kernel serves all tests of this file.
static SAVED_ON: OnEachKernel<Saved> = OnEachKernel::new(panic);

fn saved(series: Series) -> &'static Saved {
    SAVED_ON.get(series)
}

impl Saved {
    fn raw(&self) -> &Path {
        self.run.port("raw")
    }

    /// Where `vmcoredd`, readelf and the others find the same dumps.
    fn check_elf(&self, path: &Path) {
        let found = names(path).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("edu_0000:00:") && found[1].starts_with("ivshmem_0000:00:"));
        assert!(payload(path, &found[1]).unwrap() == self.adapter, "{}", path.display());
    }

    /// The notes of a kdump-compressed file are not compressed: the sub header,
    /// `struct kdump_sub_header` in the second block, says where they are.
    fn check_kdump(&self, path: &Path) {
        let file = File::open(path).unwrap();
        let number = |at: u64, size: usize| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes[..size], at).unwrap();
            u64::from_le_bytes(bytes)
        };
        let mut signature = [0; 8];
        file.read_exact_at(&mut signature, 0).unwrap();
        assert_eq!(&signature, b"KDUMP   ", "{}", path.display());
        let block_size = number(0x1ac, 4);
        assert_eq!(block_size, 4096);
        let (offset, size) = (number(block_size + 48, 8), number(block_size + 56, 8));
        let mut notes = vec![0; size as usize];
        file.read_exact_at(&mut notes, offset).unwrap();
        let at = |needle: &[u8]| notes.windows(needle.len()).position(|window| window == needle);
        let name = at(b"ivshmem_0000:00:").expect("the dump's name in the notes");
        assert_eq!(&notes[name - 8..name], b"LINUX\0\0\0");
        assert!(notes[name + 44..].starts_with(&self.adapter), "{}", path.display());
        assert!(at(b"VMCOREINFO").expect("the dead kernel's own notes") > name);
    }

    /// A file beside the saved ones, which is not there yet.
    fn new_file(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        if path.exists() {
            fs::remove_file(&path).unwrap();
        }
        path
    }

    /// Runs makedumpfile here on what the crash kernel saved as it is.
    fn makedumpfile(&self, options: &[&str], outputs: &[&Path]) {
        output(Command::new("makedumpfile").args(options).arg(self.raw()).args(outputs)).unwrap();
    }
}

fn vmcoredd_reads_a_copy(series: Series) {
    let saved = saved(series);
    saved.check_elf(saved.raw());
}

fn makedumpfile_saves_from_the_crash_kernel(series: Series) {
    let saved = saved(series);
    for (port, _) in SAVED {
        let whole = rearranged(saved.run.port(port), &saved.directory).unwrap();
        if port == "elf" {
            saved.check_elf(&whole);
        } else {
            saved.check_kdump(&whole);
        }
    }
}

/// The memory of `saved`, page by page, is that of the file as it was copied.
fn check_memory(saved: &Saved, dump: &Dump) {
    let raw = Dump::open(saved.raw()).unwrap();
    let end = raw.memory().end().unwrap();
    assert_eq!(dump.memory().end().unwrap(), end);
    assert!(dump.memory().size().unwrap() > 1 << 20);
    let mut there = 0;
    for page in (0..end / 4096).step_by(7) {
        let (mut of_raw, mut of_dump) = ([0; 4096], [1; 4096]);
        match dump.memory().read(page * 4096, &mut of_dump) {
            Ok(()) => {
                raw.memory().read(page * 4096, &mut of_raw).unwrap();
                assert!(of_raw == of_dump, "page {page:#x}");
                there += 1;
            }
            Err(error) => assert!(matches!(error.fault, Fault::NoMemory { .. }), "{error}"),
        }
    }
    assert!(there > 100, "{there} pages");
}

/// The kernel says of itself the same in every format.
fn check_kernel(saved: &Saved, dump: &Dump) {
    let raw = Dump::open(saved.raw()).unwrap();
    assert_eq!(dump.vmcoreinfo().unwrap(), raw.vmcoreinfo().unwrap());
    assert_eq!(dump.release().unwrap(), raw.release().unwrap());
    assert_eq!(dump.machine().as_deref(), Some(&b"x86_64"[..]));
}

/// The dead kernel's log, in the form that vmcore-dmesg has.
fn log(dump: &Dump) -> String {
    let log = dump.memory().kernel_log().unwrap();
    assert_eq!((log.unread, log.left_out), (0, 0));
    let mut text = String::new();
    for record in &log.records {
        let (seconds, micros) = (record.time / 1_000_000_000, record.time / 1000 % 1_000_000);
        text += &format!("[{seconds:5}.{micros:06}] ");
        for byte in &record.text {
            match byte {
                b' '..=b'~' | b'\t' | b'\n' | 0x0b..=0x0d => text.push(char::from(*byte)),
                _ => text += &format!("\\x{byte:02x}"),
            }
        }
        text.push('\n');
    }
    text
}

fn the_dead_kernels_log_is_that_of_vmcore_dmesg(series: Series) {
    let saved = saved(series);
    let expected = output(Command::new("vmcore-dmesg").arg(saved.raw())).unwrap();
    assert!(expected.lines().count() > 100 && expected.contains("sysrq: Trigger a crash"));
    assert_eq!(log(&Dump::open(saved.raw()).unwrap()), expected);
    // Of these, page tables say where it is.
    for (port, _) in SAVED {
        let dump = Dump::open(saved.run.port(port)).unwrap();
        assert_eq!(log(&dump), expected, "{port}");
    }
    // A record of a PCI function names it.
    let records = Dump::open(saved.raw()).unwrap().memory().kernel_log().unwrap().records;
    assert!(records.iter().any(|record| record.device.starts_with(b"+pci:0000:00:")));
}

/// Flattened, as they come out of the crash kernel, and then as files; and from a pipe.
/// All that was saved of the crash has one id, and its log says who asked for it.
fn each_file_of_a_crash_has_its_id(series: Series) {
    let saved = saved(series);
    let open = |port: &str| Dump::open(saved.run.port(port)).unwrap();
    let id = |port: &str| {
        let info = open(port).vmcoreinfo().unwrap().expect("VMCOREINFO");
        CrashId::of_vmcoreinfo(info.text()).expect("an id")
    };
    for port in ["vmcoredd", "zlib", "lzo", "elf"] {
        assert_eq!(id(port), id("raw"), "{port}");
    }
    for port in ["raw", "zlib", "lzo", "elf"] {
        let log = log(&open(port));
        let signature = Signature::of_log(log.lines()).expect("a panic");
        assert_eq!(signature.fine(), "sysrq", "{port}");
    }
}

fn vmcoredd_reads_what_makedumpfile_saves(series: Series) {
    let saved = saved(series);
    for (port, _) in SAVED {
        let flattened = saved.run.port(port);
        let whole = rearranged(flattened, &saved.directory).unwrap();
        for path in [flattened, &whole] {
            let dump = Dump::open(path).unwrap();
            assert_eq!(dump.format().flattened, path == flattened);
            assert_eq!(matches!(dump.format().kind, Kind::Elf), port == "elf");
            saved.check_elf(path);
            check_kernel(saved, &dump);
            check_memory(saved, &dump);
        }
        let piped = Dump::from_reader(port, File::open(flattened).unwrap()).unwrap();
        assert!(piped.format().flattened);
        check_memory(saved, &piped);
        assert_eq!(piped.device_dumps().filter(|each| each.is_ok()).count(), 2);
    }
}

fn vmcoredd_reads_a_split_set(series: Series) {
    let saved = saved(series);
    let parts = ["set.0", "set.1", "set.2"].map(|name| saved.new_file(name));
    let [first, second, third] = &parts;
    saved.makedumpfile(&["--split", "-l", "-d", "31"], &[first, second, third]);
    let dump = Dump::open_split(second, [first, third]).unwrap();
    check_memory(saved, &dump);
    check_kernel(saved, &dump);
    parts.iter().for_each(|part| saved.check_elf(part));
    // How much goes into which file is makedumpfile's choice.
    let sizes = parts.iter().map(|part| Dump::open(part).unwrap().memory().size().unwrap());
    assert_eq!(sizes.sum::<u64>(), dump.memory().size().unwrap());
}

fn makedumpfile_reads_a_copy(series: Series) {
    let saved = saved(series);
    for (name, options) in [("copy.zlib", ["-c", "-d", "31"]), ("copy.lzo", ["-l", "-d", "31"])] {
        let path = saved.new_file(name);
        saved.makedumpfile(&options, &[&path]);
        saved.check_kdump(&path);
    }
    let path = saved.new_file("copy.elf");
    saved.makedumpfile(&["-E", "-d", "31"], &[&path]);
    saved.check_elf(&path);
}

fn makedumpfile_splits_and_reassembles(series: Series) {
    let saved = saved(series);
    let parts = [saved.new_file("split.0"), saved.new_file("split.1")];
    saved.makedumpfile(&["--split", "-c", "-d", "31"], &[&parts[0], &parts[1]]);
    let whole = saved.new_file("reassembled");
    output(Command::new("makedumpfile").arg("--reassemble").args(&parts).arg(&whole)).unwrap();
    saved.check_kdump(&whole);
}

fn readelf_lists_the_notes(series: Series) {
    let saved = saved(series);
    let notes = output(Command::new("readelf").args(["-n", "-W"]).arg(saved.raw())).unwrap();
    // readelf shows every byte of a desc on one line after the one wanted.
    let listed: Vec<Vec<&str>> = notes
        .lines()
        .filter(|line| line.starts_with("  LINUX") || line.starts_with("  CORE"))
        .map(|line| line.split_whitespace().take(2).collect())
        .collect();
    let dump_size = format!("{:#010x}", ADAPTER_SIZE + 44);
    assert_eq!(listed[0], ["LINUX", "0x000000cc"]);
    assert_eq!(listed[1], ["LINUX", &dump_size]);
    assert_eq!(listed[2][0], "CORE", "the dead kernel's own notes follow");
    assert!(notes.contains("(0x00000700)"));
    assert!(notes.lines().any(|line| line.starts_with("  VMCOREINFO")));
}

fn eu_readelf_lists_the_notes(series: Series) {
    let saved = saved(series);
    let notes = output(Command::new("eu-readelf").arg("-n").arg(saved.raw())).unwrap();
    let listed: Vec<String> = notes
        .lines()
        .filter(|line| line.starts_with("  LINUX") || line.starts_with("  VMCOREINFO"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected =
        ["LINUX 204 <unknown>: 1792", &format!("LINUX {} <unknown>: 1792", ADAPTER_SIZE + 44)];
    assert_eq!(listed[..2], expected);
    assert!(listed[2].starts_with("VMCOREINFO "), "{listed:?}");
}

fn gdb_reads_memory(series: Series) {
    let saved = saved(series);
    let gdb = output(
        Command::new("gdb")
            .args(["-nx", "-batch", "-ex", "maint info sections", "-ex"])
            .args(["x/8xb 0xffffffff81000000", "-c"])
            .arg(saved.raw()),
    )
    .unwrap();
    assert!(gdb.lines().any(|line| line.contains(" note0 ")), "{gdb}");
    let shown: Vec<u8> = gdb
        .lines()
        .find_map(|line| line.strip_prefix("0xffffffff81000000:"))
        .unwrap_or_else(|| panic!("{gdb}"))
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte.trim_start_matches("0x"), 16).unwrap())
        .collect();
    assert_eq!(shown, kernel_text(saved.raw()));
}

/// The first 8 bytes of the kernel's text, where the first `PT_LOAD` says.
fn kernel_text(path: &Path) -> [u8; 8] {
    let file = File::open(path).unwrap();
    let mut offset = [0; 8];
    // p_offset of the second program header.
    file.read_exact_at(&mut offset, 64 + 56 + 8).unwrap();
    let mut text = [0; 8];
    file.read_exact_at(&mut text, u64::from_le_bytes(offset)).unwrap();
    text
}

system_tests::on_each_kernel! {
    vmcoredd_reads_a_copy
    each_file_of_a_crash_has_its_id
    vmcoredd_reads_what_makedumpfile_saves
    vmcoredd_reads_a_split_set
    makedumpfile_saves_from_the_crash_kernel
    makedumpfile_reads_a_copy
    makedumpfile_splits_and_reassembles
    readelf_lists_the_notes
    eu_readelf_lists_the_notes
    gdb_reads_memory
    the_dead_kernels_log_is_that_of_vmcore_dmesg
}
