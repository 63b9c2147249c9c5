// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What people take for a vmcore, and what to do with it.

use vmcore::elf::FileHeader;

use crate::error::{Error, Fault, Foreign};
use crate::source::Source;

/// How much of a file is looked at for what identifies it, in bytes: up to the end of
/// the last of [`MAGICS`].
const START: usize = 8 << 10;
/// How many zeros at the start of a file tell that what wrote it never got there, in
/// bytes.
const ZEROS: usize = 64 << 10;
/// How much of a table of names is read, in bytes; a guest's dump has a dozen.
const NAMES: usize = 4096;

/// What stands at a place of a file, whatever else does.
struct Magic {
    /// Where, in bytes.
    at: usize,
    /// Any of these.
    bytes: &'static [&'static [u8]],
    what: &'static str,
    advice: &'static str,
}

const fn magic(
    at: usize,
    bytes: &'static [&'static [u8]],
    what: &'static str,
    advice: &'static str,
) -> Magic {
    Magic { at, bytes, what, advice }
}

const CRASH: &str = "crash reads it";
const UNPACK: &str = "take the vmcore out of it";

/// With the file in which each is defined.
const MAGICS: [Magic; 29] = [
    // libvirt: src/qemu/qemu_saveimage.h
    magic(
        0,
        &[b"LibvirtQemudSave", b"LibvirtQemudPart"],
        "a guest saved by libvirt",
        "virsh restore it, then virsh dump --memory-only makes a vmcore",
    ),
    // QEMU: migration/savevm.h
    magic(
        0,
        &[b"QEVM"],
        "a guest saved by QEMU (savevm or migrate)",
        "load it in QEMU, then dump-guest-memory makes a vmcore",
    ),
    // s390-tools: zdump/df_s390.h
    magic(
        0,
        &[&[0xa8, 0x19, 0x01, 0x73, 0x61, 0x8f, 0x23, 0xfd]],
        "an s390 stand-alone dump",
        "zgetdump -f elf makes a vmcore of it",
    ),
    magic(
        0,
        &[&[0xa8, 0x19, 0x01, 0x73, 0x61, 0x8f, 0x23, 0xfe]],
        "an s390 stand-alone dump (extended)",
        "zgetdump -f elf makes a vmcore of it",
    ),
    // s390-tools: zdump/df_lkcd.h; of both byte orders
    magic(
        0,
        &[
            &[0xa8, 0x19, 0x01, 0x73, 0x61, 0x8f, 0x23, 0xed],
            &[0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8],
            &[0xa8, 0x19, 0x01, 0x73, 0x61, 0x8f, 0x23, 0xcd],
            &[0xcd, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8],
        ],
        "an LKCD dump",
        CRASH,
    ),
    // crash: diskdump.h
    magic(0, &[b"DISKDUMP"], "a diskdump", CRASH),
    // crash: sadump.h; of one partition, and of a medium, whose second block has it
    magic(0, &[b"sadump\0\0"], "a dump of sadump", "makedumpfile makes a vmcore of it"),
    magic(512, &[b"sadump\0\0"], "a dump of sadump", "makedumpfile makes a vmcore of it"),
    magic(4096, &[b"sadump\0\0"], "a dump of sadump", "makedumpfile makes a vmcore of it"),
    // crash: vmware_vmss.h
    magic(
        0,
        &[
            &[0xd0, 0xbe, 0xd0, 0xbe],
            &[0xd1, 0xba, 0xd1, 0xba],
            &[0xd2, 0xba, 0xd2, 0xba],
            &[0xd2, 0xbe, 0xd2, 0xbe],
            &[0xd3, 0xbe, 0xd3, 0xbe],
        ],
        "a guest suspended by VMware (vmss or vmsn)",
        "vmss2core -N makes a vmcore of it",
    ),
    // VirtualBox: src/VBox/VMM/VMMR3/SSM.cpp
    magic(
        0,
        &[b"\x7fVirtualBox SavedState"],
        "a guest saved by VirtualBox",
        "start it, then VBoxManage debugvm dumpvmcore makes a core of it",
    ),
    // LiME: src/lime.h, and avml: src/image.rs; both little-endian
    magic(0, &[b"EMiL"], "a LiME image of memory", "Volatility reads it"),
    magic(
        0,
        &[b"AVML"],
        "an AVML image of memory",
        "avml-convert makes a LiME image of it, and Volatility reads both",
    ),
    // QEMU: include/qemu/win_dump_defs.h
    magic(
        0,
        &[b"PAGEDUMP", b"PAGEDU64"],
        "a crash dump in the format of Windows",
        "of a Linux guest, virsh dump --memory-only --format elf makes a vmcore",
    ),
    // Breakpad: src/google_breakpad/common/minidump_format.h; of both byte orders
    magic(0, &[b"MDMP", b"PMDM"], "a minidump of a process", ""),
    // FreeBSD: sys/amd64/include/minidump.h
    magic(0, &[b"minidump FreeBSD/"], "a dump of a FreeBSD kernel", ""),
    // makedumpfile: makedumpfile.h; a record's header, and what it starts with
    magic(
        16,
        &[b"\x7fELF", b"KDUMP   "],
        "a flattened stream without its first 4,096 bytes",
        "copy it again from where it was saved",
    ),
    // QEMU: docs/interop/qcow2.rst, and block/vmdk.c
    magic(
        0,
        &[b"QFI\xfb"],
        "a disk image (qcow2)",
        "load the snapshot in it in QEMU, then dump-guest-memory makes a vmcore",
    ),
    magic(0, &[b"KDMV", b"COWD"], "a disk image (VMDK)", ""),
    // Linux: include/linux/swap.h and kernel/power/swap.c
    magic(4086, &[b"SWAPSPACE2", b"SWAP-SPACE"], "a swap area", ""),
    magic(4086, &[b"S1SUSPEND"], "a swap area with a hibernated system", ""),
    // Linux: Documentation/arch/x86/boot.rst and Documentation/arch/arm64/booting.rst
    magic(0x202, &[b"HdrS"], "a kernel to boot", "give the vmcore, not the kernel that it is of"),
    magic(56, &[b"ARM\x64"], "a kernel to boot", "give the vmcore, not the kernel that it is of"),
    // The formats' own descriptions
    magic(0, &[b"\x89LZO\0\r\n\x1a\n"], "a file compressed by lzop", "decompress it"),
    magic(0, &[b"7z\xbc\xaf\x27\x1c"], "a 7-Zip archive", UNPACK),
    magic(0, &[b"PK\x03\x04"], "a ZIP archive", UNPACK),
    magic(0, &[b"070701", b"070702", b"070707"], "a cpio archive", UNPACK),
    magic(257, &[b"ustar"], "a tar archive", UNPACK),
    // Debian: deb(5), and ar(5)
    magic(0, &[b"!<arch>\n"], "an ar archive or Debian package", UNPACK),
];

