//! Properties that there are not: a misspelt one is null and nobody is told.

use workflow::{
    expr::{Access, Step},
    nearest,
};
use yaml::Node;

use super::{
    File, items, properties, steps, texts,
    walk::{Found, Site, Uses},
};

/// A name in an access that there is not.
struct Unknown {
    code: &'static str,
    name: String,
    message: String,
    /// What may stand there.
    known: Vec<String>,
}

pub(super) fn check(file: &mut File<'_>, uses: &Uses<'_>) {
    for found in &uses.all {
        for access in found.expression.accesses() {
            if let Some(unknown) = judge(file.root, found, &access) {
                report(file, uses, found, &access, &unknown);
            }
        }
    }
}

fn report(file: &mut File<'_>, uses: &Uses<'_>, found: &Found<'_>, access: &Access<'_>, unknown: &Unknown) {
    let text = found.expression.text();
    let behind = text.get(access.at + access.context.len()..).unwrap_or_default();
    let offset = behind.to_lowercase().find(&unknown.name.to_lowercase()).unwrap_or(0);
    let span = uses.span(found, access.at + access.context.len() + offset, unknown.name.len());
    let near = nearest(&unknown.name, unknown.known.iter().map(String::as_str)).map(str::to_owned);
    let finding = file.warn(span, unknown.code, &unknown.message);
    match near {
        Some(near) => finding.help.push(format!("did you mean `{near}`?")),
        None if unknown.known.is_empty() => {}
        None => finding.help.push(format!("known here: {}", unknown.known.join(", "))),
    }
}

fn judge(root: &Node, found: &Found<'_>, access: &Access<'_>) -> Option<Unknown> {
    let mut names = access.path.iter().map_while(|it| match it {
        Step::Name(name) => Some(*name),
        Step::All => None,
    });
    let first = names.next()?;
    let rest: Vec<_> = names.collect();
    let site = found.site;
    match access.context {
        "github" => fixed("github", first, properties::GITHUB),
        "runner" => fixed("runner", first, properties::RUNNER),
        "strategy" => fixed("strategy", first, properties::STRATEGY),
        "job" => fixed("job", first, properties::JOB),
        "steps" => step(site, first, &rest),
        "needs" => need(root, site, first, &rest),
        "jobs" => job(root, first, &rest),
        "matrix" => matrix(site, first),
        "inputs" => input(root, first),
        _ => None,
    }
}

fn among<'a>(name: &str, mut known: impl Iterator<Item = &'a str>) -> bool {
    known.any(|it| it.eq_ignore_ascii_case(name))
}

fn fixed(context: &str, name: &str, known: &[&str]) -> Option<Unknown> {
    (!among(name, known.iter().copied())).then(|| Unknown {
        code: "LF-W0030",
        name: name.to_owned(),
        message: format!("`{context}` has no `{name}`, so this is always empty"),
        known: known.iter().map(|it| (*it).to_owned()).collect(),
    })
}

fn step(site: Site<'_>, id: &str, rest: &[&str]) -> Option<Unknown> {
    let (_, job) = site.job?;
    let here = site.step.map_or(usize::MAX, |(position, _)| position);
    let all = steps(job);
    let with_id = |(position, step): &(usize, &Node)| Some((*position, step.get("id")?.text()?.to_owned()));
    let ids: Vec<_> = all.iter().filter_map(with_id).collect();
    let known: Vec<_> = ids.iter().filter(|(at, _)| *at < here).map(|(_, id)| id.clone()).collect();
    match ids.iter().find(|(_, it)| it.eq_ignore_ascii_case(id)) {
        None => Some(Unknown {
            code: "LF-W0030",
            name: id.to_owned(),
            message: format!("no step has the id `{id}`, so this is always empty"),
            known,
        }),
        Some((at, _)) if *at >= here => Some(Unknown {
            code: "LF-W0030",
            name: id.to_owned(),
            message: format!("step `{id}` does not stand above, so this is always empty"),
            known,
        }),
        Some(_) => fixed("a step", rest.first()?, properties::STEP),
    }
}

