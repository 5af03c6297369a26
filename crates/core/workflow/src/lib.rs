//! GitHub Actions workflows: parse, expressions, triggers, plan, the state machine of a run.
