// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Names of instruction sets, as `uname -m` has them (`UTS_MACHINE` in
//! `arch/*/Makefile`).

use vmcore::bytes::Endian;
use vmcore::elf::{Class, Encoding};

use crate::vmcoreinfo::VmcoreInfo;

/// By `e_machine` (`include/uapi/linux/elf-em.h`), and by class and byte order where
/// names differ by these.
const OF_ELF: [(u16, Option<Class>, Option<Endian>, &str); 26] = [
    (2, None, None, "sparc"),
    (3, None, None, "i686"),
    (4, None, None, "m68k"),
    // The byte order is not in its name.
    (8, Some(Class::Elf32), None, "mips"),
    (8, Some(Class::Elf64), None, "mips64"),
    (15, Some(Class::Elf32), None, "parisc"),
    (15, Some(Class::Elf64), None, "parisc64"),
    (20, None, Some(Endian::Little), "ppcle"),
    (20, None, Some(Endian::Big), "ppc"),
    (21, None, Some(Endian::Little), "ppc64le"),
    (21, None, Some(Endian::Big), "ppc64"),
    (22, Some(Class::Elf32), None, "s390"),
    (22, Some(Class::Elf64), None, "s390x"),
    // The version of the instruction set, as in armv7l, is not in the file.
    (40, None, None, "arm"),
    (42, None, None, "sh"),
    (43, None, None, "sparc64"),
    (50, None, None, "ia64"),
    (62, None, None, "x86_64"),
    (94, None, None, "xtensa"),
    (183, None, Some(Endian::Little), "aarch64"),
    (183, None, Some(Endian::Big), "aarch64_be"),
    (243, Some(Class::Elf32), None, "riscv32"),
    (243, Some(Class::Elf64), None, "riscv64"),
    (258, Some(Class::Elf32), None, "loongarch32"),
    (258, Some(Class::Elf64), None, "loongarch64"),
    (0x9026, None, None, "alpha"),
];

/// By what only one architecture puts into VMCOREINFO, which does not name it
/// (`arch_crash_save_vmcoreinfo()`), for each byte order.
const OF_VMCOREINFO: [(&str, [&str; 2]); 9] = [
    ("SYMBOL(init_top_pgt)", ["x86_64"; 2]),
    // The same before Linux 4.13.
    ("SYMBOL(init_level4_pgt)", ["x86_64"; 2]),
    ("CONFIG_X86_PAE", ["i686"; 2]),
    ("NUMBER(kimage_voffset)", ["aarch64", "aarch64_be"]),
    ("NUMBER(TCR_EL1_T1SZ)", ["aarch64", "aarch64_be"]),
    ("SYMBOL(vmemmap_list)", ["ppc64le", "ppc64"]),
    ("SYMBOL(mmu_vmemmap_psize)", ["ppc64le", "ppc64"]),
    ("SYMBOL(lowcore_ptr)", ["s390x"; 2]),
    ("NUMBER(va_kernel_pa_offset)", ["riscv64"; 2]),
];

/// The names that a kernel gives itself: as they are, or as these and more letters and
/// digits (`armv7l`, `sh4a`).
const KNOWN: [&str; 27] = [
    "aarch64",
    "aarch64_be",
    "alpha",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia64",
    "loongarch32",
    "loongarch64",
    "m68k",
    "mips",
    "mips64",
    "parisc",
    "parisc64",
    "ppc",
    "ppc64",
    "ppc64le",
    "ppcle",
    "riscv32",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "x86_64",
    "xtensa",
];
const KNOWN_STARTS: [&str; 2] = ["arm", "sh"];

/// The name of an ELF `e_machine`.
pub(crate) fn of_elf(machine: u16, encoding: Encoding) -> Option<&'static str> {
    let is_it = |(number, class, endian, _): &&(u16, Option<Class>, Option<Endian>, &str)| {
        *number == machine
            && class.is_none_or(|class| class == encoding.class)
            && endian.is_none_or(|endian| endian == encoding.endian)
    };
    OF_ELF.iter().find(is_it).map(|(.., name)| *name)
}

/// The name that VMCOREINFO gives away.
pub(crate) fn of_vmcoreinfo(info: &VmcoreInfo, endian: Endian) -> Option<&'static str> {
    let (_, [little, big]) = OF_VMCOREINFO.iter().find(|(key, _)| info.get(key).is_some())?;
    Some(if endian == Endian::Little { little } else { big })
}

/// Whether a kernel may have this name.
pub(crate) fn is_known(name: &[u8]) -> bool {
    let starts = |start: &&str| {
        let more = name.strip_prefix(start.as_bytes());
        more.is_some_and(|more| more.len() <= 6 && more.iter().all(u8::is_ascii_alphanumeric))
    };
    KNOWN.iter().any(|known| known.as_bytes() == name) || KNOWN_STARTS.iter().any(starts)
}

/// Whether this may be what `uname -r` prints: a version, and what is printable after it.
pub(crate) fn is_release(text: &[u8]) -> bool {
    let Some((major, behind)) = text.iter().position(|b| *b == b'.').map(|at| text.split_at(at))
    else {
        return false;
    };
    !major.is_empty()
        && major.iter().all(u8::is_ascii_digit)
        && behind.get(1).is_some_and(u8::is_ascii_digit)
        && behind.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(text: &str) -> VmcoreInfo {
        VmcoreInfo::new(text.as_bytes().to_vec())
    }

    #[test]
    fn names_differ_by_class_and_byte_order() {
        use Class::{Elf32, Elf64};
        use Endian::{Big, Little};
        for (machine, class, endian, expected) in [
            (21, Elf64, Little, Some("ppc64le")),
            (21, Elf64, Big, Some("ppc64")),
            (3, Elf32, Little, Some("i686")),
            (22, Elf32, Big, Some("s390")),
            (22, Elf64, Big, Some("s390x")),
            (183, Elf64, Big, Some("aarch64_be")),
            (8, Elf64, Little, Some("mips64")),
            // crash kernels of 64 bits may be given headers of 32.
            (62, Elf32, Little, Some("x86_64")),
            (999, Elf64, Little, None),
        ] {
            assert_eq!(of_elf(machine, Encoding { class, endian }), expected);
        }
    }

    #[test]
    fn vmcoreinfo_gives_it_away_or_does_not() {
        let name = |text, endian| of_vmcoreinfo(&info(text), endian);
        let x86 = "PAGESIZE=4096\nSYMBOL(init_top_pgt)=ffffffff82a10000\n";
        assert_eq!(name(x86, Endian::Little), Some("x86_64"));
        // Several architectures have this one.
        assert_eq!(name("NUMBER(VA_BITS)=48\n", Endian::Little), None);
        let power = "SYMBOL(vmemmap_list)=c000000001000000\n";
        assert_eq!(name(power, Endian::Little), Some("ppc64le"));
        assert_eq!(name(power, Endian::Big), Some("ppc64"));
    }

    #[test]
    fn what_makes_no_sense_is_seen() {
        for (name, is_it) in [
            ("x86_64", true),
            ("64", false),
            ("", false),
            ("armv7l", true),
            ("sh4a", true),
            ("shellscripts", false),
            ("86_64", false),
        ] {
            assert_eq!(is_known(name.as_bytes()), is_it, "{name}");
        }
        for (text, is_it) in [
            ("6.12.107+deb13-cloud-amd64", true),
            ("2.6.32-5-686", true),
            (".12.0", false),
            ("12", false),
            ("6.x", false),
            ("4.5-\u{1}", false),
            ("", false),
        ] {
            assert_eq!(is_release(text.as_bytes()), is_it, "{text}");
        }
    }
}
