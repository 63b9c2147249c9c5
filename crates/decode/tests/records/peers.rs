// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The same bytes as other programs read them: nvme-cli, ipmitool.
//!
//! Neither reads log pages of files by itself. nvme-cli is given `/dev/null` for a drive, and
//! a library that answers its commands from a file (`log_page.c`). ipmitool has a "dummy"
//! interface to a socket, which is asked nothing that matters here.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use decode::model::{Node, Value};
use serde_json::Value as Json;
use synth::records;
use tempfile::TempDir;

use super::decoded;

/// Whether `program` can be run; that it is skipped is said aloud.
fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    let found = command.arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED: there is no {program}, nothing is compared with it");
    }
    found
}

/// What nvme-cli says of `page` in answer to `arguments`.
fn nvme(directory: &Path, page: &[u8], arguments: &[&str]) -> Json {
    let (library, file) = (directory.join("log_page.so"), directory.join("page"));
    if !library.exists() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records/log_page.c");
        let made = Command::new("cc")
            .args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .args([library.as_os_str(), source.as_ref()])
            .status();
        assert!(made.expect("cc runs").success());
    }
    fs::write(&file, page).expect("the page is written");
    let outcome = Command::new("nvme")
        .args(arguments)
        .args(["/dev/null", "-o", "json"])
        .env("LD_PRELOAD", &library)
        .env("LOG_PAGE", &file)
        .output()
        .expect("nvme runs");
    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{said}{}", String::from_utf8_lossy(&outcome.stderr));
    serde_json::from_str(&said).expect("it is JSON")
}

fn find<'n>(nodes: &'n [Node], name: &str) -> &'n Node {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("{name}"))
}

/// That each value has the name and the number that nvme-cli has for it, which writes large
/// ones as text.
fn same(nodes: &[Node], json: &Json, names: &[(&str, &str)]) {
    for (ours, theirs) in names {
        let value = &json[theirs];
        let value = match value {
            Json::Object(halves) => halves["lo"].as_u64(),
            Json::String(text) => text.parse().ok(),
            // It prints a namespace of all ones as -1.
            value => value.as_u64().or_else(|| Some(value.as_i64()? as u32 as u64)),
        };
        assert!(value.is_some(), "{theirs} in {json}");
        assert_eq!(find(nodes, ours).unsigned(), value, "{ours} is {theirs}");
    }
}

