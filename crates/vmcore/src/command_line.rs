// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The kernel's command line, as the kernel itself reads it: what the module and the
//! command have to agree on.

/// One parameter of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// What stands before the first `=`.
    pub name: &'a [u8],
    /// What stands after it, without the quotation marks around it; `None` without a `=`.
    pub value: Option<&'a [u8]>,
}

impl Parameter<'_> {
    /// Whether this is the parameter `name`. The kernel takes dashes and underscores for
    /// the same.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        let same = |(a, b): (&u8, &u8)| a == b || matches!((a, b), (b'-' | b'_', b'-' | b'_'));
        self.name.len() == name.len() && self.name.iter().zip(name).all(same)
    }
}

/// The parameters of a command line, in their order. As in the kernel's `next_arg()`,
/// quotation marks keep white space in a parameter, and as in its `parse_args()`, a `--`
/// ends them: what follows is for init.
#[derive(Debug, Clone)]
pub struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Those of `text`.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }
}

/// The kernel's `isspace()`.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d | 0xa0)
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        let start = self.rest.iter().position(|byte| !is_space(*byte))?;
        let text = self.rest.get(start..)?;
        let mut is_quoted = false;
        let is_end = |byte: &u8| {
            is_quoted ^= *byte == b'"';
            !is_quoted && is_space(*byte)
        };
        let end = text.iter().position(is_end).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        let unquoted = word.strip_prefix(b"\"");
        let word = unquoted.unwrap_or(word);
        // A `=` at the start is a part of the name.
        let equals = word.iter().skip(1).position(|byte| *byte == b'=');
        let (name, value) = match equals.and_then(|at| word.split_at_checked(at.checked_add(1)?)) {
            Some((name, value)) => (name, value.strip_prefix(b"=")),
            None => (word, None),
        };
        let without_last = |text: &'a [u8]| text.strip_suffix(b"\"").unwrap_or(text);
        let (name, value) = match (value, unquoted) {
            (None, Some(_)) => (without_last(name), None),
            (None, None) => (name, None),
            (Some(value), unquoted) => match (value.strip_prefix(b"\""), unquoted) {
                (Some(value), _) => (name, Some(without_last(value))),
                (None, Some(_)) => (name, Some(without_last(value))),
                (None, None) => (name, Some(value)),
            },
        };
        let parameter = Parameter { name, value };
        let is_last = parameter == Parameter { name: b"--", value: None };
        self.rest = if is_last { &[] } else { rest };
        (!is_last).then_some(parameter)
    }
}

/// The value of a boolean parameter, as by the kernel's `param_set_bool()` and
/// `kstrtobool()`; `None` for what the kernel refuses. Only the first letters count.
#[must_use]
pub const fn boolean(value: Option<&[u8]>) -> Option<bool> {
    match value {
        None | Some([b'y' | b'Y' | b't' | b'T' | b'1', ..]) => Some(true),
        Some([b'n' | b'N' | b'f' | b'F' | b'0', ..]) => Some(false),
        Some([b'o' | b'O', b'n' | b'N', ..]) => Some(true),
        Some([b'o' | b'O', b'f' | b'F', ..]) => Some(false),
        Some(_) => None,
    }
}

/// Whether `novmcoredd` switches device dumps off. The last one counts that the kernel
/// does not refuse.
#[must_use]
pub fn has_novmcoredd(text: &[u8]) -> bool {
    Parameters::new(text)
        .filter(|parameter| parameter.is(b"novmcoredd"))
        .filter_map(|parameter| boolean(parameter.value))
        .last()
        .unwrap_or(false)
}

/// The value of the last parameter `name` that has one.
#[must_use]
pub fn value<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    Parameters::new(text)
        .filter(|parameter| parameter.is(name))
        .filter_map(|parameter| parameter.value)
        .last()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// What the kernel's own functions gave for each, read in lib/cmdline.c,
    /// kernel/params.c and lib/kstrtox.c.
    #[test]
    fn novmcoredd_is_read_as_the_kernel_reads_it() {
        for (text, expected) in [
            ("", false),
            ("quiet", false),
            ("novmcoredd", true),
            ("novmcoredd=", false),
            ("novmcoredd=1", true),
            ("novmcoredd=y", true),
            ("novmcoredd=Yes", true),
            ("novmcoredd=t", true),
            ("novmcoredd=on", true),
            ("novmcoredd=ON", true),
            ("novmcoredd=0", false),
            ("novmcoredd=n", false),
            ("novmcoredd=No", false),
            ("novmcoredd=f", false),
            ("novmcoredd=off", false),
            ("novmcoredd=o", false),
            ("novmcoredd=maybe", false),
            ("novmcoredd=\\1", false),
            ("novmcoredd=\"1\"", true),
            ("\"novmcoredd=1\"", true),
            ("\"novmcoredd\"", true),
            ("novmcoredd=\"1", true),
            ("novmcoredd novmcoredd=0", false),
            ("novmcoredd=0 novmcoredd", true),
            ("novmcoredd novmcoredd=maybe", true),
            ("-- novmcoredd", false),
            ("novmcoredd -- novmcoredd=0", true),
            ("a=\"-- b\" novmcoredd", true),
            ("dyndbg=\"file x +p novmcoredd\"", false),
            ("xnovmcoredd novmcoreddx no_vmcoredd", false),
            ("\tquiet\u{b}novmcoredd\n", true),
            ("novmcoredd\u{c}", true),
            ("=novmcoredd", false),
        ] {
            assert_eq!(has_novmcoredd(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn parameters_and_their_values() {
        let text = b" a-b=1  c \"d e=f g\" h=\"i j\" k=l\"m n\" =o p= -- q";
        let found: Vec<_> =
            Parameters::new(text).map(|parameter| (parameter.name, parameter.value)).collect();
        let expected: [(&[u8], Option<&[u8]>); 8] = [
            (b"a-b", Some(b"1")),
            (b"c", None),
            (b"d e", Some(b"f g")),
            (b"h", Some(b"i j")),
            (b"k", Some(b"l\"m n\"")),
            (b"=o", None),
            (b"p", Some(b"")),
            (b"", None),
        ];
        assert_eq!(found, expected[..7]);
        assert_eq!(value(text, b"a_b"), Some(&b"1"[..]));
        assert_eq!(value(b"x=1 x=2 x", b"x"), Some(&b"2"[..]));
        assert_eq!(value(text, b"q"), None);
    }

    /// No text makes it panic, or give a parameter that is not in it.
    #[test]
    fn any_text_is_read() {
        let letters = b"a\"= -";
        for number in 0..5_usize.pow(7) {
            let mut left = number;
            let text: Vec<u8> = (0..7)
                .map(|_| {
                    let letter = letters[left % 5];
                    left /= 5;
                    letter
                })
                .collect();
            for parameter in Parameters::new(&text) {
                assert!(parameter.name.len() + parameter.value.map_or(0, <[u8]>::len) <= 7);
            }
        }
    }
}
