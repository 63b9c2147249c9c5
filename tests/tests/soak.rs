// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Panic after panic, and every dump is there: `make soak`.

use std::fs;

use system_tests::{Modules, fault, make_adapter, names, payload, rearranged};
use vmtest::{Kernel, PanicCycle, Series};

const PANICS: u64 = 20;

#[test]
#[ignore = "takes minutes: make soak"]
fn every_panic_is_saved_with_its_dumps() {
    let kernels = Series::ALL.map(|series| {
        let kernel = Kernel::fetch(series).unwrap();
        let modules = Modules::build(&kernel).unwrap();
        (kernel, modules)
    });
    let directory = vmtest::target_dir().join("soak");
    for number in 0..PANICS {
        let (kernel, modules) = &kernels[number as usize % kernels.len()];
        let adapters = [0, 1].map(|index| directory.join(format!("adapter{index}.bin")));
        for (index, adapter) in adapters.iter().enumerate() {
            make_adapter(adapter, 1 << 21, number * 2 + index as u64 + 1).unwrap();
        }
        let vm = PanicCycle::new(kernel, "soak").crashkernel_mib(160).edu();
        let vm = adapters.iter().fold(modules.add_to(vm), |vm, adapter| vm.ivshmem(adapter));
        let run = vm
            .program("/usr/bin/makedumpfile")
            .crash_script(
                "insmod /modules/vmcoredd.ko
                 insmod /modules/edu.ko
                 insmod /modules/ivshmem.ko
                 makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore",
            )
            .port("vmcore")
            .run()
            .unwrap();
        assert_eq!(fault(run.dmesg()), None);
        let vmcore = rearranged(run.port("vmcore"), &directory).unwrap();

        let found = names(&vmcore).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        for (name, adapter) in found[1..].iter().zip(&adapters) {
            assert!(payload(&vmcore, name).unwrap() == fs::read(adapter).unwrap(), "{name}");
        }
        println!("panic {} of {PANICS}, {}: 3 dumps complete", number + 1, kernel.release());
    }
}
