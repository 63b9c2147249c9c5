// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What is to be reached, and whether it was.

const MISSED: &str = "**missed**";
/// Why goals are out of reach, below the start of their names.
const REASONS: &str = include_str!("../missed.md");

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

    fn judge(&mut self, kind: Kind, reached: bool, words: [&str; 2], found: f64, unit: &str) {
        let word = if self.smoke && kind == Kind::Time {
            "not judged"
        } else if reached {
            "reached"
        } else {
            self.missed = true;
            MISSED
        };
        let [what, goal] = words;
        let found = format!("{found:.2}{unit}");
        self.rows.push([what, goal, &found, word].map(str::to_owned).into());
    }

    /// Each with whether it was reached.
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.rows.clone()
    }

    /// Why those that were not reached are out of reach, as far as that is known: a
    /// paragraph each, for the report.
    pub fn reasons(&self) -> Vec<String> {
        let missed = |row: &&Vec<String>| row.last().is_some_and(|word| word == MISSED);
        let names = self.rows.iter().filter(missed).filter_map(|row| row.first());
        let names: Vec<&str> = names.map(String::as_str).collect();
        let sections = REASONS.split("\n## ").skip(1).filter_map(|text| text.split_once('\n'));
        let paragraph = |(start, reason): (&str, &str)| {
            let of: Vec<&str> =
                names.iter().copied().filter(|name| name.starts_with(start)).collect();
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            (!of.is_empty()).then(|| format!("**{}**: {reason}", of.join("; ")))
        };
        sections.filter_map(paragraph).collect()
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

    #[test]
    fn the_reasons_of_missed_goals_are_reported() {
        let mut goals = Goals::new(false);
        goals.at_most(Kind::Time, "adding 1 byte", 2.0, 1.0, "");
        goals.at_most(Kind::Time, "adding 2 bytes", 2.0, 1.0, "");
        goals.at_most(Kind::Exact, "size of the module", 1.0, 1.0, "");
        goals.at_most(Kind::Exact, "of this nothing is known", 2.0, 1.0, "");
        let reasons = goals.reasons();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        let start = "**adding 1 byte; adding 2 bytes**: vmcoredd does all that C does: pages";
        assert!(reasons[0].starts_with(start) && reasons[0].ends_with("safe."), "{reasons:?}");
    }
}
