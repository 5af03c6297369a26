//! What jobs do with docker, and what they are told.

use futures_util::future::LocalBoxFuture;

use crate::ground::Ground;

type Case = for<'a> fn(&'a Ground) -> LocalBoxFuture<'a, ()>;

pub fn all() -> Vec<(&'static str, Case)> {
    vec![
        ("build_tag_push_as_a_pipeline_does", |it| Box::pin(build_tag_push(it))),
        ("a_push_of_what_was_never_tagged_says_what_was_meant", |it| Box::pin(never_tagged(it))),
        ("a_failing_step_is_shown_with_its_line", |it| Box::pin(failing_step(it))),
        ("arguments_secrets_and_input", |it| Box::pin(arguments(it))),
        ("images_are_listed_inspected_and_removed", |it| Box::pin(listed(it))),
        ("credentials_are_kept_as_docker_keeps_them", |it| Box::pin(credentials(it))),
        ("what_is_not_supported_is_refused_by_name", |it| Box::pin(refused(it))),
    ]
}

async fn build_tag_push(ground: &Ground) {
    ground.write("Dockerfile", "FROM scratch\nCOPY app.txt /app.txt\nCMD [\"/app\"]\n");
    ground.write("app.txt", "one");
    let begin = "#0 building with \"landfall\" instance using landfall driver\n\n\
        #1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: 48B done\n#1 DONE TIME\n\n\
        #2 [internal] load build context\n#2 DONE TIME\n\n";
    let end = "#4 [2/2] CMD [\"/app\"]\n#4 DONE TIME\n\n\
        #5 exporting to image\n#5 exporting layers done\n#5 writing image sha256:DIGEST done\n\
        #5 naming to docker.io/library/myapp:latest done\n#5 DONE TIME\n";
    let first = format!("{begin}#3 [1/2] COPY app.txt /app.txt\n#3 DONE TIME\n\n{end}");
    ground.check("build -t myapp:latest .", 0, "", &first).await;
    let again = format!("{begin}#3 [1/2] COPY app.txt /app.txt\n#3 CACHED\n\n{end}");
    ground.check("buildx build --tag=myapp:latest --platform linux/amd64 --load .", 0, "", &again).await;
    ground.check("tag myapp:latest myregistry/myapp:v1", 0, "", "").await;
    ground
        .check(
            "push myregistry/myapp:v1",
            0,
            "The push refers to repository [docker.io/myregistry/myapp]\nID: Pushed\nv1: digest: sha256:DIGEST size: N\n",
            "landfall: no credentials for docker.io, so `myregistry/myapp:v1` stays in Landfall's registry, from which the cluster pulls it\n\
             landfall: also tagged sha-0123456789ab\n",
        )
        .await;
    let own = format!("{}/shop/web", ground.host);
    ground.check(&format!("tag myapp {own}"), 0, "", "").await;
    ground
        .check(
            &format!("push {own}"),
            0,
            "Using default tag: latest\nThe push refers to repository [HOST/shop/web]\nID: Pushed\nlatest: digest: sha256:DIGEST size: N\n",
            "landfall: also tagged sha-0123456789ab\n",
        )
        .await;
    // A second image of the same commit does not take the commit's tag away.
    ground.write("app.txt", "two");
    assert_eq!(ground.run(&format!("build -q -t {own}:second .")).await.code, 0);
    let pushed = ground.run(&format!("push -q {own}:second")).await;
    assert_eq!((pushed.code, ground.masked(&pushed.out)), (0, "HOST/shop/web:second\n".to_owned()));
    assert_eq!(
        ground.masked(&pushed.err),
        "landfall: sha-0123456789ab stays at sha256:DIGEST, which this commit pushed before\n"
    );
    // The registry serves what was pushed.
    let answer = reqwest::Client::new()
        .get(format!("http://{}/v2/shop/web/manifests/sha-0123456789ab", ground.host))
        .bearer_auth("job-token")
        .send();
    assert_eq!(answer.await.expect("an answer").status().as_u16(), 200);
}