#[test]
fn nvme_cli() {
    if !has("nvme") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let path = directory.path();

    let page = records::nvme_smart();
    let nodes = decoded("nvme-smart", &page).swap_remove(0).nodes;
    let names = [
        ("CRITICAL_WARNING", "critical_warning"),
        ("TEMPERATURE", "temperature"),
        ("AVAILABLE_SPARE", "avail_spare"),
        ("SPARE_THRESHOLD", "spare_thresh"),
        ("PERCENTAGE_USED", "percent_used"),
        ("ENDURANCE_GROUP_WARNING", "endurance_grp_critical_warning_summary"),
        ("DATA_UNITS_READ", "data_units_read"),
        ("DATA_UNITS_WRITTEN", "data_units_written"),
        ("HOST_READS", "host_read_commands"),
        ("HOST_WRITES", "host_write_commands"),
        ("BUSY_TIME", "controller_busy_time"),
        ("POWER_CYCLES", "power_cycles"),
        ("POWER_ON_HOURS", "power_on_hours"),
        ("UNSAFE_SHUTDOWNS", "unsafe_shutdowns"),
        ("MEDIA_ERRORS", "media_errors"),
        ("ERROR_LOG_ENTRIES", "num_err_log_entries"),
        ("WARNING_TEMPERATURE_TIME", "warning_temp_time"),
        ("CRITICAL_TEMPERATURE_TIME", "critical_comp_time"),
        ("SENSOR_1", "temperature_sensor_1"),
        ("SENSOR_2", "temperature_sensor_2"),
        ("THERMAL_1_COUNT", "thm_temp1_trans_count"),
        ("THERMAL_2_COUNT", "thm_temp2_trans_count"),
        ("THERMAL_1_TIME", "thm_temp1_total_time"),
        ("THERMAL_2_TIME", "thm_temp2_total_time"),
    ];
    same(&nodes, &nvme(path, &page, &["smart-log"]), &names);

    let page = records::nvme_errors();
    let nodes = decoded("nvme-error", &page).swap_remove(0).nodes;
    let json = nvme(path, &page, &["error-log", "-e", "4"]);
    for (number, node) in nodes.iter().enumerate() {
        let theirs = &json["errors"][number];
        let names = [
            ("ERROR_COUNT", "error_count"),
            ("QUEUE", "sqid"),
            ("COMMAND_ID", "cmdid"),
            ("PARAMETER_LOCATION", "parm_error_location"),
            ("LBA", "lba"),
            ("NAMESPACE", "nsid"),
            ("VENDOR_PAGE", "vs"),
            ("TRANSPORT", "trtype"),
            ("COMMAND_INFORMATION", "cs"),
            ("TRANSPORT_INFORMATION", "trtype_spec_info"),
        ];
        same(&node.children, theirs, &names);
        let status = find(&node.children, "STATUS").unsigned().expect("a number");
        assert_eq!(Some(status >> 1), theirs["status_field"].as_u64());
        assert_eq!(Some(status & 1), theirs["phase_tag"].as_u64());
    }

    let page = records::nvme_firmware();
    let nodes = decoded("nvme-fw", &page).swap_remove(0).nodes;
    let json = nvme(path, &page, &["fw-log"]);
    same(&nodes, &json["null"], &[("ACTIVE", "Active Firmware Slot (afi)")]);
    for slot in 1..=3 {
        let theirs = json["null"][format!("Firmware Rev Slot {slot}")].as_str().expect("text");
        let Some(Value::Text(ours)) = &find(&nodes, &format!("SLOT_{slot}")).value else {
            panic!("slot {slot} is no text")
        };
        assert!(theirs.contains(&format!("({ours}.")), "{theirs}, {ours}");
    }
}

#[test]
fn nvme_cli_of_ocp() {
    if !has("nvme") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let page = records::nvme_ocp();
    let nodes = decoded("nvme-ocp", &page).swap_remove(0).nodes;
    let json = nvme(directory.path(), &page, &["ocp", "smart-add-log"]);
    let names = [
        ("PHYSICAL_WRITTEN", "Physical media units written"),
        ("PHYSICAL_READ", "Physical media units read"),
        ("BAD_USER_BLOCKS", "Bad user nand blocks - Raw"),
        ("BAD_USER_BLOCKS_NORMALIZED", "Bad user nand blocks - Normalized"),
        ("BAD_SYSTEM_BLOCKS", "Bad system nand blocks - Raw"),
        ("BAD_SYSTEM_BLOCKS_NORMALIZED", "Bad system nand blocks - Normalized"),
        ("XOR_RECOVERIES", "XOR recovery count"),
        ("UNCORRECTABLE_READS", "Uncorrectable read error count"),
        ("SOFT_ECC_ERRORS", "Soft ecc error count"),
        // nvme-cli has these two the other way round than Windows' nvme.h and we do.
        ("END_TO_END_DETECTED", "End to end corrected errors"),
        ("END_TO_END_CORRECTED", "End to end detected errors"),
        ("SYSTEM_DATA_USED", "System data percent used"),
        ("REFRESHES", "Refresh counts"),
        ("ERASES_MAX", "Max User data erase counts"),
        ("ERASES_MIN", "Min User data erase counts"),
        ("THROTTLING_EVENTS", "Number of Thermal throttling events"),
        ("THROTTLING_STATUS", "Current throttling status"),
        ("PCIE_CORRECTABLE", "PCIe correctable error count"),
        ("INCOMPLETE_SHUTDOWNS", "Incomplete shutdowns"),
        ("FREE_BLOCKS", "Percent free blocks"),
        ("CAPACITOR_HEALTH", "Capacitor health"),
        ("UNALIGNED_IO", "Unaligned I/O"),
        ("SECURITY_VERSION", "Security Version Number"),
        ("NAMESPACE_USE", "NUSE - Namespace utilization"),
        ("POWER_LOSS_STARTS", "PLP start count"),
        ("ENDURANCE_ESTIMATE", "Endurance estimate"),
        ("VERSION", "Log page version"),
        ("PCIE_RETRAINS", "PCIe Link Retraining Count"),
    ];
    same(&nodes, &json, &names);
}

