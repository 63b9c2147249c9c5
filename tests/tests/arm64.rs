// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A vmcore of an arm64 kernel can be saved, by whatever knows that kernel: `make test-arm64`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use kdumpfile::{Dump, Kind};
use system_tests::{Modules, make_adapter, names, output, payload, rearranged};
use vmtest::{Architecture, Kernel, PanicCycle, Series};

const ADAPTER_SIZE: usize = 1 << 20;

const SCRIPT: &str = "
    insmod /modules/vmcoredd.ko
    insmod /modules/edu.ko
    insmod /modules/ivshmem.ko
    echo '@@ saving'
    makedumpfile -E -d 31 -F /proc/vmcore >/ports/elf 2>/ports/said || true
    cp /proc/vmcore /ports/raw
    zstd -q -c -T1 </proc/vmcoredd >/ports/stream
";

/// What makedumpfile says of a kernel that is built for virtual addresses of 52 bits, with or
/// without us, up to version 1.7.8.
const CANNOT: &str = "VA Bits 52 not supported";

#[test]
#[ignore = "make test-arm64 chooses the architecture"]
fn what_saves_it_has_the_dumps() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    assert_ne!(kernel.architecture(), Architecture::X86_64, "VMTEST_ARCH=arm64 is needed");
    let modules = Modules::build(&kernel).unwrap();
    let directory = vmtest::target_dir().join("arm64");
    let adapter = directory.join("adapter.bin");
    make_adapter(&adapter, ADAPTER_SIZE, 5).unwrap();
    let vm = PanicCycle::new(&kernel, "arm64").edu().ivshmem(&adapter);
    let vm = ["elf", "said", "raw", "stream"].into_iter().fold(vm, |vm, port| vm.port(port));
    let run = modules
        .add_to(vm)
        .program("/usr/bin/makedumpfile")
        .program("/usr/bin/zstd")
        .crash_script(SCRIPT)
        .run()
        .unwrap();
    let adapter = fs::read(adapter).unwrap();
    let has_the_dumps = |path: &Path| {
        let found = names(path).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(payload(path, &found[1]).unwrap() == adapter, "{}", path.display());
    };

    let said = fs::read_to_string(run.port("said")).unwrap();
    if said.contains(CANNOT) {
        println!("makedumpfile does not know this kernel: {CANNOT}");
    } else {
        // The day that it works, this is what is to be relied on.
        println!("makedumpfile knows this kernel");
        has_the_dumps(&rearranged(run.port("elf"), &directory).unwrap());
    }

    has_the_dumps(run.port("raw"));
    let dump = Dump::open(run.port("raw")).unwrap();
    assert_eq!(dump.format().kind, Kind::Elf);
    assert_eq!(dump.machine().as_deref(), Some(&b"aarch64"[..]));

    let stream = directory.join("vmcoredd");
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-d", "-c"]).stdin(File::open(run.port("stream")).unwrap());
    zstd.stdout(File::create(&stream).unwrap());
    assert!(zstd.status().unwrap().success());
    has_the_dumps(&stream);
    let verify = vmtest::host_program("vmcoredd").unwrap();
    output(Command::new(verify).arg("verify").arg(run.port("raw"))).unwrap();
}