async fn never_tagged(ground: &Ground) {
    ground.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    ground
        .check(
            "push myregistry/myapp:latest",
            1,
            "The push refers to repository [docker.io/myregistry/myapp]\n",
            "An image does not exist locally with the tag: docker.io/myregistry/myapp\n  \
             help: build it under that name first: docker build -t myregistry/myapp:latest .\n",
        )
        .await;
    assert_eq!(ground.run("build -t myapp:latest .").await.code, 0);
    ground
        .check(
            "push myregistry/myapp:latest",
            1,
            "The push refers to repository [docker.io/myregistry/myapp]\n",
            "An image does not exist locally with the tag: docker.io/myregistry/myapp\n  \
             `myapp:latest` was built in this run, but nothing was tagged `myregistry/myapp:latest`\n  \
             help: docker tag myapp:latest myregistry/myapp:latest\n  \
             help: or build it under that name: docker build -t myregistry/myapp:latest .\n",
        )
        .await;
    let other = ground.run("push myapp:v2").await;
    assert_eq!(other.err.lines().next(), Some("tag does not exist: myapp:v2"));
    ground.check("tag nothing:1 b", 1, "", "Error response from daemon: No such image: nothing:1\n").await;
}

async fn failing_step(ground: &Ground) {
    ground.base().await;
    ground.write("Dockerfile", "FROM small\nRUN echo hello\nRUN echo before && false\n");
    let ran = ground.run("build .").await;
    let text = ground.masked(&ran.err);
    let (_, tail) = text.split_once("#5 ERROR").unwrap_or_else(|| panic!("no error in {text}"));
    assert_eq!(ran.code, 1);
    assert_eq!(
        tail,
        ": process \"RUN echo before && false\" did not complete successfully: exit code: 1\n------\n \
         > [2/2] RUN echo before && false:\nbefore\n------\n\
         Dockerfile:3\n--------------------\n   1 |     FROM small\n   2 |     RUN echo hello\n   3 | >>> RUN echo before && false\n--------------------\n\
         ERROR: failed to build: failed to solve: process \"RUN echo before && false\" did not complete successfully: exit code: 1\n"
    );
    assert!(text.contains("#4 TIME hello\n"), "{text}");
    ground.write("Dockerfile", "FROM small\nRUM x\n");
    let ran = ground.run("build .").await;
    assert_eq!(ran.code, 1);
    let last = ran.err.lines().last().unwrap_or_default();
    assert!(last.starts_with("ERROR: failed to build: failed to solve: dockerfile parse error on line 2: "), "{}", ran.err);
    ground
        .check(
            "build -f other .",
            1,
            "",
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open other: no such file or directory\n",
        )
        .await;
    ground.check("build nowhere", 1, "", "ERROR: failed to build: unable to prepare context: path \"nowhere\" not found\n").await;
}