#[test]
fn nvme_cli_of_persistent_events() {
    if !has("nvme") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let page = records::nvme_persistent();
    let nodes = decoded("nvme-persistent", &page).swap_remove(0).nodes;
    let json = nvme(directory.path(), &page, &["persistent-event-log", "--action", "0"]);
    let names = [
        ("LOG_ID", "log_id"),
        ("EVENTS", "total_num_of_events"),
        ("LENGTH", "total_log_len"),
        ("REVISION", "log_revision"),
        ("HEADER_LENGTH", "log_header_len"),
        ("TIMESTAMP", "timestamp"),
        ("POWER_ON_HOURS", "power_on_hours"),
        ("POWER_CYCLES", "power_cycle_count"),
        ("VENDOR_ID", "pci_vid"),
        ("SUBSYSTEM_VENDOR_ID", "pci_ssvid"),
    ];
    same(&nodes, &json, &names);
    let events = json["list_of_event_entries"].as_array().expect("events");
    assert!(events.len() >= 5, "{json}");
    for (number, theirs) in events.iter().enumerate() {
        let ours = &find(&nodes, &format!("event {number}")).children;
        let names = [
            ("REVISION", "event_type_rev"),
            ("CONTROLLER", "ctrl_id"),
            ("TIMESTAMP", "event_time_stamp"),
            ("VENDOR_LENGTH", "vu_info_len"),
            ("LENGTH", "event_len"),
        ];
        same(ours, theirs, &names);
        let kind = find(ours, "TYPE").unsigned().expect("a number");
        let words = theirs["event_type"].as_str().expect("text");
        assert!(words.ends_with(&format!("({kind:#x})")), "{words}");
        let data = &find(ours, "DATA").children;
        match kind {
            2 => {
                let names = [("ACTION", "fw_commit_action"), ("SLOT", "fw_slot")];
                same(data, theirs, &names);
            }
            3 => same(
                data,
                theirs,
                &[("PREVIOUS", "prev_ts"), ("SINCE_RESET", "ml_secs_since_reset")],
            ),
            13 => {
                same(data, theirs, &[("OVER_TEMPERATURE", "over_temp"), ("THRESHOLD", "threshold")])
            }
            // nvme-cli 2.3 takes the vendor's bytes, which come first, for the event's code.
            _ => {}
        }
    }
}

/// ipmitool's words for the events of the log, and ours.
const EVENTS: &[(&str, &str)] = &[
    ("Log area reset/cleared", "log cleared"),
    ("Uncorrectable ECC", "uncorrectable ECC error"),
    ("PCI SERR", "PCI SERR"),
    ("Upper Critical going high", "upper critical, rising"),
    ("Run-time critical stop", "panic"),
    ("Uncorrectable machine check exception", "uncorrectable machine check"),
    ("Redundancy Lost", "redundancy lost"),
];

