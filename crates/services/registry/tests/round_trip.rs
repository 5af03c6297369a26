//! An image's way: imported, run, committed, pushed, pulled elsewhere, and still the same tree.

mod stage;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use names::Digest;
use oci::{Images, Keychain, Origin, Place, StoredImage};
use rustix::mount::{MountFlags, UnmountFlags};
use stage::{Stage, elsewhere, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_survives_the_way() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let stage = Stage::start().await;
    let here = stage.folder.path();
    let root = here.join("root");
    root_file_system(&root).await;
    let base = stage.name("base:1").parse().expect("a name");
    let report: oci::Report = Arc::new(|_| {});
    let imported = stage.images.import(&root, &base, &Origin::default(), report).await.expect("import");
    let image = stage.images.image(imported.digest).await.expect("an image");

    let scratch = here.join("scratch");
    let mount = Overlay::mount(&stage.images, &image, &scratch).await;
    change(&mount.place).await;
    let wanted = tree(&mount.place);
    drop(mount);
    let layer = stage.images.commit_layer(&scratch.join("upper")).await.expect("commit");
    assert!(layer.dir.is_dir() && !scratch.join("upper").exists(), "the upper folder is the layer");
    let mut layers = image.layers.clone();
    layers.push(layer.clone());
    let digest = stage.images.put_image(&image.config, &layers).await.expect("put");
    let name = stage.name("shop/web:1").parse().expect("a name");
    stage.images.tag(&name, digest, &Origin::default()).await.expect("tag");

    let stored = stage.images.image(digest).await.expect("an image");
    let mount = Overlay::mount(&stage.images, &stored, &here.join("again")).await;
    assert_eq!(tree(&mount.place), wanted, "the adopted folder mounts as what it was");
    drop(mount);

    let other = tempfile::tempdir().expect("a folder");
    let there = elsewhere(other.path());
    let mut keychain = Keychain::anonymous();
    keychain.add(&stage.address.to_string(), "any", "token");
    let refused = there.pull(&name, &Keychain::anonymous()).await.expect_err("no credentials");
    let expected = format!("`{}` wants credentials for `shop/web`, and none were given", stage.address);
    assert_eq!(refused.to_string(), expected);
    assert_eq!(there.pull(&name, &keychain).await.expect("pull"), digest);
    let pulled = there.image(digest).await.expect("an image");
    let mount = Overlay::mount(&there, &pulled, &other.path().join("scratch")).await;
    assert_eq!(tree(&mount.place), wanted);
    drop(mount);

    // Back under another name: pushing sends what the registry lacks.
    let second = stage.name("shop/copy:2").parse().expect("a name");
    there.tag(&second, digest, &Origin::default()).await.expect("tag");
    let pushed = there.push(&second, &keychain).await.expect("push");
    assert_eq!((pushed.digest, pushed.place), (digest, Place::Registry(stage.address.to_string())));
    assert_eq!(stage.images.find(&second).await.expect("find"), Some(digest));
    // The registry mounts what its other repository has.
    let third = stage.name("shop/third:3").parse().expect("a name");
    there.tag(&third, digest, &Origin::default()).await.expect("tag");
    there.push(&third, &keychain).await.expect("push");
    let uploads = fs::read_dir(here.join("uploads")).expect("a folder").count();
    assert_eq!((stage.images.find(&third).await.expect("find"), uploads), (Some(digest), 0));
    let local = there.push(&second, &Keychain::anonymous()).await.expect("push");
    assert_eq!(local.place, Place::Local);

    // The unpacked layer, written once more, gives the same bytes.
    let copy = other.path().join("copy");
    run(&["cp", "-a", &text(&there.unpack(std::slice::from_ref(&layer)).await.expect("unpack")[0]), &text(&copy)]).await;
    assert_eq!(there.commit_layer(&copy).await.expect("commit").digest, layer.digest);
}

