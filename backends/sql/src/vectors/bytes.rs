//! A vector's components as they are stored: 32-bit numbers, the lowest byte first.

use mosaic_core::{Error, ErrorKind, Result};

const SIZE: usize = size_of::<f32>();

pub(super) fn from_components(components: &[f32]) -> Vec<u8> {
    components.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// Reads a vector's components.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for what is no whole number of them.
pub(super) fn to_components(bytes: &[u8]) -> Result<Vec<f32>> {
    match bytes.as_chunks::<SIZE>() {
        (components, []) => Ok(components.iter().map(|component| f32::from_le_bytes(*component)).collect()),
        _ => Err(Error::new(ErrorKind::Corrupt, "a stored vector cannot be read")
            .with("bytes", bytes.len())
            .hint("restore the database from a backup")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_back_as_they_were() {
        let components = [0.0, -1.5, f32::MAX, f32::MIN_POSITIVE, 1e-45];
        assert_eq!(to_components(&from_components(&components)).unwrap(), components);
        assert_eq!(to_components(&[0; 7]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
