//! How many values a JSON text holds, counted before it is read: what a text of a few megabytes takes in memory is no more
//! than it seems. What must not come in: what the values mean.

/// How many values the JSON of one record may hold, nested ones counted: no kind has a tenth of it. In memory, a value of two
/// bytes takes some forty times as many.
pub(crate) const VALUES: usize = 4096;

/// Whether a JSON text may hold more than [`VALUES`].
pub(crate) fn are_too_many(text: &[u8]) -> bool {
    // Most lines and bodies are too short for that.
    text.len() >= VALUES && count(text) > VALUES
}

/// How many values a JSON text holds, at most: each one but the first stands behind a comma or an opening bracket.
fn count(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, expected) in
            [("1", 1), (r#"{"a":1}"#, 2), (r#"{"a":[1,2,{"b":null}],"c":"d"}"#, 7), (r#""[,{\",[,{\\""#, 1), (r#"["\\",1]"#, 3)]
        {
            assert_eq!(count(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_bound_is_met_exactly() {
        // The array holds one value more than there are commas, and is one itself.
        let array = |values: usize| format!("[{}1]", "1,".repeat(values - 2));
        assert!(!are_too_many(array(VALUES).as_bytes()) && are_too_many(array(VALUES + 1).as_bytes()));
        assert!(are_too_many("[".repeat(VALUES).as_bytes()));
    }
}
