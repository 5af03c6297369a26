//! Renders a folder many times in one process and prints what one render took of the processor.
//!
//! Usage: `repeat FOLDER PATH TIMES`, PATH being relative to FOLDER. The first number is
//! microseconds with everything read anew from memory, the second with a chart that was
//! loaded once (the same for a kustomization), the third the bytes that came out.

use std::{env, fs, hint::black_box, path::Path, sync::Arc, time::Duration};

use files::MemoryFiles;
use render::{Chance, Compat, Format, Request, Wanted};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, path, times] = &arguments[..] else {
        eprintln!("usage: repeat FOLDER PATH TIMES");
        std::process::exit(2);
    };
    let times: u32 = times.parse().expect("TIMES is a number");
    let mut files = MemoryFiles::new();
    read(Path::new(folder), "", &mut files);
    let mut request = Request::of(path.as_str(), Chance { now: 0, key: [1; 32] });
    request.wanted = Wanted::Text;
    let first = render::render(&files, &request).unwrap_or_else(|error| panic!("{}", error.lines().join("\n")));
    let anew = each(times, || {
        black_box(render::render(&files, &request)).expect("it rendered before");
    });
    let again = if first.format == Format::Chart {
        let chart = Arc::new(helm::Chart::load(&files, path).expect("it was loaded before"));
        let options = helm::RenderOptions::new(helm::Release::new("release-name", "default"), Compat::default());
        each(times, || {
            let rendered = helm::render(&chart, &options).expect("it rendered before");
            black_box(rendered.text(&helm::OutputOptions::default())).expect("nothing is left out");
        })
    } else {
        anew
    };
    println!("{} {} {}", anew.as_micros(), again.as_micros(), first.text.len());
}

fn read(folder: &Path, below: &str, files: &mut MemoryFiles) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let name = entry.file_name().into_string().expect("names are text");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            read(&entry.path(), &path, files);
        } else {
            files.insert(path, fs::read(entry.path()).expect("the file can be read")).expect("the path is clean");
        }
    }
}

/// What one call took of the processor: other programs do not count.
fn each(times: u32, mut call: impl FnMut()) -> Duration {
    let began = used();
    (0..times).for_each(|_| call());
    (used() - began) / times
}

fn used() -> Duration {
    let text = fs::read_to_string("/proc/self/schedstat").expect("Linux tells it");
    Duration::from_nanos(text.split(' ').next().and_then(|it| it.parse().ok()).expect("a number"))
}
