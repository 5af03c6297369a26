//! Drives the real program from the outside: with git, kubectl, skopeo and curl, as people do.
//!
//! Every test starts an installation of its own in a temporary folder and
//! removes it in the end. Everything here needs root and a static busybox;
//! without them the tests are skipped and say so.

mod act;
mod article;
mod bad_input;
mod busybox;
mod causes;
mod clone;
mod demo;
mod drill;
mod evidence;
mod existing_cluster;
mod gitops;
mod home;
mod installation;
mod jobs;
mod kubectl;
mod local_run;
mod pipelines;
mod points;
mod program;
mod projects;
mod purge;
mod refusals;
mod registry;
mod repository;
mod restart;
mod rollback;
mod rollouts;
mod run_commands;
mod shop;
mod tests;
mod wait;
