// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Signatures of logs. Those in `logs/` are of virtual machines that crashed; the others are
//! written by hand, by the format strings in the kernel's source.

use crash_id::Signature;
use proptest::prelude::*;

const NONE: (&str, &str) = ("", "");

/// Fine and coarse.
fn signature(log: &str) -> (String, String) {
    let signature = Signature::of_log(log.lines());
    signature.map_or_else(Default::default, |it| (it.fine(), it.coarse()))
}

fn check(log: &str, (fine, coarse): (&str, &str)) {
    let found = signature(log);
    assert_eq!((found.0.as_str(), found.1.as_str()), (fine, coarse), "{log}");
}

#[test]
fn logs_of_machines_that_crashed() {
    check(include_str!("logs/sysrq-6.1.log"), ("sysrq", "sysrq"));
    let expected = ("null-dereference: fill_buffer [collectors]", "null-dereference: [collectors]");
    check(include_str!("logs/null-dereference-6.12.log"), expected);
    let expected = ("bug: fill_buffer [collectors]", "bug: [collectors]");
    check(include_str!("logs/bug-6.12.log"), expected);
    let expected = ("page-fault: shim_registers_read [vmcoredd]", "page-fault: [vmcoredd]");
    check(include_str!("logs/page-fault-6.12.log"), expected);
    // A warning alone is no reason to crash.
    let warning = include_str!("logs/warning-6.12.log");
    check(warning, NONE);
    let panicked =
        format!("{warning}[5.0] Kernel panic - not syncing: kernel: panic_on_warn set ...\n");
    check(&panicked, ("warning: __ioremap_caller [vmlinux]", "warning: [vmlinux]"));
}

/// Of several, what ended the kernel counts.
#[test]
fn the_last_death_counts() {
    let all = [
        include_str!("logs/warning-6.12.log"),
        include_str!("logs/null-dereference-6.12.log"),
        include_str!("logs/bug-6.12.log"),
    ];
    check(&all.concat(), ("bug: fill_buffer [collectors]", "bug: [collectors]"));
    let sysrq = [include_str!("logs/bug-6.12.log"), include_str!("logs/sysrq-6.1.log")];
    check(&sysrq.concat(), ("sysrq", "sysrq"));
    // What the crash kernel says comes after the panic.
    let crash_kernel = [
        include_str!("logs/sysrq-6.1.log"),
        "[    0.000000] Linux version 6.1.0\n",
        include_str!("logs/bug-6.12.log"),
    ];
    check(&crash_kernel.concat(), ("sysrq", "sysrq"));
}

