//! What may stand where in a workflow file.

use super::{Key, Keys, Mapping, NOTHING, Scalar, Shape, key, required};
use crate::context::Access;

const TEXT: Shape = Shape::scalar("text", &[Scalar::Text]);
const WORD: Shape = Shape::scalar("text that is not empty", &[Scalar::NonEmpty]);
const BOOL: Shape = Shape::scalar("true or false", &[Scalar::Bool]);
const NUMBER: Shape = Shape::scalar("a number", &[Scalar::Number]);
const PLAIN: &[Scalar] = &[Scalar::Text, Scalar::Bool, Scalar::Number];

static ANY: Shape = Shape {
    any: true,
    ..NOTHING
};
static TEXT_ONLY: Shape = TEXT;
static NON_EMPTY: Shape = WORD;
static BOOL_ONLY: Shape = BOOL;
static TEXTS: Shape = Shape::list("a sequence of texts", &TEXT_ONLY);
static WORDS: Shape = Shape::list("a sequence of texts", &NON_EMPTY);
const WORD_OR_WORDS: Shape = WORD.or_list(&NON_EMPTY);
pub(super) static ONE_OR_MORE: Shape = WORD_OR_WORDS;
pub(super) static MORE: Shape = Shape::list("a sequence of texts", &NON_EMPTY);

pub(super) static ROOT: Shape = Shape::mapping(
    "a workflow",
    &[Mapping::of(
        "a workflow",
        &[
            required("on", &ON),
            key("name", &TEXT_ONLY),
            key("description", &TEXT_ONLY),
            key("run-name", &RUN_NAME),
            key("defaults", &WORKFLOW_DEFAULTS),
            key("env", &WORKFLOW_ENV),
            key("permissions", &PERMISSIONS),
            key("concurrency", &WORKFLOW_CONCURRENCY),
            required("jobs", &JOBS),
        ],
    )],
);
static ON: Shape = Shape {
    what: "events",
    events: true,
    ..NOTHING
};
static RUN_NAME: Shape = TEXT.with(Access::RUN);
static WORKFLOW_ENV: Shape = NAMED_TEXTS.with(Access::WORKFLOW_ENV);
const NAMED_TEXTS: Shape = Shape::mapping("names with values", &NAMED);
static NAMED: [Mapping; 1] = [Mapping::loose("names with values", &TEXT_ONLY).computed()];

// The inputs of events.

pub(super) static DISPATCH: Shape = Shape::mapping(
    "`workflow_dispatch`",
    &[Mapping::of(
        "`workflow_dispatch`",
        &[key("inputs", &DISPATCH_INPUTS)],
    )],
)
.or(&[Scalar::Null]);
static DISPATCH_INPUTS: Shape =
    Shape::mapping("inputs", &[Mapping::loose("inputs", &DISPATCH_INPUT)]);
static DISPATCH_INPUT: Shape = Shape::mapping(
    "an input",
    &[Mapping::of(
        "an input",
        &[
            key("description", &TEXT_ONLY),
            key("type", &DISPATCH_TYPE),
            key("required", &BOOL_ONLY),
            key("default", &PLAIN_ONLY),
            key("options", &TEXTS),
            key("deprecationMessage", &TEXT_ONLY),
        ],
    )],
);
static PLAIN_ONLY: Shape = Shape::scalar("text, a number, true or false", PLAIN);
static DISPATCH_TYPE: Shape = Shape::scalar(
    "string, boolean, number, choice or environment",
    &[
        Scalar::Word("string"),
        Scalar::Word("boolean"),
        Scalar::Word("number"),
        Scalar::Word("choice"),
        Scalar::Word("environment"),
    ],
);
pub(super) static CALL: Shape = Shape::mapping(
    "`workflow_call`",
    &[Mapping::of(
        "`workflow_call`",
        &[
            key("inputs", &CALL_INPUTS),
            key("outputs", &CALL_OUTPUTS),
            key("secrets", &CALL_SECRETS),
        ],
    )],
)
.or(&[Scalar::Null]);
static CALL_INPUTS: Shape = Shape::mapping("inputs", &[Mapping::loose("inputs", &CALL_INPUT)]);
static CALL_INPUT: Shape = Shape::mapping(
    "an input",
    &[Mapping::of(
        "an input",
        &[
            key("description", &TEXT_ONLY),
            required("type", &CALL_TYPE),
            key("required", &BOOL_ONLY),
            key("default", &CALL_DEFAULT),
            key("deprecationMessage", &TEXT_ONLY),
        ],
    )],
);
static CALL_TYPE: Shape = Shape::scalar(
    "string, boolean or number",
    &[
        Scalar::Word("string"),
        Scalar::Word("boolean"),
        Scalar::Word("number"),
    ],
);
static CALL_DEFAULT: Shape =
    Shape::scalar("text, a number, true or false", PLAIN).with(Access::RUN);
