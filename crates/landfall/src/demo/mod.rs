//! The main job before a newcomer's eyes, each step of it checked.
//!
//! Uses what every user has, and nothing else: this program's commands, git,
//! HTTP to the printed addresses, the API with its token, the kubeconfig.

mod app;
mod evidence;
mod installation;
mod load;
mod place;
mod repository;
mod setup;
mod story;
mod summary;
mod teller;
mod unmet;
mod wire;

use std::{future::Future, io::IsTerminal as _, net::SocketAddr, panic::AssertUnwindSafe, path::PathBuf};

use anyhow::anyhow;
use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use app::App;

use crate::cli::output::print_table;
use installation::Installation;
use place::Place;
use repository::Repository;
use story::{Act, Stage};
use teller::Teller;

/// How a demo is run.
pub struct Options {
    pub app: App,
    /// A temporary folder if none is named.
    pub data: Option<PathBuf>,
    pub after: After,
}

/// What happens when all is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// On a terminal it stays up until Ctrl-C, else it ends.
    Wait,
    End,
    /// The server goes on without the demo.
    Keep,
}

/// How a demo ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Held,
    /// A check does not hold.
    Unmet,
    /// It could not be begun.
    NotBegun,
    /// The number of the signal that ended it.
    Stopped(u8),
}

/// Ctrl-C and its relatives, heard from the beginning on.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stops {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the signal that came.
    async fn came(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hangup.recv() => 1,
        }
    }
}

/// Shows the main job, and cleans up behind itself however it ends.
pub async fn run(options: Options) -> anyhow::Result<Ending> {
    let mut stops = Stops::listen()?;
    let teller = Teller::new();
    let place = match Place::make(options.data.clone()) {
        Ok(place) => place,
        Err(error) => return Ok(not_begun(&error)),
    };
    if let Err(lack) = setup::check(place.folder()) {
        place.remove()?;
        return Ok(not_begun(&anyhow!(lack)));
    }
    teller.tell("up", &format!("$ landfall --data {} up --detach", place.data().display()));
    // Not cut short by Ctrl-C, so that a server that is starting is never lost sight of.
    let installation = match Installation::start(place.data()).await {
        Ok(installation) => installation,
        Err(error) => {
            let ending = not_begun(&error);
            clean_up(&place, &teller).await?;
            return Ok(ending);
        }
    };
    teller.tell("up", &format!("Git host, pipeline, registry and cluster are ready at {}", installation.status().web_url));
    let show = Show { options, place, installation, teller };
    show.run(&mut stops).await
}

fn not_begun(error: &anyhow::Error) -> Ending {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    Ending::NotBegun
}

async fn clean_up(place: &Place, teller: &Teller) -> anyhow::Result<()> {
    teller.tell("down", &format!("$ landfall --data {} down --purge --yes", place.data().display()));
    Installation::remove(place.data()).await?;
    place.remove()?;
    teller.tell("down", "nothing is left: no process, mount, namespace, interface or file");
    Ok(())
}

/// A demo whose server runs.
struct Show {
    options: Options,
    place: Place,
    installation: Installation,
    teller: Teller,
}

impl Show {
    async fn run(self, stops: &mut Stops) -> anyhow::Result<Ending> {
        let mut acts = Vec::new();
        let played = tokio::select! {
            played = caught(self.play(&mut acts)) => played,
            number = stops.came() => {
                self.teller.tell("stop", "stopped by a signal; cleaning up");
                clean_up(&self.place, &self.teller).await?;
                return Ok(Ending::Stopped(number));
            }
        };
        match played {
            Ok(address) => self.held(&acts, address, stops).await,
            Err(error) => self.unmet(&error).await,
        }
    }

