//! Landfall's kubectl beside the real one, on one cluster: the same words, codes and effects.

mod cases;
mod home;
mod releases;