/// By `e_type`; vmlinux has 2 or, where it can be relocated, 3.
const ELF_TYPES: [(u16, Foreign); 3] = [
    (1, Foreign { what: "an ELF object file or kernel module", advice: "" }),
    (
        2,
        Foreign {
            what: "an ELF executable or a kernel (vmlinux)",
            advice: "give the vmcore, not the kernel that it is of",
        },
    ),
    (3, Foreign { what: "an ELF executable or shared library", advice: "" }),
];

const XEN: Foreign =
    Foreign { what: "a guest dumped by Xen (xl dump-core)", advice: "crash reads it" };

pub(crate) const USER: Foreign =
    Foreign { what: "the core of a process, not of a kernel", advice: "gdb reads it" };

pub(crate) const KCORE: Foreign = Foreign {
    what: "/proc/kcore, the memory of a running kernel",
    advice: "its device dumps are in /proc/vmcoredd; crash and drgn read the memory",
};

const EMPTY: Foreign =
    Foreign { what: "an empty file", advice: "what was to save it wrote nothing" };

const NO_RECORD: Foreign = Foreign {
    what: "a flattened stream without data",
    advice: "what was to save it wrote nothing",
};

const NO_HEADERS: Foreign = Foreign {
    what: "a flattened stream without the headers, which come last",
    advice: "what was to save it did not write its end",
};

const ALL_ZEROS: Foreign =
    Foreign { what: "a file of zeros", advice: "what saved or copied it did not write its data" };

const ZEROS_FIRST: Foreign = Foreign {
    what: "64 KiB of zeros at its start",
    advice: "what saved or copied it did not write its headers",
};

const HTML: Foreign = Foreign {
    what: "an HTML page",
    advice: "what downloaded it may have got an error or a login page",
};

const LOG: Foreign =
    Foreign { what: "a kernel's log", advice: "the vmcore is another file, often beside it" };

const TEXT: Foreign = Foreign { what: "text", advice: "" };

/// What the file in `source`, which does not start as a dump does, is; `None` where that
/// is not known here.
pub(crate) fn of_start(source: &Source) -> Result<Option<Foreign>, Error> {
    let mut buffer = vec![0; ZEROS];
    let looked_at = source.read(0, &mut buffer)?;
    if looked_at.is_empty() {
        return Ok(Some(if source.is_flattened() { NO_RECORD } else { EMPTY }));
    }
    if looked_at.iter().all(|byte| *byte == 0) {
        if source.is_flattened() {
            return Ok(Some(NO_HEADERS));
        }
        // Of a large stream not all is read to learn that.
        source.look_ahead();
        let is_all = looked_at.len() < ZEROS
            || source.stated_so_far().is_some_and(|end| source.next_data(0, end) == end);
        return Ok(Some(if is_all { ALL_ZEROS } else { ZEROS_FIRST }));
    }
    let start = looked_at.get(..START).unwrap_or(looked_at);
    Ok(of_magic(start).or_else(|| of_text(start)))
}

