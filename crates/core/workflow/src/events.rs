//! The events of the language: their activity types and the filters they take.

/// An event as `on` names it.
pub(crate) struct Event {
    pub name: &'static str,
    /// Empty where the event has none; `repository_dispatch` takes any.
    pub types: &'static [&'static str],
    /// What starts a workflow that names no types; empty for all.
    pub defaults: &'static [&'static str],
    pub keys: &'static [&'static str],
}

const NONE: &[&str] = &[];
const TYPES: &[&str] = &["types"];
const CREATED: &[&str] = &["created", "edited", "deleted"];
const PULL_REQUEST: &[&str] = &[
    "assigned",
    "unassigned",
    "labeled",
    "unlabeled",
    "opened",
    "edited",
    "closed",
    "reopened",
    "synchronize",
    "converted_to_draft",
    "locked",
    "unlocked",
    "enqueued",
    "dequeued",
    "milestoned",
    "demilestoned",
    "ready_for_review",
    "review_requested",
    "review_request_removed",
    "auto_merge_enabled",
    "auto_merge_disabled",
    "stacked",
];
const PULL_REQUEST_DEFAULTS: &[&str] = &["opened", "synchronize", "reopened"];
const PULL_REQUEST_KEYS: &[&str] = &[
    "types",
    "branches",
    "branches-ignore",
    "paths",
    "paths-ignore",
];
const PUSH_KEYS: &[&str] = &[
    "branches",
    "branches-ignore",
    "tags",
    "tags-ignore",
    "paths",
    "paths-ignore",
];
const ISSUES: &[&str] = &[
    "opened",
    "edited",
    "deleted",
    "transferred",
    "pinned",
    "unpinned",
    "closed",
    "reopened",
    "assigned",
    "unassigned",
    "labeled",
    "unlabeled",
    "locked",
    "unlocked",
    "milestoned",
    "demilestoned",
    "field_added",
    "field_removed",
    "typed",
    "untyped",
];
const DISCUSSION: &[&str] = &[
    "created",
    "edited",
    "deleted",
    "transferred",
    "pinned",
    "unpinned",
    "labeled",
    "unlabeled",
    "locked",
    "unlocked",
    "category_changed",
    "answered",
    "unanswered",
];

const fn plain(name: &'static str) -> Event {
    Event {
        name,
        types: NONE,
        defaults: NONE,
        keys: NONE,
    }
}

const fn typed(name: &'static str, types: &'static [&'static str]) -> Event {
    Event {
        name,
        types,
        defaults: NONE,
        keys: TYPES,
    }
}

const fn keyed(name: &'static str, keys: &'static [&'static str]) -> Event {
    Event {
        name,
        types: NONE,
        defaults: NONE,
        keys,
    }
}

pub(crate) const EVENTS: &[Event] = &[
    typed("branch_protection_rule", CREATED),
    typed(
        "check_run",
        &["completed", "created", "rerequested", "requested_action"],
    ),
    typed("check_suite", &["completed"]),
    plain("create"),
    plain("delete"),
    plain("deployment"),
    plain("deployment_status"),
    typed("discussion", DISCUSSION),
    typed("discussion_comment", CREATED),
    plain("fork"),
    plain("gollum"),
    Event {
        name: "image_version",
        types: &["created", "ready", "deleted"],
        defaults: NONE,
        keys: &["types", "names", "versions"],
    },
    typed("issue_comment", CREATED),
    typed("issues", ISSUES),
    typed("label", CREATED),
    Event {
        name: "merge_group",
        types: &["checks_requested"],
        defaults: NONE,
        keys: &["types", "branches", "branches-ignore"],
    },
    typed(
        "milestone",
        &["created", "closed", "opened", "edited", "deleted"],
    ),
    plain("page_build"),
    typed(
        "project",
        &["created", "closed", "reopened", "edited", "deleted"],
    ),
    typed(
        "project_card",
        &["created", "moved", "converted", "edited", "deleted"],
    ),
    typed(
        "project_column",
        &["created", "updated", "moved", "deleted"],
    ),
    plain("public"),
    Event {
        name: "pull_request",
        types: PULL_REQUEST,
        defaults: PULL_REQUEST_DEFAULTS,
        keys: PULL_REQUEST_KEYS,
    },
    typed("pull_request_comment", CREATED),
    typed("pull_request_review", &["submitted", "edited", "dismissed"]),
    typed("pull_request_review_comment", CREATED),
    Event {
        name: "pull_request_target",
        types: PULL_REQUEST,
        defaults: PULL_REQUEST_DEFAULTS,
        keys: PULL_REQUEST_KEYS,
    },
    keyed("push", PUSH_KEYS),
    typed("registry_package", &["published", "updated"]),
    typed(
        "release",
        &[
            "published",
            "unpublished",
            "created",
            "edited",
            "deleted",
            "prereleased",
            "released",
        ],
    ),
    keyed("repository_dispatch", TYPES),
    keyed("schedule", NONE),
    plain("status"),
    typed("watch", &["started"]),
    keyed("workflow_call", &["inputs", "outputs", "secrets"]),
    keyed("workflow_dispatch", &["inputs"]),
    Event {
        name: "workflow_run",
        types: &["requested", "completed", "in_progress"],
        defaults: NONE,
        keys: &["types", "workflows", "branches", "branches-ignore"],
    },
];

pub(crate) fn find(name: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|it| it.name == name)
}
