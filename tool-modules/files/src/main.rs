//! files
fn main() {}
