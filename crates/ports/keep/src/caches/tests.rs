//! Cache entries in memory, through matching, reservation, filling and eviction.

use std::sync::Arc;

use store::{MemoryBlobs, MemoryRecords, one_chunk};

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Entries of one project in memory, and the time.
struct Stage {
    caches: Caches,
    holdings: Holdings,
    now: Timestamp,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let holdings = Holdings::new(Arc::new(MemoryRecords::default()), Arc::new(MemoryBlobs::default()));
        let trees = Trees::open(folder.path().join("trees")).expect("trees");
        let now = "2026-11-22T10:00:00Z".parse().expect("a time");
        Self { caches: Caches::new(holdings.clone(), trees), holdings, now, _folder: folder }
    }

    async fn save(&mut self, scope: &str, key: &str, bytes: &'static str) -> Result<CacheEntry, CacheError> {
        self.now = self.now + Duration::from_secs(1);
        let reach = reach(&[scope], Some(scope));
        let name = CacheName { key: key.to_owned(), version: "v".to_owned() };
        let entry = self.caches.reserve(&project(), &reach, &name, self.now).await?;
        let (digest, size) = self.holdings.put(one_chunk(bytes)).await?;
        self.caches.fill(&entry, digest, size, self.now).await
    }

    /// The key that was found, and where.
    async fn find(&self, scopes: &[&str], keys: &[&str]) -> String {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let found = self.caches.find(&project(), &reach(scopes, None), &keys, "v", self.now).await.expect("find");
        found.map_or_else(|| "none".to_owned(), |it| format!("{} of {}", it.key, it.scope))
    }
}

fn project() -> ProjectName {
    "shop".parse().expect("a name")
}

fn reach(read: &[&str], write: Option<&str>) -> Reach {
    Reach { read: read.iter().map(|it| (*it).to_owned()).collect(), write: write.map(str::to_owned) }
}

#[tokio::test]
async fn an_exact_key_goes_before_a_prefix_and_the_own_branch_before_the_default_one() {
    let mut stage = Stage::new();
    for (scope, key) in [("main", "deps-1"), ("main", "deps-2"), ("topic", "deps-0"), ("other", "deps-9")] {
        stage.save(scope, key, "x").await.expect("save");
    }
    assert_eq!(stage.find(&["main"], &["deps-1"]).await, "deps-1 of main");
    assert_eq!(stage.find(&["main"], &["deps-3", "deps-"]).await, "deps-2 of main");
    assert_eq!(stage.find(&["topic", "main"], &["deps-2", "deps-"]).await, "deps-0 of topic");
    assert_eq!(stage.find(&["topic", "main"], &["deps-2"]).await, "deps-2 of main");
    assert_eq!(stage.find(&["main"], &["deps-9"]).await, "none");
}

#[tokio::test]
async fn an_entry_is_saved_once() {
    let mut stage = Stage::new();
    stage.save("main", "a", "one").await.expect("save");
    assert!(matches!(stage.save("main", "a", "two").await, Err(CacheError::Exists)));
    stage.save("topic", "a", "one").await.expect("another scope");
    for entry in stage.caches.list(&project()).await.expect("list") {
        stage.caches.delete(&entry).await.expect("delete");
    }
    let digest = Digest::of(b"one");
    assert_eq!(stage.holdings.size(digest).await.expect("size"), None);
    stage.save("main", "a", "two").await.expect("save again");
}

#[tokio::test]
async fn a_job_that_may_not_write_reserves_nothing() {
    let stage = Stage::new();
    let name = CacheName { key: "a".to_owned(), version: "v".to_owned() };
    let refused = stage.caches.reserve(&project(), &reach(&["main"], None), &name, stage.now).await;
    let told = refused.expect_err("refused").to_string();
    assert_eq!(told, "cache write denied: this run may read caches, but not save them");
}

#[tokio::test]
async fn a_reservation_ends() {
    let stage = Stage::new();
    let (name, reach) = (CacheName { key: "a".to_owned(), version: "v".to_owned() }, reach(&["main"], Some("main")));
    let first = stage.caches.reserve(&project(), &reach, &name, stage.now).await.expect("reserve");
    assert!(matches!(stage.caches.reserve(&project(), &reach, &name, stage.now).await, Err(CacheError::Exists)));
    let later = stage.now + HOUR * 2;
    stage.caches.reserve(&project(), &reach, &name, later).await.expect("the first one's time is over");
    let (digest, size) = stage.holdings.put(one_chunk("x")).await.expect("put");
    let late = stage.caches.fill(&first, digest, size, later).await;
    assert!(matches!(late, Err(CacheError::NotReserved)));
}

