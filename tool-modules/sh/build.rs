//! Gives the program a stack for deep recursion: scripts call functions and nest substitutions,
//! and each level costs a few kilobytes. Untouched pages cost nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("wasi") {
        println!("cargo:rustc-link-arg-bins=-zstack-size=8388608");
    }
}
