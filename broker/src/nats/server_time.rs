//! The hour by the server's clock, which stamps every description of a stream.

use async_nats::jetstream::Context;
use schemas::Timestamp;
use schemas::stream::name;
use serde::Deserialize;

use super::NatsError;

#[derive(Debug, Deserialize)]
struct Stamped {
    ts: Timestamp,
}

/// Asks the server what time it is.
///
/// # Errors
/// It does not answer, or does not say.
pub async fn ask(context: &Context) -> Result<Timestamp, NatsError> {
    let subject = format!("STREAM.INFO.{}", name::PARTNER_COMMANDS);
    let answer: Result<Stamped, _> = context.request(subject, &()).await;
    let stamped = answer.map_err(|source| NatsError::Stream {
        doing: "reading the time from the state of",
        stream: name::PARTNER_COMMANDS.to_owned(),
        source: Box::new(source),
    })?;
    Ok(stamped.ts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_of_a_description_is_read_to_the_millisecond() {
        let answer = r#"{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{},
            "created":"2026-01-01T00:00:00Z","ts":"2027-01-15T08:00:00.123456789Z"}"#;
        let stamped: Stamped = serde_json::from_str(answer).unwrap();
        assert_eq!(stamped.ts, Timestamp::from_unix_ms(1_800_000_000_123));
    }

    #[test]
    fn a_refusal_is_no_time() {
        let refused = r#"{"type":"x","error":{"code":404,"description":"stream not found"}}"#;
        assert!(serde_json::from_str::<Stamped>(refused).is_err());
    }
}
