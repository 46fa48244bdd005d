//! placeholder
pub fn open() -> crate::Backend {
    todo!()
}
