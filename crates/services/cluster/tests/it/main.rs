//! Drives the API server as its clients do: with the real kubectl, with kube-rs, and request by request.

mod api;
mod client;
mod home;
mod kubectl;
mod kubectl_day;
mod lasting;
mod watching;
