//! A run as text: a seed, or the choices themselves, short enough for a commit.
//!
//! ```text
//! seed 17
//! ```
//! or one line for each lane that is not empty, `3x0` standing for three zeros; zeros at the end
//! are left out, because a list that is too short is continued with them:
//! ```text
//! options 0 3 12x0 5
//! crash 999
//! ```

use std::fmt;

use super::choices::{Choices, Lane, Script};

/// Where the choices of a run come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Case {
    Seed(u64),
    Script(Box<Script>),
}

/// Why a text is no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    #[error("line {line}: {word:?} is no lane; the lanes are {}", lanes())]
    Lane { line: usize, word: String },
    #[error("line {line}: {word:?} is no choice; write a number, or <times>x<number>")]
    Choice { line: usize, word: String },
    #[error("line {line}: a seed is one number")]
    Seed { line: usize },
    #[error("there is neither a seed nor a choice in it")]
    Empty,
}

fn lanes() -> String {
    Lane::ALL.map(label).join(", ")
}

/// The name of a lane in a script.
pub const fn label(lane: Lane) -> &'static str {
    match lane {
        Lane::Options => "options",
        Lane::Plan => "plan",
        Lane::Buyers => "buyers",
        Lane::Network => "network",
        Lane::Server => "server",
        Lane::Store => "store",
        Lane::Crash => "crash",
        Lane::Clock => "clock",
        Lane::Parties => "parties",
    }
}

impl Case {
    pub fn choices(&self) -> Choices {
        match self {
            Self::Seed(seed) => Choices::from_seed(*seed),
            Self::Script(script) => Choices::from_script(script.as_ref().clone()),
        }
    }

    /// Reads what [`fmt::Display`] wrote; empty lines and those that start with `#` say nothing.
    ///
    /// # Errors
    /// The line that cannot be read, or that there is none.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        let mut script = Script::default();
        let mut is_empty = true;
        for (line, words) in (1..).zip(text.lines()) {
            let mut words = words.split_whitespace();
            let Some(first) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            if first == "seed" {
                let seed = words.next().and_then(|word| word.parse().ok());
                return seed.map(Self::Seed).ok_or(CaseError::Seed { line });
            }
            let lane = Lane::ALL.into_iter().find(|lane| label(*lane) == first);
            let lane = lane.ok_or_else(|| CaseError::Lane { line, word: first.to_owned() })?;
            is_empty = false;
            for word in words {
                let (times, choice) =
                    read(word).ok_or_else(|| CaseError::Choice { line, word: word.to_owned() })?;
                let list = &mut script.lanes[lane as usize];
                list.extend(std::iter::repeat_n(choice, times));
            }
        }
        if is_empty { Err(CaseError::Empty) } else { Ok(Self::Script(Box::new(script))) }
    }
}

/// Longest repetition that is believed.
const TIMES_MAX: usize = 1 << 20;

fn read(word: &str) -> Option<(usize, u32)> {
    match word.split_once('x') {
        Some((times, choice)) => {
            let times = times.parse().ok().filter(|times| *times <= TIMES_MAX)?;
            Some((times, choice.parse().ok()?))
        }
        None => Some((1, word.parse().ok()?)),
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = match self {
            Self::Seed(seed) => return writeln!(f, "seed {seed}"),
            Self::Script(script) => script,
        };
        if script.lanes.iter().all(Vec::is_empty) {
            return writeln!(f, "{}", label(Lane::Options));
        }
        for lane in Lane::ALL {
            let list = &script.lanes[lane as usize];
            let used = list.iter().rposition(|choice| *choice != 0).map_or(0, |last| last + 1);
            if list.is_empty() {
                continue;
            }
            write!(f, "{}", label(lane))?;
            for run in list[..used].chunk_by(|a, b| a == b) {
                match run {
                    [choice] => write!(f, " {choice}")?,
                    [choice, ..] => write!(f, " {}x{choice}", run.len())?,
                    [] => {}
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(lanes: &[(Lane, &[u32])]) -> Script {
        let mut script = Script::default();
        for (lane, choices) in lanes {
            script.lanes[*lane as usize] = choices.to_vec();
        }
        script
    }

    #[test]
    fn what_is_written_is_read_again() {
        let choices = script(&[(Lane::Options, &[0, 0, 0, 7]), (Lane::Crash, &[999, 1, 1])]);
        let case = Case::Script(Box::new(choices));
        assert_eq!(case.to_string(), "options 3x0 7\ncrash 999 2x1\n");
        assert_eq!(Case::parse(&case.to_string()), Ok(case));
        assert_eq!(Case::parse("# why\n\nseed 17"), Ok(Case::Seed(17)));
    }

    #[test]
    fn zeros_at_the_end_say_nothing() {
        let case = Case::Script(Box::new(script(&[(Lane::Plan, &[1, 0, 0])])));
        assert_eq!(case.to_string(), "plan 1\n");
    }

    #[test]
    fn a_text_that_cannot_be_read_says_where() {
        let lane = Case::parse("plans 1").unwrap_err();
        assert!(lane.to_string().contains("\"plans\" is no lane; the lanes are options"), "{lane}");
        let choice = CaseError::Choice { line: 2, word: "-1".to_owned() };
        assert_eq!(Case::parse("plan 1\ncrash -1"), Err(choice));
        assert!(Case::parse("plan 9999999999x1").is_err());
        assert_eq!(Case::parse("seed x"), Err(CaseError::Seed { line: 1 }));
        assert_eq!(Case::parse("# nothing\n"), Err(CaseError::Empty));
    }
}