/// What an ELF file that is no core is.
pub(crate) fn of_elf_type(file_type: u16) -> Option<Foreign> {
    ELF_TYPES.iter().find(|(number, _)| *number == file_type).map(|(_, foreign)| *foreign)
}

/// What an ELF core without program headers is: that of a Xen guest has sections alone
/// (`docs/misc/dump-core-format.txt` of Xen). `start` is that of the file.
pub(crate) fn of_sections(
    source: &Source,
    header: &FileHeader,
    start: &[u8],
) -> Result<Option<Foreign>, Error> {
    if header.program_headers != 0 || header.section_headers_offset == 0 {
        return Ok(None);
    }
    let encoding = header.encoding;
    let fields = encoding.fields();
    let index = encoding.endian.u16(start, fields.e_shstrndx).unwrap_or_default();
    let size = encoding.section_header_size();
    let at = header.section_headers_offset.saturating_add(u64::from(index) * size as u64);
    let mut buffer = [0; 64];
    let section = source.read(at, buffer.get_mut(..size).unwrap_or_default())?;
    let Some(names_at) = encoding.address(section, fields.sh_offset) else {
        return Ok(None);
    };
    let mut buffer = [0; NAMES];
    let names = source.read(names_at, &mut buffer)?;
    let mut names = names.split(|byte| *byte == 0);
    Ok(names.any(|name| name == b".xen_pages" || name == b".note.Xen").then_some(XEN))
}

fn of_magic(start: &[u8]) -> Option<Foreign> {
    let is_there = |magic: &&Magic| {
        let there = start.get(magic.at..).unwrap_or_default();
        magic.bytes.iter().any(|bytes| there.starts_with(bytes))
    };
    MAGICS.iter().find(is_there).map(|Magic { what, advice, .. }| Foreign { what, advice })
}

/// What a file that starts with text is.
fn of_text(start: &[u8]) -> Option<Foreign> {
    let text = match str::from_utf8(start) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(start.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    if text.is_empty() || text.contains(|c: char| c.is_control() && !"\t\n\r\u{1b}".contains(c)) {
        return None;
    }
    let lower = text.trim_start().to_ascii_lowercase();
    Some(if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        HTML
    } else if is_log(&lower) {
        LOG
    } else {
        TEXT
    })
}

/// Whether its first line starts with a time as the kernel prints it, after a level or
/// not: `<6>[    0.000000] `.
fn is_log(text: &str) -> bool {
    let text = match text.strip_prefix('<').and_then(|text| text.split_once('>')) {
        Some((level, text)) if level.bytes().all(|byte| byte.is_ascii_digit()) => text,
        _ => text,
    };
    let time = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    time.and_then(|(time, _)| time.trim_start().split_once('.')).is_some_and(|(seconds, rest)| {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        is_number(seconds) && is_number(rest)
    })
}

/// The error that `source` is no vmcore but this.
pub(crate) fn error(source: &Source, foreign: Foreign) -> Error {
    source.error(Fault::Foreign(foreign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_bytes_and_by_no_fewer() {
        for magic in MAGICS {
            for bytes in magic.bytes {
                assert!(magic.at + bytes.len() <= START, "{}", magic.what);
                let mut file = vec![0x80; magic.at];
                file.extend(*bytes);
                let found = of_magic(&file).expect("known");
                assert_eq!((found.what, found.advice), (magic.what, magic.advice));
                file.pop();
                assert_eq!(of_magic(&file), None, "{}", magic.what);
            }
        }
    }

    #[test]
    fn none_is_taken_for_a_vmcore() {
        for magic in MAGICS.iter().filter(|magic| magic.at == 0) {
            for bytes in magic.bytes {
                assert!(!bytes.starts_with(b"\x7fELF") && !bytes.starts_with(b"KDUMP   "));
            }
        }
    }

    #[test]
    fn text_is_told_from_what_is_none() {
        for (text, expected) in [
            ("[    0.000000] Linux version 6.12.0\n", Some(LOG)),
            ("<5>[12345.678901] Kernel panic - not syncing\n", Some(LOG)),
            ("\r\n<!DOCTYPE HTML PUBLIC>", Some(HTML)),
            ("<html lang=\"en\">", Some(HTML)),
            ("[section]\nkey=1.5\n", Some(TEXT)),
            ("OSRELEASE=6.12.0\n", Some(TEXT)),
            ("Grüße", Some(TEXT)),
            ("GIF89a\u{1}\0", None),
            ("", None),
        ] {
            assert_eq!(of_text(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(of_text(b"GIF89a\x80\xff"), None);
        // Cut within a character.
        assert_eq!(of_text(&"Grüße".as_bytes()[..3]), Some(TEXT));
    }
}
