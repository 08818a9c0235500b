//! YAML to values and back.
pub fn placeholder() {}
