//! What an example is to do, read off its output.

use schemas::{Money, RequestId};

use super::programs::Said;

/// How the request of one run is to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// Bought for so much.
    Ordered(Money),
    /// In stock for so much, which is above the limit.
    Quoted(Money),
    /// The broker did not take it.
    Refused,
}

impl Ending {
    /// Exit code of the program, the same as that of the command line.
    const fn exit(self) -> i32 {
        match self {
            Self::Ordered(_) => 0,
            Self::Quoted(_) => 7,
            Self::Refused => 1,
        }
    }
}

/// The requests of one run, as the program showed them.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) bought: RequestId,
    pub(super) store: String,
    pub(super) canceled: RequestId,
}

const REFUSAL: &str = "refused identifier_invalid (102)";

/// Checks what was said line by line; `None` for a refusal, which made no request.
///
/// # Errors
/// The first thing that is not as it should be.
pub(super) fn read(said: &Said, ending: Ending) -> Result<Option<Shown>, String> {
    if said.code != Some(ending.exit()) {
        return Err(format!("it ended with {:?} instead of {}", said.code, ending.exit()));
    }
    let (word, total) = match ending {
        Ending::Ordered(total) => ("ordered", total),
        Ending::Quoted(total) => ("quoted", total),
        Ending::Refused if said.err.contains(REFUSAL) => return Ok(None),
        Ending::Refused => return Err(format!("it does not say {REFUSAL:?}")),
    };
    let line = |start: &str| {
        let found = said.out.lines().find_map(|line| line.strip_prefix(start)?.strip_prefix(' '));
        found.ok_or_else(|| format!("it shows no line that begins with {start:?}"))
    };
    let (id, replayed) = line("accepted")?.split_once(' ').unwrap_or_default();
    let bought: RequestId = id.parse().map_err(|error| format!("{id:?}: {error}"))?;
    if replayed != "replayed=false" {
        return Err(format!("the first answer is shown as {replayed:?}"));
    }
    if line("repeated")? != format!("{bought} replayed=true") {
        return Err("the same bytes were not answered as a repetition".to_owned());
    }
    let told = line(word)?;
    let store = told.strip_prefix(&format!("{bought} {total} at "));
    let store = store.ok_or_else(|| format!("it was {word} otherwise: {told:?}"))?;
    if !said.out.contains("  asked after ") {
        return Err("it does not show who was asked".to_owned());
    }
    let id = line("canceled")?;
    let canceled = id.parse().map_err(|error| format!("{id:?}: {error}"))?;
    // A path of NATS, or a pointer of HTTP.
    let names = |field: &str| said.out.contains(&format!("{REFUSAL} in {field}: "));
    if !names("item.value") && !names("#/item/value") {
        return Err("it does not show which field was refused".to_owned());
    }
    Ok(Some(Shown { bought, store: store.to_owned(), canceled }))
}

#[cfg(test)]
mod tests {
    use schemas::Currency;

    use super::*;

    const ID: &str = "01932c07-a5e8-7b3c-9d41-0242ac120002";

    fn good() -> Said {
        let out = format!(
            "accepted {ID} replayed=false\nrepeated {ID} replayed=true\n\
             ordered {ID} 25.00 USD at calm-01\n  asked after 0 ms, best_ranked: calm-01\n\
             canceled {ID}\nrefused identifier_invalid (102) in item.value: wrong digit\n"
        );
        Said { code: Some(0), out, err: String::new() }
    }

    fn ordered(minor: u64) -> Ending {
        Ending::Ordered(Money::new(minor, Currency::USD).unwrap())
    }

    #[test]
    fn a_good_run_names_both_requests_and_the_store() {
        let shown = read(&good(), ordered(2500)).unwrap().unwrap();
        assert_eq!(shown.store, "calm-01");
        assert_eq!(shown.bought.to_string(), ID);
    }

    #[test]
    fn whatever_a_run_leaves_out_or_shows_otherwise_is_found() {
        assert!(read(&good(), ordered(2501)).is_err(), "another price");
        assert!(read(&good(), Ending::Refused).is_err(), "another end");
        assert!(read(&Said { code: Some(7), ..good() }, ordered(2500)).is_err(), "another code");
        let lines = good().out.lines().count();
        for left_out in 0..lines {
            let kept = good().out;
            let kept = kept.lines().enumerate().filter(|(at, _)| *at != left_out);
            let out = kept.map(|(_, line)| format!("{line}\n")).collect();
            assert!(read(&Said { out, ..good() }, ordered(2500)).is_err(), "line {left_out}");
        }
    }
}
