//! The cases: each builds in a folder of its own.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use builder::{BuildError, Cache, Progress};

use crate::{
    ground::{Finished, Ground},
    oracle,
};

type Case = for<'a> fn(&'a Ground) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Starts every Dockerfile that needs a shell.
const BASE: &str = "FROM scratch AS base\nADD rootfs.tar /\n";

pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("scratch_image_needs_no_sandbox", |it| Box::pin(scratch(it))),
        ("copies_agree_with_another_builder", |it| Box::pin(copies(it))),
        ("commands_agree_with_another_builder", |it| Box::pin(commands(it))),
        ("forms_of_copy_that_the_other_builder_lacks", |it| Box::pin(own_forms(it))),
        ("a_context_over_http_becomes_an_image", |it| Box::pin(over_http(it))),
        ("ignored_files_stay_out", |it| Box::pin(ignored(it))),
        ("cache_follows_content", |it| Box::pin(cache(it))),
        ("stages_run_side_by_side", |it| Box::pin(parallel(it))),
        ("equal_steps_run_once", |it| Box::pin(single_flight(it))),
        ("mounts_leave_no_trace", |it| Box::pin(mounts(it))),
        ("failures_are_explained_and_leave_nothing", |it| Box::pin(failures(it))),
        ("cancelled_builds_leave_nothing", |it| Box::pin(cancelled(it))),
        ("links_stay_inside", |it| Box::pin(links(it))),
        ("what_is_built_apart_changes_nothing_for_others", |it| Box::pin(apart(it))),
    ]
}

async fn scratch(ground: &Ground) {
    ground.write("app", "binary");
    ground.chmod("app", 0o755);
    let started = std::time::Instant::now();
    let image = ground.image("FROM scratch\nCOPY app /\nENV A=b\nEXPOSE 80\nLABEL l=m\nCMD [\"/app\"]\n").await;
    let took = started.elapsed();
    let files = ground.files(&image).await;
    assert_eq!(files["app"], format!("file {} 755 0:0", names::Digest::of(b"binary").short()));
    assert_eq!(files.len(), 1);
    let config = &image.config.config;
    assert_eq!(config.cmd, Some(vec!["/app".to_owned()]));
    assert_eq!(config.env[1..], ["A=b"]);
    assert_eq!(image.config.history.len(), 5);
    assert_eq!(image.config.history.iter().filter(|it| !it.empty_layer).count(), 1);
    ground.write("app", "another");
    let started = std::time::Instant::now();
    let again = ground.build().await;
    assert_eq!(again.cached(), 0);
    println!("  built in {took:?}, then with another file in {:?}", started.elapsed());
    ground.assert_clean().await;
}

async fn copies(ground: &Ground) {
    ground.base();
    ground.write("d/a", "a");
    ground.write("d/sub/b", "b");
    ground.write("d/sub/deep/c", "c");
    ground.write("one.txt", "1");
    ground.write("two.txt", "2");
    ground.write("[x]", "bracket");
    ground.chmod("d/a", 0o755);
    ground.chmod("d/sub", 0o711);
    ground.chmod("two.txt", 0o600);
    ground.link("a", "d/lnk");
    ground.link("d", "dirlnk");
    agree(
        ground,
        "COPY d /c1\nCOPY d/ /c2/\nCOPY d/sub /c3/deep/er/\nCOPY one.txt two.txt /c4/\nCOPY one.txt /c5\nCOPY one.txt /tmp\nCOPY *.txt /c6/\n\
         COPY d/lnk /c8/\nCOPY --chown=app d /c10\nCOPY --chown=app:other one.txt /c11/x/\nCOPY --chown=5:6 d/sub /c12/\nCOPY --chmod=0640 one.txt /c13\n\
         WORKDIR /w/x\nCOPY one.txt ./\nCOPY [\"two.txt\", \"named\"]\nWORKDIR y\nCOPY --from=base /etc/passwd /c14/\nCOPY --from=0 /bin /c15\n",
        &[],
    )
    .await;
}