static CALL_OUTPUTS: Shape = Shape::mapping("outputs", &[Mapping::loose("outputs", &CALL_OUTPUT)]);
static CALL_OUTPUT: Shape = Shape::mapping(
    "an output",
    &[Mapping::of(
        "an output",
        &[
            key("description", &TEXT_ONLY),
            required("value", &OUTPUT_VALUE),
        ],
    )],
);
static OUTPUT_VALUE: Shape = TEXT.with(Access::CALL_OUTPUT);
static CALL_SECRETS: Shape = Shape::mapping("secrets", &[Mapping::loose("secrets", &CALL_SECRET)]);
static CALL_SECRET: Shape = Shape::mapping(
    "a secret",
    &[Mapping::of(
        "a secret",
        &[key("description", &TEXT_ONLY), key("required", &BOOL_ONLY)],
    )],
)
.or(&[Scalar::Null]);
pub(super) static SCHEDULE: Shape = Shape::list("a sequence of `cron` entries", &CRON);
static CRON: Shape = Shape::mapping(
    "an entry with `cron`",
    &[Mapping::of(
        "an entry of `schedule`",
        &[required("cron", &NON_EMPTY), key("timezone", &NON_EMPTY)],
    )],
);

// Settings that workflows and jobs share.

const SHELL_KEYS: &[Key] = &[
    key("shell", &NON_EMPTY),
    key("working-directory", &NON_EMPTY),
];
static WORKFLOW_DEFAULTS: Shape = Shape::mapping(
    "`defaults`",
    &[Mapping::of("`defaults`", &[key("run", &WORKFLOW_RUN)])],
);
static WORKFLOW_RUN: Shape = Shape::mapping("`run`", &[Mapping::of("`run`", SHELL_KEYS)]);
static JOB_DEFAULTS: Shape = Shape::mapping(
    "`defaults`",
    &[Mapping::of("`defaults`", &[key("run", &JOB_RUN)])],
);
static JOB_RUN: Shape =
    Shape::mapping("`run`", &[Mapping::of("`run`", SHELL_KEYS)]).with(Access::JOB_DEFAULTS);
static CONCURRENCY: [Mapping; 1] = [Mapping::of(
    "`concurrency`",
    &[
        required("group", &NON_EMPTY),
        key("cancel-in-progress", &BOOL_ONLY),
        key("queue", &QUEUE),
    ],
)];
static QUEUE: Shape = Shape::scalar(
    "`single` or `max`",
    &[Scalar::Word("single"), Scalar::Word("max")],
);
static WORKFLOW_CONCURRENCY: Shape = Shape::mapping("text or `group`", &CONCURRENCY)
    .or(&[Scalar::Text])
    .with(Access::RUN);
static JOB_CONCURRENCY: Shape = Shape::mapping("text or `group`", &CONCURRENCY)
    .or(&[Scalar::NonEmpty])
    .with(Access::JOB);

static PERMISSIONS: Shape = Shape::mapping(
    "`read-all`, `write-all` or a mapping",
    &[Mapping::of(
        "`permissions`",
        &[
            key("actions", &LEVEL),
            key("artifact-metadata", &LEVEL),
            key("attestations", &LEVEL),
            key("checks", &LEVEL),
            key("code-quality", &LEVEL),
            key("contents", &LEVEL),
            key("copilot-requests", &WRITE_LEVEL),
            key("deployments", &LEVEL),
            key("discussions", &LEVEL),
            key("drives", &LEVEL),
            key("id-token", &WRITE_LEVEL),
            key("issues", &LEVEL),
            key("models", &MODELS_LEVEL),
            key("packages", &LEVEL),
            key("pages", &LEVEL),
            key("pull-requests", &LEVEL),
            key("repository-projects", &LEVEL),
            key("security-events", &LEVEL),
            key("statuses", &LEVEL),
            key("vulnerability-alerts", &READ_LEVEL),
        ],
    )],
)
.or(&[Scalar::Word("read-all"), Scalar::Word("write-all")]);
static LEVEL: Shape = Shape::scalar(
    "`read`, `write` or `none`",
    &[
        Scalar::Word("read"),
        Scalar::Word("write"),
        Scalar::Word("none"),
    ],
);
static READ_LEVEL: Shape = Shape::scalar(
    "`read` or `none`",
    &[Scalar::Word("read"), Scalar::Word("none")],
);
static MODELS_LEVEL: Shape = READ_LEVEL_SHAPE;
const READ_LEVEL_SHAPE: Shape = Shape::scalar(
    "`read` or `none`",
    &[Scalar::Word("read"), Scalar::Word("none")],
);
static WRITE_LEVEL: Shape = Shape::scalar(
    "`write` or `none`",
    &[Scalar::Word("write"), Scalar::Word("none")],
);