#[test]
fn ipmitool() {
    if !has("ipmitool") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let (file, socket) = (directory.path().join("sel"), directory.path().join("socket"));
    let log = records::ipmi_sel();
    fs::write(&file, &log).expect("the log is written");
    let listener = UnixListener::bind(&socket).expect("a socket");
    thread::spawn(move || answer(&listener));
    let outcome = Command::new("ipmitool")
        .args(["-I", "dummy", "sel", "readraw"])
        .arg(&file)
        .env("IPMI_DUMMY_SOCK", &socket)
        .env("TZ", "UTC")
        .output()
        .expect("ipmitool runs");
    let said = String::from_utf8_lossy(&outcome.stdout);
    let lines: Vec<Vec<&str>> =
        said.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let nodes = decoded("ipmi-sel", &log).swap_remove(0).nodes;
    assert_eq!(lines.len(), nodes.len(), "{said}");
    let mut compared = 0;
    for (line, node) in lines.iter().zip(&nodes) {
        let of = |name: &str| find(&node.children, name);
        let id = of("RECORD_ID").unsigned().expect("a number");
        assert_eq!(line[0], format!("{id:x}"));
        let [_, date, time, sensor, event, direction] = line[..] else { continue };
        if sensor.starts_with("OEM ") {
            continue;
        }
        compared += 1;
        let when = of("TIMESTAMP").meaning.clone().expect("a time");
        if date == "Pre-Init" {
            let seconds: u64 = time.parse().expect("seconds");
            assert!(when.starts_with(&format!("{seconds} s ")), "{when}");
        } else {
            let [month, day, year] = date.split('/').collect::<Vec<_>>()[..] else {
                panic!("{date}")
            };
            assert_eq!(when, format!("20{year}-{month}-{day} {time}"));
        }
        let number = of("SENSOR").unsigned().expect("a number");
        assert!(sensor.ends_with(&format!("#{number:#04x}")), "{sensor}");
        let words = EVENTS.iter().find(|(theirs, _)| *theirs == event).map(|(_, ours)| *ours);
        assert_eq!(of("DATA_1").meaning.as_deref(), words, "{event}");
        let asserted = of("EVENT").meaning.clone().expect("a direction");
        assert_eq!(asserted, direction.to_lowercase());
    }
    assert_eq!(compared, 8, "{said}");
}

/// The sensors that ipmitool lists, by its own reading of the same records.
#[test]
fn ipmitool_of_sensors() {
    if !has("ipmitool") {
        return;
    }
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let records = records::ipmi_sdr();
    let listener = UnixListener::bind(&socket).expect("a socket");
    thread::spawn(move || answer(&listener));
    let outcome = Command::new("ipmitool")
        .args(["-I", "dummy", "-v", "sdr", "list", "all"])
        .env("IPMI_DUMMY_SOCK", &socket)
        .output()
        .expect("ipmitool runs");
    let said = String::from_utf8_lossy(&outcome.stdout);
    let nodes = decoded("ipmi-sdr", &records).swap_remove(0).nodes;
    let mut listed = said.split("\n\n").filter(|part| part.contains(" ID  "));
    let mut compared = 0;
    for node in &nodes {
        let title = node.title.as_deref().expect("a title");
        let kind = find(&node.children, "TYPE").unsigned().expect("a number");
        if kind == 0xc0 {
            continue;
        }
        let theirs: Vec<(&str, &str)> = listed
            .next()
            .expect("it lists this one, too")
            .lines()
            .filter_map(|line| line.split_once(": ").map(|(key, value)| (key.trim(), value.trim())))
            .collect();
        let of = |key: &str| theirs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let ours = |name: &str| find(&node.children, name).unsigned().expect("a number");
        let entity = format!("{}.{} (", ours("ENTITY"), ours("ENTITY_INSTANCE"));
        assert!(of("Entity ID").expect("an entity").starts_with(&entity), "{theirs:?}");
        let (name, _) = title.split_once(", ").expect("a name");
        match of("Sensor ID") {
            Some(id) => assert_eq!(id, format!("{name} ({:#04x})", ours("SENSOR"))),
            // ipmitool shows names of six bits a character as they lie.
            None if kind == 0x11 => assert_eq!(name, "BOARD1"),
            None => assert_eq!(of("Device ID"), Some(name)),
        }
        let amounts = [
            ("Nominal Reading", "NOMINAL"),
            ("Normal Minimum", "NORMAL_MINIMUM"),
            ("Normal Maximum", "NORMAL_MAXIMUM"),
        ];
        for (theirs, ours) in amounts {
            let ours = node.children.iter().find(|child| child.name == ours);
            let ours = ours.and_then(|child| match child.value {
                Some(Value::Real(value)) => Some(format!("{value:.3}")),
                _ => None,
            });
            assert_eq!(ours.as_deref(), of(theirs), "{title}");
            compared += usize::from(ours.is_some());
        }
        let limits = [
            ("lnr", "LOWER_NON_RECOVERABLE"),
            ("lcr", "LOWER_CRITICAL"),
            ("lnc", "LOWER_NON_CRITICAL"),
            ("unc", "UPPER_NON_CRITICAL"),
            ("ucr", "UPPER_CRITICAL"),
            ("unr", "UPPER_NON_RECOVERABLE"),
        ];
        let has = |name: &str| node.children.iter().any(|child| child.name == name);
        let ours: Vec<_> = limits.iter().filter(|(_, name)| has(name)).map(|(it, _)| *it).collect();
        let theirs = of("Readable Thresholds").unwrap_or_default();
        assert_eq!(ours.join(" "), theirs, "{title}");
    }
    assert_eq!(compared, 5, "{said}");
    assert_eq!(listed.next(), None);
}

