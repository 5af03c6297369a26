//! Real sandboxes on this machine. Without root or busybox these tests say so and pass.

mod adoption;
mod confinement;
mod host_view;
mod inside;
mod latency;
mod leaks;
mod networks;
mod processes;
mod world;

sandbox::act_as_spawner!();
