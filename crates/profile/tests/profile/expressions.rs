// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Expressions are worth the same to the interpreter, to what decodes, and to this.

use proptest::prelude::*;

use crate::emulated::{Emulated, PURE, of};

/// An expression, as its text and its value are to be.
#[derive(Debug, Clone)]
struct Computed {
    text: String,
    value: u64,
}

/// What the registers have: A, B of 32 bits, C of 64, F bits 4 to 11 of A, G the same plus 1.
const A: u32 = 0x8234_5678;
const B: u32 = 0;
const C: u64 = 0xfedc_ba98_7654_3210;

fn operand() -> impl Strategy<Value = Computed> {
    let computed = |text: &str, value| Computed { text: text.to_owned(), value };
    prop_oneof![
        any::<u64>().prop_map(|value| Computed { text: format!("{value:#x}"), value }),
        (0..70_u64).prop_map(|value| Computed { text: value.to_string(), value }),
        Just(computed("A", A.into())),
        Just(computed("B", B.into())),
        Just(computed("C", C)),
        Just(computed("A.F", 0x67)),
        Just(computed("A.G", 0x68)),
        Just(computed("vendor", 0x8086)),
        Just(computed("config16(2)", 0x10d3)),
        Just(computed("cap(5)", 0)),
    ]
}

type Binary = fn(u64, u64) -> u64;
type Unary = fn(u64) -> u64;

/// Binary operators with what they compute.
const BINARY: [(&str, Binary); 18] = [
    ("+", u64::wrapping_add),
    ("-", u64::wrapping_sub),
    ("*", u64::wrapping_mul),
    ("/", |a, b| a.checked_div(b).unwrap_or(0)),
    ("%", |a, b| a.checked_rem(b).unwrap_or(0)),
    ("&", |a, b| a & b),
    ("|", |a, b| a | b),
    ("^", |a, b| a ^ b),
    ("<<", |a, b| if b > 63 { 0 } else { a << b }),
    (">>", |a, b| if b > 63 { 0 } else { a >> b }),
    ("==", |a, b| (a == b).into()),
    ("!=", |a, b| (a != b).into()),
    ("<", |a, b| (a < b).into()),
    ("<=", |a, b| (a <= b).into()),
    (">", |a, b| (a > b).into()),
    (">=", |a, b| (a >= b).into()),
    ("&&", |a, b| (a != 0 && b != 0).into()),
    ("||", |a, b| (a != 0 || b != 0).into()),
];

/// Unary operators, and the function of one value.
const UNARY: [(&str, Unary); 4] = [
    ("!", |a| (a == 0).into()),
    ("~", |a| !a),
    ("-", u64::wrapping_neg),
    ("popcount", |a| a.count_ones().into()),
];

fn expression() -> impl Strategy<Value = Computed> {
    operand().prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), 0..BINARY.len()).prop_map(|(first, second, which)| {
                let (sign, compute) = BINARY[which];
                Computed {
                    text: format!("({}) {sign} ({})", first.text, second.text),
                    value: compute(first.value, second.value),
                }
            }),
            (inner, 0..UNARY.len()).prop_map(|(inner, which)| {
                let (sign, compute) = UNARY[which];
                Computed { text: format!("{sign}({})", inner.text), value: compute(inner.value) }
            }),
        ]
    })
}

/// A profile where the place of a block has the value of `expression`, and the headline, too.
fn profile(expression: &str) -> String {
    of(
        &format!(
            "config\nblock regs bar=0 at=0 len=0x10\nlet value \"{expression}\"\n\
             block at space=memory at=\"value << 3\" len=8 width=64"
        ),
        "block regs { reg A at=0 { F 4 11; G 4 11 add=1 }; reg B at=4; reg C at=8 bits=64 }\n\
         headline \"{value}\"",
    )
}

fn check(expression: &str, value: u64) {
    let text = profile(expression);
    let mut device = Emulated::new().bar(0, A).bar(4, B).bar(8, C as u32).bar(12, (C >> 32) as u32);
    let decoded = device.both(&text, PURE);
    assert_eq!(decoded.headline, Some(format!("{value:#x}")), "{expression}");
    let address = decoded.segments.last().expect("read").head.offset;
    assert_eq!(address, value << 3, "{expression}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn computed_alike(computed in expression()) {
        check(&computed.text, computed.value);
    }
}

/// Operators bind as in C.
#[test]
fn precedence() {
    for (text, value) in [
        ("1 + 2 * 3", 7),
        ("2 * 3 + 1", 7),
        ("10 - 3 - 2", 5),
        ("100 / 10 / 5", 2),
        ("1 << 2 + 1", 8),
        ("1 << 4 >> 2", 4),
        ("7 & 3 == 3", 1),
        ("4 | 2 ^ 3 & 1", 7),
        ("1 < 2 == 1", 1),
        ("3 > 2 > 1", 0),
        ("0 && 0 || 1", 1),
        ("1 || 0 && 0", 1),
        ("!A + 1", 1),
        ("-1 >> 60", 15),
        ("~0 == -1", 1),
        ("A.F+A.G", 0xcf),
        ("0b101 + 0o17 + 1_000", 1020),
        ("(1 - 2) < 3", 0),
    ] {
        check(text, value);
    }
}
