//! What the kernel is asked to enforce.

use hardshell_host::{Access, CallSpec, CommandSet, Grant as HostGrant};

use super::manifest::WorkspaceAccess;
use super::policy::Grant;

/// The call cut down to what was granted.
pub(super) fn granted(spec: CallSpec, grant: &Grant) -> CallSpec {
    let capabilities = &grant.capabilities;
    spec.grant(HostGrant {
        mounts: match capabilities.workspace {
            WorkspaceAccess::None => None,
            WorkspaceAccess::ReadOnly => Some(Access::ReadOnly),
            WorkspaceAccess::ReadWrite => Some(Access::ReadWrite),
        },
        tmp: capabilities.tmp,
        commands: CommandSet::Only(capabilities.spawn.iter().cloned().collect()),
        env: Some(capabilities.env.iter().cloned().collect()),
    })
}
