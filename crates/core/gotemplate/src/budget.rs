//! Limits of one render: a hostile template can neither hang the process nor fill its memory.

use crate::error::FunctionError;

/// What one render may use; every nested template, `include` and `tpl` draws on the same budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes walked and functions called.
    pub steps: u64,
    /// Bytes written, those of nested outputs included.
    pub output_bytes: u64,
    /// Bytes of values that functions make.
    pub memory_bytes: u64,
    /// Templates within templates, including those that functions run. Go itself stops at 100,000.
    pub depth: u32,
}

impl Default for Limits {
    /// Far more than any public chart needs, and done within seconds.
    fn default() -> Self {
        Self {
            steps: 200_000_000,
            output_bytes: 1 << 30,
            memory_bytes: 4 << 30,
            depth: 100_000,
        }
    }
}

/// What is left of [`Limits`].
#[derive(Clone, Debug)]
pub struct Budget {
    limits: Limits,
    pub(crate) steps: u64,
    pub(crate) output_bytes: u64,
    pub(crate) memory_bytes: u64,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        let Limits {
            steps,
            output_bytes,
            memory_bytes,
            depth: _,
        } = limits;
        Self {
            limits,
            steps,
            output_bytes,
            memory_bytes,
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes steps.
    ///
    /// # Errors
    ///
    /// When none are left.
    pub fn take_steps(&mut self, steps: u64) -> Result<(), FunctionError> {
        take(&mut self.steps, steps, self.limits.steps, "steps")
    }

    /// Takes bytes of output.
    ///
    /// # Errors
    ///
    /// When none are left.
    pub fn take_output(&mut self, bytes: usize) -> Result<(), FunctionError> {
        take(
            &mut self.output_bytes,
            bytes as u64,
            self.limits.output_bytes,
            "bytes of output",
        )
    }

    /// Takes bytes of memory. A function calls it before it makes a value whose size the template chooses.
    ///
    /// # Errors
    ///
    /// When none are left.
    pub fn take_memory(&mut self, bytes: usize) -> Result<(), FunctionError> {
        take(
            &mut self.memory_bytes,
            bytes as u64,
            self.limits.memory_bytes,
            "bytes of memory",
        )
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[inline]
fn take(left: &mut u64, amount: u64, limit: u64, unit: &str) -> Result<(), FunctionError> {
    match left.checked_sub(amount) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => {
            *left = 0;
            Err(FunctionError {
                limit: true,
                ..FunctionError::new(format!("the render exceeds its limit of {limit} {unit}"))
            })
        }
    }
}
