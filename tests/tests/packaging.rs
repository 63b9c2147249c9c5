// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What the Debian package has of systemd's units: that they are right, and which of them are
//! enabled where it is installed. Building the whole package takes minutes: `make deb`.

use std::fs;
use std::path::Path;
use std::process::Command;

use system_tests::{output, root};

/// Whether a command is there. Only who builds packages has debhelper, and a container need
/// not have systemd.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("not tested: there is no {program}");
    }
    found
}

fn units() -> Vec<String> {
    let names = fs::read_dir(root().join("packaging/kdump")).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut units: Vec<_> =
        names.filter(|name| name.ends_with(".service") || name.ends_with(".timer")).collect();
    units.sort();
    units
}

#[test]
fn units_are_shipped_and_the_timer_is_not_enabled() {
    if !has("dh_installsystemd") {
        return;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaging");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let packaging = root().join("packaging");
    output(Command::new("cp").arg("-r").arg(&packaging).arg(&directory)).unwrap();
    output(Command::new("cp").arg("-r").arg(packaging.join("debian")).arg(&directory)).unwrap();
    let mut make = Command::new("make");
    make.args(["-f", "debian/rules", "override_dh_installsystemd"]).current_dir(&directory);
    // The outer make's are not for this one.
    output(make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL")).unwrap();
    let package = directory.join("debian/vmcoredd");
    let shipped = ["usr/lib", "lib"].map(|lib| package.join(lib).join("systemd/system"));
    let scripts = directory.join("debian/.debhelper/generated/vmcoredd/postinst.service");
    let scripts = fs::read_to_string(scripts).unwrap();
    let units = units();
    assert!(units.iter().any(|unit| unit == "vmcoredd-baseline.timer"), "{units:?}");
    for unit in &units {
        assert!(shipped.iter().any(|directory| directory.join(unit).exists()), "{unit}");
        let text = fs::read_to_string(packaging.join("kdump").join(unit)).unwrap();
        // What is enabled is so unless its operator has disabled it; what is not, where its
        // operator has enabled it.
        let enabled = format!("was-enabled '{unit}'; then\n");
        let optional = format!("debian-installed '{unit}'; then\n");
        let expected = match unit.as_str() {
            "vmcoredd-baseline.timer" => (true, true),
            _ => (text.contains("[Install]"), false),
        };
        let found = (scripts.contains(&enabled), scripts.contains(&optional));
        assert_eq!(found, expected, "{unit}: {scripts}");
    }
}

/// Each unit runs something that the package has.
#[test]
fn units_are_right() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("units");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let kdump = root().join("packaging/kdump");
    let installed = fs::read_to_string(root().join("packaging/debian/vmcoredd.install")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for unit in units() {
        let text = fs::read_to_string(kdump.join(&unit)).unwrap();
        if let Some(command) = text.lines().find_map(|line| line.strip_prefix("ExecStart=")) {
            let script = command.strip_prefix("/usr/lib/vmcoredd/").unwrap();
            let line = format!("packaging/kdump/{script} usr/lib/vmcoredd");
            assert!(installed.lines().any(|each| each == line), "{unit}: {line}");
        }
        // The commands are not installed here.
        let text = text.replace("/usr/lib/vmcoredd/", &format!("{}/", kdump.display()));
        let path = directory.join(&unit);
        fs::write(&path, text).unwrap();
        verify.arg(path);
    }
    if has("systemd-analyze") {
        let said = verify.output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr);
        let of_ours: Vec<_> = words.lines().filter(|line| line.contains("vmcoredd")).collect();
        assert!(said.status.success() && of_ours.is_empty(), "{words}");
    }
}