async fn commands(ground: &Ground) {
    ground.base();
    ground.write("f", "text");
    agree(
        ground,
        "ARG A=arg\nENV B=\"b b\" C=$A\nRUN echo \"$A-$B-$C\" > /out && id > /who && pwd > /where\nRUN [\"/bin/sh\", \"-c\", \"echo exec > /exec\"]\n\
         USER app\nRUN id -u > /tmp/uid; id -g >> /tmp/uid; echo $HOME >> /tmp/uid; umask >> /tmp/uid\nUSER root\nWORKDIR /work\nRUN touch x && mkdir -p d/e && chmod 700 d\n\
         RUN rm /out && rm -rf /work/d && mkdir /work/d && touch /work/d/new\nCOPY f /work/d/\nRUN ln -s f /work/d/l && ln /work/d/f /work/d/hard\n\
         ENTRYPOINT [\"/bin/sh\"]\nCMD [\"-c\", \"true\"]\nEXPOSE 80 53/udp\nVOLUME /v\nLABEL a=b\nSTOPSIGNAL SIGINT\n",
        &["Cmd", "Entrypoint", "WorkingDir", "User", "ExposedPorts", "StopSignal"],
    )
    .await;
}

/// Builds with both builders and compares files and the named parts of the config.
async fn agree(ground: &Ground, steps: &str, config_parts: &[&str]) {
    let image = ground.image(&format!("{BASE}FROM base\n{steps}")).await;
    let mut files = ground.files(&image).await;
    ground.assert_clean().await;
    let Some(mut other) = oracle::build(&ground.context(), ground.folder.path()) else {
        println!("  not compared: no buildah here");
        return;
    };
    // Mount points of the machine's own making: each builder has its habits.
    for path in ["dev", "proc", "sys", "run", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "run/.containerenv", "run/secrets", "v"] {
        files.remove(path);
        other.files.remove(path);
    }
    let differences = differences(&files, &other.files);
    assert!(differences.is_empty(), "ours, theirs:\n{}", differences.join("\n"));
    let config = serde_json::to_value(&image.config.config).expect("JSON");
    for part in config_parts {
        assert_eq!(config[part], other.config[part], "{part}");
    }
}

fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differing = paths.into_iter().filter(|path| ours.get(*path) != theirs.get(*path));
    differing.map(|path| format!("{path}: {:?} {:?}", ours.get(path), theirs.get(path))).collect()
}

async fn ignored(ground: &Ground) {
    for path in ["a/x", "a/b/y", "a/b/z", "keep.md", "n.md"] {
        ground.write(path, path);
    }
    ground.write(".dockerignore", " a\n!a/b/y\n*.md\n! keep.md\n**/z\nDockerfile");
    let image = ground.image("FROM scratch\nCOPY . /\n").await;
    let files: Vec<String> = ground.files(&image).await.into_keys().collect();
    assert_eq!(files, [".dockerignore", "a", "a/b", "a/b/y", "keep.md"]);
    ground.write("Dockerfile", "FROM scratch\nCOPY n.md /\n");
    check_failure(&ground.build().await, &["Dockerfile:2:1", "`/n.md` not found", ".dockerignore"]);
    ground.write("Dockerfile", "FROM scratch\nCOPY nomatch* /x/\nCOPY nothing /\n");
    check_failure(&ground.build().await, &["Dockerfile:3:1", "`/nothing` not found", "keep.md"]);
}

async fn cache(ground: &Ground) {
    ground.base();
    ground.write("f", "1");
    ground.write("Dockerfile", &format!("{BASE}RUN echo $RANDOM > /r\nCOPY f /f\nRUN cat /f\nLABEL a=b\n"));
    let first = ground.build().await;
    assert_eq!(first.cached(), 0);
    let second = ground.build().await;
    assert_eq!(second.cached(), 4);
    let image = |it: &Finished| it.result.as_ref().map(|it| it.image).expect("built");
    assert_eq!(image(&first), image(&second));

    // A new time is no change, new content is.
    let later = std::time::SystemTime::now() + Duration::from_secs(100);
    std::fs::File::open(ground.context().join("f")).and_then(|it| it.set_modified(later)).expect("a time");
    assert_eq!(ground.build().await.cached(), 4);
    ground.write("f", "2");
    let changed = ground.build().await;
    assert_eq!((changed.cached(), changed.output()), (2, vec!["2"]));
    assert_eq!(ground.build_with(|it| it.cache = Cache::Ignored).await.cached(), 0);
    assert_eq!(ground.build().await.cached(), 4);

    // What the cache gave is what a fresh build gives.
    let cached = ground.build().await;
    let stored = ground.images.image(image(&cached)).await.expect("the image");
    assert!(ground.files(&stored).await.contains_key("r"));
}

