//! The pipeline service on real sandboxes: whole workflows in, results and logs out.

mod actions;
mod caches;
mod checkout;
mod containers;
mod events;
mod natives;
mod output;
mod runs;
mod speed;
mod toolkit;
mod trust;
mod world;

sandbox::act_as_spawner!();
ci::act_as_action!();
