// SPDX-License-Identifier: GPL-2.0-only

//! Prints what `bindings` makes of a header.

use std::process::ExitCode;
use std::{env, fs};

mod bindings;

const USAGE: &str = "usage: bindings --rust | --c-check | --roots HEADER";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, header] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match print(what, header) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn print(what: &str, header: &str) -> Result<String, String> {
    let text = fs::read_to_string(header).map_err(|error| format!("{header}: {error}"))?;
    let name = header.rsplit('/').next().unwrap_or(header);
    let result = match what {
        "--rust" => bindings::generate(&text),
        "--c-check" => bindings::generate_c_check(&text, name),
        "--roots" => bindings::roots(&text).map(|roots| roots.join("\n") + "\n"),
        _ => return Err(USAGE.into()),
    };
    result.map_err(|error| format!("{header}:{error}"))
}
