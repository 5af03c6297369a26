//! How far a rollout may stray from the wanted number of pods.

use serde_json::Value;

use super::Deployment;

/// Pods above and below the wanted number that a rolling update may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenceposts {
    pub surge: i32,
    pub unavailable: i32,
}

#[derive(Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

/// Reads surge (rounded up) and unavailability (rounded down).
///
/// If both come to nought nothing could ever move, so one pod may then be missing.
pub fn fenceposts(deployment: &Deployment) -> Fenceposts {
    if !deployment.is_rolling() {
        return Fenceposts { surge: 0, unavailable: 0 };
    }
    let replicas = deployment.replicas();
    let rolling = &deployment.spec.strategy.rolling_update;
    let surge = scaled(&rolling.max_surge, replicas, Rounding::Up);
    let mut unavailable = scaled(&rolling.max_unavailable, replicas, Rounding::Down);
    if surge == 0 && unavailable == 0 {
        unavailable = 1;
    }
    Fenceposts { surge, unavailable: unavailable.min(replicas) }
}

/// Missing values are a quarter, the API's default.
fn scaled(value: &Value, replicas: i32, rounding: Rounding) -> i32 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().and_then(|it| i32::try_from(it).ok()).unwrap_or(0),
        Value::String(text) => match text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok()) {
            Some(percent) => percent,
            None => return text.parse().unwrap_or(0),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => 25,
    };
    let hundredths = percent.saturating_mul(i64::from(replicas));
    let whole = match rounding {
        Rounding::Up => hundredths.saturating_add(99).div_euclid(100),
        Rounding::Down => hundredths.div_euclid(100),
    };
    i32::try_from(whole).unwrap_or(i32::MAX)
}
