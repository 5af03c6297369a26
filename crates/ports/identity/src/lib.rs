//! Who is asking: tokens and the principals behind them.