// Jobs.

static JOBS: Shape = Shape::mapping("jobs", &[Mapping::loose("`jobs`", &JOB)]);
static JOB: Shape = Shape::mapping(
    "a job",
    &[
        Mapping::of(
            "a job",
            &[
                key("needs", &ONE_OR_MORE),
                key("if", &JOB_IF),
                key("strategy", &STRATEGY),
                key("name", &JOB_TEXT),
                required("runs-on", &RUNS_ON),
                key("timeout-minutes", &JOB_NUMBER),
                key("cancel-timeout-minutes", &JOB_NUMBER),
                key("continue-on-error", &JOB_BOOL),
                key("container", &CONTAINER),
                key("services", &SERVICES),
                key("env", &JOB_ENV),
                key("environment", &ENVIRONMENT),
                key("permissions", &PERMISSIONS),
                key("concurrency", &JOB_CONCURRENCY),
                key("outputs", &OUTPUTS),
                key("defaults", &JOB_DEFAULTS),
                key("steps", &STEPS),
                key("snapshot", &SNAPSHOT),
            ],
        ),
        Mapping::of(
            "a job with `uses`",
            &[
                key("name", &JOB_TEXT),
                required("uses", &NON_EMPTY),
                key("with", &CALL_WITH),
                key("secrets", &SECRETS),
                key("needs", &ONE_OR_MORE),
                key("if", &JOB_IF),
                key("permissions", &PERMISSIONS),
                key("concurrency", &JOB_CONCURRENCY),
                key("strategy", &STRATEGY),
            ],
        ),
    ],
);
static JOB_IF: Shape = Shape {
    condition: true,
    ..TEXT.with(Access::JOB_IF)
};
static JOB_TEXT: Shape = TEXT.with(Access::JOB);
static JOB_NUMBER: Shape = NUMBER.with(Access::JOB);
static JOB_BOOL: Shape = BOOL.with(Access::JOB);
static JOB_ENV: Shape = NAMED_TEXTS.with(Access::JOB_SECRETS);
static CALL_WITH: Shape = Shape::mapping(
    "inputs with values",
    &[Mapping::loose("`with`", &CALL_VALUE)],
);
static CALL_VALUE: Shape = Shape::scalar("text, a number, true or false", PLAIN).with(Access::JOB);
static SECRETS: Shape = Shape::mapping(
    "secrets with values or `inherit`",
    &[Mapping::loose("`secrets`", &SECRET_VALUE)],
)
.or(&[Scalar::Word("inherit")]);
static SECRET_VALUE: Shape =
    Shape::scalar("text, a number, true or false", PLAIN).with(Access::JOB_SECRETS);
static OUTPUTS: Shape = Shape::mapping(
    "outputs with values",
    &[Mapping::loose("`outputs`", &RUNNER_SECRETS)],
);
static RUNNER_SECRETS: Shape = TEXT.with(Access::RUNNER_SECRETS);

static STRATEGY: Shape = Shape::mapping(
    "`strategy`",
    &[Mapping::of(
        "`strategy`",
        &[
            key("fail-fast", &BOOL_ONLY),
            key("max-parallel", &NUMBER_ONLY),
            key("matrix", &MATRIX),
        ],
    )],
)
.with(Access::STRATEGY);
static NUMBER_ONLY: Shape = NUMBER;
static MATRIX: Shape = Shape::mapping(
    "a mapping of vectors",
    &[Mapping {
        what: "`matrix`",
        keys: &[key("include", &COMBINATIONS), key("exclude", &COMBINATIONS)],
        loose: Some(&VECTOR),
        free: Keys::MayBeExpressions,
    }],
);
static VECTOR: Shape = Shape::list("a sequence of values", &ANY);
static COMBINATIONS: Shape = Shape::list("a sequence of mappings", &COMBINATION);
static COMBINATION: Shape = Shape::mapping(
    "a mapping",
    &[Mapping::loose("a combination", &ANY).computed()],
);

static RUNS_ON: Shape = Shape::mapping(
    "text, a sequence of texts, or `group` and `labels`",
    &[Mapping::of(
        "`runs-on`",
        &[key("group", &NON_EMPTY), key("labels", &ONE_OR_MORE)],
    )],
)
.or(&[Scalar::NonEmpty])
.or_list(&NON_EMPTY)
.with(Access::JOB);
static ENVIRONMENT: Shape = Shape::mapping(
    "text or `name`",
    &[Mapping::of(
        "`environment`",
        &[
            required("name", &JOB_TEXT),
            key("url", &ENVIRONMENT_URL),
            key("deployment", &BOOL_ONLY),
        ],
    )],
)
.or(&[Scalar::Text])
.with(Access::JOB);
static ENVIRONMENT_URL: Shape = TEXT.with(Access::RUNNER);
static SNAPSHOT: Shape = Shape::mapping(
    "text or `image-name`",
    &[Mapping::of(
        "`snapshot`",
        &[
            required("image-name", &NON_EMPTY),
            key("if", &SNAPSHOT_IF),
            key("version", &NON_EMPTY),
        ],
    )],
)
.or(&[Scalar::NonEmpty]);
static SNAPSHOT_IF: Shape = Shape {
    condition: true,
    ..TEXT.with(Access::JOB)
};

