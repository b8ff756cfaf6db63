//! Everything that is wrong with a message. A reader stops at the first field it cannot read; so
//! that field is replaced by one that can be, taken from a sample of the message, and the message
//! is read again, until nothing is wrong any more. Only refused messages pay for it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::error::{self, Misread, Step};
use super::{DecodeError, Validate};
use crate::violation::{VIOLATIONS_MAX, Violations};

/// The fields whose value says which other fields there are: without it the others mean nothing.
const TAGS: [&str; 3] = ["scheme", "outcome", "news"];

/// Fields that are taken away one by one to find the wrong one; no answer has as many.
const FIELDS_TRIED_MAX: usize = 24;

/// Notes what cannot be read in `bytes`, which could not be read; gives the message with the
/// fields in question replaced, if there is one then.
///
/// # Errors
/// It is not even JSON.
pub(super) fn read<T>(bytes: &[u8], found: &mut Violations) -> Result<Option<T>, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut misread = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(value) => {
            reader.end().map_err(|e| DecodeError::malformed(&e))?;
            return Ok(Some(value));
        }
        Err(error) => error::misread(&error)?,
    };
    let mut tree = serde_json::from_slice::<Value>(bytes);
    let sample = serde_json::from_str::<Value>(T::SAMPLE);
    for _ in 0..VIOLATIONS_MAX {
        let Misread { way, code, field, rule } = misread;
        // Text that stops being JSON further on, and messages without a sample, end here.
        let (Ok(tree), Ok(sample)) = (&mut tree, &sample) else {
            found.push(code, field, rule);
            break;
        };
        if !(way.is_empty() && probe::<T>(tree, sample, found)) {
            let missed = if way.is_empty() { missed::<T>(tree, sample) } else { None };
            found.push(code, missed.unwrap_or(field), rule);
            if way.is_empty() || !mend(tree, sample, &way) {
                break;
            }
        }
        misread = match serde_path_to_error::deserialize::<_, T>(&*tree) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error::misread(&error)?,
        };
    }
    Ok(None)
}

/// Where a reader cannot tell the field, as in the common part of answers: each is tried alone in
/// the sample. Whether some were replaced.
fn probe<T: DeserializeOwned>(tree: &mut Value, sample: &Value, found: &mut Violations) -> bool {
    let (Some(fields), Some(sound)) = (tree.as_object_mut(), sample.as_object()) else {
        return false;
    };
    let mut replaced = false;
    for (name, value) in sound.iter().filter(|(name, _)| !TAGS.contains(&name.as_str())) {
        let mut alone = sound.clone();
        match fields.get(name) {
            Some(value) => alone.insert(name.clone(), value.clone()),
            None => alone.remove(name),
        };
        let read = serde_path_to_error::deserialize::<_, T>(&Value::Object(alone));
        let Some(Ok(misread)) = read.err().map(|error| error::misread(&error)) else { continue };
        let field = if misread.way.is_empty() { name.clone() } else { misread.field };
        found.push(misread.code, field, misread.rule);
        fields.insert(name.clone(), value.clone());
        replaced = true;
    }
    replaced
}

/// The field that a reader cannot tell and the sample does not have, as one of a single outcome:
/// it is the one that is missed as soon as it is taken away.
fn missed<T: DeserializeOwned>(tree: &Value, sample: &Value) -> Option<String> {
    // Each try reads the whole message.
    let fields = tree.as_object().filter(|fields| fields.len() <= FIELDS_TRIED_MAX)?;
    let is_missed = |name: &&String| {
        let mut without = fields.clone();
        without.remove(*name);
        let read = serde_path_to_error::deserialize::<_, T>(&Value::Object(without));
        let misread = read.err().and_then(|error| error::misread(&error).ok());
        misread.is_some_and(|misread| misread.field == **name)
    };
    fields.keys().filter(|name| sample.get(name.as_str()).is_none()).find(is_missed).cloned()
}

/// Replaces what is at the end of `way` by what the sample has there.
fn mend(tree: &mut Value, sample: &Value, way: &[Step]) -> bool {
    let Some((step, rest)) = way.split_first() else {
        *tree = sample.clone();
        return true;
    };
    match step {
        Step::Field(name) if TAGS.contains(&name.as_str()) => mend(tree, sample, &[]),
        Step::Field(name) => match (tree.as_object_mut(), sample.get(name)) {
            (Some(fields), Some(sample)) => {
                mend(fields.entry(name.as_str()).or_insert(Value::Null), sample, rest)
            }
            (None, _) | (_, None) => false,
        },
        Step::Item(at) => match (tree.get_mut(*at), sample.get(0)) {
            (Some(item), Some(sample)) => mend(item, sample, rest),
            (None, _) | (_, None) => false,
        },
    }
}

/// The steps that lead to a field, if they are known.
pub(super) fn way(path: &serde_path_to_error::Path) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => steps.push(Step::Item(*index)),
            Segment::Map { key } => steps.push(Step::Field(key.clone())),
            Segment::Enum { .. } => {}
            Segment::Unknown => return None,
        }
    }
    Some(steps)
}