async fn parallel(ground: &Ground) {
    ground.base();
    ground.write(
        "Dockerfile",
        &format!("{BASE}FROM base AS a\nRUN sleep 1; echo a > /a\nFROM base AS b\nRUN sleep 1; echo b > /b\nFROM nowhere/unused AS u\nRUN false\nFROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"),
    );
    let finished = ground.build().await;
    assert_eq!(finished.cached(), 0);
    // Both commands begin before either ends.
    let step = |name: &str| finished.progress.iter().position(|it| matches!(it, Progress::Step { stage, instruction, .. } if stage == name && instruction.starts_with("RUN")));
    let number = |name: &str| finished.progress.iter().find_map(|it| match it {
        Progress::Step { stage, step, instruction, .. } if stage == name && instruction.starts_with("RUN") => Some(*step),
        _ => None,
    });
    let done = |number: usize| finished.progress.iter().position(|it| matches!(it, Progress::Done { step, .. } if *step == number));
    let (a, b) = (number("a").expect("a"), number("b").expect("b"));
    assert!(step("a") < done(b) && step("b") < done(a));
    let image = ground.images.image(finished.result.expect("built").image).await.expect("the image");
    let files = ground.files(&image).await;
    assert!(files.contains_key("a") && files.contains_key("b"));
}

async fn single_flight(ground: &Ground) {
    ground.base();
    ground.write("Dockerfile", &format!("{BASE}RUN sleep 1; echo $RANDOM$RANDOM > /r\n"));
    let (one, two) = tokio::join!(ground.build(), ground.build());
    assert_eq!(one.cached() + two.cached(), 2);
    assert_eq!(one.result.expect("built").image, two.result.expect("built").image);
}

async fn mounts(ground: &Ground) {
    ground.base();
    ground.write("src/f", "from the context");
    ground.write(
        "Dockerfile",
        &format!(
            "# syntax=docker/dockerfile:1\n{BASE}FROM base\n\
             RUN --mount=type=cache,target=/cachedir/deep echo 1 >> /cachedir/deep/n\n\
             RUN --mount=type=cache,target=/cachedir/deep --mount=type=bind,source=src,target=/b,rw --mount=type=tmpfs,target=/tf \
             --mount=type=secret,id=s,target=/sec/ret --mount=type=secret,id=none,target=/absent/x \
             --mount=type=secret,id=s,env=TOKEN --mount=type=bind,from=base,source=/etc/passwd,target=/p/w \
             cat /cachedir/deep/n /b/f /sec/ret && echo $TOKEN && echo x > /b/new && echo x > /tf/x && head -n 1 /p/w && test ! -e /absent\n\
             RUN <<EOF\necho here-document\nEOF\nRUN <<EOF\n#!/bin/cat\nscript\nEOF\nRUN env | grep SSL_CERT_FILE; cat /etc/resolv.conf > /dev/null\n"
        ),
    );
    let finished = ground.build_with(|it| {
        it.secrets.insert("s".to_owned(), "hidden".into());
    }).await;
    let output = finished.output().join("\n");
    for expected in ["from the context", "hiddenhidden", "root:x:0:0", "here-document", "#!/bin/cat\nscript"] {
        assert!(output.replace("hidden\n", "hidden").contains(expected), "{expected}: {output}\n{:?}", finished.result.as_ref().err().map(ToString::to_string));
    }
    let image = ground.images.image(finished.result.expect("built").image).await.expect("the image");
    let files = ground.files(&image).await;
    let traces = ["cachedir", "b", "tf", "sec", "absent", "p", "etc/resolv.conf", "etc/hosts", "dev/landfall", "dev/pipes"];
    let left: Vec<_> = traces.iter().filter(|it| files.contains_key(**it)).collect();
    assert!(left.is_empty(), "left in the image: {left:?}");
    ground.assert_clean().await;
}

async fn failures(ground: &Ground) {
    ground.base();
    ground.write("Dockerfile", &format!("{BASE}RUN echo before\nRUN echo one; echo two >&2; nosuchprogram\n"));
    let failed = ground.build().await;
    check_failure(&failed, &["Dockerfile:4:1", "exit code 127", "`nosuchprogram`", "two"]);
    let Err(BuildError::Step(step)) = &failed.result else { panic!("a step") };
    assert_eq!(step.code, Some(127));

    ground.write("Dockerfile", "FROM scratch\nRUN true\n");
    check_failure(&ground.build().await, &["Dockerfile:2:1", "has no shell"]);
    ground.write("Dockerfile", "FROM scratch\nCOPY missing /\nRNU x\n");
    check_failure(&ground.build().await, &["Dockerfile:3:1", "unknown-instruction", "`RUN`"]);
    ground.write("Dockerfile", "FROM scratch\nFROM localhost:1/no/such:image\n");
    check_failure(&ground.build().await, &["Dockerfile:2:1", "landfall image import"]);
    std::fs::remove_file(ground.context().join("Dockerfile")).expect("removed");
    check_failure(&ground.build().await, &["Dockerfile: there is no such file"]);
    ground.assert_clean().await;
}

