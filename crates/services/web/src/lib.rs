//! Shows the records: the JSON API that the command line reads, and the page.