#[test]
fn x86() {
    for (log, expected) in [
        (
            "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP PTI\n\
             CPU: 3 PID: 77 Comm: kworker/3:1 Tainted: G OE 5.15.0 #1\n\
             Workqueue: nvme-wq nvme_reset_work [nvme]\n\
             RIP: 0010:__list_del_entry_valid+0x31/0x90\n\
             Call Trace:\n <TASK>\n \
             blk_mq_free_request+0x11/0x20\n nvme_reset_work+0x1/0x2 [nvme]\n </TASK>\n",
            ("general-protection: blk_mq_free_request [vmlinux]", "general-protection: [vmlinux]"),
        ),
        (
            "Oops: general protection fault, probably for non-canonical address 0xdffffc0000000004: 0000 [#1] PREEMPT SMP KASAN\n\
             KASAN: null-ptr-deref in range [0x0000000000000020-0x0000000000000027]\n\
             RIP: 0010:ext4_get_inode+0x31/0x90 [ext4]\n",
            ("null-dereference: ext4_get_inode [ext4]", "null-dereference: [ext4]"),
        ),
        (
            "Oops: divide error: 0000 [#1] SMP\nRIP: 0010:tcp_rate_gen+0x1/0x2\n",
            ("divide-error: tcp_rate_gen [vmlinux]", "divide-error: [vmlinux]"),
        ),
        (
            "BUG: unable to handle kernel NULL pointer dereference at 0000000000000010\n\
             IP: [<ffffffffa0123456>] foo_probe+0x16/0x40 [foo]\nPGD 0\nOops: 0000 [#1] SMP\n\
             RIP: 0010:[<ffffffffa0123456>]  [<ffffffffa0123456>] foo_probe+0x16/0x40 [foo]\n",
            ("null-dereference: foo_probe [foo]", "null-dereference: [foo]"),
        ),
        (
            // A call of a null pointer: only the stack says who called.
            "BUG: kernel NULL pointer dereference, address: 0000000000000000\n\
             #PF: supervisor instruction fetch in kernel mode\nOops: 0010 [#1] SMP\n\
             RIP: 0010:0x0\nCode: Unable to access opcode bytes at 0xffffffffffffffd6.\n\
             Call Trace:\n ? __die_body+0x1a/0x60\n asm_exc_page_fault+0x22/0x30\n drv_ioctl+0x4/0x9 [drv 0123abc]\n",
            ("null-dereference: drv_ioctl [drv]", "null-dereference: [drv]"),
        ),
        (
            "BUG: TASK stack guard page was hit at 00000000deadbeef (stack is 0..1)\n\
             Oops: stack guard page: 0000 [#1] SMP\nRIP: 0010:xfs_btree_lookup+0x1/0x2 [xfs]\n",
            ("stack-overflow: xfs_btree_lookup [xfs]", "stack-overflow: [xfs]"),
        ),
        (
            "traps: PANIC: double fault, error_code: 0x0\ndouble fault: 0000 [#1] SMP\n\
             RIP: 0010:memcpy_erms+0x1/0x2\nCall Trace:\n <#DF>\n </#DF>\n foo_read+0x1/0x2 [foo]\n\
             Kernel panic - not syncing: Fatal exception in interrupt\n",
            ("double-fault: foo_read [foo]", "double-fault: [foo]"),
        ),
        (
            "list_del corruption. prev->next should be ffff8880, but was ffff8881. (prev=ffff8882)\n\
             ------------[ cut here ]------------\nkernel BUG at lib/list_debug.c:59!\n\
             invalid opcode: 0000 [#1] SMP\nRIP: 0010:__list_del_entry_valid.cold+0x1/0x2\n\
             Call Trace:\n scsi_queue_rq+0x1/0x2 [scsi_mod]\n",
            ("list-corruption: scsi_queue_rq [scsi_mod]", "list-corruption: [scsi_mod]"),
        ),
        (
            "usercopy: Kernel memory exposure attempt detected from SLUB object 'x' (offset 1, size 2)!\n\
             kernel BUG at mm/usercopy.c:101!\nOops: invalid opcode: 0000 [#1] SMP\n\
             RIP: 0010:usercopy_abort+0x1/0x2\nCall Trace:\n __check_object_size+0x1/0x2\n sg_read+0x1/0x2 [sg]\n",
            ("usercopy: sg_read [sg]", "usercopy: [sg]"),
        ),
        (
            "refcount_t: underflow; use-after-free.\n\
             WARNING: CPU: 2 PID: 9 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110\n\
             RIP: 0010:refcount_warn_saturate+0xba/0x110\nCall Trace:\n nf_put+0x1/0x2 [nf_tables]\n\
             ---[ end trace 0000000000000000 ]---\n\
             Kernel panic - not syncing: kernel: panic_on_warn set ...\n",
            ("refcount: nf_put [nf_tables]", "refcount: [nf_tables]"),
        ),
        (
            // Before 5.19, a warning panicked before its stack was printed.
            "refcount_t: underflow; use-after-free.\n\
             WARNING: CPU: 2 PID: 9 at lib/refcount.c:28 refcount_warn_saturate+0xba/0x110\n\
             Kernel panic - not syncing: panic_on_warn set ...\nCall Trace:\n panic+0x1/0x2\n \
             __warn.cold+0x1/0x2\n refcount_warn_saturate+0xba/0x110\n nf_put+0x1/0x2 [nf_tables]\n",
            ("refcount: nf_put [nf_tables]", "refcount: [nf_tables]"),
        ),
        (
            // Where nothing else is known, what is boring is better than nothing.
            "BUG: kernel NULL pointer dereference, address: 0\nOops: 0002 [#1] SMP\n\
             RIP: 0010:process_one_work+0x1/0x2\nCall Trace:\n worker_thread+0x1/0x2\n kthread+0x1/0x2\n",
            ("null-dereference: process_one_work [vmlinux]", "null-dereference: [vmlinux]"),
        ),
        (
            "BUG: KASAN: slab-use-after-free in nvme_irq+0x10/0x20 [nvme]\n\
             Read of size 8 at addr ffff8880 by task dd/1\nCall Trace:\n dump_stack_lvl+0x1/0x2\n other+0x1/0x2\n\
             Kernel panic - not syncing: KASAN: panic_on_warn set ...\n",
            ("kasan: nvme_irq [nvme]", "kasan: [nvme]"),
        ),
        (
            // The allocator is where corruption shows, not where it is.
            "BUG: unable to handle page fault for address: ffff888012345678\nOops: 0000 [#1] SMP\n\
             RIP: 0010:kmem_cache_alloc_noprof+0x1/0x2\nCall Trace:\n __kmalloc_noprof+0x1/0x2\n ice_alloc+0x1/0x2 [ice]\n",
            ("page-fault: ice_alloc [ice]", "page-fault: [ice]"),
        ),
        (
            "Oops: control protection fault: 0003 [#1] SMP\nRIP: 0010:foo+0x1/0x2\n",
            ("control-protection: foo [vmlinux]", "control-protection: [vmlinux]"),
        ),
    ] {
        check(log, expected);
    }
}

