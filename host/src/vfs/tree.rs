//! The synthetic part of a sandbox's root: what is not a mount.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Commands, Device};
use crate::errno::Errno;

/// What a name in a synthetic directory is.
#[derive(Clone, Debug)]
pub(super) enum Child {
    Dir(usize),
    Mount(usize),
    Leaf(Leaf),
}

/// A synthetic node that is not a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    Device(Device),
    Command(String),
}

#[derive(Clone)]
enum Kind {
    Plain(Vec<(Vec<u8>, Child)>),
    /// The commands, as they are when looked at.
    Commands,
    /// The descriptors of whoever looks.
    Fds,
}

#[derive(Clone)]
struct Node {
    parent: usize,
    name: Vec<u8>,
    kind: Kind,
}

/// All synthetic directories; the root is number 0.
pub(super) struct Tree {
    nodes: Vec<Node>,
    commands: Commands,
    seen: Mutex<Option<(Instant, Arc<[String]>)>>,
}

/// A program that looks up a hundred commands should not have them listed a hundred times.
const COMMANDS_KEPT: Duration = Duration::from_millis(20);

pub(super) const ROOT: usize = 0;

impl Tree {
    pub(super) fn new(commands: Commands, tty: bool) -> Tree {
        let root = Node {
            parent: ROOT,
            name: Vec::new(),
            kind: Kind::Plain(Vec::new()),
        };
        let mut tree = Tree {
            nodes: vec![root],
            commands,
            seen: Mutex::new(None),
        };
        tree.add_dir(ROOT, b"bin", Kind::Commands);
        let dev = tree.add_dir(ROOT, b"dev", Kind::Plain(Vec::new()));
        let usr = tree.add_dir(ROOT, b"usr", Kind::Plain(Vec::new()));
        tree.add_dir(usr, b"bin", Kind::Commands);
        tree.add_dir(dev, b"fd", Kind::Fds);
        for (name, device) in [
            ("null", Device::Null),
            ("zero", Device::Zero),
            ("full", Device::Full),
            ("random", Device::Random),
            ("urandom", Device::Random),
            ("stdin", Device::Fd(0)),
            ("stdout", Device::Fd(1)),
            ("stderr", Device::Fd(2)),
            ("tty", Device::Tty),
        ] {
            if device != Device::Tty || tty {
                tree.add(dev, name.as_bytes(), Child::Leaf(Leaf::Device(device)));
            }
        }
        tree
    }

    fn add(&mut self, at: usize, name: &[u8], child: Child) {
        if let Some(Node {
            kind: Kind::Plain(children),
            ..
        }) = self.nodes.get_mut(at)
        {
            children.push((name.to_vec(), child));
            children.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    fn add_dir(&mut self, at: usize, name: &[u8], kind: Kind) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node {
            parent: at,
            name: name.to_vec(),
            kind,
        });
        self.add(at, name, Child::Dir(index));
        index
    }

    /// Puts mount number `mount` at an absolute path and returns the directory above it;
    /// None if the path is not free or lies inside another mount.
    pub(super) fn add_mount(&mut self, path: &[u8], mount: usize) -> Option<usize> {
        let mut at = ROOT;
        let mut names = super::path::components(path).peekable();
        while let Some(name) = names.next() {
            if super::path::is_dots(name) || name.len() > super::path::NAME_MAX {
                return None;
            }
            if !matches!(self.nodes.get(at)?.kind, Kind::Plain(_)) {
                return None;
            }
            let last = names.peek().is_none();
            match self.child(at, name).ok()? {
                None if last => {
                    self.add(at, name, Child::Mount(mount));
                    return Some(at);
                }
                None => at = self.add_dir(at, name, Kind::Plain(Vec::new())),
                Some(Child::Dir(next)) if !last => at = next,
                Some(_) => return None,
            }
        }
        None
    }

    /// The same without some mounts.
    pub(super) fn without(&self, hidden: impl Fn(usize) -> bool) -> Tree {
        let mut nodes = self.nodes.clone();
        for node in &mut nodes {
            if let Kind::Plain(children) = &mut node.kind {
                children.retain(|(_, child)| !matches!(child, Child::Mount(m) if hidden(*m)));
            }
        }
        Tree {
            nodes,
            commands: self.commands.clone(),
            seen: Mutex::new(None),
        }
    }

    /// The directory above; the root is above itself.
    pub(super) fn parent(&self, at: usize) -> usize {
        self.nodes.get(at).map_or(ROOT, |n| n.parent)
    }

    /// Absolute path.
    pub(super) fn path(&self, at: usize) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = at;
        while at != ROOT {
            let Some(node) = self.nodes.get(at) else {
                break;
            };
            names.push(node.name.as_slice());
            at = node.parent;
        }
        if names.is_empty() {
            return b"/".to_vec();
        }
        names.iter().rev().fold(Vec::new(), |mut path, name| {
            path.push(b'/');
            path.extend_from_slice(name);
            path
        })
    }

    fn commands(&self) -> Arc<[String]> {
        let mut seen = self.seen.lock();
        if let Some((at, names)) = &*seen
            && at.elapsed() < COMMANDS_KEPT
        {
            return names.clone();
        }
        let mut names = (self.commands)();
        names.sort_unstable();
        names.dedup();
        let names: Arc<[String]> = names.into();
        *seen = Some((Instant::now(), names.clone()));
        names
    }

    /// Looks a name up.
    pub(super) fn child(&self, at: usize, name: &[u8]) -> Result<Option<Child>, Errno> {
        if name.len() > super::path::NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let Some(node) = self.nodes.get(at) else {
            return Ok(None);
        };
        Ok(match &node.kind {
            Kind::Plain(children) => children
                .binary_search_by(|(n, _)| n.as_slice().cmp(name))
                .ok()
                .and_then(|i| children.get(i))
                .map(|(_, c)| c.clone()),
            Kind::Commands => std::str::from_utf8(name).ok().and_then(|name| {
                let commands = self.commands();
                let found = commands.binary_search_by(|c| c.as_str().cmp(name)).is_ok();
                found.then(|| Child::Leaf(Leaf::Command(name.to_owned())))
            }),
            Kind::Fds => std::str::from_utf8(name)
                .ok()
                .and_then(|n| n.parse::<u32>().ok())
                .filter(|n| n.to_string().as_bytes() == name)
                .map(|n| Child::Leaf(Leaf::Device(Device::Fd(n)))),
        })
    }

    /// Whether it lists the descriptors of whoever looks.
    pub(super) fn lists_fds(&self, at: usize) -> bool {
        matches!(
            self.nodes.get(at),
            Some(Node {
                kind: Kind::Fds,
                ..
            })
        )
    }

    /// All entries, without `.` and `..`.
    pub(super) fn list(&self, at: usize, fds: &[u32]) -> Vec<(Vec<u8>, Child)> {
        let Some(node) = self.nodes.get(at) else {
            return Vec::new();
        };
        match &node.kind {
            Kind::Plain(children) => children.clone(),
            Kind::Commands => self
                .commands()
                .iter()
                .map(|c| {
                    (
                        c.clone().into_bytes(),
                        Child::Leaf(Leaf::Command(c.clone())),
                    )
                })
                .collect(),
            Kind::Fds => fds
                .iter()
                .map(|n| {
                    (
                        n.to_string().into_bytes(),
                        Child::Leaf(Leaf::Device(Device::Fd(*n))),
                    )
                })
                .collect(),
        }
    }
}
