//! ARCHITECTURE.md against the code.
