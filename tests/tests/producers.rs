// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Processes add dumps through `/dev/vmcoredd`, with the command and without it; what
//! they do wrong is refused, and what they do not finish is told.

use std::fs;

use system_tests::{
    Modules, OnEachKernel, Result, fault, module_log, names, outcome, payload, rearranged, saver,
};
use vmtest::{Boot, Kernel, PanicCycle, Run, Series};

/// Each line: the command and its exit status. The port `errors`, which can be open once
/// at a time, gets what they say in the end.
const COMMANDS: &str = r#"
    run() { status=0; echo "$ $*" >>/tmp/errors; "$@" 2>>/tmp/errors || status=$?; echo $status; }
    {
        run vmcoredd add blob </tmp/blob
        run vmcoredd add blob </tmp/blob
        head -c 100000 /dev/zero | run vmcoredd add piped
        run vmcoredd add --kernel-log log
        run vmcoredd run cmdline -- cat /proc/cmdline
        run vmcoredd run both --stderr -- sh -c 'echo out; echo err >&2'
        run vmcoredd run killed-first -- sh -c 'usleep 100000; cat /proc/self/oom_score_adj'
        run vmcoredd run out-alone -- sh -c 'echo out; echo err >&2'
        run vmcoredd run fails -- sh -c 'echo before; exit 3'
        run vmcoredd run killed -- sh -c 'echo before; kill -9 $$'
        run vmcoredd run slow --deadline 1.5 -- sh -c 'echo before; sleep 1000; echo never'
        run vmcoredd run closes --deadline 1 -- sh -c 'echo before; exec >&- 2>&-; sleep 1000'
        run vmcoredd run missing -- /no/such/command
        run vmcoredd run nothing -- true
        run vmcoredd add ''
        run vmcoredd add 0123456789abcdef0123456789abcdef0123456789ab
    } </dev/null >/ports/statuses
    [ ! "$(ps | grep '[s]leep 1000')" ]
    cat /tmp/errors >/ports/errors
"#;

/// What comes of each of them: exit status, standard error, the module's line.
const EXPECTED: &[(i32, &str, Option<&str>)] = &[
    (0, "", Some("blob: complete, 300001 bytes")),
    (0, "", Some("blob#2: complete, 300001 bytes")),
    (0, "", Some("piped: complete, 100000 bytes")),
    (0, "", Some("log: complete, ")),
    (0, "", Some("cmdline: complete, ")),
    (0, "", Some("both: complete, 8 bytes")),
    (0, "", Some("killed-first: complete, 5 bytes")),
    (0, "err", Some("out-alone: complete, 4 bytes")),
    (
        1,
        "vmcoredd: fails: its command ended: exit status: 3; 7 bytes are kept",
        Some("fails: partial, its command ended with status 3, 7 bytes"),
    ),
    (
        1,
        "vmcoredd: killed: its command ended: signal: 9 (SIGKILL); 7 bytes are kept",
        Some("killed: partial, its command ended with status 137, 7 bytes"),
    ),
    (
        1,
        "vmcoredd: slow: its command did not end in time; 7 bytes are kept",
        Some("slow: partial, its collector did not end in time, 7 bytes"),
    ),
    (
        1,
        "vmcoredd: closes: its command did not end in time; 7 bytes are kept",
        Some("closes: partial, its collector did not end in time, 7 bytes"),
    ),
    (
        1,
        "vmcoredd: missing: its command cannot be started: No such file or directory; \
         0 bytes are kept",
        Some("missing: failed, its collector gave error -2"),
    ),
    (
        1,
        "vmcoredd: nothing: nothing was written; 0 bytes are kept",
        Some("nothing: refused, its collector wrote nothing"),
    ),
    (2, "vmcoredd: : expected a name of 1 to 43 bytes", None),
    (
        2,
        "vmcoredd: 0123456789abcdef0123456789abcdef0123456789ab: expected a name of 1 to 43 bytes",
        None,
    ),
];

