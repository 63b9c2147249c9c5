// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The examples of docs/drivers.md do what it says, as they stand there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Modules, names, output, payload, root, without_outer_build};
use vmtest::{Kernel, PanicCycle, Series};

/// The first registers of the device are the same for all of them: docs/specs/edu.txt
/// of QEMU.
const IDENTIFICATION: [u8; 4] = [0xed, 0x00, 0x00, 0x01];

/// A fenced block of the page.
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced
        .map(|fenced| {
            let (language, text) = fenced.split_once('\n').expect("a language");
            Block { language, text }
        })
        .collect()
}

/// An example, in the order of the page.
struct Example {
    directory: &'static str,
    /// Language and name of each file.
    files: [(&'static str, &'static str); 2],
    /// What comes of them.
    module: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        directory: "first",
        files: [("c", "first.c"), ("make", "Kbuild")],
        module: "first.ko",
    },
    Example {
        directory: "pieces",
        files: [("c", "pieces.c"), ("make", "Kbuild")],
        module: "pieces.ko",
    },
    Example {
        directory: "edu-regs",
        files: [("rust", "edu_regs.rs"), ("c", "module.c")],
        module: "out/edu_regs.ko",
    },
];

/// Writes the files of the examples, and runs the commands below them.
fn build(kernel: &Kernel) -> Vec<PathBuf> {
    let page = fs::read_to_string(root().join("docs/drivers.md")).unwrap();
    let mut blocks = blocks(&page).into_iter();
    let clone = blocks.next().unwrap();
    assert!(clone.language == "sh" && clone.text.starts_with("make demo"));
    let mut next = |language: &str| {
        let block = blocks.next().unwrap();
        assert_eq!(block.language, language, "{}", block.text);
        block.text
    };
    let build = |example: Example| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(example.directory);
        fs::create_dir_all(&directory).unwrap();
        for (language, file) in example.files {
            fs::write(directory.join(file), format!("{}\n", next(language))).unwrap();
        }
        let mut shell = Command::new("bash");
        shell.args(["-euc", next("sh")]).current_dir(&directory);
        shell.env("CLONE", root()).env("RELEASE", kernel.release()).env("KDIR", kernel.headers());
        shell.env("OURS", vmtest::target_dir().join("kmod").join(kernel.release()));
        output(without_outer_build(&mut shell)).unwrap();
        directory.join(example.module)
    };
    let modules = EXAMPLES.map(build).to_vec();
    assert!(blocks.next().is_none(), "a block that is not tried");
    modules
}

#[test]
fn examples_dump() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let ours = Modules::build(&kernel).unwrap();
    let modules = build(&kernel);

    // One takes the device, so the others come before it.
    let script = "
        insmod /modules/vmcoredd.ko
        insmod /modules/2.ko
        insmod /modules/1.ko
        insmod /modules/0.ko
        cat /proc/vmcoredd >/ports/vmcoredd
    ";
    let vm = PanicCycle::new(&kernel, "docs").edu().crashkernel_mib(160);
    let vm = vm.file(ours.vmcoredd(), "/modules/vmcoredd.ko");
    let vm = modules
        .iter()
        .enumerate()
        .fold(vm, |vm, (index, module)| vm.file(module, &format!("/modules/{index}.ko")));
    let run = vm.crash_script(script).port("vmcoredd").run().unwrap();

    let file = run.port("vmcoredd");
    let names = names(file).unwrap();
    let prefixes = ["edu-regs_0000:", "pieces_0000:", "first_0000:"];
    assert_eq!(names.len(), prefixes.len(), "{names:?}");
    for (name, prefix) in names.iter().zip(prefixes) {
        assert!(name.starts_with(prefix), "{names:?}");
        let registers = payload(file, name).unwrap();
        assert_eq!((&registers[..4], registers.len()), (&IDENTIFICATION[..], 0x80), "{name}");
    }
}
