//! Query parameters: each known, each given once. A parameter that is passed over in silence (a filter misspelt) would
//! answer another question than the one that was asked.

use mosaic_core::{Error, Result};

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string in which only the allowed parameters may stand.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Invalid`] for a parameter that is unknown (listing those that are allowed) or repeated, and for
    /// what is not UTF-8.
    pub(super) fn read(query: Option<&str>, allowed: &[&str]) -> Result<Self> {
        let mut params: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !allowed.contains(&name.as_str()) {
                let error = Error::invalid("there is no such parameter here").with("parameter", name.chars().take(60).collect::<String>());
                return Err(match allowed {
                    [] => error.hint("this request takes no parameters"),
                    _ => error.hint(format!("use {}", allowed.join(", "))),
                });
            }
            if params.iter().any(|(given, _)| *given == name) {
                let hint = format!("give each of {} at most once", allowed.join(", "));
                return Err(Error::invalid("the parameter is given twice").with("parameter", name).hint(hint));
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    /// Takes a parameter's value out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// Takes a parameter out that has one possible value; answers whether it is there.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Invalid`] for another value.
    pub(super) fn take_flag(&mut self, name: &'static str, value: &'static str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(given) if given == value => Ok(true),
            Some(_) => Err(Error::invalid("the parameter has another value")
                .with("parameter", name)
                .hint(format!("use {name}={value}, or leave it out"))),
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Decodes `application/x-www-form-urlencoded`.
fn decode(text: &str) -> Result<String> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let refuse = || Error::invalid("the query is not percent-encoded UTF-8").hint("encode it: a space is %20, a percent sign %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |c: &u8| (*c as char).to_digit(16).and_then(|d| u8::try_from(d).ok());
                bytes.push(digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).ok_or_else(refuse)?);
                tail
            }
            (b'%', _) => return Err(refuse()),
            (b'+', tail) => {
                bytes.push(b' ');
                tail
            }
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        let mut params = Params::read(Some("a=%C3%A4+b%2b&b&&c=x=y"), &["a", "b", "c"]).unwrap();
        assert_eq!(params.take("a").as_deref(), Some("ä b+"));
        assert_eq!(params.take("a"), None);
        assert_eq!(params.rest().collect::<Vec<_>>(), [("c", "x=y"), ("b", "")]);
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        for (query, expected) in
            [("d=1", "parameter=d"), ("a=1&a=2", "twice"), ("a=%ff", "UTF-8"), ("a=%f", "encoded"), ("a=%zz", "encoded")]
        {
            let error = Params::read(Some(query), &["a", "b"]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(Params::read(Some("d"), &["a", "b"]).unwrap_err().hint_text(), Some("use a, b"));
    }
}
