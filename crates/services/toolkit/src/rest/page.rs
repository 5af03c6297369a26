//! Pages: which part of a list a client asks for, and where the others are.

use axum::http::header;
use serde_json::Value;

use super::{Ask, answer::Answer};

const PER_PAGE: usize = 30;
/// GitHub's own limit.
const PER_PAGE_MAX: usize = 100;

/// The part of a list that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Counts from 1.
    number: usize,
    pub size: usize,
}

impl Page {
    pub fn of(ask: &Ask<'_>) -> Self {
        Self::parse(ask.query.get("page"), ask.query.get("per_page"))
    }

    fn parse(number: &str, size: &str) -> Self {
        let positive = |text: &str| text.parse::<usize>().ok().filter(|it| *it > 0);
        Self {
            number: positive(number).unwrap_or(1).min(usize::MAX / PER_PAGE_MAX),
            size: positive(size).unwrap_or(PER_PAGE).min(PER_PAGE_MAX),
        }
    }

    /// How many entries stand before the page.
    pub fn skipped(self) -> usize {
        (self.number - 1) * self.size
    }

    /// The entries of this page.
    pub fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.skipped()).take(self.size).collect()
    }

    /// Adds the addresses of the other pages of `total` entries.
    pub fn answer(self, ask: &Ask<'_>, total: usize, body: Value) -> Answer {
        let links = self.links(total.div_ceil(self.size), |number| self.address(ask, number));
        link(Answer::json(body), links)
    }

    /// As [`Page::answer`], for a list whose end is not known.
    pub fn answer_open(self, ask: &Ask<'_>, more: bool, body: Value) -> Answer {
        let last = self.number + usize::from(more);
        let links: Vec<_> =
            self.links(last, |number| self.address(ask, number)).into_iter().filter(|it| !it.ends_with("\"last\"")).collect();
        link(Answer::json(body), links)
    }

    fn links(self, last: usize, address: impl Fn(usize) -> String) -> Vec<String> {
        let mut links = Vec::new();
        let mut add = |number: usize, name: &str| links.push(format!("<{}>; rel=\"{name}\"", address(number)));
        if self.number > 1 {
            add(self.number - 1, "prev");
            add(1, "first");
        }
        if self.number < last {
            add(self.number + 1, "next");
            add(last, "last");
        }
        links
    }

    fn address(self, ask: &Ask<'_>, number: usize) -> String {
        let path = ask.uri.path();
        let path = path.strip_prefix("/api/v3").unwrap_or(path);
        let others = ask.uri.query().unwrap_or_default().split('&').filter(|pair| {
            !pair.is_empty() && !pair.starts_with("page=") && !pair.starts_with("per_page=")
        });
        let query: Vec<String> =
            others.map(str::to_owned).chain([format!("per_page={}", self.size), format!("page={number}")]).collect();
        format!("{}{path}?{}", ask.api(), query.join("&"))
    }
}

fn link(answer: Answer, links: Vec<String>) -> Answer {
    if links.is_empty() { answer } else { answer.with(header::LINK, links.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_githubs_limits() {
        let page = |number, size| Page::parse(number, size);
        assert_eq!(page("", ""), Page { number: 1, size: 30 });
        assert_eq!(page("0", "x"), Page { number: 1, size: 30 });
        assert_eq!(page("3", "1000"), Page { number: 3, size: 100 });
        assert_eq!(page("3", "2").cut((0..5).collect()), [4]);
        assert_eq!(page("18446744073709551615", "100").cut((0..5).collect::<Vec<i32>>()), Vec::<i32>::new());
    }

    #[test]
    fn links_lead_to_the_neighbours_and_the_ends() {
        let links = |number: &str, last| Page::parse(number, "").links(last, |it| it.to_string()).join(", ");
        assert_eq!(links("1", 1), "");
        assert_eq!(links("1", 3), "<2>; rel=\"next\", <3>; rel=\"last\"");
        assert_eq!(links("3", 3), "<2>; rel=\"prev\", <1>; rel=\"first\"");
    }
}
