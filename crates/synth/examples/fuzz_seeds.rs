// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the seeds of all fuzz targets, in a directory for each target:
//!
//!     cargo run --package synth --example fuzz_seeds -- DIRECTORY
//!
//! `make fuzz` does so. The inputs that once failed are in `fuzz/corpus`.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use synth::{
    Class, Compression, Config, Content, DumpStyle, Endian, Kdump, Load, NoteSpec, RegisterDevice,
    RegisterSpace, Registers, Vmcore, Width, configs,
};
use synth::{cudbg, records};

const ENCODINGS: [(&str, Class, Endian); 4] = [
    ("elf64-little", Class::Elf64, Endian::Little),
    ("elf64-big", Class::Elf64, Endian::Big),
    ("elf32-little", Class::Elf32, Endian::Little),
    ("elf32-big", Class::Elf32, Endian::Big),
];

fn main() -> ExitCode {
    let Some(directory) = env::args_os().nth(1) else {
        eprintln!("usage: fuzz_seeds DIRECTORY");
        return ExitCode::from(2);
    };
    let made = fs::create_dir_all(&directory)
        .and_then(|()| env::set_current_dir(&directory))
        .and_then(|()| all());
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fuzz_seeds: {}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn all() -> io::Result<()> {
    for (name, class, endian) in ENCODINGS {
        headers(name, class, endian)?;
        dumps(name, class, endian)?;
    }
    more_headers()?;
    more_dumps()?;
    memory()?;
    compressed()?;
    attach()?;
    manifests()?;
    notes()?;
    names()?;
    plans()?;
    profiles()?;
    register_dumps()?;
    registers()?;
    signatures()?;
    decoded()?;
    store()
}

/// The profiles of this project that are short, each with the name that the target wants, and
/// lists. Long ones have nothing more in them, and take much longer.
fn profiles() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let everything = root.join("fuzz/fuzz_targets/everything.kdl");
    let shipped = fs::read_dir(root.join("profiles"))?.collect::<io::Result<Vec<_>>>()?;
    let paths = shipped.iter().map(|entry| entry.path()).chain([everything]);
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "kdl")) {
        let text = fs::read_to_string(&path)?;
        if text.len() > 5000 {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = text.replacen(&format!("profile {name} "), "profile x ", 1).replacen(
            &format!("profile \"{name}\" "),
            "profile x ",
            1,
        );
        save("profile", &name, text.as_bytes())?;
    }
    save("profile", "list", b"name,offset,width,title\nCTRL,0,32,control\nB,0x8,16,\n")?;
    save("profile", "ranges", b"# address,count\n0x1000,16,0\n0x2000,4,0x10\n")
}

/// Register dumps by the profile of the target `decode`.
fn register_dumps() -> io::Result<()> {
    let device = RegisterDevice::pci("everything", 1, [0; 32]);
    let mut config = vec![0; 4096];
    config[..8].copy_from_slice(&[0x86, 0x80, 0xd3, 0x10, 7, 0, 16, 0]);
    config[0x34] = 0x40;
    config[0x40..0x48].copy_from_slice(&[1, 0x50, 3, 0, 0, 0, 0, 0]);
    config[0x50..0x54].copy_from_slice(&[9, 0x60, 16, 4]);
    config[0x60..0x64].copy_from_slice(&[9, 0, 16, 1]);
    config[0x100..0x108].copy_from_slice(&[1, 0, 1, 0, 0, 0, 4, 0]);
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let regs = words(&[0x80, 8, 3, 0, 0b1011, 0, 1, 2, 3, 4, 7, 9, 0, 5]);
    let whole = Registers::new()
        .device(&device)
        .read(RegisterSpace::Config, 0, 0, &config)
        .read(RegisterSpace::Bar, 0, 0, &regs)
        .read(RegisterSpace::Bar, 0, 0x80, &words(&[1, 2]))
        .read(RegisterSpace::Bar, 0, 0x100, &words(&[1, 2, 3, 4, 5, 5]))
        .read(RegisterSpace::Bar, 0, 0x200, &words(&[1, 2]))
        .read(RegisterSpace::Bar, 1, 0, &words(&[1, 2, 3, 4]))
        .read(RegisterSpace::Window, 0, 0x2000, &words(&[9, 8]))
        .unread(RegisterSpace::Port, 0, 0x400, 8, 5)
        .end(0, 0);
    save("decode", "whole", whole.bytes())?;
    let cut = whole.device(&device).unread(RegisterSpace::Bar, 0, 0, 0x40, 1);
    save("decode", "two-and-cut", cut.bytes())?;
    let cpu = RegisterDevice { kind: 2, address: 1, ..RegisterDevice::pci("unknown", 1, [1; 32]) };
    let cpu =
        Registers::new().device(&cpu).read(RegisterSpace::Msr, 0, 0x400, &[1; 32]).record(9, b"?");
    save("decode", "unknown", cpu.bytes())?;
    let express = [&[0x42, 1][..], &[0x11; 0x38]].concat();
    let (port, _) = Config::new(1, 0x0604).capability(0x10, &express).extended(1, &[0xff; 0x44]);
    let (port, _) = port.extended(0x1d, &[0x21; 0x3c]);
    save("decode_pci", "space", &port.bytes)?;
    save("decode_pci", "dump", configs([(0, 0xe0, &port.bytes[..])]).bytes())
}

