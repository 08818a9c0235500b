//! Identifiers as validated types.
//!
//! An id becomes part of an object key, of a folder name and of a lease key, so
//! it is checked once, where it enters, and can then be used without fear.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Text that is not an id: it must match `[A-Za-z0-9_-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters out of A-Z a-z 0-9 _ -")]
pub struct InvalidId;

fn check(text: &str) -> Result<(), InvalidId> {
    let ok = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if ok { Ok(()) } else { Err(InvalidId) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and takes it as an id.
            ///
            /// # Errors
            /// [`InvalidId`] when a character or the length does not fit.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// Makes a new id that sorts by the time it was made.
            #[must_use]
            pub fn generate() -> Self {
                Self(format!(concat!($prefix, "_{}"), uuid::Uuid::now_v7().simple()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A customer: everything below belongs to exactly one.
    TenantId, "ten"
);
id!(
    /// A conversation: one transcript, one workspace, one run at a time.
    ConversationId, "conv"
);
id!(
    /// One run of the agent, started by one request.
    ExecutionId, "exec"
);
id!(
    /// An API key's public name; the secret is not in it.
    KeyId, "key"
);

/// A client's key that makes `POST /execute` safe to repeat: 1 to 255 visible
/// ASCII characters, unique per tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks `text` and takes it as a key.
    ///
    /// # Errors
    /// [`InvalidId`] when it is empty, longer than 255 or has other characters.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let ok = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if ok { Ok(Self(text)) } else { Err(InvalidId) }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        let long = "x".repeat(65);
        let cases: &[(&str, bool)] = &[
            ("a", true),
            ("conv_01-Z", true),
            (&long[..64], true),
            ("", false),
            (&long, false),
            ("..", false),
            ("a/b", false),
            ("a b", false),
            ("a\0", false),
            ("é", false),
            ("a%2f", false),
        ];
        for (text, ok) in cases {
            assert_eq!(ConversationId::parse(*text).is_ok(), *ok, "{text:?}");
            let json = serde_json::to_string(text).unwrap_or_default();
            assert_eq!(
                serde_json::from_str::<TenantId>(&json).is_ok(),
                *ok,
                "{text:?}"
            );
        }
        assert!(ConversationId::parse(ConversationId::generate().as_str()).is_ok());
    }

    #[test]
    fn idempotency_keys_are_checked() {
        for (text, ok) in [("a", true), ("", false), ("a b", false), ("ü", false)] {
            assert_eq!(IdempotencyKey::parse(text).is_ok(), ok, "{text:?}");
        }
    }
}
