//! W3C Trace Context (level 1): the `traceparent` header of every message about a purchase request.
//!
//! A customer may bring a trace of their own. Without one the trace has the id of the request: who
//! knows a request knows its trace.

use std::fmt;
use std::fmt::Write as _;

use crate::RequestId;

/// Name of the header.
pub const TRACEPARENT: &str = "traceparent";

/// Characters of version 00.
const LEN: usize = 55;
const SAMPLED: u8 = 1;

/// Where in which trace something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

impl TraceContext {
    /// `None` if either id is all zeros, which the standard reserves.
    pub fn new(trace: [u8; 16], span: [u8; 8], sampled: bool) -> Option<Self> {
        (trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span, sampled })
    }

    /// Reads the value of the header. What the standard calls invalid is `None`, to be treated
    /// like no header.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let head = bytes.get(..LEN)?;
        let dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        let [version] = hex::<1>(&head[..2])?;
        // Later versions may have more behind another dash.
        let whole = match version {
            0 => bytes.len() == LEN,
            0xff => false,
            _ => bytes.get(LEN).is_none_or(|next| *next == b'-'),
        };
        let [flags] = hex::<1>(&head[53..])?;
        let context = Self::new(hex(&head[3..35])?, hex(&head[36..52])?, flags & SAMPLED != 0)?;
        (dashes && whole).then_some(context)
    }

    /// The trace of a request whose customer brought none: not sampled, under the request's id.
    pub fn of_request(request: RequestId) -> Self {
        let id = request.as_bytes();
        Self { trace: *id, span: purchase_span(request), sampled: false }
    }

    /// Another place in the same trace. A span of zeros, which the standard reserves, is none: the
    /// place stays.
    #[must_use]
    pub fn at(self, span: [u8; 8]) -> Self {
        Self::new(self.trace, span, self.sampled).unwrap_or(self)
    }

    #[must_use]
    pub const fn sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }

    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    pub const fn span_id(&self) -> [u8; 8] {
        self.span
    }

    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// The span of the whole purchase, parent of all others of a request: the half of the request's id
/// that is random, which is never zero (it has the UUID's variant).
pub fn purchase_span(request: RequestId) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = *request.as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The value of the header.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        write_hex(f, &self.trace)?;
        f.write_char('-')?;
        write_hex(f, &self.span)?;
        f.write_str(if self.sampled { "-01" } else { "-00" })
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().try_for_each(|byte| {
        f.write_char(char::from(DIGITS[usize::from(byte >> 4)]))?;
        f.write_char(char::from(DIGITS[usize::from(byte & 15)]))
    })
}

/// Lower-case digits only, as the standard has it.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    (digits.len() == 2 * N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_standards_example_is_read_and_written() {
        let context = TraceContext::parse(EXAMPLE).unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.span_id(), [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
        assert_eq!(context.to_string(), EXAMPLE);
        assert_eq!(context.at([0; 8]), context);
        let elsewhere = context.at([0, 0, 0, 0, 0, 0, 0, 9]).sampled(false).to_string();
        assert_eq!(elsewhere, "00-0af7651916cd43dd8448eb211c80319c-0000000000000009-00");
    }

    #[test]
    fn what_the_standard_calls_invalid_is_not_read() {
        let zero_trace = EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = EXAMPLE.replace("b7ad6b7169203331", &"0".repeat(16));
        let upper = EXAMPLE.to_uppercase();
        let longer = format!("{EXAMPLE}-x");
        let version_ff = EXAMPLE.replacen("00", "ff", 1);
        let dots = EXAMPLE.replace('-', ".");
        let short = &EXAMPLE[..54];
        let all = [&zero_trace, &zero_span, &upper, &longer, &version_ff, &dots, short, "", "é"];
        for bad in all {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = EXAMPLE.replacen("00", "01", 1);
        let context = TraceContext::parse(EXAMPLE);
        assert_eq!(TraceContext::parse(&later), context);
        assert_eq!(TraceContext::parse(&format!("{later}-more")), context);
        assert_eq!(TraceContext::parse(&format!("{later}more")), None);
    }

    #[test]
    fn without_a_trace_of_its_own_a_request_has_one_under_its_id() {
        let request = RequestId::from_parts(1_790_000_000_000, 7);
        let text = TraceContext::of_request(request).to_string();
        let id = request.to_string().replace('-', "");
        assert_eq!(text, format!("00-{id}-{}-00", &id[16..]));
        assert_eq!(TraceContext::parse(&text), Some(TraceContext::of_request(request)));
    }
}