/// Dumps of each format that is decoded: name, zero byte, dump.
fn decoded() -> io::Result<()> {
    for (name, bytes) in
        records::all().into_iter().chain([("cxgb4_0000:01:00.4", cudbg::small(true))])
    {
        let seed = [name.as_bytes(), b"\0", &bytes].concat();
        save("decode_records", name, &seed)?;
    }
    // The target has the number less one.
    for (number, mut content) in cudbg::entities() {
        content.truncate(0x4000);
        let seed = [&[cudbg::T6, number as u8 - 1], &content[..]].concat();
        save("decode_cudbg", &format!("entity-{number}"), &seed)?;
    }
    Ok(())
}
/// Logs of kernels that crashed: those of virtual machines, and a line of each other kind.
fn signatures() -> io::Result<()> {
    macro_rules! logs {
        ($($name:literal)*) => {
            [$(($name, include_str!(concat!("../../crash-id/tests/logs/", $name, ".log")))),*]
        };
    }
    for (name, log) in logs! {
        "bug-6.12" "null-dereference-6.12" "page-fault-6.12" "sysrq-6.1" "warning-6.12"
    } {
        save("signature", name, log.as_bytes())?;
    }
    for (name, log) in [
        (
            "arm64",
            "Unable to handle kernel paging request at virtual address 0\n\
             Internal error: Oops: 96000004 [#1] SMP\npc : f+0x1/0x2 [m]\nCall trace:\n \
             g+0x1/0x2 (P)\nKernel panic - not syncing: Oops: Fatal exception in interrupt\n",
        ),
        (
            "hung",
            "INFO: task a:1 blocked for more than 120 seconds.\n f+0x1/0x2 [m]\n\
             Kernel panic - not syncing: hung_task: blocked tasks\n",
        ),
        (
            "machine-check",
            "mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 7: be\n\
             {1}[Hardware Error]:   section_type: PCIe error\n\
             Kernel panic - not syncing: Fatal machine check\n",
        ),
        (
            "init",
            "list_add corruption. x\n------------[ cut here ]------------\nkernel BUG at a.c:1!\n\
             Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009\n",
        ),
    ] {
        save("signature", name, log.as_bytes())?;
    }
    Ok(())
}

/// A small vmcore, as each program compresses it.
fn compressed() -> io::Result<()> {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", b"state".to_vec());
    let plain = up_to_notes(&made.note(NoteSpec::vmcoreinfo("OSRELEASE=6.12\n")));
    let file = env::temp_dir().join(format!("seeds-{}", std::process::id()));
    fs::write(&file, &plain)?;
    let programs: [(&str, &[&str]); 7] = [
        ("gzip", &["-9", "-n"]),
        ("bzip2", &["-1"]),
        ("xz", &["-0"]),
        ("lz4", &["-q", "-B4"]),
        ("lz4", &["-q", "-l"]),
        ("zstd", &["-q"]),
        ("pzstd", &["-q"]),
    ];
    for (program, options) in programs {
        let command = Command::new(program).args(options).arg("-c").arg(&file).output()?;
        save("compressed", &format!("{program}{}", options.concat()), &command.stdout)?;
    }
    fs::remove_file(file)
}

