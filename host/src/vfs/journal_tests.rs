#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Runs a script: `c f` creates a file, `C d` a directory, `m` modifies, `p` changes the
/// mode, `r` removes a file, `R` a directory, `v a b` renames a file, `w a b` over another
/// file, `V a b` a directory.
fn run(script: &str) -> String {
    let mut scope = Scope::default();
    for step in script.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        let words: Vec<&[u8]> = step.split(' ').map(str::as_bytes).collect();
        let rename = |file_type, replaced| Event::Renamed {
            from: words[1],
            to: words[2],
            file_type,
            replaced,
        };
        scope.record(match words[0] {
            b"c" => Event::Created(words[1], FileType::File),
            b"C" => Event::Created(words[1], FileType::Dir),
            b"l" => Event::Created(words[1], FileType::Symlink),
            b"m" => Event::Modified(words[1]),
            b"p" => Event::Mode(words[1], FileType::File),
            b"r" => Event::Removed(words[1], FileType::File),
            b"R" => Event::Removed(words[1], FileType::Dir),
            b"v" => rename(FileType::File, None),
            b"w" => rename(FileType::File, Some(FileType::File)),
            b"V" => rename(FileType::Dir, None),
            b"?" => Event::Unknown,
            other => panic!("{other:?}"),
        });
    }
    if scope.incomplete() {
        return "scan".to_owned();
    }
    let show = |c: &Change| match &c.kind {
        ChangeKind::Created => format!("+{}", c.path),
        ChangeKind::Modified => format!("~{}", c.path),
        ChangeKind::Removed => format!("-{}", c.path),
        ChangeKind::Mode => format!("%{}", c.path),
        ChangeKind::Renamed { from } => format!("{from}>{}", c.path),
    };
    scope
        .changes()
        .iter()
        .map(show)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn what_cancels_out_leaves_no_trace() {
    for (script, want) in [
        ("c a", "+a"),
        ("c a; m a; m a; p a", "+a"),
        ("c a; r a", ""),
        ("m a; m a", "~a"),
        ("p a", "%a"),
        ("p a; m a", "~a"),
        ("m a; r a", "-a"),
        ("r a", "-a"),
        ("r a; c a", "~a"),
        ("r a; c a; r a", "-a"),
        ("r a; l a", "-a +a"),
        ("v a b", "a>b"),
        ("v a b; v b a", ""),
        ("v a b; p b", "a>b %b"),
        ("p a; v a b", "a>b %b"),
        ("v a b; m b", "-a +b"),
        ("v a b; r b", "-a"),
        ("v a b; v b c", "a>c"),
        ("v a b; c a", "+a a>b"),
        ("c a; v a b", "+b"),
        ("c a; w a b", "~b"),
        ("m a; v a b", "-a +b"),
        ("w a b", "-a ~b"),
        ("v a t; v b a; v t b", "b>a a>b"),
        ("V d e", "d>e"),
        ("V d e; V e d", ""),
        ("m d/x; V d e", "d>e ~e/x"),
        ("c d/x; V d e; r e/x", "d>e"),
        ("V d e; r e/x", "-d/x d>e"),
        ("V d e; r e/x; R e", "-d -d/x"),
        ("V d e; m e/x", "d>e ~e/x"),
        ("V d e; v e/x f", "d>e d/x>f"),
        ("v d/x f; V d e; v f e/x", "d>e"),
        ("C d; c d/x; V d e; m e/x", "+e +e/x"),
        ("C d; c d/x; r d/x; R d", ""),
        ("V a/b c; V c a/b", ""),
        ("r d/x; V d e; c e/x", "d>e ~e/x"),
        ("V d e; C d; c d/x", "+d +d/x d>e"),
        ("c d; V d-e f", "+d d-e>f"),
        ("m a; ?", "scan"),
    ] {
        assert_eq!(run(script), want, "{script}");
    }
}

#[test]
fn too_many_changes_ask_for_a_scan() {
    let mut scope = Scope::default();
    for i in 0..=MAX_CHANGES {
        scope.record(Event::Created(format!("{i}").as_bytes(), FileType::File));
    }
    assert!(scope.incomplete());
    assert!(scope.changes().is_empty());
}

#[test]
fn churn_alone_fills_nothing() {
    let mut scope = Scope::default();
    for i in 0..1_000_000u32 {
        let path = format!("a-rather-long-name-of-a-temporary-file-{}", i % 7).into_bytes();
        scope.record(Event::Created(&path, FileType::File));
        scope.record(Event::Removed(&path, FileType::File));
    }
    assert!(!scope.incomplete());
    assert_eq!((scope.bytes, scope.displaced), (0, 0));
}

/// A tree as a map from path to content; directories have none.
type Model = BTreeMap<String, Option<u32>>;

