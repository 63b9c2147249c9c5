// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is to be reached, and whether it was.

const MISSED: &str = "**missed**";

/// How a figure that is to be reached is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A time, or a ratio of times: it means nothing in a smoke run.
    Time,
    /// It is the same in every run.
    Exact,
}

/// What is to be reached, in the order in which it was measured.
#[derive(Debug)]
pub struct Goals {
    smoke: bool,
    rows: Vec<Vec<String>>,
    missed: bool,
}

impl Goals {
    /// None yet.
    pub fn new(smoke: bool) -> Self {
        Self { smoke, rows: Vec::new(), missed: false }
    }

    /// `found`, in `unit`, is to be at most `most`.
    pub fn at_most(&mut self, kind: Kind, what: &str, found: f64, most: f64, unit: &str) {
        self.judge(kind, found <= most, [what, &format!("at most {most:.2}{unit}")], found, unit);
    }

    /// `found`, in `unit`, is to be at least `least`.
    pub fn at_least(&mut self, kind: Kind, what: &str, found: f64, least: f64, unit: &str) {
        self.judge(
            kind,
            found >= least,
            [what, &format!("at least {least:.2}{unit}")],
            found,
            unit,
        );
    }

    fn judge(&mut self, kind: Kind, reached: bool, told: [&str; 2], found: f64, unit: &str) {
        let word = if self.smoke && kind == Kind::Time {
            "not judged"
        } else if reached {
            "reached"
        } else {
            self.missed = true;
            MISSED
        };
        let [what, goal] = told;
        let found = format!("{found:.2}{unit}");
        self.rows.push([what, goal, &found, word].map(str::to_owned).into());
    }

    /// Each with whether it was reached.
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.rows.clone()
    }

    /// Those that were not reached.
    pub fn missed(&self) -> Vec<String> {
        let missed = |row: &&Vec<String>| row.last().is_some_and(|word| word == MISSED);
        self.rows.iter().filter(missed).filter_map(|row| row.first().cloned()).collect()
    }

    /// Whether all that was judged was reached.
    pub fn all_reached(&self) -> bool {
        !self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoke_run_judges_what_is_the_same_in_every_run() {
        for (smoke, kind, missed) in [
            (false, Kind::Time, true),
            (false, Kind::Exact, true),
            (true, Kind::Exact, true),
            (true, Kind::Time, false),
        ] {
            let mut goals = Goals::new(smoke);
            goals.at_most(kind, "a", 1.0, 1.0, "");
            assert!(!goals.missed);
            goals.at_most(kind, "b", 1.1, 1.0, "");
            assert_eq!(goals.missed, missed);
            let mut goals = Goals::new(smoke);
            goals.at_least(kind, "c", 0.9, 1.0, "");
            assert_eq!(goals.missed, missed);
        }
    }
}