    async fn play(&self, acts: &mut Vec<Act>) -> anyhow::Result<SocketAddr> {
        let app = &self.options.app;
        let remote = format!("{}/{}.git", self.installation.status().git_url, app.name);
        let repository = Repository::create(&self.place.folder().join(&app.name), &remote).await?;
        let says = format!("a web server in C with its tests, Dockerfile, workflow and manifests: {}", repository.folder().display());
        self.teller.tell("app", &says);
        let stage = Stage {
            app,
            installation: &self.installation,
            cluster: self.installation.cluster().await?,
            repository: &repository,
            teller: self.teller,
        };
        story::play(&stage, acts).await
    }

    /// Everything holds: shows what was, and where one can go on.
    async fn held(&self, acts: &[Act], address: SocketAddr, stops: &mut Stops) -> anyhow::Result<Ending> {
        println!();
        let rows: Vec<_> = acts.iter().map(summary::row).collect();
        print_table(&summary::HEADINGS, &rows);
        println!("TOOK: from the push to the first answer of the new version, or to the end of the rollback\n");
        for (number, act) in (1..).zip(acts) {
            println!("time of push {number}: {}", summary::parts(&act.told));
        }
        let took = names::format_duration(self.teller.elapsed());
        println!("every check holds; all of it took {took}");
        self.print_addresses(address);
        let waits = self.options.after == After::Wait && std::io::stdout().is_terminal();
        if self.options.after == After::Keep {
            self.print_next(acts);
            println!("stop it    {} --data {} down --purge --yes", self.program(), self.place.data().display());
            println!("           rm -r {}", self.place.folder().display());
            return Ok(Ending::Held);
        }
        if waits {
            self.print_next(acts);
            println!("\nIt stays up for you; Ctrl-C ends it and removes everything.");
            stops.came().await;
            eprintln!();
        }
        clean_up(&self.place, &self.teller).await?;
        if !waits {
            println!("to look around in it: {} demo --keep", self.program());
        }
        Ok(Ending::Held)
    }

    fn program(&self) -> String {
        self.installation.program().display().to_string()
    }

    fn print_addresses(&self, address: SocketAddr) {
        let status = self.installation.status();
        println!();
        println!("app        http://{address}/");
        println!("page       {}", status.login_url.as_ref().unwrap_or(&status.web_url));
        println!("git        {}/{}.git", status.git_url, self.options.app.name);
        println!("registry   {}", status.registry);
        println!("kubeconfig {}", status.kubeconfig.display());
    }

    fn print_next(&self, acts: &[Act]) {
        let name = &self.options.app.name;
        let repository = self.place.folder().join(name);
        println!("\nNext, in another terminal:");
        println!("  export LANDFALL_DATA={}", self.place.data().display());
        if let Some(last) = acts.last() {
            println!("  {} trace {}", self.program(), last.told.thread.commit.short());
        }
        println!("  {} ps", self.program());
        if setup::has_kubectl() {
            println!("  kubectl --kubeconfig {} -n {name} get pods", self.installation.status().kubeconfig.display());
        }
        println!("  cd {} && edit app.h, then: git commit -am 'My change' && git push landfall main", repository.display());
    }

    /// Something does not hold: says it, and keeps what may tell why.
    async fn unmet(&self, error: &anyhow::Error) -> anyhow::Result<Ending> {
        eprintln!("error: {error}");
        for cause in error.chain().skip(1) {
            eprintln!("  because: {cause}");
        }
        let kept = evidence::keep(&self.place, &self.installation, &self.options.app).await;
        for file in kept {
            eprintln!("  see       {}", file.display());
        }
        if self.options.after == After::Keep {
            let data = self.place.data().display();
            eprintln!("the server still runs; stop it: {} --data {data} down --purge --yes", self.program());
        } else {
            Installation::remove(self.place.data()).await?;
        }
        Ok(Ending::Unmet)
    }
}

/// A panic is a check that does not hold, too: the server must be stopped either way.
async fn caught<T>(story: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    AssertUnwindSafe(story).catch_unwind().await.unwrap_or_else(|_| Err(anyhow!("the demo itself failed")))
}
