//! Variables: values, attributes, and the table with its dynamic scopes.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// A value's bytes.
pub type Text = Rc<Vec<u8>>;
/// A variable's name in the table.
pub type Name = Rc<[u8]>;

/// Exported to commands.
pub const EXPORT: u16 = 1;
/// Cannot be changed.
pub const READONLY: u16 = 2;
/// Assignments are arithmetic.
pub const INTEGER: u16 = 4;
/// Assignments become lower case.
pub const LOWER: u16 = 8;
/// Assignments become upper case.
pub const UPPER: u16 = 16;
/// Names another variable.
pub const NAMEREF: u16 = 32;
/// `declare -t`.
pub const TRACE: u16 = 64;
/// First letter in upper case.
pub const CAPITAL: u16 = 128;

/// What a variable holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Val {
    /// Declared, no value yet.
    Unset,
    /// A string.
    Str(Text),
    /// An indexed array; `None` when only declared.
    Arr(Rc<BTreeMap<u64, Text>>),
    /// An associative array.
    Assoc(Rc<Assoc>),
}

/// A variable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Var {
    /// Its value.
    pub val: Val,
    /// Its attributes.
    pub attrs: u16,
    /// An array that was declared and never assigned.
    pub bare: bool,
}

impl Var {
    /// A string.
    pub fn text(s: impl Into<Vec<u8>>) -> Var {
        Var {
            val: Val::Str(Rc::new(s.into())),
            attrs: 0,
            bare: false,
        }
    }
    /// Has the attribute?
    pub fn has(&self, attr: u16) -> bool {
        self.attrs & attr != 0
    }
    /// The value as `$x` sees it: element 0 of an array.
    pub fn scalar(&self) -> Option<Text> {
        match &self.val {
            Val::Unset => None,
            Val::Str(s) => Some(s.clone()),
            Val::Arr(a) => a.get(&0).cloned(),
            Val::Assoc(a) => a.get(b"0").cloned(),
        }
    }
}

/// An associative array. Walks in the order in which bash's hash table would, because scripts
/// print what they walk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Assoc {
    map: HashMap<Vec<u8>, (u64, Text)>,
    next: u64,
}

impl Assoc {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Text> {
        self.map.get(key).map(|(_, v)| v)
    }
    /// Sets a key.
    pub fn set(&mut self, key: Vec<u8>, value: Text) {
        let next = self.next;
        let slot = self.map.entry(key).or_insert_with(|| (next, Rc::default()));
        slot.1 = value;
        self.next += 1;
    }
    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) {
        self.map.remove(key);
    }
    /// How many keys.
    pub fn len(&self) -> usize {
        self.map.len()
    }
    /// None?
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
    /// Keys and values in order.
    pub fn items(&self) -> Vec<(&Vec<u8>, &Text)> {
        // 1024 buckets that double when there are twice as many entries; a new key goes to
        // the front of its bucket. FNV-1 over the key chooses the bucket.
        let mut buckets = 1024u32;
        while self.map.len() as u32 >= buckets.saturating_mul(2) {
            buckets = buckets.saturating_mul(4);
        }
        let bucket = |key: &[u8]| {
            let hash = key.iter().fold(2_166_136_261u32, |h, b| {
                h.wrapping_mul(16_777_619) ^ u32::from(*b)
            });
            hash & (buckets - 1)
        };
        let mut all: Vec<_> = self
            .map
            .iter()
            .map(|(k, (n, v))| ((bucket(k), u64::MAX - n), k, v))
            .collect();
        all.sort_unstable_by_key(|(order, ..)| *order);
        all.into_iter().map(|(_, k, v)| (k, v)).collect()
    }
}

/// A fast hash for short names that nobody attacks: the table is one script's own.
#[derive(Default, Clone, Copy)]
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word))
                .wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
    fn write_usize(&mut self, n: usize) {
        self.0 = (self.0.rotate_left(5) ^ n as u64).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_u8(&mut self, n: u8) {
        self.write_usize(usize::from(n));
    }
}

/// A map keyed by names.
pub type NameMap<V> = HashMap<Name, V, BuildHasherDefault<NameHasher>>;

/// What a function call has hidden: each local's name with what stood there before.
pub type Saved = Vec<(Name, Option<Var>)>;
