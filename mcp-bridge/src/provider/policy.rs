//! What an operator lets tools have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::manifest::{Capabilities, Manifest, ManifestError, ToolLimits, WorkspaceAccess};

/// An operator's policy. By default a tool may read the workspace and use the scratch
/// space, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether a tool needs a digest in `tools` to be served at all. Default false.
    pub require_digest: bool,
    /// The largest module, bytes. Default 64 MiB.
    pub max_module_bytes: u64,
    /// The most that any tool may have.
    pub default: Ceiling,
    /// For tools by name, instead of `default`.
    pub tools: BTreeMap<String, Ceiling>,
}

/// The most that a tool may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ceiling {
    /// BLAKE3 of the module in hexadecimal; any other module of this name is refused.
    pub digest: Option<String>,
    /// The workspace. Default read-only.
    pub workspace: WorkspaceAccess,
    /// The scratch space. Default true.
    pub tmp: bool,
    /// Environment variables. Default `LANG` and `TZ`.
    pub env: Vec<String>,
    /// Hosts. Default none; the kernel has no sockets, so naming any is refused too.
    pub network: Vec<String>,
    /// Commands that it may start. Default none.
    pub spawn: Vec<String>,
    /// Limits; a tool's own may be smaller. Default 128 MiB and 30 s.
    pub limits: ToolLimits,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            require_digest: false,
            max_module_bytes: 64 << 20,
            default: Ceiling::default(),
            tools: BTreeMap::new(),
        }
    }
}

impl Default for Ceiling {
    fn default() -> Self {
        Ceiling {
            digest: None,
            workspace: WorkspaceAccess::ReadOnly,
            tmp: true,
            env: vec!["LANG".into(), "TZ".into()],
            network: Vec::new(),
            spawn: Vec::new(),
            limits: ToolLimits {
                fuel: None,
                memory: Some("128MiB".into()),
                timeout: Some("30s".into()),
            },
        }
    }
}

/// What a tool gets: what it asked for, since all of it was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it may do.
    pub capabilities: Capabilities,
    /// Operators, if they are counted.
    pub fuel: Option<u64>,
    /// Memory of one process, bytes.
    pub memory: Option<u64>,
    /// Time.
    pub timeout: Option<Duration>,
}

/// Why a tool is not served: everything it asked for and may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operator's policy refuses the tool: {}", reasons.join("; "))]
pub struct Refusal {
    /// One sentence for each.
    pub reasons: Vec<String>,
}

impl Policy {
    /// Reads a policy from TOML.
    ///
    /// # Errors
    /// When it is not valid.
    pub fn parse(text: &str) -> Result<Policy, ManifestError> {
        let policy: Policy =
            toml::from_str(text).map_err(|error| ManifestError::Parse(error.to_string()))?;
        for ceiling in policy.tools.values().chain([&policy.default]) {
            ceiling.limits.memory()?;
            ceiling.limits.timeout()?;
        }
        Ok(policy)
    }

    /// What applies to a tool.
    pub fn ceiling(&self, name: &str) -> &Ceiling {
        self.tools.get(name).unwrap_or(&self.default)
    }

