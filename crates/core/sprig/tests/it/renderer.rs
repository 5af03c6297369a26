//! Runs a template with our functions.

use std::{cell::Cell, rc::Rc};

use gotemplate::{Budget, MissingKey, Options, TemplateSet, Value};
use sprig::{Edition, Source};

/// A source whose time stands still and whose chance repeats.
pub struct Still(pub Cell<u64>);

impl Source for Still {
    fn now(&self) -> i128 {
        1_700_000_000_123_456_789
    }

    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let state = self
                .0
                .get()
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.0.set(state);
            *byte = (state >> 56) as u8;
        }
    }
}

/// What the template writes with `values` as `.Values`.
pub fn render(template: &str, values: &str, edition: Edition) -> Result<String, String> {
    let source: Rc<dyn Source> = Rc::new(Still(Cell::new(7)));
    let functions = sprig::functions(edition, &source);
    let values = sprig::from_yaml(values.as_bytes()).map_err(|it| it.to_string())?;
    let data = Value::map([("Values".into(), values)].into_iter().collect());
    let mut set = TemplateSet::new("gotpl");
    set.parse("c/templates/all.yaml", template, &functions)
        .map_err(|it| it.to_string())?;
    let options = Options {
        missing_key: MissingKey::Zero,
        ..Options::default()
    };
    let written = set.execute(
        "c/templates/all.yaml",
        &data,
        &functions,
        options,
        &mut Budget::default(),
    );
    written
        .map(|it| it.to_string())
        .map_err(|it| it.to_string())
}
