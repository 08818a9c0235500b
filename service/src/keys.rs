//! API keys and other tokens: 256 random bits, kept as their SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Prefix of API keys, by which people and secret scanners know them.
pub(crate) const API_KEY: &str = "hsk_";

/// A new token.
pub(crate) fn random(prefix: &str) -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(SecretString::from(format!(
        "{prefix}{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )))
}

/// What is kept of a token.
pub(crate) fn hash(token: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(token.as_bytes()) {
        hex.push_str(&format!("{byte:02x}"));
    }
    hex
}

/// What may be shown of a key.
pub(crate) fn shown(key: &str) -> String {
    key.chars().take(API_KEY.len() + 6).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn tokens_are_long_and_different() {
        let (a, b) = (random(API_KEY).unwrap(), random(API_KEY).unwrap());
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert_eq!(a.expose_secret().len(), 4 + 43);
        assert_eq!(shown(a.expose_secret()).len(), 10);
        assert_eq!(
            hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
