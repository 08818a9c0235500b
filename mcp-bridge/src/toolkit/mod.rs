//! The tool author's path from an empty folder to a tool in a running server: what
//! `hardshell tool …` does.

pub mod wasm;
