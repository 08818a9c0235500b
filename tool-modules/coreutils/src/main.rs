//! coreutils
fn main() {}
