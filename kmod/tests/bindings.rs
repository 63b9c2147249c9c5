// SPDX-License-Identifier: GPL-2.0-only
//! Runs the tests that stand beside the generator of bindings, and looks at
//! what it makes of this module's own contract.

#[path = "../build/bindings.rs"]
#[allow(dead_code, missing_docs, reason = "its own program uses more of it")]
mod bindings;

const SHIM: &str = include_str!("../c/shim.h");

#[test]
fn the_linker_keeps_what_c_calls() {
    let roots = bindings::roots(SHIM).unwrap();
    assert!(roots.iter().any(|root| root == "rust_load"), "{roots:?}");
    assert!(roots.iter().all(|root| root.starts_with("rust_")), "{roots:?}");
}

#[test]
fn what_is_not_understood_is_an_error() {
    let line = SHIM.lines().count() + 1;
    let error = bindings::generate(&format!("{SHIM}typedef int surprise;\n")).unwrap_err();
    assert_eq!(error.line, line, "{error}");
}