#[tokio::test]
async fn an_entry_of_trees_is_mounted_or_packed_for_those_who_unpack() {
    for packing in [Packing::Zstd, Packing::Gzip] {
        let stage = Stage::new();
        let source = tempfile::tempdir().expect("a folder");
        let long = "deep/".repeat(30);
        std::fs::create_dir_all(source.path().join(&long)).expect("folders");
        std::fs::write(source.path().join("a.txt"), "one").expect("write");
        std::fs::write(source.path().join(&long).join("b.bin"), vec![7; 300_000]).expect("write");
        std::os::unix::fs::symlink("a.txt", source.path().join("link")).expect("link");
        let name = CacheName { key: "deps-1".to_owned(), version: "v".to_owned() };
        let main = reach(&["main"], Some("main"));
        let entry = stage.caches.reserve(&project(), &main, &name, stage.now).await.expect("reserve");
        let saved = stage.caches.trees().save_tree(source.path(), ENTRY_BYTES_MAX).expect("save");
        let trees = vec![CachedTree { path: "../outside/node_modules".to_owned(), tree: saved.digest }];
        stage.caches.fill_with_trees(&entry, trees, packing, saved.size_bytes, stage.now).await.expect("fill");

        let found = stage.caches.find(&project(), &main, &["deps-".to_owned()], "v", stage.now).await.expect("find").expect("a hit");
        let CacheContent::Trees { trees, .. } = &found.content else { panic!("{found:?}") };
        let lower = stage.caches.trees().lower_dir(trees[0].tree).expect("a tree");
        assert_eq!(std::fs::read_to_string(lower.join("a.txt")).expect("read"), "one");

        let archive = stage.caches.archive(&found).await.expect("an archive");
        assert_eq!(stage.holdings.size(archive).await.expect("stat").is_some(), true);
        unpacks_to(&stage, archive, packing, source.path()).await;
        let found = stage.caches.list(&project()).await.expect("list").remove(0);
        assert_eq!(found.content.archive(), Some(archive), "the second one finds it");

        let later = SystemTime::now() + HOUR * 48;
        stage.caches.sweep(later).await.expect("sweep");
        assert!(lower.exists(), "an entry has it");
        stage.caches.delete(&found).await.expect("delete");
        stage.caches.sweep(later).await.expect("sweep");
        assert!(!lower.exists());
        assert_eq!(stage.holdings.size(archive).await.expect("stat"), None);
    }
}

/// The machine's own `tar` makes the source of it again.
async fn unpacks_to(stage: &Stage, archive: Digest, packing: Packing, source: &std::path::Path) {
    use futures_util::TryStreamExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let (file, work) = (folder.path().join("archive"), folder.path().join("work"));
    std::fs::create_dir(&work).expect("a folder");
    let chunks = stage.holdings.get(archive, None).await.expect("bytes");
    std::fs::write(&file, chunks.try_collect::<Vec<_>>().await.expect("bytes").concat()).expect("write");
    let program = if packing == Packing::Zstd { "zstd -d" } else { "gzip -d" };
    let told = std::process::Command::new("tar")
        .args(["--use-compress-program", program, "-P", "-xf"])
        .args([&file, std::path::Path::new("-C"), &work])
        .output()
        .expect("`tar` and `zstd` are needed");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let same = std::process::Command::new("diff").arg("-r").arg(source).arg(folder.path().join("outside/node_modules")).output();
    assert_eq!(String::from_utf8_lossy(&same.expect("`diff`").stdout), "");
}

#[tokio::test]
async fn a_reservation_that_is_abandoned_is_free_at_once() {
    let stage = Stage::new();
    let reach = reach(&["main"], Some("main"));
    let name = CacheName { key: "deps-1".to_owned(), version: "v".to_owned() };
    let first = stage.caches.reserve(&project(), &reach, &name, stage.now).await.expect("reserve");
    stage.caches.abandon(&first).await.expect("abandon");
    stage.caches.reserve(&project(), &reach, &name, stage.now).await.expect("free again");
    stage.caches.abandon(&first).await.expect("nothing of the second");
    let refused = stage.caches.reserve(&project(), &reach, &name, stage.now).await;
    assert!(matches!(refused, Err(CacheError::Exists)));
}

#[tokio::test]
async fn what_nobody_used_goes_and_then_what_is_too_much() {
    let mut stage = Stage::new();
    stage.save("main", "old", "x").await.expect("save");
    stage.now = stage.now + CACHE_AGE_MAX;
    stage.save("main", "new", "y").await.expect("save");
    let left = stage.caches.list(&project()).await.expect("list");
    assert_eq!(left.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["new"]);

    let entry = |key: &str, size_bytes, seconds| CacheEntry {
        project: project(),
        scope: "main".to_owned(),
        key: key.to_owned(),
        version: "v".to_owned(),
        content: CacheContent::Archive { digest: Digest::of(b"") },
        size_bytes,
        created: stage.now,
        used: stage.now + Duration::from_secs(seconds),
    };
    let half = PROJECT_BYTES_MAX / 2;
    let all = vec![entry("a", half, 1), entry("b", half + 1, 2), entry("c", half - 1, 3)];
    let gone = doomed(all, stage.now);
    assert_eq!(gone.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn keys_follow_githubs_rules() {
    assert!(check_key("linux-cargo-é").is_ok());
    let long = "k".repeat(513);
    for (key, expected) in [
        ("", "the cache key `` is empty"),
        ("a,b", "the cache key `a,b` has a comma"),
        (long.as_str(), &format!("the cache key `{}` has more than 512 characters", &long[..64])),
    ] {
        assert_eq!(check_key(key).expect_err("refused").to_string(), expected);
    }
}
