//! `--stream`: values as pairs of path and leaf.

use std::rc::Rc;

use jaq_json::Val;

/// The events of one value.
pub fn events(value: &Val) -> Vec<Val> {
    let mut out = Vec::new();
    let mut path = Vec::new();
    walk(value, &mut path, true, &mut out);
    out
}

fn array(items: Vec<Val>) -> Val {
    Val::Arr(Rc::new(items))
}

fn walk(value: &Val, path: &mut Vec<Val>, top: bool, out: &mut Vec<Val>) {
    let last = match value {
        Val::Arr(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                path.push(Val::from(isize::try_from(i).unwrap_or(0)));
                walk(item, path, false, out);
                path.pop();
            }
            Val::from(isize::try_from(items.len() - 1).unwrap_or(0))
        }
        Val::Obj(map) if !map.is_empty() => {
            let mut last = Val::Null;
            for (key, item) in map.iter() {
                path.push(key.clone());
                walk(item, path, false, out);
                path.pop();
                last = key.clone();
            }
            last
        }
        leaf => {
            out.push(array(vec![array(path.clone()), leaf.clone()]));
            return;
        }
    };
    let mut closing = path.clone();
    closing.push(last);
    out.push(array(vec![array(closing)]));
    let _ = top;
}