/// What `vmtest-guest produce` leaves in the log.
const PRODUCED: &[&str] = &[
    "/dev/vmcoredd: refused, bytes for what is not named, or committed",
    "/dev/vmcoredd: refused, a commit of what is not named, or committed",
    "a device dump: refused, its name is empty",
    "a device dump: refused, its name is longer than 43 bytes",
    "/dev/vmcoredd: refused, a second name for what has one",
    "/dev/vmcoredd: refused, a commit with an impossible status",
    "/dev/vmcoredd: refused, a commit with an impossible status",
    "produced: complete, 8 bytes",
    "/dev/vmcoredd: refused, a commit of what is not named, or committed",
    "/dev/vmcoredd: refused, a second name for what has one",
    "/dev/vmcoredd: refused, bytes for what is not named, or committed",
    "errno: partial, its collector gave error -5, 5 bytes",
    "deadline: partial, its collector did not end in time, 8 bytes",
    "exit: partial, its command ended with status 3, 4 bytes",
    "empty: refused, its collector wrote nothing",
    "shorter: partial, it is shorter than declared, 4 bytes",
    "discarded: failed, its producer did not commit it",
    "faulting: partial, its collector wrote from a bad address, 5 bytes",
];

/// In the crash kernel, where drivers have dumps, too, and makedumpfile saves them.
fn panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let vm = PanicCycle::new(&kernel, &format!("producers-{series}")).crashkernel_mib(160).edu();
    let script = format!(
        "
        insmod /modules/vmcoredd.ko
        [ \"$(stat -c '%a %u %F' /dev/vmcoredd)\" = '600 0 character special file' ]
        insmod /modules/edu.ko
        head -c 300001 /dev/urandom >/tmp/blob
        cat /tmp/blob >/ports/blob
        {COMMANDS}
        {} >/ports/vmcore
        ",
        saver(&kernel)
    );
    let vm = modules
        .add_to(vm)
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .program("/usr/bin/makedumpfile");
    let vm = ["blob", "errors", "statuses", "vmcore"].into_iter().fold(vm, vmtest::Vm::port);
    Ok(vm.crash_script(&script).run()?)
}

/// In a running system, with two CPUs.
fn boot(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let vm = Boot::new(&kernel, &format!("producers-live-{series}")).smp(2);
    let script = "
        fails vmcoredd add early </dev/null 2>/tmp/errors
        insmod /modules/vmcoredd.ko budget_kib=4096
        vmtest-guest produce /dev/vmcoredd

        echo '@@ a producer is killed'
        { head -c 100000 /dev/zero; sleep 1000; } | vmcoredd add killed &
        until strings /proc/vmcoredd | grep -q NAME=killed; do usleep 10000; done
        strings /proc/vmcoredd | sed -n '/^VERSION=1$/,$p' >/ports/meanwhile
        fails rmmod vmcoredd
        kill -9 $!
        killall sleep

        echo '@@ a reader keeps the module'
        exec 3</dev/vmcoredd
        fails rmmod vmcoredd
        exec 3<&-

        echo '@@ more than there is room for'
        head -c 40000000 /dev/urandom >/tmp/large
        ! vmcoredd add large </tmp/large 2>>/tmp/errors
        cat /tmp/errors >/ports/errors
        head -c 3000000 /tmp/large >/ports/large-start

        echo '@@ both files are one'
        cat /proc/vmcoredd >/tmp/proc
        cat /dev/vmcoredd >/tmp/dev
        cmp /tmp/proc /tmp/dev
        vmtest-guest agree /dev/vmcoredd --random 300
        vmcoredd list /dev/vmcoredd >/ports/list
        cat /dev/vmcoredd >/ports/vmcoredd
        rmmod vmcoredd
        [ ! -e /dev/vmcoredd ]
    ";
    let vm = modules
        .add_to(vm)
        .file(vmtest::static_program("vmcoredd")?, "/bin/vmcoredd")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest");
    let ports = ["errors", "meanwhile", "large-start", "list", "vmcoredd"];
    Ok(ports.into_iter().fold(vm, vmtest::Vm::port).script(script).run()?)
}

static PANICKED: OnEachKernel<Run> = OnEachKernel::new(panic);
static BOOTED: OnEachKernel<Run> = OnEachKernel::new(boot);

