//! `Retry-After`: seconds, or a date.

use schemas::{DurationMs, Timestamp};

/// The forms that dates have in HTTP; the first is the one to write.
const FORMS: [&str; 3] =
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait, at most `max`; nothing when it cannot be read.
pub fn parse(value: &str, now: Timestamp, max: DurationMs) -> Option<DurationMs> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => DurationMs::from_secs(seconds),
        // More digits than fit are long enough.
        Err(_) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => max,
        Err(_) => date(value)?.since(now),
    };
    Some(wait.min(max))
}

fn date(value: &str) -> Option<Timestamp> {
    let civil = |form: &&str| jiff::civil::DateTime::strptime(form, value).ok();
    let civil = FORMS.iter().find_map(civil)?;
    let ms = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Timestamp::from_unix_ms(u64::try_from(ms).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_bounded() {
        let now = Timestamp::parse("1994-11-06T08:49:00Z").unwrap();
        let read =
            |text: &str| parse(text, now, DurationMs::from_secs(3600)).map(|ms| ms.as_ms() / 1000);
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), Some(37));
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(37));
        assert_eq!(read("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "what is past is now");
        assert_eq!(read("999999"), Some(3600));
        assert_eq!(read(&"9".repeat(40)), Some(3600));
        for bad in ["", "-1", "1.5", "soon", "Sun, 06 Nov"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