#[test]
fn arm64() {
    for (log, expected) in [
        (
            "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008\n\
             Mem abort info:\n  ESR = 0x0000000096000004\n  EC = 0x25: DABT (current EL), IL = 32 bits\n  SET = 0, FnV = 0\n  EA = 0, S1PTW = 0\n  FSC = 0x04: level 0 translation fault\n\
             Data abort info:\n  ISV = 0, ISS = 0x00000004\n  CM = 0, WnR = 0\n\
             user pgtable: 4k pages, 48-bit VAs, pgdp=0000000101234000\n[0000000000000008] pgd=0000000000000000\n\
             Internal error: Oops: 0000000096000004 [#1] SMP\nModules linked in: hns3(E)\n\
             pstate: 60400005 (nZCv daif +PAN -UAO)\npc : hns3_nic_reset+0x40/0xa0 [hns3]\nlr : hns3_service+0x1/0x2 [hns3]\n\
             Call trace:\n hns3_nic_reset+0x40/0xa0 [hns3]\n",
            ("null-dereference: hns3_nic_reset [hns3]", "null-dereference: [hns3]"),
        ),
        (
            "Unable to handle kernel paging request at virtual address dead000000000108\n\
             Internal error: Oops: 96000044 [#1] PREEMPT SMP\npc : __list_del_entry_valid+0x1/0x2\n\
             Call trace:\n __list_del_entry_valid+0x1/0x2 (P)\n free_it+0x1/0x2 [smmu] (L)\n\
             Kernel panic - not syncing: Oops: Fatal exception in interrupt\n",
            ("page-fault: free_it [smmu]", "page-fault: [smmu]"),
        ),
        (
            "kernel BUG at fs/ext4/inode.c:1234!\nInternal error: Oops - BUG: 00000000f2000800 [#1] SMP\n\
             pc : ext4_writepages+0x1/0x2\n",
            ("bug: ext4_writepages [vmlinux]", "bug: [vmlinux]"),
        ),
        (
            "Internal error: synchronous external abort: 0000000096000410 [#1] SMP\npc : readl+0x1/0x2 [mlx5_core]\n",
            ("external-abort: readl [mlx5_core]", "external-abort: [mlx5_core]"),
        ),
        (
            "Internal error: Oops - Undefined instruction: 0000000002000000 [#1] SMP\npc : foo+0x1/0x2\n",
            ("invalid-opcode: foo [vmlinux]", "invalid-opcode: [vmlinux]"),
        ),
        (
            "Insufficient stack space to handle exception!\nESR: 0x0000000096000047 -- DABT (current EL)\n\
             pc : el1h_64_sync+0x0/0x68\nCall trace:\n el1h_64_sync+0x0/0x68\n recurse+0x1/0x2 [deep]\n\
             Kernel panic - not syncing: kernel stack overflow\n",
            ("stack-overflow: recurse [deep]", "stack-overflow: [deep]"),
        ),
        (
            "SError Interrupt on CPU3, code 0x00000000be000411 -- SError\npc : cpuidle_enter_state+0x1/0x2\n\
             Kernel panic - not syncing: Asynchronous SError Interrupt\nCall trace:\n any+0x1/0x2\n",
            ("serror", "serror"),
        ),
    ] {
        check(log, expected);
    }
}

