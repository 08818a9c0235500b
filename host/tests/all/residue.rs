//! A fresh instance sees zeroes and its own initial values, whatever ran in its slot.

use hardshell_host::Termination;

use crate::support::{World, wat};

/// Exits 1 when memory, table or a global is not as a fresh instance's; then dirties all
/// of it, in the first pages and far up, and grows.
const DIRTY: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 64)
  (data (i32.const 65536) "seed")
  (table $t 64 funcref)
  (elem declare func $f)
  (global $g (mut i32) (i32.const 5))
  (func $f)
  (func $check (result i32) (local $i i32)
    (if (i32.ne (global.get $g) (i32.const 5)) (then (return (i32.const 2))))
    (if (i32.ne (i32.load (i32.const 65536)) (i32.const 0x64656573)) (then (return (i32.const 3))))
    (i32.store (i32.const 65536) (i32.const 0))
    (loop $l
      (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (return (i32.const 1))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 4194304))))
    (local.set $i (i32.const 0))
    (loop $m
      (if (i32.eqz (ref.is_null (table.get $t (local.get $i)))) (then (return (i32.const 4))))
      (table.set $t (local.get $i) (ref.func $f))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $m (i32.lt_u (local.get $i) (i32.const 64))))
    (if (i32.ne (memory.grow (i32.const 16)) (i32.const 64)) (then (return (i32.const 5))))
    (local.set $i (i32.const 4194304))
    (loop $n
      (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (return (i32.const 6))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $n (i32.lt_u (local.get $i) (i32.const 5242880))))
    (global.set $g (i32.const 9))
    (memory.fill (i32.const 0) (i32.const 0xaa) (i32.const 5242880))
    (i32.const 0))
  (func (export "_start") (call $exit (call $check))))"#;

#[test]
fn fresh_instances_are_fresh() {
    let world = World::new(vec![("dirty", wat(DIRTY)), ("other", wat(OTHER))]);
    for n in 0..60 {
        let name = if n % 3 == 2 { "other" } else { "dirty" };
        let report = world.call(&[name]);
        assert_eq!(
            report.termination,
            Termination::Exited(0),
            "round {n} of {name}"
        );
    }
    // Many at once, so that other slots get their turn.
    let handles: Vec<_> = (0..40)
        .map(|_| {
            world
                .sandbox
                .start(hardshell_host::CallSpec::new(["dirty"]))
                .unwrap()
        })
        .collect();
    for handle in handles {
        assert_eq!(
            world.block_on(handle.wait()).termination,
            Termination::Exited(0)
        );
    }
}

/// Another module, with other initial data, over the same slots.
const OTHER: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 70)
  (func $check (result i32) (local $i i32)
    (loop $l
      (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (return (i32.const 1))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 4587520))))
    (memory.fill (i32.const 0) (i32.const 0x55) (i32.const 4587520))
    (i32.const 0))
  (func (export "_start") (call $exit (call $check))))"#;
