//! `actions/cache`: mounted where that works, unpacked where it does not, seen by whom GitHub lets see it.

use api::{CacheContent, CacheEntry};

use crate::world::{Plan, World, write_all};

/// Makes more files than are unpacked one by one.
const MAKE: &str = "mkdir -p deps/bin && seq 600 | sed 's,^,deps/f,' | xargs touch && echo tool > deps/bin/tool && ln -s bin/tool deps/link";

async fn kinds(world: &World) -> Vec<String> {
    let entries = store::list::<CacheEntry>(&*world.records, "").await.expect("entries");
    let kind = |content: &CacheContent| match content {
        CacheContent::Trees { archive: None, .. } => "trees",
        CacheContent::Trees { archive: Some(_), .. } => "trees and archive",
        CacheContent::Archive { .. } => "archive",
        CacheContent::Reserved { .. } => "reserved",
    };
    let mut told: Vec<_> = entries.iter().map(|it| format!("{} {}", it.key, kind(&it.content))).collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_cache_is_mounted_and_belongs_to_the_job_that_mounts_it() {
    let world = World::new().await;
    let workflow = |key: &str| {
        format!(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache@v4
        id: cache
        with: {{path: deps, key: {key}, restore-keys: deps-}}
      - run: |
          echo 'hit=[${{{{ steps.cache.outputs.cache-hit }}}}] from=[${{{{ steps.cache.outputs.cache-matched-key }}}}]'
          grep -c '/shop/deps ' /proc/self/mountinfo || true
          test -e deps/f1 || {{ {MAKE}; }}
          ls deps | wc -l; cat deps/link
          rm -f deps/f600; echo changed > deps/bin/tool
      - run: echo \"${{{{ hashFiles('deps/bin/**') == hashFiles('same') }}}} ${{{{ hashFiles('deps/f600') }}}}.\"
"
        )
    };
    let own = |told: &str| {
        let lines = told.lines().skip_while(|line| !line.starts_with("hit="));
        lines.map(str::to_owned).collect::<Vec<_>>().join("|")
    };
    let files = [("same", "changed\n")];
    let first = world.run(&workflow("deps-1"), &files).await;
    assert_eq!(own(&world.succeeded(&first).await), "hit=[] from=[]|0|602|tool|true .|Cache saved with key: deps-1");
    assert_eq!(kinds(&world).await, ["deps-1 trees"]);
    // Saved after the changes, so they are in it; and a job that changes a mount changes nobody's cache.
    for _ in 0..2 {
        let again = world.run(&workflow("deps-1"), &files).await;
        let expected = "hit=[true] from=[deps-1]|1|601|changed|";
        assert!(own(&world.succeeded(&again).await).starts_with(expected), "{}", world.told(&again).await);
    }
    let newer = world.run(&workflow("deps-2"), &files).await;
    let told = own(&world.succeeded(&newer).await);
    assert_eq!(told, "hit=[false] from=[deps-1]|1|601|changed|true .|Cache saved with key: deps-2");
    assert_eq!(kinds(&world).await, ["deps-1 trees", "deps-2 trees"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mounted_is_unpacked() {
    let world = World::new().await;
    world.image("base:1", |_| {}, &[]).await;
    let save = format!(
        "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: {MAKE}
      - uses: actions/cache/save@v4
        with: {{path: deps, key: deps-1}}
      - run: mkdir small && echo 1 > small/1
      - uses: actions/cache/save@v4
        with: {{path: small, key: small-1}}
      - uses: actions/cache/save@v4
        with: {{path: small, key: small-1}}
"
    );
    let run = world.run(&save, &[]).await;
    let told = world.succeeded(&run).await;
    assert!(told.contains("Failed to save: Unable to reserve cache with key small-1, another job may be creating this cache."), "{told}");
    assert_eq!(kinds(&world).await, ["deps-1 trees", "small-1 archive"]);
    let restore = "
on: push
jobs:
  there:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir deps && echo mine > deps/mine && echo mine > deps/f1
      - uses: actions/cache/restore@v4
        with: {path: deps, key: deps-1}
      - run: cat deps/mine deps/f1 deps/link && rm -r deps && echo gone
  image:
    runs-on: ubuntu-latest
    container: base:1
    steps:
      - uses: actions/cache/restore@v4
        with: {path: deps, key: deps-1, fail-on-cache-miss: true}
      - run: cat deps/link
  asked:
    runs-on: ubuntu-latest
    env: {LANDFALL_CACHE_MOUNT: 'false'}
    steps:
      - uses: actions/cache/restore@v4
        with: {path: deps, key: deps-9, restore-keys: deps-}
      - run: mv deps elsewhere && cat elsewhere/link
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache/restore@v4
        id: look
        with: {path: deps, key: deps-1, lookup-only: true}
      - uses: actions/cache/restore@v4
        id: other
        with: {path: other, key: deps-1}
      - run: echo '[${{ steps.look.outputs.cache-hit }}] [${{ steps.other.outputs.cache-hit }}]'; ls
      - uses: actions/cache/restore@v4
        with: {path: deps, key: none, fail-on-cache-miss: true}
        continue-on-error: true
";
    let run = world.run(restore, &[]).await;
    let told = world.succeeded(&run).await;
    let tail = "[true] [false]\n##[error]Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: none";
    assert!(told.ends_with(tail), "{told}");
    let last = async |job: &str, count: usize| {
        let lines = world.printed(&run, job).await;
        lines[lines.len() - count..].join("|")
    };
    assert_eq!(last("there", 3).await, "mine|tool|gone");
    assert_eq!(last("image", 1).await, "tool");
    assert_eq!(last("asked", 1).await, "tool");
    assert_eq!(kinds(&world).await, ["deps-1 trees and archive", "small-1 archive"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_a_step_sees_what_was_mounted() {
    let world = World::new().await;
    world.image("base:1", |_| {}, &[]).await;
    let save = format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {MAKE}\n      - uses: actions/cache/save@v4\n        with: {{path: deps, key: deps-1}}\n");
    world.succeeded(&world.run(&save, &[]).await).await;
    let restore = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache/restore@v4
        with: {path: deps, key: deps-1}
      - run: grep -c '/shop/deps ' /proc/self/mountinfo; echo more > deps/more
      - uses: docker://base:1
        with: {entrypoint: /bin/sh, args: '-c \"cat deps/link deps/more; echo image > deps/image\"'}
      - run: grep -c '/shop/deps ' /proc/self/mountinfo || true; cat deps/image deps/more deps/link; ls deps | wc -l
";
    let run = world.run(restore, &[]).await;
    let told = world.succeeded(&run).await;
    let own: Vec<_> = told.lines().skip_while(|line| *line != "1").collect();
    assert_eq!(own.join("|"), "1|tool|more|0|image|more|tool|604", "{told}");
    world.end().await;
}

const CLIENT: &str = "
name: Client
runs: {using: node20, main: main.mjs}
";

/// Restores and saves as an action does that brings GitHub's own client.
const CLIENT_MAIN: &str = "
import fs from 'node:fs'
const cache = await import('MODULES/@actions/cache/lib/cache.js')
console.log('restored ' + (await cache.restoreCache(['deps'], 'deps-1')) + ' ' + fs.readFileSync('deps/link', 'utf8').trim())
fs.mkdirSync('other')
fs.writeFileSync('other/file', 'by the client')
console.log('saved ' + ((await cache.saveCache(['other'], 'other-1')) > 0))
";

#[tokio::test(flavor = "multi_thread")]
async fn githubs_client_and_the_own_action_share_their_caches() {
    let packages = std::env::var("LANDFALL_NPM").unwrap_or_else(|_| format!("{}/../../../target/npm", env!("CARGO_MANIFEST_DIR")));
    let modules = std::path::Path::new(&packages).join("node_modules");
    assert!(modules.join("@actions/cache").is_dir(), "no `{}`: `cargo xtask test` installs it", modules.display());
    let modules = modules.canonicalize().expect("a folder").display().to_string();
    let place = tempfile::Builder::new().prefix("landfall-client-").tempdir().expect("a folder");
    let action = place.path().join("client");
    write_all(&action, &[("action.yml", CLIENT), ("main.mjs", &CLIENT_MAIN.replace("MODULES", &modules))]);
    let world = World::with(Plan { actions: [("acme/client".to_owned(), action.display().to_string())].into() }).await;
    let run = world
        .run(
            &format!(
                "
on: push
jobs:
  save:
    runs-on: ubuntu-latest
    steps:
      - run: {MAKE}
      - uses: actions/cache/save@v4
        with: {{path: deps, key: deps-1}}
  client:
    needs: save
    runs-on: ubuntu-latest
    steps:
      - uses: acme/client@v1
  test:
    needs: client
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache/restore@v4
        with: {{path: other, key: other-1, fail-on-cache-miss: true}}
      - run: cat other/file
"
            ),
            &[],
        )
        .await;
    let told = world.succeeded(&run).await;
    assert!(told.ends_with("by the client"), "{told}");
    let client = world.printed(&run, "client").await;
    assert!(client.contains(&"restored deps-1 tool".to_owned()) && client.contains(&"saved true".to_owned()), "{client:#?}");
    world.end().await;
}
