// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What help and man pages have besides the options.

/// What each exit status means.
pub const EXIT_STATUS: [(u8, &str); 5] = [
    (0, "done"),
    (1, "the answer is no: not there, damaged, not complete, different"),
    (2, "wrong usage"),
    (3, "a file cannot be read, or is no dump"),
    (4, "the output, or /dev/vmcoredd, cannot be written"),
];

/// Examples of all of it.
pub const EXAMPLES: &[&str] = &[
    "vmcoredd list /var/crash/*/dump.*",
    "vmcoredd list --json /var/crash/vmcore | jq .dumps",
    "vmcoredd verify /var/crash/vmcore",
    "vmcoredd extract /var/crash/vmcore cxgb4_0000:02:00.4 -o cxgb4.bin",
    "vmcoredd extract /var/crash/vmcore --all -C dumps/",
    "vmcoredd show /var/crash/vmcore e1000e_0000:00:02.0 --at 0x5400 -n 8",
    "vmcoredd diff healthy:e1000e_0000:00:02.0 /var/crash/vmcore",
    "vmcoredd attach dump.202611251032 --from vmcoredd --in-place",
    "vmcoredd run lspci -- lspci -xxxx -vvv",
];

/// Examples of each subcommand.
pub const OF_SUBCOMMANDS: [(&str, &[&str]); 16] = [
    (
        "list",
        &[
            "vmcoredd list /var/crash/*/dump.*",
            "vmcoredd list --json /var/crash/vmcore | jq -r '.dumps[].name'",
            "ssh host cat /var/crash/vmcore | vmcoredd list -",
        ],
    ),
    (
        "info",
        &[
            "vmcoredd info /var/crash/*/dump.*",
            "vmcoredd info --json /var/crash/vmcore | jq -r .build_id",
        ],
    ),
    (
        "verify",
        &[
            "vmcoredd verify /var/crash/vmcore",
            "vmcoredd verify --quiet /var/crash/*/dump.* && echo all are whole",
        ],
    ),
    (
        "extract",
        &[
            "vmcoredd extract /var/crash/vmcore cxgb4_0000:02:00.4 -o cxgb4.bin",
            "vmcoredd extract /var/crash/vmcore 0 -o - | xxd | less",
            "vmcoredd extract /var/crash/vmcore --all -C dumps/",
        ],
    ),
    (
        "show",
        &[
            "vmcoredd show /var/crash/vmcore",
            "vmcoredd show /var/crash/vmcore e1000e_0000:00:02.0 --at 0x5400 -n 8",
        ],
    ),
    (
        "decode",
        &[
            "vmcoredd decode /var/crash/vmcore",
            "vmcoredd decode /var/crash/vmcore regs_0000:01:00.0 --abnormal",
            "vmcoredd decode --json /var/crash/vmcore | jq -r '.findings[].text'",
        ],
    ),
    (
        "diff",
        &[
            "vmcoredd diff monday/vmcore tuesday/vmcore",
            "vmcoredd diff --brief healthy:e1000e_0000:00:02.0 /var/crash/vmcore",
            "vmcoredd diff --fields /var/crash/vmcore --baseline /var/lib/vmcoredd/baseline",
        ],
    ),
    (
        "attach",
        &[
            "vmcoredd attach dump.202611251032 --from vmcoredd --in-place",
            "vmcoredd attach vmcore bmc=sel.log -o vmcore.with-bmc",
        ],
    ),
    ("add", &["ethtool -d eth0 raw on | vmcoredd add eth0"]),
    (
        "run",
        &[
            "vmcoredd run lspci -- lspci -xxxx -vvv",
            "vmcoredd run sel --deadline 5 --stderr -- ipmitool sel list",
        ],
    ),
    ("collect", &["vmcoredd collect", "vmcoredd collect --deadline 5 --total 20 /root/collectors"]),
    (
        "snapshot",
        &[
            "vmcoredd snapshot -o healthy",
            "vmcoredd snapshot -o nic 0000:02:00.0",
            "vmcoredd snapshot --leave-out nvme",
            "vmcoredd snapshot --keep 7 -o /var/lib/vmcoredd/baseline",
        ],
    ),
    (
        "profile",
        &[
            "vmcoredd profile check my-device.kdl",
            "vmcoredd profile compile my-device.kdl -o my-device.plan",
        ],
    ),
    (
        "explain",
        &[
            "vmcoredd explain /var/crash/*/vmcoredd.*.zst",
            "vmcoredd explain --json /var/crash/vmcore | jq -r '.findings[0].text'",
        ],
    ),
    ("after", &["vmcoredd after --again"]),
    ("doctor", &["vmcoredd doctor", "vmcoredd doctor --json | jq -r .verdict"]),
];

/// Adds to `command` and its subcommands the sections that their help has after the options.
pub fn with_sections(command: clap::Command) -> clap::Command {
    let command = with_own_sections(command, EXAMPLES);
    OF_SUBCOMMANDS.into_iter().fold(command, |command, (name, examples)| {
        command.mut_subcommand(name, |command| with_own_sections(command, examples))
    })
}

/// Adds its sections to one command; those of `-h` are short.
fn with_own_sections(command: clap::Command, examples: &[&str]) -> clap::Command {
    let examples = format!("Examples:\n  {}", examples.join("\n  "));
    let statuses = EXIT_STATUS.map(|(status, meaning)| format!("  {status}  {meaning}"));
    let long = format!("{examples}\n\nExit status:\n{}", statuses.join("\n"));
    command.after_help(examples).after_long_help(long)
}

/// The examples of the command or the subcommand `name`.
pub fn examples(name: &str) -> &'static [&'static str] {
    let of_subcommand = OF_SUBCOMMANDS.iter().find(|(subcommand, _)| *subcommand == name);
    of_subcommand.map_or(EXAMPLES, |(_, examples)| examples)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn command() -> clap::Command {
        with_sections(crate::Arguments::command())
    }

    /// The part of an example that is this command's.
    fn own(example: &str) -> Vec<&str> {
        let mut words = example.split(' ').skip_while(|word| *word != "vmcoredd");
        let own = words.by_ref().take_while(|word| !["|", "&&"].contains(word));
        own.collect()
    }

    #[test]
    fn every_example_is_understood() {
        for (name, examples) in OF_SUBCOMMANDS.into_iter().chain([("", EXAMPLES)]) {
            for example in examples {
                let matches = command().try_get_matches_from(own(example)).expect(example);
                let subcommand = matches.subcommand_name();
                assert!(name.is_empty() || subcommand == Some(name), "{example}");
            }
        }
    }

    #[test]
    fn every_subcommand_has_examples() {
        for subcommand in command().get_subcommands().filter(|each| !each.is_hide_set()) {
            let name = subcommand.get_name();
            assert!(OF_SUBCOMMANDS.iter().any(|(with, _)| *with == name), "{name}");
        }
    }
}