    /// Grants what the tool asks for, or refuses it as a whole. A tool that is given less
    /// than it asked for would fail later and less clearly.
    ///
    /// # Errors
    /// When it asks for too much, or is not the module that was pinned.
    pub fn grant(
        &self,
        manifest: &Manifest,
        digest: &str,
        module_bytes: u64,
    ) -> Result<Grant, Refusal> {
        let ceiling = self.ceiling(&manifest.name);
        let asked = &manifest.capabilities;
        let mut reasons = Vec::new();
        if module_bytes > self.max_module_bytes {
            reasons.push(format!(
                "the module has {module_bytes} bytes, at most {} are allowed",
                self.max_module_bytes
            ));
        }
        match &ceiling.digest {
            Some(pinned) if !pinned.eq_ignore_ascii_case(digest) => {
                reasons.push(format!(
                    "the module's digest is {digest}, pinned is {pinned}"
                ));
            }
            None if self.require_digest => reasons.push("no digest is pinned for it".into()),
            _ => {}
        }
        if asked.workspace > ceiling.workspace {
            reasons.push(format!(
                "it asks for workspace {}, at most {} is allowed",
                name(asked.workspace),
                name(ceiling.workspace)
            ));
        }
        if asked.tmp && !ceiling.tmp {
            reasons.push("it asks for /tmp".into());
        }
        beyond(
            "environment variables",
            &asked.env,
            &ceiling.env,
            &mut reasons,
        );
        beyond("commands", &asked.spawn, &ceiling.spawn, &mut reasons);
        if !asked.network.is_empty() {
            reasons.push(format!(
                "it asks for network access to {}, and tools have no network",
                asked.network.join(", ")
            ));
        }
        let least = |asked: Option<u64>, most: Option<u64>| match (asked, most) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        };
        let values = |limits: &ToolLimits| -> Result<_, ManifestError> {
            Ok((limits.fuel, limits.memory()?, limits.timeout()?))
        };
        match (values(&manifest.limits), values(&ceiling.limits)) {
            (Ok(asked_limits), Ok(most)) if reasons.is_empty() => Ok(Grant {
                capabilities: asked.clone(),
                fuel: least(asked_limits.0, most.0),
                memory: least(asked_limits.1, most.1),
                timeout: match (asked_limits.2, most.2) {
                    (Some(asked), Some(most)) => Some(asked.min(most)),
                    (asked, most) => asked.or(most),
                },
            }),
            (asked, most) => {
                reasons.extend(
                    asked
                        .err()
                        .into_iter()
                        .chain(most.err())
                        .map(|error| error.to_string()),
                );
                Err(Refusal { reasons })
            }
        }
    }
}

fn name(access: WorkspaceAccess) -> &'static str {
    match access {
        WorkspaceAccess::None => "none",
        WorkspaceAccess::ReadOnly => "read-only",
        WorkspaceAccess::ReadWrite => "read-write",
    }
}

fn beyond(what: &str, asked: &[String], allowed: &[String], reasons: &mut Vec<String>) {
    let allowed: BTreeSet<&String> = allowed.iter().collect();
    let beyond: Vec<&str> = asked
        .iter()
        .filter(|name| !allowed.contains(name))
        .map(String::as_str)
        .collect();
    if !beyond.is_empty() {
        reasons.push(format!(
            "it asks for the {what} {}, which are not allowed",
            beyond.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(rest: &str) -> Manifest {
        let text = format!(
            "name = \"t\"\ndescription = \"d\"\ninput_schema = {{ type = \"object\" }}\n{rest}"
        );
        Manifest::parse(text.as_bytes(), &|_| Err(String::new()))
            .unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn what_asks_for_too_much_is_refused_with_every_reason() {
        let greedy = manifest(
            "[capabilities]\nworkspace = \"read-write\"\ntmp = true\nenv = [\"LANG\", \"AWS_SECRET_ACCESS_KEY\"]\n\
             network = [\"example.com:443\"]\nspawn = [\"sh\"]",
        );
        let refusal = Policy::default().grant(&greedy, "00", 1 << 30);
        let reasons = refusal
            .err()
            .map(|refusal| refusal.reasons)
            .unwrap_or_default();
        assert_eq!(
            reasons,
            [
                "the module has 1073741824 bytes, at most 67108864 are allowed",
                "it asks for workspace read-write, at most read-only is allowed",
                "it asks for the environment variables AWS_SECRET_ACCESS_KEY, which are not allowed",
                "it asks for the commands sh, which are not allowed",
                "it asks for network access to example.com:443, and tools have no network",
            ]
        );
    }

    #[test]
    fn limits_are_the_smaller_ones_and_digests_hold() {
        let policy = Policy::parse(
            "[tools.t]\ndigest = \"ab\"\nworkspace = \"read-write\"\n[tools.t.limits]\nmemory = \"64MiB\"\ntimeout = \"1m\"",
        );
        let policy = policy.unwrap_or_default();
        let modest = manifest("[limits]\nfuel = 5\nmemory = \"1GiB\"\ntimeout = \"5s\"");
        let grant = policy.grant(&modest, "AB", 1).ok();
        let limits = grant.map(|grant| (grant.fuel, grant.memory, grant.timeout));
        assert_eq!(
            limits,
            Some((Some(5), Some(64 << 20), Some(Duration::from_secs(5))))
        );
        assert!(policy.grant(&modest, "cd", 1).is_err());
        let strict = Policy {
            require_digest: true,
            ..Policy::default()
        };
        assert!(strict.grant(&modest, "ab", 1).is_err());
        assert!(Policy::parse("colour = 1").is_err());
    }
}
