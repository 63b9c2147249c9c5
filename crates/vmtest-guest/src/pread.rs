// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! How long it takes to read some bytes among the first dumps and among the last:
//! that must not depend on how many there are.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::contents::Contents;
use crate::elf::Core;
use crate::error::Result;

pub fn pread(path: &Path, size: usize, rounds: u64) -> Result<String> {
    let core = Core::open(path)?;
    let dumps = Contents::read(&core)?.dumps;
    let (Some(first), Some(last)) = (dumps.first(), dumps.last()) else {
        return Err(core.wrong(0, "there is no device dump"));
    };
    // What is read ends where the dumps do, or before.
    let last = last.start.min((last.start + last.length).saturating_sub(size as u64));
    let offsets = [first.start, last.max(first.start)];
    let mut buffer = vec![0; size];
    let mut least = [Duration::MAX; 2];
    // In turns, so that both meet the same disturbances.
    for _ in 0..rounds.max(1) {
        for (least, offset) in least.iter_mut().zip(offsets) {
            let start = Instant::now();
            core.read_exact(offset, &mut buffer)?;
            *least = start.elapsed().min(*least);
        }
    }
    let [first, last] = least.map(|least| least.as_nanos().max(1));
    let ratio = last as f64 / first as f64;
    Ok(format!("pread: first {first} ns, last {last} ns, ratio {ratio:.2}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_ordinary_file_is_measured() {
        let path = sample::dumps("pread", &[("a", vec![1; 5000]), ("b", vec![2; 10])]);
        let line = pread(&path, 4096, 3).unwrap();
        assert!(line.starts_with("pread: first ") && line.contains(" ns, ratio "), "{line}");
    }

    #[test]
    fn without_a_dump_there_is_nothing_to_measure() {
        let error = pread(&sample::dumps("pread-none", &[]), 1, 1).unwrap_err().to_string();
        assert!(error.contains("there is no device dump"), "{error}");
    }
}
