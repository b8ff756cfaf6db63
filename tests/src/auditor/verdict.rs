//! What the auditor says.

use std::fmt;

use schemas::RequestId;

use super::{Coverage, Evidence, timeline};

/// The promises of the product, as its design numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    P1,
    P2,
    P3,
    P4,
    P5,
    P6,
    P7,
    P8,
}

impl Promise {
    pub const ALL: [Self; 8] =
        [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5, Self::P6, Self::P7, Self::P8];

    pub const fn label(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
            Self::P6 => "P6",
            Self::P7 => "P7",
            Self::P8 => "P8",
        }
    }

    /// The promise in a few words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::P1 => "at most one order stands for one request",
            Self::P2 => "never above the limit",
            Self::P3 => "never late",
            Self::P4 => "nothing accepted is lost",
            Self::P5 => "money matches orders",
            Self::P6 => "unknown is not no",
            Self::P7 => "nobody speaks for another",
            Self::P8 => "same inputs, same bytes",
        }
    }
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the check that found it.
    pub check: &'static str,
    pub promise: Promise,
    /// The request it is about, if it is about one.
    pub request: Option<RequestId>,
    /// What was found, with ids and numbers.
    pub said: String,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub name: &'static str,
    pub promise: Promise,
    /// What the check demands, in a few words.
    pub says: &'static str,
    /// How many things it looked at; zero means that the run could not have broken it.
    pub examined: usize,
    pub violations: Vec<Violation>,
}

/// The judgement of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub checks: Vec<Checked>,
    /// How often the run reached what can be reached.
    pub coverage: Coverage,
    /// Everything known about the first offending request, by time.
    pub timeline: Option<String>,
}

/// Violations that a message shows of each check.
const SHOWN_PER_CHECK_MAX: usize = 5;

impl Verdict {
    pub(super) fn new(checks: Vec<Checked>, coverage: Coverage, evidence: &Evidence) -> Self {
        let first = checks.iter().flat_map(|check| &check.violations).find_map(|v| v.request);
        let timeline = first.map(|request| timeline(evidence, request));
        Self { checks, coverage, timeline }
    }

    pub fn is_clean(&self) -> bool {
        self.violations().next().is_none()
    }

    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.checks.iter().flat_map(|check| &check.violations)
    }

    /// Whether a check of this name found something.
    pub fn broke(&self, check: &str) -> bool {
        self.violations().any(|violation| violation.check == check)
    }

    /// The checks behind one promise.
    pub fn of(&self, promise: Promise) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(move |check| check.promise == promise)
    }

    /// One line: how many checks looked at how much, and what they found.
    pub fn summary(&self) -> String {
        let idle = self.checks.iter().filter(|check| check.examined == 0).count();
        let examined: usize = self.checks.iter().map(|check| check.examined).sum();
        let (held, broken) = (self.checks.len() - idle, self.violations().count());
        let found = match broken {
            0 => "all promises kept".to_owned(),
            broken => format!("{broken} violations"),
        };
        format!("{found}: {held} checks looked at {examined} things, {idle} had nothing to look at")
    }

    /// # Panics
    /// When a promise was broken, with every violation and the timeline.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "\n{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let Checked { name, promise, examined, violations, .. } = check;
            let label = promise.label();
            if *examined == 0 && violations.is_empty() {
                writeln!(f, "{label} {name}: not examined")?;
                continue;
            }
            if violations.is_empty() {
                writeln!(f, "{label} {name}: held ({examined} examined)")?;
                continue;
            }
            writeln!(f, "{label} {name}: BROKEN {} times", violations.len())?;
            for violation in violations.iter().take(SHOWN_PER_CHECK_MAX) {
                match violation.request {
                    Some(request) => writeln!(f, "   request {request}: {}", violation.said)?,
                    None => writeln!(f, "   {}", violation.said)?,
                }
            }
        }
        match &self.timeline {
            Some(timeline) => write!(f, "timeline of the first offending request:\n{timeline}"),
            None => Ok(()),
        }
    }
}