/// Answers what ipmitool asks the controller that it does not have: its id, to choose words of
/// vendors, and its sensors. It does not know other commands.
fn answer(listener: &UnixListener) {
    let Ok((mut stream, _)) = listener.accept() else { return };
    let mut request = [0; 16];
    while stream.read_exact(&mut request).is_ok() {
        // Network function, unit, command, target command, length (16 bits), a pointer.
        let length = u16::from_le_bytes([request[4], request[5]]);
        let mut data = vec![0; length.into()];
        if stream.read_exact(&mut data).is_err() {
            return;
        }
        let known = said(request[0], request[2], &data);
        let body = known.clone().unwrap_or_default();
        // Network function, command, sequence, unit, completion code, length, a pointer.
        let mut response = [0; 24];
        response[0] = request[0] | 1;
        response[1] = request[2];
        response[4] = if known.is_some() { 0 } else { 0xc1 };
        response[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
        if stream.write_all(&response).is_err() || stream.write_all(&body).is_err() {
            return;
        }
    }
}

/// What the controller says to a command (IPMI 2.0, 20.1, 33.9, 33.11 and 33.12), if it
/// knows it.
fn said(function: u8, command: u8, data: &[u8]) -> Option<Vec<u8>> {
    let records = records::ipmi_sdr();
    let mut starts = vec![0];
    while let Some(length) = records.get(starts.last()? + 4) {
        starts.push(starts.last()? + 5 + usize::from(*length));
    }
    let count = starts.len() - 1;
    match (function, command) {
        (0x06, 0x01) => {
            let mut id = vec![0x20, 0x81, 1, 0, 2, 3];
            id.extend([0; 9]);
            Some(id)
        }
        (0x0a, 0x20) => {
            let mut info = vec![0x51, count as u8, 0, 0xff, 0xff];
            info.extend([0; 8]);
            info.push(2);
            Some(info)
        }
        (0x0a, 0x22) => Some(vec![1, 0]),
        (0x0a, 0x23) => {
            let [_, _, low, high, offset, length] = *data else { return None };
            let id = usize::from(u16::from_le_bytes([low, high]));
            let number = id.saturating_sub(1);
            let record = records.get(*starts.get(number)?..*starts.get(number + 1)?)?;
            let start = usize::from(offset).min(record.len());
            let end = (start + usize::from(length)).min(record.len());
            let next = if number + 1 == count { 0xffff } else { number as u16 + 2 };
            Some([&next.to_le_bytes()[..], &record[start..end]].concat())
        }
        _ => None,
    }
}