#[test]
fn what_hangs() {
    for (log, expected) in [
        (
            "INFO: task kworker/u8:1:88 blocked for more than 120 seconds.\n      Not tainted 6.12.0 #1\n\
             task:kworker/u8:1 state:D stack:0 pid:88\nCall Trace:\n <TASK>\n __schedule+0x1/0x2\n schedule+0x1/0x2\n \
             io_schedule+0x1/0x2\n folio_wait_bit_common+0x1/0x2\n nfs_wait_on_request+0x1/0x2 [nfs]\n </TASK>\n\
             Kernel panic - not syncing: hung_task: blocked tasks\nCPU: 1 PID: 30 Comm: khungtaskd\nCall Trace:\n panic+0x1/0x2\n watchdog+0x1/0x2\n",
            ("hung-task: nfs_wait_on_request [nfs]", "hung-task: [nfs]"),
        ),
        (
            "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [dd:99]\nModules linked in: spin\n\
             RIP: 0010:native_queued_spin_lock_slowpath+0x1/0x2\nCall Trace:\n <IRQ>\n </IRQ>\n _raw_spin_lock+0x1/0x2\n spin_here+0x1/0x2 [spin]\n\
             Kernel panic - not syncing: softlockup: hung tasks\nCall Trace:\n <IRQ>\n panic+0x1/0x2\n watchdog_timer_fn.cold+0xc/0x16\n",
            ("soft-lockup: spin_here [spin]", "soft-lockup: [spin]"),
        ),
        (
            "watchdog: Watchdog detected hard LOCKUP on cpu 3\nModules linked in:\nRIP: 0010:ipmi_poll+0x1/0x2 [ipmi_si]\n\
             Kernel panic - not syncing: Hard LOCKUP\nCall Trace:\n <NMI>\n panic+0x1/0x2\n nmi_panic.cold+0xc/0xc\n",
            ("hard-lockup: ipmi_poll [ipmi_si]", "hard-lockup: [ipmi_si]"),
        ),
        (
            "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1\nRIP: 0010:poll+0x1/0x2 [a]\nKernel panic - not syncing: Hard LOCKUP\n",
            ("hard-lockup: poll [a]", "hard-lockup: [a]"),
        ),
        (
            "rcu: INFO: rcu_preempt self-detected stall on CPU\nrcu: \t1-....: (14999 ticks this GP) idle=6d4\n\
             rcu: \t(t=15000 jiffies g=1 q=2 ncpus=4)\nCPU: 1 PID: 5\nRIP: 0010:loop+0x1/0x2 [looper]\n\
             Kernel panic - not syncing: RCU Stall\nCall Trace:\n",
            ("rcu-stall: loop [looper]", "rcu-stall: [looper]"),
        ),
        (
            "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:\nSending NMI from CPU 1 to CPUs 0:\nNMI backtrace for cpu 0\n\
             RIP: 0010:loop+0x1/0x2 [looper]\nKernel panic - not syncing: RCU Stall\n",
            ("rcu-stall: loop [looper]", "rcu-stall: [looper]"),
        ),
        (
            // Nobody panicked: the machine was ended from outside.
            "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [dd:99]\nRIP: 0010:spin_here+0x1/0x2 [spin]\n\
             WARNING: CPU: 1 PID: 9 at a.c:1 other+0x1/0x2\n",
            ("soft-lockup: spin_here [spin]", "soft-lockup: [spin]"),
        ),
    ] {
        check(log, expected);
    }
}