fn every_command_says_what_came_of_it(series: Series) {
    let run = PANICKED.get(series);
    let statuses = fs::read_to_string(run.port("statuses")).unwrap();
    let errors = fs::read_to_string(run.port("errors")).unwrap();
    let mut errors = errors.split("$ ").skip(1);
    let mut said = module_log(run.dmesg()).into_iter().skip(2).map(outcome);
    assert_eq!(statuses.lines().count(), EXPECTED.len(), "{statuses}");
    for ((status, error, line), found) in EXPECTED.iter().zip(statuses.lines()) {
        let (command, told) = errors.next().unwrap().split_once('\n').unwrap();
        assert_eq!((found, told.trim_end()), (&*status.to_string(), *error), "{command}");
        if let Some(line) = line {
            let said = said.next().unwrap();
            assert!(said.starts_with(line), "{command}: {said}, not {line}");
        }
    }
    assert_eq!(said.next(), None);
    assert_eq!(fault(run.dmesg()), None);
}

fn the_saved_vmcore_has_what_they_wrote(series: Series) {
    let run = PANICKED.get(series);
    let directory = vmtest::target_dir().join(format!("producers/{series}"));
    fs::create_dir_all(&directory).unwrap();
    let saved = rearranged(run.port("vmcore"), &directory).unwrap();
    let blob = fs::read(run.port("blob")).unwrap();
    let kept: [(&str, &[u8]); 10] = [
        ("blob", &blob),
        ("blob#2", &blob),
        ("piped", &[0; 100_000]),
        ("both", b"out\nerr\n"),
        ("killed-first", b"1000\n"),
        ("out-alone", b"out\n"),
        ("fails", b"before\n"),
        ("killed", b"before\n"),
        ("slow", b"before\n"),
        ("closes", b"before\n"),
    ];
    for (name, expected) in kept {
        assert!(payload(&saved, name).unwrap() == expected, "{name}");
    }
    let command_line = payload(&saved, "cmdline").unwrap();
    assert!(String::from_utf8(command_line).unwrap().contains(" reset_devices "));
    let log = String::from_utf8(payload(&saved, "log").unwrap()).unwrap();
    assert!(log.starts_with("[    0.000000] ") && log.contains("] Linux version "), "{log}");
    assert!(log.contains("] vmcoredd: piped: complete, 100000 bytes"), "{log}");
    assert_eq!(names(&saved).unwrap().len(), kept.len() + 3, "and edu's");
}

fn misuse_is_refused(series: Series) {
    let run = BOOTED.get(series);
    assert!(run.console().contains("produce: ok"), "{}", run.console());
    let said = module_log(run.dmesg());
    let said: Vec<&str> = said[1..].iter().map(|line| outcome(line)).collect();
    assert_eq!(said[..PRODUCED.len()], *PRODUCED);
    assert!(said[PRODUCED.len()].starts_with("itself: complete, "), "{said:?}");
    assert_eq!(fault(run.dmesg()), None);
}

fn one_that_dies_is_told_of(series: Series) {
    let run = BOOTED.get(series);
    let meanwhile = fs::read_to_string(run.port("meanwhile")).unwrap();
    assert!(meanwhile.ends_with("NAME=killed\nSTATUS=running\n"), "{meanwhile}");
    let said = module_log(run.dmesg());
    let killed = "killed: failed, its producer did not commit it";
    assert_eq!(outcome(said[PRODUCED.len() + 2]), killed);
    assert!(!names(run.port("vmcoredd")).unwrap().contains(&"killed".to_owned()));
}

fn what_does_not_fit_is_cut(series: Series) {
    let run = BOOTED.get(series);
    let start = fs::read(run.port("large-start")).unwrap();
    let kept = payload(run.port("vmcoredd"), "large").unwrap();
    assert!(kept.len() > 1_000_000 && start.starts_with(&kept), "{}", kept.len());
    let errors = fs::read_to_string(run.port("errors")).unwrap();
    let lines: Vec<&str> = errors.lines().collect();
    let cut = format!("vmcoredd: large: No space left on device; {} bytes", kept.len());
    let early = "vmcoredd: /dev/vmcoredd: No such file or directory: is vmcoredd.ko loaded?";
    assert!(lines[0] == early && lines[1].starts_with(&cut[..50]), "{errors}");
    let list = fs::read_to_string(run.port("list")).unwrap();
    assert!(list.lines().any(|line| line.contains("large") && line.contains("partial")), "{list}");
    assert!(list.contains("discarded: failed, its producer did not commit it"), "{list}");
}

system_tests::on_each_kernel! {
    every_command_says_what_came_of_it
    the_saved_vmcore_has_what_they_wrote
    misuse_is_refused
    one_that_dies_is_told_of
    what_does_not_fit_is_cut
}
