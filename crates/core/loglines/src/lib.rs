//! What every byte of output passes through on its way into a log.
//!
//! A process prints; the spawner cuts that into entries ([`Cutter`]), whoever reads the file takes
//! them apart again ([`Entry`]), and most of them go into the log of a job as they are ([`Scribe`]). A step may
//! print a million lines a minute, so all that is done for each of them stands in this crate,
//! which is always built with all optimisations, and nothing here takes a line for itself.

mod cutter;
mod entry;
mod json;
mod scribe;
mod sieve;
mod time;

pub use cutter::{Cutter, LONGEST_LINE};
pub use entry::{Entry, Stream};
pub use json::push_text;
pub use scribe::{Heading, Scribe, Scope};
pub use sieve::Sieve;
pub use time::{read_micros, write_micros, write_nanos};