// Containers.

static CONTAINER: Shape = Shape::mapping(
    "an image or a mapping with `image`",
    &[Mapping::of(
        "`container`",
        &[
            key("image", &NON_EMPTY),
            key("options", &TEXT_ONLY),
            key("env", &CONTAINER_ENV),
            key("ports", &WORDS),
            key("volumes", &WORDS),
            key("credentials", &CREDENTIALS),
        ],
    )
    .computed()],
)
.or(&[Scalar::Text])
.with(Access::JOB);
static SERVICES: Shape = Shape::mapping(
    "services by their id",
    &[Mapping::loose("`services`", &SERVICE).computed()],
)
.with(Access::JOB);
static SERVICE: Shape = Shape::mapping(
    "an image or a mapping with `image`",
    &[Mapping::of(
        "a service",
        &[
            key("image", &NON_EMPTY),
            key("options", &TEXT_ONLY),
            key("env", &CONTAINER_ENV),
            key("ports", &WORDS),
            key("volumes", &WORDS),
            key("credentials", &CREDENTIALS),
            key("entrypoint", &TEXT_ONLY),
            key("command", &TEXT_ONLY),
        ],
    )
    .computed()],
)
.or(&[Scalar::NonEmpty]);
static CONTAINER_ENV: Shape = Shape::mapping(
    "names with values",
    &[Mapping::loose("`env`", &RUNNER_SECRETS).computed()],
);
static CREDENTIALS: Shape = Shape::mapping(
    "`username` and `password`",
    &[Mapping::of(
        "`credentials`",
        &[key("username", &NON_EMPTY), key("password", &NON_EMPTY)],
    )],
)
.with(Access::CREDENTIALS);

// Steps.

static STEPS: Shape = Shape::list("a sequence of steps", &STEP);
static STEP: Shape = Shape::mapping(
    "a step",
    &[
        Mapping::of(
            "a step with `run`",
            &[
                key("name", &STEP_TEXT),
                key("id", &NON_EMPTY),
                key("if", &STEP_IF),
                key("timeout-minutes", &STEP_NUMBER),
                required("run", &STEP_TEXT),
                key("continue-on-error", &STEP_BOOL),
                key("env", &STEP_TEXTS),
                key("working-directory", &STEP_TEXT),
                key("shell", &STEP_SHELL),
                key("background", &BOOL_ONLY),
            ],
        ),
        Mapping::of(
            "a step with `uses`",
            &[
                key("name", &STEP_TEXT),
                key("id", &NON_EMPTY),
                key("if", &STEP_IF),
                key("continue-on-error", &STEP_BOOL),
                key("timeout-minutes", &STEP_NUMBER),
                required("uses", &NON_EMPTY),
                key("with", &STEP_TEXTS),
                key("env", &STEP_TEXTS),
                key("background", &BOOL_ONLY),
            ],
        ),
        Mapping::of(
            "a step with `wait`",
            &[
                key("name", &STEP_TEXT),
                key("id", &NON_EMPTY),
                key("continue-on-error", &STEP_BOOL),
                required("wait", &ONE_OR_MORE),
            ],
        ),
        Mapping::of(
            "a step with `wait-all`",
            &[
                key("name", &STEP_TEXT),
                key("id", &NON_EMPTY),
                key("continue-on-error", &STEP_BOOL),
                required("wait-all", &WAIT_ALL),
            ],
        ),
        Mapping::of(
            "a step with `cancel`",
            &[
                key("name", &STEP_TEXT),
                key("id", &NON_EMPTY),
                key("continue-on-error", &STEP_BOOL),
                required("cancel", &NON_EMPTY),
            ],
        ),
        Mapping::of("a step with `parallel`", &[required("parallel", &STEPS)]),
    ],
);
static STEP_IF: Shape = Shape {
    condition: true,
    ..TEXT.with(Access::STEP_IF)
};
static STEP_TEXT: Shape = TEXT.with(Access::STEP);
static STEP_NUMBER: Shape = NUMBER.with(Access::STEP);
static STEP_BOOL: Shape = BOOL.with(Access::STEP);
static STEP_TEXTS: Shape = NAMED_TEXTS.with(Access::STEP);
static STEP_SHELL: Shape = WORD;
static WAIT_ALL: Shape = Shape::scalar("nothing or true", &[Scalar::Null, Scalar::Bool]);