/// What a reader of the changes would make of the tree at the start.
fn apply(start: &Model, end: &Model, changes: &[Change]) -> Model {
    let mut removed: Vec<&str> = Vec::new();
    let mut renames: Vec<(&str, &str)> = Vec::new();
    for c in changes {
        match &c.kind {
            ChangeKind::Removed => removed.push(&c.path),
            ChangeKind::Renamed { from } => renames.push((from, &c.path)),
            _ => {}
        }
    }
    let mut out = Model::new();
    for (path, content) in start {
        if removed.contains(&path.as_str()) {
            continue;
        }
        // The longest origin of a rename that holds the path takes it along.
        let best = renames
            .iter()
            .filter(|(from, _)| {
                path == from || path.strip_prefix(*from).is_some_and(|r| r.starts_with('/'))
            })
            .max_by_key(|(from, _)| from.len());
        let name = match best {
            Some((from, to)) => format!("{to}{}", &path[from.len()..]),
            None => path.clone(),
        };
        out.insert(name, *content);
    }
    for c in changes {
        if matches!(c.kind, ChangeKind::Created | ChangeKind::Modified) {
            out.insert(c.path.clone(), *end.get(&c.path).unwrap());
        }
    }
    out
}

fn children(model: &Model, dir: &str) -> bool {
    model
        .keys()
        .any(|k| k.strip_prefix(dir).is_some_and(|r| r.starts_with('/')))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    /// Random operations on a small tree: the changes turn the start into the end.
    #[test]
    fn the_changes_lead_from_start_to_end(
        ops in prop::collection::vec((0..6u8, 0..12usize, 0..12usize), 1..40)
    ) {
        let names = ["a", "b", "d", "e", "d/a", "d/b", "e/a", "e/b", "d/e", "e/d", "d/e/a", "e/d/a"];
        let start: Model = [("a", Some(1)), ("d", None), ("d/a", Some(2)), ("d/e", None),
            ("d/e/a", Some(3)), ("e", None), ("e/a", Some(4))]
            .into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let mut now = start.clone();
        let mut scope = Scope::default();
        let mut stamp = 100;
        let parent_ok = |m: &Model, p: &str| match p.rfind('/') {
            Some(i) => m.get(&p[..i]) == Some(&None),
            None => true,
        };
        for (op, i, j) in ops {
            let (p, q) = (names[i], names[j]);
            stamp += 1;
            match op {
                0 if !now.contains_key(p) && parent_ok(&now, p) => {
                    now.insert(p.to_owned(), Some(stamp));
                    scope.record(Event::Created(p.as_bytes(), FileType::File));
                }
                1 if !now.contains_key(p) && parent_ok(&now, p) => {
                    now.insert(p.to_owned(), None);
                    scope.record(Event::Created(p.as_bytes(), FileType::Dir));
                }
                2 if matches!(now.get(p), Some(Some(_))) => {
                    now.insert(p.to_owned(), Some(stamp));
                    scope.record(Event::Modified(p.as_bytes()));
                }
                3 => match now.get(p) {
                    Some(Some(_)) => {
                        now.remove(p);
                        scope.record(Event::Removed(p.as_bytes(), FileType::File));
                    }
                    Some(None) if !children(&now, p) => {
                        now.remove(p);
                        scope.record(Event::Removed(p.as_bytes(), FileType::Dir));
                    }
                    _ => {}
                },
                4 | 5 => {
                    let Some(kind) = now.get(p).copied() else { continue };
                    if p == q || !parent_ok(&now, q) || q.starts_with(&format!("{p}/")) {
                        continue;
                    }
                    let old = now.get(q).copied();
                    let fits = match (kind, old) {
                        (_, None) => true,
                        (Some(_), Some(Some(_))) => true,
                        (None, Some(None)) => !children(&now, q),
                        _ => false,
                    };
                    if !fits {
                        continue;
                    }
                    let of = |k: Option<u32>| if k.is_some() { FileType::File } else { FileType::Dir };
                    scope.record(Event::Renamed {
                        from: p.as_bytes(), to: q.as_bytes(), file_type: of(kind), replaced: old.map(of),
                    });
                    now.remove(q);
                    let moved: Vec<String> = now.keys()
                        .filter(|k| *k == p || k.strip_prefix(p).is_some_and(|r| r.starts_with('/')))
                        .cloned().collect();
                    for k in moved {
                        let v = now.remove(&k).unwrap();
                        now.insert(format!("{q}{}", &k[p.len()..]), v);
                    }
                }
                _ => {}
            }
        }
        let held: usize = scope.live.iter().map(|(p, e)| p.len() + weight(e).0).sum();
        let gone: usize = scope.removed.keys().map(Vec::len).sum();
        prop_assert_eq!(scope.bytes, held + gone);
        prop_assert_eq!(scope.displaced, scope.live.values().map(|e| weight(e).1).sum::<usize>());
        let changes = scope.changes();
        prop_assert_eq!(apply(&start, &now, &changes), now, "{:?}", changes);
    }
}
