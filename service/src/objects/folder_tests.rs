#![allow(clippy::unwrap_used)]

use super::*;

async fn text(objects: &FolderObjects, key: &str) -> Option<String> {
    let object = objects.get(key).await.unwrap()?;
    let bytes = object.collect(1 << 20).await.unwrap();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn done(put: Put) -> String {
    match put {
        Put::Done(etag) => etag,
        Put::Conflict => unreachable!("a conflict"),
    }
}

#[tokio::test]
async fn puts_gets_conditions_and_deletions() {
    let folder = tempfile::tempdir().unwrap();
    let objects = FolderObjects::open(folder.path()).unwrap();
    let long = format!("a/{}", "ü".repeat(400));
    for key in ["a/b/c", "x", long.as_str()] {
        assert_eq!(text(&objects, key).await, None);
        let first = done(
            objects
                .put(key, "1".into(), Condition::Absent)
                .await
                .unwrap(),
        );
        assert_eq!(
            objects
                .put(key, "2".into(), Condition::Absent)
                .await
                .unwrap(),
            Put::Conflict
        );
        let second = done(
            objects
                .put(key, "3".into(), Condition::Matches(first.clone()))
                .await
                .unwrap(),
        );
        assert_eq!(
            objects
                .put(key, "4".into(), Condition::Matches(first))
                .await
                .unwrap(),
            Put::Conflict
        );
        assert_eq!(objects.get(key).await.unwrap().unwrap().etag, second);
        assert_eq!(text(&objects, key).await.as_deref(), Some("3"));
    }
    let parts = futures::stream::iter((0..100).map(|i| Ok(Bytes::from(format!("{i},")))));
    let (_, size) = objects
        .put_stream("a/big", Box::pin(parts), 1 << 20)
        .await
        .unwrap();
    assert_eq!(size, 290);
    let broken = futures::stream::iter([Ok(Bytes::from("x")), Err(io::Error::other("cut"))]);
    assert!(
        objects
            .put_stream("a/cut", Box::pin(broken), 1 << 20)
            .await
            .is_err()
    );
    assert_eq!(text(&objects, "a/cut").await, None);
    objects
        .delete(&["x".into(), "nothing/there".into(), "a/b/c".into()])
        .await
        .unwrap();
    assert_eq!(text(&objects, "a/b/c").await, None);
    assert!(
        !folder.path().join("a/b").exists(),
        "an emptied folder goes"
    );
    objects.delete_prefix("a/").await.unwrap();
    objects.delete_prefix("a/").await.unwrap();
    assert_eq!(text(&objects, "a/big").await, None);
    let left: Vec<_> = std::fs::read_dir(folder.path().join(TEMP))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "nothing is left half written");
}

#[tokio::test]
async fn of_eight_creators_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(FolderObjects::open(folder.path()).unwrap());
    let racers = (0..8).map(|i| {
        let objects = Arc::clone(&objects);
        tokio::spawn(async move {
            objects
                .put("k", format!("{i}").into(), Condition::Absent)
                .await
                .unwrap()
        })
    });
    let won = futures::future::join_all(racers)
        .await
        .into_iter()
        .filter(|r| *r.as_ref().unwrap() != Put::Conflict);
    assert_eq!(won.count(), 1);
}

#[tokio::test]
async fn keys_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let objects = FolderObjects::open(&folder.path().join("o")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("o/link")).unwrap();
    for key in [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "link/passwd",
        "a//b",
        "",
    ] {
        assert!(
            objects.put(key, "x".into(), Condition::Any).await.is_err(),
            "{key}"
        );
        assert!(!matches!(objects.get(key).await, Ok(Some(_))), "{key}");
    }
}