#[track_caller]
fn check_failure(finished: &Finished, parts: &[&str]) {
    let Err(error) = &finished.result else { panic!("the build succeeded") };
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected `{part}` in: {text}");
    }
}

async fn cancelled(ground: &Ground) {
    ground.base();
    ground.write("Dockerfile", &format!("{BASE}RUN echo started; sleep 600\n"));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    let builder = ground.builder.clone();
    let request = builder::BuildRequest::new(ground.context());
    let build = tokio::spawn(async move { builder.build(request, sender).await.map(|it| it.image) });
    while let Some(progress) = receiver.recv().await {
        if matches!(&progress, Progress::Output { line, .. } if line == "started") {
            break;
        }
    }
    build.abort();
    assert!(build.await.is_err());
    // The removal runs by itself; it is waited for through what it removes.
    for _ in 0..200 {
        let work = std::fs::read_dir(ground.folder.path().join("builder/work")).expect("a folder").count();
        if work == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ground.assert_clean().await;
}

async fn links(ground: &Ground) {
    let outside = ground.folder.path().join("outside");
    std::fs::write(&outside, "secret").expect("a file");
    ground.link(outside.to_str().expect("text"), "evil");
    ground.link("../outside", "evil2");
    ground.write("Dockerfile", "FROM scratch\nCOPY evil /\n");
    check_failure(&ground.build().await, &["`/evil` not found"]);
    ground.write("Dockerfile", "FROM scratch\nCOPY evil2 /\n");
    check_failure(&ground.build().await, &["`/evil2` not found"]);
    ground.base();
    ground.write("f", "x");
    let image = ground.image(&format!("{BASE}RUN mkdir /real && ln -s /real /lnk && ln -s ../../../../../tmp /out\nCOPY f /lnk/\nCOPY f /out/\nCOPY --link f /lnk2/\n")).await;
    let files = ground.files(&image).await;
    assert!(files.contains_key("real/f") && files.contains_key("tmp/f") && files.contains_key("lnk2/f"));
    assert!(!std::path::Path::new("/tmp/f").exists());
}

/// What the reference says of BuildKit, where the other builder differs or refuses.
async fn own_forms(ground: &Ground) {
    ground.write("[x]", "x");
    ground.write("par/d/sub/f", "f");
    ground.write("par/d/skip.md", "s");
    ground.chmod("par/d/sub", 0o711);
    ground.chmod("par/d/sub/f", 0o600);
    ground.write("su/id", "i");
    ground.chmod("su/id", 0o4755);
    ground.chmod("su", 0o2711);
    let tar = std::process::Command::new("tar").arg("-C").arg(ground.context()).args(["--owner=5", "--group=6", "-czf"])
        .arg(ground.context().join("a.tgz")).arg("par/d/sub").status();
    assert!(tar.expect("tar").success());
    let image = ground
        .image(
            "FROM scratch\nCOPY [[]x] /c7/\nCOPY --parents par/d/sub /p1/\nCOPY --parents ./par/./d/*/f /p2/\nCOPY --exclude=*.md par/d /e/\n\
             COPY --chmod=u=rwX,go=rX par/d /s/\nADD a.tgz /t/\nCOPY a.tgz /plain/\nCOPY --chown=nobodyx [[]x] /n\nARG N=7\nCOPY <<F <<'G' /h/\n$N \\$N \"q\"\nF\n$N\nG\n\
             COPY nomatch* /nothing/\nCOPY --parents su /\nCOPY --chmod=0640 [[]x] /m/\nWORKDIR /a\nWORKDIR b/\n",
        )
        .await;
    let files = ground.files(&image).await;
    let of = |text: &str, rest: &str| format!("file {} {rest}", names::Digest::of(text.as_bytes()).short());
    for (path, expected) in [
        ("c7/[x]", of("x", "644 0:0")),
        ("p1/par/d/sub", "dir 711 0:0".to_owned()),
        ("p1/par/d/sub/f", of("f", "600 0:0")),
        ("p2/d/sub", "dir 711 0:0".to_owned()),
        ("p2/d/sub/f", of("f", "600 0:0")),
        ("e/sub/f", of("f", "600 0:0")),
        ("s/sub", "dir 755 0:0".to_owned()),
        ("s/sub/f", of("f", "644 0:0")),
        ("t/par/d/sub/f", of("f", "600 5:6")),
        ("n", of("x", "644 0:0")),
        ("h/F", of("7 $N \"q\"\n", "644 0:0")),
        ("h/G", of("$N\n", "644 0:0")),
        ("a/b", "dir 755 0:0".to_owned()),
        ("su", "dir 2711 0:0".to_owned()),
        ("su/id", of("i", "4755 0:0")),
        ("m", "dir 640 0:0".to_owned()),
        ("m/[x]", of("x", "640 0:0")),
    ] {
        assert_eq!(files.get(path), Some(&expected), "{path}");
    }
    for absent in ["e/skip.md", "nothing", "plain/par"] {
        assert!(!files.contains_key(absent), "{absent}");
    }
    assert_eq!(image.config.config.working_dir, "/a/b");
}

async fn over_http(ground: &Ground) {
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;
    ground.write("app", "binary");
    ground.write("Dockerfile", "FROM scratch\nARG V\nCOPY app /\nLABEL v=$V\nCMD [\"/app\"]\n");
    let tar = std::process::Command::new("tar").arg("-C").arg(ground.context()).args(["-czf", "-", "."]).output().expect("tar").stdout;
    let router = builder::router(builder::State { builder: ground.builder.clone() });
    let post = |path: &str, principal: Option<access::Principal>, body: Vec<u8>| {
        let mut request = http::Request::post(format!("/landfall/v1/builds{path}"));
        if let Some(principal) = principal {
            request = request.extension(principal);
        }
        router.clone().oneshot(request.body(axum::body::Body::from(body)).expect("a request"))
    };
    let text = |response: axum::response::Response| async move {
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    };
    assert_eq!(post("", None, tar.clone()).await.expect("an answer").status(), 401);
    let admin = Some(access::Principal::Admin);
    assert_eq!(post("?what=1", admin.clone(), tar.clone()).await.expect("an answer").status(), 400);
    assert_eq!(post("", admin.clone(), b"no tar at all".to_vec()).await.expect("an answer").status(), 400);

    let answer = post("?tag=shop/web:1&tag=shop/web:2&build-arg=V=9&label=by=test", admin.clone(), tar.clone()).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let lines = text(answer).await;
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["type"], "result", "{lines}");
    let name: names::ImageRef = "shop/web:2".parse().expect("a name");
    let digest = ground.images.find(&name).await.expect("no error").expect("tagged");
    assert_eq!(last["image"], digest.to_string());
    let labels = ground.images.image(digest).await.expect("the image").config.config.labels;
    assert_eq!((labels["v"].as_str(), labels["by"].as_str()), ("9", "test"));

    let answer = post("?file=nope", admin, tar).await.expect("an answer");
    assert!(text(answer).await.contains("nope: there is no such file"));
    ground.assert_clean().await;
}