async fn arguments(ground: &Ground) {
    ground.base().await;
    let dockerfile = "FROM small\nARG A\nARG B\nRUN --mount=type=secret,id=s --mount=type=secret,id=e echo \"$A $B $(cat /run/secrets/s) $(cat /run/secrets/e)\" > /got\n";
    ground.write("deep/Other", dockerfile);
    ground.write("secret.txt", "file");
    ground.write("sub/keep", "");
    let line = "build -q -t t -f deep/Other --build-arg A=1 --build-arg B --label x=y --secret id=s,src=secret.txt --secret id=e,env=E sub";
    let ran = ground.run_with(line, "", &[("B", "two"), ("E", "env")]).await;
    assert_eq!((ran.code, ran.err.as_str(), ground.masked(&ran.out).as_str()), (0, "", "sha256:DIGEST\n"));
    let labels = ground.run("inspect -f {{.Config.Labels.x}} t").await;
    assert_eq!(labels.out, "y\n");
    let stored = ground.images.find(&"t".parse().expect("a name")).await.expect("the store").expect("an image");
    let image = ground.images.image(stored).await.expect("the image");
    let dirs = ground.images.lower_dirs(&image).await.expect("unpacked");
    assert_eq!(std::fs::read_to_string(dirs[0].join("got")).expect("a file"), "1 two file env\n");

    let ran = ground.run_with("build -q -", "FROM small\nRUN echo x > /x\n", &[]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let missing = ground.run_with("build --secret id=s,env=NOT_SET .", "", &[]).await;
    assert_eq!(missing.err, "ERROR: failed to build: invalid secret \"id=s,env=NOT_SET\": the variable `NOT_SET` is not set\n");
}

async fn listed(ground: &Ground) {
    ground.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\nENV A=b\n");
    assert_eq!(ground.run("build -q -t web:1 -t web:2 .").await.code, 0);
    ground.check("images --format {{.Repository}}:{{.Tag}}", 0, "web:2\nweb:1\n", "").await;
    ground.check("images -q web:1", 0, "ID\n", "").await;
    ground.check("images nothing", 0, "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n", "").await;
    let whole = ground.run("image inspect web:1").await;
    let whole: serde_json::Value = serde_json::from_str(&whole.out).expect("JSON");
    assert_eq!((&whole[0]["RepoTags"], &whole[0]["Config"]["Env"][1]), (&serde_json::json!(["web:2", "web:1"]), &serde_json::json!("A=b")));
    ground.check("inspect -f {{.Nothing}} web:1", 1, "", "template: can't evaluate field Nothing\n").await;
    ground.check("rmi web:1", 0, "Untagged: web:1\n", "").await;
    ground.check("push -q web:2", 0, "docker.io/library/web:2\n", "landfall: no credentials for docker.io, so `web:2` stays in Landfall's registry, from which the cluster pulls it\nlandfall: also tagged sha-0123456789ab\n").await;
    ground.check("rmi web:2", 0, "Untagged: web:2\n", "landfall: web:2 was pushed and stays in the registry as sha256:DIGEST\n").await;
    ground.check("pull web:2", 0, "2: Pulling from library/web\nDigest: sha256:DIGEST\nStatus: Image is up to date for web:2\ndocker.io/library/web:2\n", "").await;
    ground.check("rmi web:1", 1, "", "Error response from daemon: No such image: web:1\n").await;
}

async fn credentials(ground: &Ground) {
    let ran = ground.run_with(&format!("login {} -u landfall --password-stdin", ground.host), "job-token\n", &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "Login Succeeded\n"), "{}", ran.err);
    let wrong = ground.run_with(&format!("login {} -u landfall --password-stdin", ground.host), "other", &[]).await;
    assert_eq!(wrong.code, 1);
    let hub = ground.run_with("login -u me -p s3cret", "", &[]).await;
    assert_eq!((hub.code, hub.out.as_str()), (0, "Login Succeeded\n"));
    assert!(!hub.err.contains("s3cret"), "{}", hub.err);
    let file = ground.folder.path().join("home/.docker/config.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    let expected = serde_json::json!({ "auths": {
        ground.host.as_str(): { "auth": "bGFuZGZhbGw6am9iLXRva2Vu" },
        "https://index.docker.io/v1/": { "auth": "bWU6czNjcmV0" },
    }});
    assert_eq!(kept, expected);
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).expect("a file")) & 0o777, 0o600);
    ground.check("logout", 0, "Removing login credentials for https://index.docker.io/v1/\n", "").await;
    ground.check("logout", 0, "Not logged in to https://index.docker.io/v1/\n", "").await;
}

async fn refused(ground: &Ground) {
    let says = |words: &str| format!("docker: {words}\n");
    ground
        .check("run -it alpine sh", 1, "", &says("`docker run` is not supported in Landfall jobs: a job has no containers; run the command as a step of the job, as a `RUN` in a Dockerfile stage, or deploy the image with `kubectl apply`"))
        .await;
    ground
        .check("compose up -d", 1, "", &says("`docker compose` is not supported in Landfall jobs: describe the services in Kubernetes manifests and apply them with `kubectl apply`"))
        .await;
    ground
        .check("build -o out .", 125, "", &says("--output is not supported by this docker: the image goes to Landfall's store; give it a name with -t"))
        .await;
    ground
        .check("build --platform linux/riscv64 .", 125, "", &says("--platform linux/riscv64 is not supported by this docker: this machine builds linux/amd64 only"))
        .await;
    ground
        .check("build --colour .", 125, "", "unknown flag: --colour\n\nUsage:  docker build [OPTIONS]\n\nRun 'docker build --help' for more information\n")
        .await;
    ground.check("frobnicate", 1, "", "docker: unknown command: docker frobnicate\n\nRun 'docker --help' for more information\n").await;
    ground.check("--version", 0, "Docker version 28.5.1, build landfall\n", "").await;
}
