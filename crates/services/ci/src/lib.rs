//! Runs workflows: turns pushes into runs, and runs into jobs in the sandbox.
