//! The settings of wasmtime.

use std::hash::{Hash, Hasher};

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::{Bound, EngineConfig};

/// Native stack for host functions, beside what the guest may use.
const HOST_STACK: usize = 1 << 20;
/// Part of a memory that is zeroed in place rather than given back to the system: the
/// pages that nearly every program touches.
const KEEP_RESIDENT: usize = 256 << 10;

pub(super) fn wasmtime_config(config: &EngineConfig, bound: Bound) -> Config {
    let n = config.max_processes;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(n)
        .total_memories(n)
        .total_tables(n)
        .total_stacks(n)
        .total_component_instances(n)
        .total_gc_heaps((n / 8).max(1))
        .max_memory_size(usize::try_from(config.max_memory_per_process).unwrap_or(usize::MAX))
        .table_elements(config.max_table_elements)
        .max_unused_warm_slots(config.warm_slots)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);

    let mut c = Config::new();
    c.allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .max_wasm_stack(config.max_stack)
        .async_stack_size(config.max_stack + HOST_STACK)
        // Traps name their kind; nobody reads a guest's addresses.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_exceptions(true);
    match bound {
        Bound::Epoch => c.epoch_interruption(true),
        Bound::Fuel => c.consume_fuel(true),
    };
    c
}

struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Stands for everything that compiled code depends on.
pub(super) fn digest(engine: &wasmtime::Engine) -> [u8; 32] {
    let mut digest = Digest(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut digest);
    *digest.0.finalize().as_bytes()
}
