//! The jobs of the workflows here, as a table.

use serde_json::{Value, json};
use workflow::{Happening, Workflow, plan::{self, Known, PlannedJob, Surroundings}};

use super::super::{
    output::{Output, print_json, print_table},
    plan::{Asked, known},
    checkout::Checkout,
};

/// Prints every job with its legs, what it needs and what starts it.
pub fn list(workflows: &[(String, Workflow)], asked: &Asked<'_>, checkout: &Checkout, output: Output) -> anyhow::Result<()> {
    let happening = Happening { event: asked.event, payload: asked.payload, changed: None };
    let around = Surroundings { github: checkout.github(), vars: asked.vars.clone() };
    let mut rows = Vec::new();
    let mut items = Vec::new();
    for (path, workflow) in workflows {
        let events = events(workflow);
        for job in plan::plan(workflow, &happening, &around).jobs {
            let file = path.rsplit('/').next().unwrap_or(path);
            rows.push(vec![file.to_owned(), job.id.clone(), legs(&job), dash(job.needs.join(", ")), dash(events.join(", "))]);
            items.push(json!({
                "workflow": path, "name": workflow.display_name(), "job": job.id, "needs": job.needs,
                "legs": legs_json(&job), "events": events, "uses": job.call.as_ref().map(|it| &it.workflow),
            }));
        }
    }
    match output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "items": items}))?,
        Output::Table => print_table(&["WORKFLOW", "JOB", "LEGS", "NEEDS", "EVENTS"], &rows),
    }
    Ok(())
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn events(workflow: &Workflow) -> Vec<String> {
    workflow.triggers.events.iter().map(|it| it.event.clone()).collect()
}

fn legs(job: &PlannedJob) -> String {
    match &job.legs {
        Known::Now(legs) => {
            let names: Vec<_> = legs.iter().filter(|leg| !leg.matrix.is_null()).map(|leg| known(&leg.name)).collect();
            dash(names.join(", "))
        }
        Known::Later(source) | Known::Broken(source) => source.clone(),
    }
}

fn legs_json(job: &PlannedJob) -> Value {
    match &job.legs {
        Known::Now(legs) => {
            legs.iter().map(|leg| json!({"name": known(&leg.name), "matrix": leg.matrix})).collect()
        }
        Known::Later(source) => json!({"later": source}),
        Known::Broken(why) => json!({"error": why}),
    }
}