fn manifests() -> io::Result<()> {
    let record = "NAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nIN=vmcore\nLENGTH=12\n\
        DECLARED=20\nSTORED=12\nMILLISECONDS=3\nCRC32C=00abcdef\n";
    let failed = "NAME=\nSTATUS=failed\nERRNO=-5\n";
    save("manifest", "two", format!("VERSION=1\nUNRECORDED=2\n{record}{failed}").as_bytes())?;
    save("manifest", "numbers", b"NAME=a\nLENGTH=18446744073709551616\nSTORED=007\nCRC32C=ffffffff")
}

fn save(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(target)?;
    fs::write(Path::new(target).join(format!("{name}.seed")), bytes)
}

/// `bytes` without the zeros at their end.
fn without_fill(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// The file without what follows its notes.
fn up_to_notes(made: &Vmcore) -> Vec<u8> {
    let end = made.header_size() + made.dumps_size() + made.notes_size();
    made.image().truncated(end).to_vec()
}

/// The headers of the file, of which `loads` are of memory, without zero fill.
fn headers_of(made: &Vmcore, class: Class, loads: u64) -> Vec<u8> {
    let (file, program) = match class {
        Class::Elf32 => (52, 32),
        Class::Elf64 => (64, 56),
    };
    made.image().truncated(file + program * (1 + loads)).to_vec()
}

/// What the kernel's own file looks like: no dumps, some memory.
fn kernels_own(class: Class, endian: Endian) -> Vmcore {
    Vmcore::new(class, endian)
        .note(NoteSpec::prstatus(endian, 1))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n"))
        .load(Load::new(0x1000, Content::Zeros(0x9f000 - 0x1000)))
        .load(Load::new(0x10_0000, Content::Zeros(0x1000)))
        .load(Load::new(0x20_0123, Content::Zeros(0x1_2345)))
}

fn headers(name: &str, class: Class, endian: Endian) -> io::Result<()> {
    let made = kernels_own(class, endian);
    save("headers", name, &headers_of(&made, class, 3))
}

fn more_headers() -> io::Result<()> {
    let class = Class::Elf64;
    // After the kernel's header come those of the dead kernel, where `p_offset` is a
    // physical address.
    let header = headers_of(&kernels_own(class, Endian::Little), class, 3);
    let mut left = header.clone();
    for (index, physical) in [0x1000_u64, 0x10_0000, 0x20_0123].into_iter().enumerate() {
        let at = 64 + 56 * (index + 1) + 8;
        left[at..at + 8].copy_from_slice(&physical.to_le_bytes());
    }
    save("headers", "elfcorehdr", &[header, left].concat())?;

    let empty = Vmcore::new(class, Endian::Little);
    save("headers", "no-memory", &headers_of(&empty, class, 0))?;

    let one = |made: Vmcore, page: u64| made.load(Load::new(page << 12, Content::Zeros(1)));
    save("headers", "two-pages", &headers_of(&(0..80).fold(empty, one), class, 80))
}

fn dumps(name: &str, class: Class, endian: Endian) -> io::Result<()> {
    let made = Vmcore::new(class, endian)
        .dump("nic0", Content::Pattern { seed: 1, length: 50 })
        .dump("gpu\x1b[1m", Content::Pattern { seed: 2, length: 5 })
        .note(NoteSpec::prstatus(endian, 1))
        .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n"))
        .zero_fill(20);
    save("dump", name, &up_to_notes(&made))
}

fn more_dumps() -> io::Result<()> {
    let empty = || Vmcore::new(Class::Elf64, Endian::Little);
    let separate = empty()
        .dump("nic0", vec![1; 9])
        .dump("nic1", vec![2; 9])
        .note(NoteSpec::vmcoreinfo("A=1\n"))
        .separate_notes();
    save("dump", "separate-notes", &up_to_notes(&separate))?;
    let extended = empty().dump("nic0", vec![1; 9]).extended_numbering();
    save("dump", "extended-numbering", &up_to_notes(&extended))?;
    let extended = Vmcore::new(Class::Elf32, Endian::Big).extended_numbering();
    save("dump", "no-notes", without_fill(&up_to_notes(&extended)))?;
    let paged = empty().style(DumpStyle::Paged).dump("nic0", vec![1; 9]);
    save("dump", "paged", &up_to_notes(&paged))?;
    // Longer than the file, and not than the file with its hole.
    let long = empty().dump("nic0", Content::Pattern { seed: 1, length: 1 << 20 });
    save("dump", "cut", &long.image().truncated(4096 + 100).to_vec())?;
    save("dump", "flattened", &separate.image().flattened(500).to_vec())?;
    for (name, made) in kdumps() {
        save("dump", &name, without_fill(&made.image().to_vec()))?;
    }
    Ok(())
}

/// Kdump-compressed dumps of each version, layout, byte order and codec.
fn kdumps() -> impl Iterator<Item = (String, Kdump)> {
    let (little, big) = (Endian::Little, Endian::Big);
    [
        (1, Width::Bits64, little, Compression::None),
        (2, Width::Bits32, big, Compression::Zlib),
        (3, Width::Bits32Aligned, little, Compression::Lzo),
        (4, Width::Bits64, big, Compression::Snappy),
        (5, Width::Bits32, little, Compression::Zstd),
        (6, Width::Bits64, little, Compression::Lzo),
        (6, Width::Bits32Aligned, big, Compression::Snappy),
        (6, Width::Bits64, little, Compression::Zlib),
        (6, Width::Bits64, little, Compression::Zstd),
    ]
    .into_iter()
    .map(move |(version, width, endian, compression)| {
        let endian_name = if endian == big { "big" } else { "little" };
        let name = format!("kdump{version}-{width:?}-{endian_name}-{compression:?}").to_lowercase();
        let text: Vec<u8> = (0..4096_u32).map(|at| (at / 40) as u8).collect();
        let made = Kdump::new(width, endian, version)
            .compression(compression)
            .dump("nic0", vec![1; 9])
            .dump("nic1", Content::Pattern { seed: 3, length: 70 })
            .note(NoteSpec::vmcoreinfo("OSRELEASE=6.12.0\n"))
            .vmcoreinfo("CRASHTIME=17\n")
            .page(1, &[7; 4096])
            .page(2, &text)
            .excluded(3);
        (name, made)
    })
}

/// Files, each with four addresses to read after it.
fn memory() -> io::Result<()> {
    let with_addresses = |mut file: Vec<u8>| {
        for address in [0x1ffe_u64, 0x2000, 0x2800, 0x3000] {
            file.extend(address.to_le_bytes());
        }
        file
    };
    for (name, made) in kdumps() {
        let file = made.image().to_vec();
        save("memory", &name, &with_addresses(file.clone()))?;
        if name.contains("zlib") {
            let stream = made.image().flattened(1000).to_vec();
            save("memory", &format!("{name}-flattened"), &with_addresses(stream))?;
        }
    }
    for (name, class, endian) in ENCODINGS {
        let made = Vmcore::new(class, endian)
            .load(Load::new(0x1000, vec![7; 4096]))
            .load(Load::new(0x2800, vec![8; 300]));
        save("memory", name, &with_addresses(made.image().to_vec()))?;
    }
    Ok(())
}

/// A file of each format, and what is refused. The byte after each says which call fails.
fn attach() -> io::Result<()> {
    let save_all = |name: &str, made: Vec<u8>, faults: &[u8]| {
        faults.iter().try_for_each(|fault| {
            let name = match fault {
                0x1f => name.to_owned(),
                fault => format!("{name}-fails-{fault}"),
            };
            save("attach", &name, &[&made[..], &[*fault]].concat())
        })
    };
    for (name, class, endian) in ENCODINGS {
        let made = Vmcore::new(class, endian)
            .dump("nic0", vec![1; 9])
            .note(NoteSpec::vmcoreinfo("A=1\n"))
            .load(Load::new(0x1000, vec![7; 100]));
        save_all(name, made.image().to_vec(), &[0x1f])?;
        save_all(&format!("{name}-many"), made.extended_numbering().image().to_vec(), &[0x1f])?;
    }
    for (name, made) in kdumps() {
        let faults: &[u8] = match name.contains("zlib") {
            true => &[0x1f, 3, 8 | 0x60, 9 | 0x80],
            false => &[0x1f],
        };
        save_all(&name, made.image().to_vec(), faults)?;
    }
    let empty = Vmcore::new(Class::Elf64, Endian::Little);
    save_all("no-notes", empty.image().to_vec(), &[0x1f])
}

fn notes() -> io::Result<()> {
    let segment = |made: &Vmcore| up_to_notes(made).split_off(made.header_size() as usize);
    for (name, endian) in [("little", Endian::Little), ("big", Endian::Big)] {
        let made = Vmcore::new(Class::Elf64, endian)
            .dump("nic0", vec![1; 9])
            .note(NoteSpec::prstatus(endian, 1))
            .note(NoteSpec::vmcoreinfo("A=1\n"))
            .zero_fill(14);
        save("notes", name, &segment(&made))?;
        let bare = Vmcore::new(Class::Elf64, endian).note(NoteSpec::new("", 7, vec![]));
        save("notes", &format!("bare-{name}"), &segment(&bare))?;
    }
    save("notes", "name", b"edu_0000:00:04.0\0\x02\0\0\0edu_0000:00:04.0")?;
    save("notes", "numbered-name", b"nic#12\0\xff\xff\xff\xffnic")?;
    save("notes", "long-name", &[b'a'; 44])
}

/// What is between NULs: the argument, a number, the files that there are, nothing, and
/// the names of the dumps.
fn names() -> io::Result<()> {
    let seeds: [(&str, &[&str]); 8] = [
        ("plain", &["dump:nic0", "0x1f", "dump", "", "nic0", "nic1"]),
        ("colons", &["a:b:c", "16k", "a:b", "a", "", "c", "b:c"]),
        ("file-with-colon", &["a:b", "18446744073709551616", "a:b", ""]),
        ("alike", &["x", "7", "", "nic", "nic", "nic.2", "nic", "n\u{e9}c", "n_c", "n__c"]),
        (
            "not-for-files",
            &["../x", "-1", "..", "", "..", ".hidden", "-rf", "~", "a/b", "/etc", ""],
        ),
        ("control", &["nic\\x1b", "", "", "\x1b[1m", "a\nb", "\\x1b", "\u{202e}gpj"]),
        ("blob", &["bmc=sel.log", "0xffffffffffffffff", "", "bmc"]),
        ("empty-name", &["=", "0x", "", ""]),
    ];
    let save = |(name, parts): (&str, &[&str])| save("names", name, parts.join("\0").as_bytes());
    seeds.into_iter().try_for_each(save)
}

/// What the target `store` does, as the crate `arbitrary` reads it: numbers are in
/// little-endian order, an option or a step that is there has a byte of 1 before it.
struct Run(Vec<u8>);

/// How a collection ends, by its place in the target's enum.
#[derive(Clone, Copy)]
enum End {
    Returns,
    Fails(u8),
    Crashes,
    IsLate,
}

impl Run {
    /// The limits of all dumps, of one dump, and of those in /proc/vmcore, in bytes.
    fn new(wide: bool, big: bool, limits: [Option<u32>; 3]) -> Self {
        let run = Self(vec![wide.into(), big.into()]);
        limits.into_iter().fold(run, |run, limit| run.option(limit.map(u32::to_le_bytes)))
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn option<const N: usize>(self, value: Option<[u8; N]>) -> Self {
        match value {
            Some(value) => self.bytes(&[1]).bytes(&value),
            None => self.bytes(&[0]),
        }
    }

    /// Which of `of` variants: the least number of 32 bits that stands for it.
    fn variant(self, variant: u64, of: u64) -> Self {
        let number = (variant << 32).div_ceil(of) as u32;
        self.bytes(&number.to_le_bytes())
    }

    fn step(self, variant: u64) -> Self {
        self.bytes(&[1]).variant(variant, 9)
    }

    fn begin(self, length: u8, number: u8, declared: Option<u16>) -> Self {
        self.step(0).bytes(&[length, number]).option(declared.map(u16::to_le_bytes))
    }

    fn write(self, length: u16, fill: u8) -> Self {
        self.step(1).bytes(&length.to_le_bytes()).bytes(&[fill])
    }

    fn end(self, end: End) -> Self {
        let run = self.step(2);
        match end {
            End::Returns => run.variant(0, 4),
            End::Fails(errno) => run.variant(1, 4).bytes(&[errno]),
            End::Crashes => run.variant(2, 4),
            End::IsLate => run.variant(3, 4),
        }
    }

    fn refuse(self, length: u8, number: u8) -> Self {
        self.step(3).bytes(&[length, number])
    }

    fn snapshot(self) -> Self {
        self.step(4)
    }

    fn read(self, snapshot: u8, offset: u32, length: u16) -> Self {
        let run = self.step(5).bytes(&[snapshot]);
        run.bytes(&offset.to_le_bytes()).bytes(&length.to_le_bytes())
    }

    fn allocations(self, more: Option<u8>) -> Self {
        self.step(6).option(more.map(|more| [more]))
    }

    fn affords(self, affords: bool) -> Self {
        self.step(7).bytes(&[affords.into()])
    }

    fn pass(self, milliseconds: u8) -> Self {
        self.step(8).bytes(&[milliseconds])
    }

    /// A whole dump of the length, with a label out of few.
    fn dump(self, length: u8, number: u8, written: u16, fill: u8) -> Self {
        self.begin(length, number, None).write(written, fill).end(End::Returns)
    }

    fn save(&self, name: &str) -> io::Result<()> {
        save("store", name, &self.0)
    }
}

fn store() -> io::Result<()> {
    Run::new(true, false, [Some(200_000), None, None])
        .dump(0, 0, 65535, 1)
        .dump(1, 0, 65535, 1)
        .dump(0, 1, 16000, 1)
        .dump(0, 2, 10500, 1)
        .snapshot()
        .refuse(1, 3)
        .dump(2, 0, 5000, 2)
        .dump(2, 0, 10, 0)
        .save("budget")?;
    Run::new(true, false, [None; 3])
        .begin(0, 0, Some(10))
        .write(5, 2)
        .end(End::Returns)
        .begin(0, 0, None)
        .end(End::Returns)
        .begin(0, 0, None)
        .write(9, 1)
        .end(End::Fails(5))
        .begin(0, 0, None)
        .end(End::Crashes)
        .begin(0, 0, None)
        .write(70, 3)
        .pass(200)
        .write(5, 2)
        .pass(80)
        .write(5, 2)
        .end(End::IsLate)
        .refuse(0, 0)
        .snapshot()
        .save("endings")?;
    Run::new(true, false, [None; 3])
        .begin(1, 0, Some(50000))
        .write(20000, 1)
        .write(16384, 0)
        .write(16384, 0)
        .write(24000, 2)
        .snapshot()
        .end(End::Returns)
        .snapshot()
        .read(2, 4160, 4096)
        .read(2, 40000, 9000)
        .read(2, 110_000, 60000)
        .save("kinds-of-chunks")?;
    Run::new(false, true, [None, Some(70000), Some(3000)])
        .dump(0, 0, 60000, 1)
        .dump(0, 0, 1000, 2)
        .dump(0, 0, 100, 3)
        .snapshot()
        .save("limits")?;
    Run::new(true, false, [None; 3])
        .allocations(Some(5))
        .dump(0, 0, 60000, 1)
        .allocations(None)
        .snapshot()
        .begin(0, 0, None)
        .allocations(Some(1))
        .write(60000, 1)
        .allocations(None)
        .end(End::Crashes)
        .affords(false)
        .dump(1, 1, 60000, 3)
        .affords(true)
        .dump(1, 1, 60000, 2)
        .save("no-memory")
}

/// An instruction of a plan.
fn instruction([op, a, b, c]: [u8; 4], n: u32, imm: u64) -> [u8; 16] {
    let mut bytes = [op, a, b, c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..8].copy_from_slice(&n.to_le_bytes());
    bytes[8..].copy_from_slice(&imm.to_le_bytes());
    bytes
}

/// A plan that never reads 0x1000 up to 0x2000 of base address register 0, and after it
/// what its device answers.
fn plan(name: &str, instructions: &[[u8; 16]]) -> io::Result<()> {
    let size = 96 + 28 + 24 + 16 * (instructions.len() + 1);
    let mut bytes = b"VMCDPLAN\x01\0\x60\0".to_vec();
    bytes.extend((size as u32).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.resize(48, 0);
    bytes.extend([1, 0, 0, 0, 0, 0, 16, 0, 1, 0, 1, 0]);
    bytes.extend((instructions.len() as u32 + 1).to_le_bytes());
    bytes.resize(96, 0xd1);
    // Any PCI function of vendor 0x8086; the range; the instructions.
    bytes.extend([1, 0, 1, 0, 0x86, 0x80]);
    bytes.resize(96 + 28, 0);
    bytes.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([0x1000u64, 0x2000].map(u64::to_le_bytes).concat());
    bytes.extend(instructions.concat());
    bytes.extend([0; 16]);
    assert_eq!(bytes.len(), size);
    // Windows and what clears by a read are asked for; it decodes, is in D0, has time and
    // room; a list of capabilities, and values.
    bytes.extend([6, 0x93, 0, 255, 255, 255, 0xd3, 0x10]);
    bytes.extend((0..64u8).map(|at| if at % 4 == 1 { 0x40 + at } else { at }));
    bytes.extend((0..=255).chain(0..=255));
    save("plan", name, &bytes)
}

fn plans() -> io::Result<()> {
    const CONFIG: u32 = 0x104;
    const BAR: u32 = 0x204;
    const BIG: u32 = 1 << 24;
    const TOUCHES: u32 = 2 << 24;
    const CLEARS: u32 = 4 << 24;
    const RETRY: u32 = 8 << 24;
    let set = |to, value| instruction([1, to, 0, 0], 0, value);
    let read = |place, at| instruction([10, 1, 255, 31], place, at);
    let length = |length| set(31, length);
    plan("config", &[length(256), read(CONFIG, 0)])?;
    plan(
        "blocks",
        &[
            set(9, 0xffff_ffff),
            instruction([8, 0, 255, 9], BAR, 8),
            length(0x400),
            read(BAR, 0),
            read(BAR | BIG | RETRY, 0x2000),
            length(8),
            read(0x202, 0x402),
            read(0x10204, 0x10),
            read(BAR | CLEARS, 0x404),
        ],
    )?;
    plan(
        "computed",
        &[
            instruction([3, 1, 255, 0], BAR, 0),
            instruction([2, 2, 1, 255], 5, 0xff),
            instruction([2, 3, 2, 1], 16, 0),
            instruction([4, 4, 0, 0], 0, 10),
            instruction([5, 5, 255, 0], 0, 0x11),
            instruction([5, 6, 5, 0], 0, 0x11),
            instruction([5, 7, 255, 0], 1, 1),
            instruction([6, 5, 0, 0], 1, 0),
            instruction([10, 2, 2, 3], BAR, 0x100),
            instruction([10, 3, 2, 4], BAR, 0x3ff0),
        ],
    )?;
    plan(
        "loops",
        &[
            set(1, 4),
            length(4),
            instruction([7, 2, 0, 1], 8, 6),
            instruction([7, 3, 0, 1], 8, 4),
            instruction([2, 4, 2, 255], 2, 0x100),
            instruction([2, 5, 3, 255], 2, 0x10),
            instruction([2, 5, 5, 4], 0, 0),
            instruction([10, 7, 5, 31], BAR, 0x20),
            instruction([6, 2, 0, 0], 0, 0),
        ],
    )?;
    plan(
        "windows",
        &[
            set(1, 3),
            length(4),
            instruction([7, 2, 0, 1], 8, 6),
            instruction([12, 0, 255, 0], BAR | TOUCHES, 3 << 48 | 0x70),
            instruction([11, 2, 255, 0], BAR | TOUCHES, 0x60),
            instruction([12, 31, 255, 1], BAR | TOUCHES, 9 << 48 | 0x74),
            instruction([9, 0, 2, 0], 0x0009_0704, 0x100),
            read(BAR | TOUCHES, 0x64),
            instruction([11, 1, 255, 0], BAR | TOUCHES, 0x70),
        ],
    )?;
    plan(
        "spaces",
        &[
            length(16),
            read(0x301, 0xcf9),
            read(0x408, 0x400),
            read(0x508, 0xfed0_0000),
            read(0x608, 0x20),
        ],
    )
}

fn registers() -> io::Result<()> {
    let record = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind, 0, 0, 0];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let mut device = vec![1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 2, 0, 0x86, 0x80, 0xd3, 0x10];
    device.resize(136, 0);
    device[72..78].copy_from_slice(b"e1000e");
    let mut segment = vec![2, 0, 4, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0];
    segment.extend([1, 2, 3, 4, 5, 6, 7, 8]);
    let mut dead = segment[..24].to_vec();
    dead[4] = 1;
    let records = [
        record(1, &device),
        record(2, &segment),
        record(2, &dead),
        record(9, b"unknown"),
        record(3, &[1, 5, 0, 0, 2, 0, 0, 0]),
    ]
    .concat();
    save("registers", "records", &records)?;
    save("registers", "cut", &records[..200])?;
    let header = b"VMCDREGS\x01\0\x18\0\0\0\0\0longer..";
    save("registers", "dump", &[&header[..], &records, &records].concat())
}