async fn root_file_system(root: &Path) {
    for folder in ["bin", "etc", "var/gone", "var/kept", "tmp"] {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    fs::write(root.join("bin/tool"), "tool").expect("a file");
    fs::set_permissions(root.join("bin/tool"), fs::Permissions::from_mode(0o4755)).expect("chmod");
    fs::hard_link(root.join("bin/tool"), root.join("bin/alias")).expect("a link");
    fs::write(root.join("etc/removed"), "x").expect("a file");
    fs::write(root.join("var/gone/file"), "x").expect("a file");
    fs::write(root.join("var/kept/file"), "x").expect("a file");
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).expect("chmod");
    symlink("/etc", root.join("conf")).expect("a link");
    run(&["mknod", &text(&root.join("null")), "c", "1", "3"]).await;
    run(&["chown", "-h", "1000:50", &text(&root.join("etc/removed")), &text(&root.join("conf"))]).await;
    run(&["touch", "-d", "2020-02-02T02:02:02Z", &text(&root.join("bin/tool")), &text(&root.join("var"))]).await;
}

/// Removes, replaces and adds, in every form overlayfs has a mark for.
async fn change(root: &Path) {
    fs::remove_file(root.join("etc/removed")).expect("remove");
    fs::remove_dir_all(root.join("var/gone")).expect("remove");
    fs::create_dir(root.join("var/gone")).expect("a folder");
    fs::write(root.join("var/gone/new"), "new").expect("a file");
    fs::remove_dir_all(root.join("var/kept")).expect("remove");
    fs::write(root.join("var/kept"), "a file where a folder was").expect("a file");
    fs::write(root.join("bin/tool"), "changed").expect("a file");
    let long = "n".repeat(180);
    fs::create_dir_all(root.join(&long)).expect("a folder");
    fs::write(root.join(&long).join("é"), vec![7; 300_000]).expect("a file");
    let capable = root.join("bin/capable");
    fs::write(&capable, "x").expect("a file");
    // cap_net_bind_service, as `setcap` writes it.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::lsetxattr(&capable, "security.capability", &capability, rustix::fs::XattrFlags::empty()).expect("setcap");
    std::os::unix::net::UnixListener::bind(root.join("tmp/socket")).expect("a socket");
    fs::remove_file(root.join("tmp/socket")).expect("remove");
}

struct Overlay {
    place: PathBuf,
}

impl Overlay {
    async fn mount(images: &Images, image: &StoredImage, scratch: &Path) -> Self {
        let [place, upper, work] = ["merged", "upper", "work"].map(|it| scratch.join(it));
        for folder in [&place, &upper, &work] {
            fs::create_dir_all(folder).expect("a folder");
        }
        let lower: Vec<_> = images.lower_dirs(image).await.expect("unpack").iter().map(|it| text(it)).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off",
            lower.join(":"),
            text(&upper),
            text(&work)
        );
        let options = std::ffi::CString::new(options).expect("text");
        rustix::mount::mount("overlay", &place, "overlay", MountFlags::empty(), options.as_c_str()).expect("mount");
        Self { place }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.place, UnmountFlags::empty()).expect("unmount");
    }
}

/// Everything that an image keeps of a tree, one line a path.
fn tree(root: &Path) -> String {
    let mut lines = Vec::new();
    walk(root, Path::new(""), &mut lines);
    lines.sort();
    lines.join("\n")
}

fn walk(root: &Path, folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder") {
        let path = folder.join(entry.expect("an entry").file_name());
        let place = root.join(&path);
        let stat = fs::symlink_metadata(&place).expect("stat");
        let content = if stat.is_file() {
            Digest::of(&fs::read(&place).expect("read")).short()
        } else if stat.is_symlink() {
            text(&fs::read_link(&place).expect("a link"))
        } else {
            String::new()
        };
        let mut value = [0; 64];
        let capability = rustix::fs::lgetxattr(&place, "security.capability", &mut value).unwrap_or(0);
        let links = if stat.is_file() { stat.nlink() } else { 0 };
        lines.push(format!(
            "{} {:o} {}:{} {} rdev={} links={links} cap={capability} {content}",
            path.display(),
            stat.mode(),
            stat.uid(),
            stat.gid(),
            stat.mtime(),
            stat.rdev()
        ));
        if stat.is_dir() {
            walk(root, &path, lines);
        }
    }
}