async fn apart(ground: &Ground) {
    let view = oci::View::Apart("shop/4/build".to_owned());
    let name: names::ImageRef = "app".parse().expect("a name");
    let built = async |text: &str, view: &oci::View| {
        ground.write("app", text);
        ground.write("Dockerfile", "FROM scratch\nCOPY app /\n");
        let (tags, view) = (vec![name.clone()], view.clone());
        let finished = ground.build_with(|it| (it.tags, it.view) = (tags, view)).await;
        finished.result.unwrap_or_else(|error| panic!("{error}"))
    };
    let shared = built("theirs", &oci::View::Shared).await;
    let own = built("mine", &view).await;
    assert_ne!(shared.image, own.image);
    let mean = async |view: &oci::View| ground.images.find_in(view, &name).await.expect("the store");
    assert_eq!(mean(&oci::View::Shared).await, Some(shared.image));
    assert_eq!(mean(&view).await, Some(own.image));
    // Nor is a step of it taken for others; its own steps are.
    assert_eq!(built("mine", &view).await.cached, 1);
    assert_eq!(built("mine", &oci::View::Shared).await.cached, 0);
    built("theirs", &oci::View::Shared).await;
    ground.images.forget_names("shop/4/build").await.expect("the store");
    assert_eq!(mean(&view).await, Some(shared.image));
    ground.assert_clean().await;
}