#[test]
fn hardware() {
    for (log, expected) in [
        (
            "mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 7: be00000000800400\n\
             mce: [Hardware Error]: RIP !INEXACT! 10:<ffffffff81234567> {intel_idle+0x1/0x2}\n\
             mce: [Hardware Error]: Machine check: Processor context corrupt\n\
             Kernel panic - not syncing: Fatal machine check\nCall Trace:\n any+0x1/0x2\n",
            ("machine-check: bank 7", "machine-check"),
        ),
        (
            "Kernel panic - not syncing: Timeout: Not all CPUs entered broadcast exception handler\n",
            (
                "machine-check: Timeout Not all CPUs entered broadcast exception handler",
                "machine-check",
            ),
        ),
        (
            "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4\n\
             {1}[Hardware Error]: event severity: fatal\n{1}[Hardware Error]:  Error 0, type: fatal\n\
             {1}[Hardware Error]:   section_type: PCIe error\nKernel panic - not syncing: Fatal hardware error!\nCall Trace:\n any+0x1/0x2\n",
            ("ghes: PCIe error", "ghes"),
        ),
        (
            "NMI: PCI system error (SERR) for reason a1 on CPU 0.\n\
             Kernel panic - not syncing: NMI: Not continuing\nCall Trace:\n <NMI>\n any+0x1/0x2\n",
            ("nmi: SERR", "nmi"),
        ),
        (
            "Uhhuh. NMI received for unknown reason 2d on CPU 0.\nKernel panic - not syncing: NMI: Not continuing\n",
            ("nmi", "nmi"),
        ),
        (
            "pcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error message received from 0000:01:00.0\n\
             nvme 0000:01:00.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer, (Receiver ID)\n",
            ("aer: Transaction Layer", "aer"),
        ),
        (
            "Kernel panic - not syncing: Watchdog pre-timeout\n",
            ("watchdog: Watchdog pre-timeout", "watchdog"),
        ),
        ("Kernel panic - not syncing: EDAC MC0: UE row 3\n", ("edac: EDAC # UE row #", "edac")),
    ] {
        check(log, expected);
    }
}

#[test]
fn panics_by_hand() {
    for (log, expected) in [
        (
            "Kernel panic - not syncing: my driver cannot go on, slot 3\nCPU: 0\nCall Trace:\n \
             dump_stack_lvl+0x1/0x2\n panic+0x1/0x2\n mine_fail+0x1/0x2 [mine]\n caller+0x1/0x2\n",
            ("panic: mine_fail [mine]", "panic: [mine]"),
        ),
        (
            "Kernel panic - not syncing: LUKS of node17 failed <b>now</b>\n",
            ("panic: LUKS of # failed bnow/b", "panic"),
        ),
        (
            "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: foo_ioctl+0x1/0x2 [foo]\n\
             Call Trace:\n panic+0x1/0x2\n __stack_chk_fail+0x1/0x2\n other+0x1/0x2\n",
            ("stack-corruption: foo_ioctl [foo]", "stack-corruption: [foo]"),
        ),
        (
            "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\nCall Trace:\n do_exit+0x1/0x2\n any+0x1/0x2\n",
            ("init-killed: exit code 0x00000100", "init-killed"),
        ),
        (
            "BUG: kernel NULL pointer dereference, address: 0\nOops: 0002 [#1] SMP\nRIP: 0010:foo+0x1/0x2 [foo]\n\
             ---[ end trace 0 ]---\nRIP: 0010:foo+0x1/0x2 [foo]\n\
             Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000009\n",
            ("null-dereference: foo [foo]", "null-dereference: [foo]"),
        ),
        (
            "dd invoked oom-killer: gfp_mask=0xcc0\nKernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled\n\
             Call Trace:\n any+0x1/0x2\n",
            ("oom: Out of memory system-wide panic_on_oom is enabled", "oom"),
        ),
        (
            "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n",
            ("no-root: VFS Unable to mount root fs on #", "no-root"),
        ),
        // The crash kernel's log may follow.
        (
            "Kernel panic - not syncing: stop\nLinux version 6.12.0\nfoo+0x1/0x2\n",
            ("panic: stop", "panic"),
        ),
        // Only functions of the kernel's image are boring.
        (
            "Kernel panic - not syncing: stop\nCall Trace:\n panic+0x1/0x2\n die+0x1/0x2 [mine]\n",
            ("panic: die [mine]", "panic: [mine]"),
        ),
        // A death that nothing describes.
        ("Kernel panic - not syncing: Fatal exception\n", ("oops: Fatal exception", "oops")),
        // No log, and one that says nothing.
        ("", NONE),
        ("e1000e 0000:06:00.0 eth0: NIC Link is Up\nfoo+0x1/0x2\n", NONE),
        // A title is at the start of a line: this is the name of a process.
        ("audit: comm=\"BUG: kernel NULL pointer dereference\"\n", NONE),
    ] {
        check(log, expected);
    }
}

