// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the seeds of all targets but `store` and `names`, which need none, where they
//! stand:
//!
//!     cargo run --manifest-path fuzz/Cargo.toml --example seeds
//!
//! Inputs that once failed are kept beside them as `*.found.seed`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use synth::{Class, Compression, Content, DumpStyle, Endian, Kdump, Load, Note, Vmcore, Width};

const ENCODINGS: [(&str, Class, Endian); 4] = [
    ("elf64-little", Class::Elf64, Endian::Little),
    ("elf64-big", Class::Elf64, Endian::Big),
    ("elf32-little", Class::Elf32, Endian::Little),
    ("elf32-big", Class::Elf32, Endian::Big),
];

fn main() -> io::Result<()> {
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
    notes()
}

/// A small vmcore, as each program compresses it.
fn compressed() -> io::Result<()> {
    let made = Vmcore::new(Class::Elf64, Endian::Little).dump("nic0", b"state".to_vec());
    let plain = up_to_notes(&made.note(Note::vmcoreinfo("OSRELEASE=6.12\n")));
    let folder = std::env::temp_dir().join(format!("seeds-{}", std::process::id()));
    fs::write(&folder, &plain)?;
    let programs: [(&str, &[&str]); 7] = [
        ("gzip", &["-9"]),
        ("bzip2", &["-1"]),
        ("xz", &["-0"]),
        ("lz4", &["-q", "-B4"]),
        ("lz4", &["-q", "-l"]),
        ("zstd", &["-q"]),
        ("pzstd", &["-q"]),
    ];
    for (program, options) in programs {
        let command = Command::new(program).args(options).arg("-c").arg(&folder).output()?;
        save("compressed", &format!("{program}{}", options.concat()), &command.stdout)?;
    }
    fs::remove_file(folder)
}

fn manifests() -> io::Result<()> {
    let record = "NAME=nic0\nSTATUS=partial\nREASON=its collector crashed\nIN=vmcore\nLENGTH=12\n\
        DECLARED=20\nSTORED=12\nMILLISECONDS=3\nCRC32C=00abcdef\n";
    let failed = "NAME=\nSTATUS=failed\nERRNO=-5\n";
    save("manifest", "two", format!("VERSION=1\nUNRECORDED=2\n{record}{failed}").as_bytes())?;
    save("manifest", "numbers", b"NAME=a\nLENGTH=18446744073709551616\nSTORED=007\nCRC32C=ffffffff")
}

fn save(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{name}.seed")), bytes)
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
        .note(Note::prstatus(endian, 1))
        .note(Note::vmcoreinfo("OSRELEASE=6.12.0\n"))
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
    // Behind the kernel's header those of the dead kernel, where `p_offset` is a
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
        .note(Note::prstatus(endian, 1))
        .note(Note::vmcoreinfo("OSRELEASE=6.12.0\n"))
        .zero_fill(20);
    save("dump", name, &up_to_notes(&made))
}

fn more_dumps() -> io::Result<()> {
    let empty = || Vmcore::new(Class::Elf64, Endian::Little);
    let separate = empty()
        .dump("nic0", vec![1; 9])
        .dump("nic1", vec![2; 9])
        .note(Note::vmcoreinfo("A=1\n"))
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
            .note(Note::vmcoreinfo("OSRELEASE=6.12.0\n"))
            .vmcoreinfo("CRASHTIME=17\n")
            .page(1, &[7; 4096])
            .page(2, &text)
            .excluded(3);
        (name, made)
    })
}

/// Files, and behind each of them four addresses to read.
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

/// One of each format, and what is refused; behind each a byte that says which call fails.
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
            .note(Note::vmcoreinfo("A=1\n"))
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
            .note(Note::prstatus(endian, 1))
            .note(Note::vmcoreinfo("A=1\n"))
            .zero_fill(14);
        save("notes", name, &segment(&made))?;
        let bare = Vmcore::new(Class::Elf64, endian).note(Note::new("", 7, vec![]));
        save("notes", &format!("bare-{name}"), &segment(&bare))?;
    }
    save("notes", "name", b"edu_0000:00:04.0\0\x02\0\0\0edu_0000:00:04.0")?;
    save("notes", "numbered-name", b"nic#12\0\xff\xff\xff\xffnic")?;
    save("notes", "long-name", &[b'a'; 44])
}
