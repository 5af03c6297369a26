//! The tree of charts of one render: aliases, conditions and imported values change it, the loaded chart stays.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use gotemplate::Value;

use crate::{chart::Chart, metadata::Metadata, values::tree::entries_from_plain};

/// One chart of a render.
#[derive(Clone, Debug)]
pub(crate) struct WorkingChart {
    pub source: Arc<Chart>,
    /// With the alias as its name, and without what was disabled.
    pub metadata: Rc<Metadata>,
    /// Whether the chart has a list of dependencies, be it empty.
    pub declares: bool,
    /// Default values, with what was imported.
    pub values: Value,
    pub dependencies: Vec<Rc<RefCell<WorkingChart>>>,
}

impl WorkingChart {
    /// Everything as it was loaded.
    pub fn new(chart: &Arc<Chart>) -> Self {
        let dependencies = chart.dependencies.iter();
        Self {
            source: Arc::clone(chart),
            metadata: Rc::new(chart.metadata.clone()),
            declares: chart.metadata.declares_dependencies,
            values: Value::map(entries_from_plain(&chart.values)),
            dependencies: dependencies
                .map(|child| Rc::new(RefCell::new(Self::new(child))))
                .collect(),
        }
    }

    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// A copy that can change without the original: charts may be aliased twice.
    pub fn separate(&self) -> Self {
        let mut copy = self.clone();
        for child in &mut copy.dependencies {
            let separate = child.borrow().separate();
            *child = Rc::new(RefCell::new(separate));
        }
        copy
    }
}

/// What charts/ holds, checked against what Chart.yaml asks for.
///
/// # Errors
///
/// The names that are missing.
pub(crate) fn check_present(chart: &Chart) -> Result<(), Vec<String>> {
    let missing: Vec<String> = chart
        .metadata
        .dependencies
        .iter()
        .filter(|needed| chart.dependencies.iter().all(|it| it.name() != needed.name))
        .map(|needed| needed.name.clone())
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}