/// How `dmesg` shows the log, where the functions are, and who ran do not matter.
#[test]
fn what_differs_between_crashes_of_one_cause() {
    let log = include_str!("logs/null-dereference-6.12.log");
    let expected = signature(log);
    let bare: String = log.lines().map(|line| format!("{}\n", &line[15..])).collect();
    assert_eq!(signature(&bare), expected);
    let by_caller = log.replace("] ", "][  T148] ");
    assert_eq!(signature(&by_caller), expected);
    let other =
        log.replace("+0x4c/0x160", "+0x88/0x200").replace("148", "99").replace("vmcoredd ", "dd ");
    assert_ne!(other, log);
    assert_eq!(signature(&other), expected);
    let part = log.replace("fill_buffer+", "fill_buffer.isra.0.cold+");
    assert_eq!(signature(&part), expected);
}

fn is_fit(text: &str) -> bool {
    text.len() <= 700
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !b"<>&\"'".contains(&byte))
}

/// Words of which logs are made, so that chance finds the ways through the reader.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "\n",
        "\n",
        "\n",
        " ",
        "[",
        "]",
        "[<",
        ">]",
        "+0x1/0x2",
        "[mod]",
        "RIP: 0010:",
        "pc : ",
        "foo",
        "Kernel panic - not syncing: ",
        "BUG: ",
        "Oops: ",
        "Internal error: ",
        "WARNING: CPU: ",
        "kernel BUG at ",
        "Attempted to kill init! exitcode=0x",
        "Fatal exception",
        "panic_on_warn set",
        "hung_task: ",
        "INFO: task ",
        "list_add corruption",
        "KASAN: null-ptr-deref in range",
        "---[ end trace ",
        "section_type: ",
        " Bank ",
        "[Hardware Error]: CPU 1: Machine Check",
        "type=",
        "? ",
        "<4>",
        "[    1.000000] ",
        "é",
        "\u{0}",
        "\u{1b}[31m",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => ".{0,20}",
        1 => "[0-9a-fx]{0,10}",
    ]
}

proptest! {
    #[test]
    fn any_log_gives_a_fit_signature(pieces in prop::collection::vec(piece(), 0..200)) {
        let log = pieces.concat();
        if let Some(signature) = Signature::of_log(log.lines()) {
            prop_assert!(is_fit(&signature.fine()), "{:?}", signature.fine());
            prop_assert!(is_fit(&signature.coarse()), "{:?}", signature.coarse());
            prop_assert!(signature.fine().starts_with(signature.class()));
            prop_assert!(signature.coarse().starts_with(signature.class()));
        }
    }

    /// A report of something else before it, and lines of others within, change nothing.
    #[test]
    fn noise_changes_nothing(noise in prop::collection::vec("[a-z ]{0,40}", 0..30), at in 0_usize..10) {
        let log = include_str!("logs/bug-6.12.log");
        let mut lines: Vec<&str> = log.lines().collect();
        for (number, line) in noise.iter().enumerate() {
            let at = (number * (at + 1)) % lines.len();
            // A herald must be followed by its report.
            if !lines[at].contains("Oops") {
                lines.insert(at, line);
            }
        }
        let found = Signature::of_log(lines).map(|it| it.fine());
        prop_assert_eq!(found.as_deref(), Some("bug: fill_buffer [collectors]"));
    }
}
