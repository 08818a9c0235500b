//! Commands that build the workspace and run something: tests, the demo, the benches.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod test;

use crate::cmd::Cmd;
use crate::root::Root;

/// Builds the `hardshell` binary and gives the cargo profile's name for folders.
fn build_binary(root: &Root, profile: &str) -> anyhow::Result<()> {
    Cmd::cargo()
        .args(["build", "--package", "hardshell", "--profile", profile])
        .locked()
        .dir(root.dir())
        .run()
}