fn need(root: &Node, site: Site<'_>, id: &str, rest: &[&str]) -> Option<Unknown> {
    let (own, job) = site.job?;
    let needs = texts(job.get("needs"));
    if !among(id, needs.iter().copied()) {
        // The condition of a job was looked at when the file was read.
        return (site.key != "if" || site.step.is_some()).then(|| Unknown {
            code: "LF-W0016",
            name: id.to_owned(),
            message: format!("`needs.{id}` is always empty: job `{own}` does not need `{id}`"),
            known: needs.iter().map(|it| (*it).to_owned()).collect(),
        });
    }
    outputs(root, id, rest)
}

fn job(root: &Node, id: &str, rest: &[&str]) -> Option<Unknown> {
    let jobs = root.get("jobs")?.entries();
    if !among(id, jobs.iter().map(|it| it.key.as_str())) {
        return Some(Unknown {
            code: "LF-W0030",
            name: id.to_owned(),
            message: format!("no job has the id `{id}`, so this is always empty"),
            known: jobs.iter().map(|it| it.key.clone()).collect(),
        });
    }
    outputs(root, id, rest)
}

/// `outputs.x` behind the id of a job.
fn outputs(root: &Node, id: &str, rest: &[&str]) -> Option<Unknown> {
    let first = rest.first()?;
    if let Some(unknown) = fixed("a job", first, properties::NEED) {
        return Some(unknown);
    }
    let name = rest.get(1).filter(|_| first.eq_ignore_ascii_case("outputs"))?;
    let job = root.get("jobs")?.entries().iter().find(|it| it.key.eq_ignore_ascii_case(id))?;
    // What a called workflow gives stands in its own file.
    if job.value.get("uses").is_some() {
        return None;
    }
    let known = job.value.get("outputs").map(Node::entries).unwrap_or_default();
    (!among(name, known.iter().map(|it| it.key.as_str()))).then(|| Unknown {
        code: "LF-W0030",
        name: (*name).to_owned(),
        message: format!("job `{id}` has no output `{name}`, so this is always empty"),
        known: known.iter().map(|it| it.key.clone()).collect(),
    })
}

fn matrix(site: Site<'_>, name: &str) -> Option<Unknown> {
    let (id, job) = site.job?;
    let strategy = job.get("strategy");
    let matrix = strategy.and_then(|it| it.get("matrix"));
    let Some(matrix) = matrix else {
        let dynamic = strategy.is_some_and(|it| it.text().is_some());
        return (!dynamic).then(|| Unknown {
            code: "LF-W0030",
            name: name.to_owned(),
            message: format!("job `{id}` has no matrix, so this is always empty"),
            known: Vec::new(),
        });
    };
    let include = matrix.get("include");
    let dynamic = |node: &Node| node.text().is_some_and(|it| it.contains("${{"));
    if dynamic(matrix) || include.is_some_and(|it| dynamic(it) || items(Some(it)).iter().any(dynamic)) {
        return None;
    }
    let vectors = matrix.entries().iter().filter(|it| !["include", "exclude"].contains(&it.key.as_str()));
    let added = items(include).iter().flat_map(Node::entries);
    let known: Vec<_> = vectors.chain(added).map(|it| it.key.clone()).collect();
    (!among(name, known.iter().map(String::as_str))).then(|| Unknown {
        code: "LF-W0030",
        name: name.to_owned(),
        message: format!("the matrix has no `{name}`, so this is always empty"),
        known,
    })
}

fn input(root: &Node, name: &str) -> Option<Unknown> {
    let events = root.get("on")?;
    let mut known = Vec::new();
    for event in ["workflow_dispatch", "workflow_call"] {
        let inputs = events.get(event).and_then(|it| it.get("inputs"));
        known.extend(inputs.map(Node::entries).unwrap_or_default().iter().map(|it| it.key.clone()));
    }
    (!among(name, known.iter().map(String::as_str))).then(|| Unknown {
        code: "LF-W0030",
        name: name.to_owned(),
        message: format!("the workflow has no input `{name}`, so this is always empty"),
        known,
    })
}
