//! The tool modules inside the binary.

use hardshell_host::{Engine, ModuleSource, Registry, RegistryBuilder};

/// One packed module.
pub(crate) struct Module {
    /// BLAKE3 of the unpacked module.
    pub(crate) digest: [u8; 32],
    /// The commands it serves.
    pub(crate) names: &'static [&'static str],
    /// One sentence.
    pub(crate) description: &'static str,
    /// The module, compressed.
    pub(crate) zstd: &'static [u8],
}

mod packed {
    use super::Module;

    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

/// Every module of the bundle.
pub(crate) fn modules() -> &'static [Module] {
    packed::MODULES
}

/// A registry builder that holds every command of the bundle.
pub(crate) fn builder(engine: &Engine) -> RegistryBuilder {
    modules()
        .iter()
        .fold(Registry::builder(engine), |builder, module| {
            let source = ModuleSource::Compressed {
                zstd: module.zstd,
                digest: module.digest,
            };
            builder.described_module(source, module.names, module.description)
        })
}
