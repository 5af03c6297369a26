//! Versions as templates see them: fields by way of methods.

use std::any::Any;

use gotemplate::{Answer, Call, Kind, Method, Object, Signature, Text, Type, Value};

use super::Version;
use crate::arguments::{any, string};

pub(super) const POINTER: Type = Type::Object("*semver.Version");

/// `*semver.Version`, what `semver` gives.
struct Pointer(Version);

/// `semver.Version`, what the increments give; it lacks the methods of the pointer.
struct Plain(Version);

pub(super) fn pointer(version: Version) -> Value {
    Value::object(Pointer(version))
}

impl Object for Pointer {
    fn type_name(&self) -> &'static str {
        "*semver.Version"
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    fn display(&self) -> Option<Text> {
        Some(self.0.to_string().into())
    }

    fn equals(&self, _: &dyn Object) -> bool {
        // Two pointers are two, whatever they point to.
        false
    }

    fn json(&self) -> Option<Value> {
        Some(self.0.to_string().into())
    }
}

impl Object for Plain {
    fn type_name(&self) -> &'static str {
        "semver.Version"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS.get(..PLAIN_METHODS).unwrap_or_default()
    }

    fn display(&self) -> Option<Text> {
        Some(self.0.to_string().into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Self>();
        other.is_some_and(|it| {
            self.0 == it.0 && self.0.metadata == it.0.metadata && self.0.original == it.0.original
        })
    }

    fn json(&self) -> Option<Value> {
        Some(self.0.to_string().into())
    }
}

fn version(value: &Value) -> Version {
    let pointed = value.downcast::<Pointer>().map(|it| &it.0);
    let version = pointed.or_else(|| value.downcast::<Plain>().map(|it| &it.0));
    version.cloned().unwrap_or_else(|| Version {
        major: 0,
        minor: 0,
        patch: 0,
        pre_release: String::new(),
        metadata: String::new(),
        original: String::new(),
    })
}

const fn method(
    name: &'static str,
    params: &'static [Type],
    result: Type,
    call: fn(&mut Call<'_>, &Value, &[Value]) -> Answer,
) -> Method {
    Method {
        name,
        signature: Signature::new(params, result),
        call,
    }
}

const PLAIN: Type = Type::Object("semver.Version");
/// How many of the methods a version that is no pointer has.
const PLAIN_METHODS: usize = 11;

static METHODS: &[Method] = &[
    method("Major", &[], Type::Uint64, |_, it, _| {
        Ok(Value::Uint64(version(it).major))
    }),
    method("Minor", &[], Type::Uint64, |_, it, _| {
        Ok(Value::Uint64(version(it).minor))
    }),
    method("Patch", &[], Type::Uint64, |_, it, _| {
        Ok(Value::Uint64(version(it).patch))
    }),
    method("Prerelease", &[], Type::String, |_, it, _| {
        Ok(version(it).pre_release.into())
    }),
    method("Metadata", &[], Type::String, |_, it, _| {
        Ok(version(it).metadata.into())
    }),
    method("String", &[], Type::String, |_, it, _| {
        Ok(version(it).to_string().into())
    }),
    method("IncMajor", &[], PLAIN, |_, it, _| {
        increment(version(it), Part::Major)
    }),
    method("IncMinor", &[], PLAIN, |_, it, _| {
        increment(version(it), Part::Minor)
    }),
    method("IncPatch", &[], PLAIN, |_, it, _| {
        increment(version(it), Part::Patch)
    }),
    method(
        "SetPrerelease",
        &[Type::String],
        PLAIN,
        |_, it, arguments| with_identifiers(version(it), &string(arguments, 0), '-'),
    ),
    method("SetMetadata", &[Type::String], PLAIN, |_, it, arguments| {
        with_identifiers(version(it), &string(arguments, 0), '+')
    }),
    method("Original", &[], Type::String, |_, it, _| {
        Ok(version(it).original.into())
    }),
    method("Compare", &[POINTER], Type::Int, |_, it, arguments| {
        Ok(Value::Int(
            version(it).cmp(&version(any(arguments, 0))) as i64
        ))
    }),
    method("Equal", &[POINTER], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(version(it) == version(any(arguments, 0))))
    }),
    method("LessThan", &[POINTER], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(version(it) < version(any(arguments, 0))))
    }),
    method(
        "LessThanEqual",
        &[POINTER],
        Type::Bool,
        |_, it, arguments| Ok(Value::Bool(version(it) <= version(any(arguments, 0)))),
    ),
    method("GreaterThan", &[POINTER], Type::Bool, |_, it, arguments| {
        Ok(Value::Bool(version(it) > version(any(arguments, 0))))
    }),
    method(
        "GreaterThanEqual",
        &[POINTER],
        Type::Bool,
        |_, it, arguments| Ok(Value::Bool(version(it) >= version(any(arguments, 0)))),
    ),
];

#[derive(Clone, Copy)]
enum Part {
    Major,
    Minor,
    Patch,
}

fn increment(mut version: Version, part: Part) -> Answer {
    let overflow = || "version increment would overflow uint64".to_owned();
    match part {
        Part::Major => {
            version.major = version.major.checked_add(1).ok_or_else(overflow)?;
            (version.minor, version.patch) = (0, 0);
        }
        Part::Minor => {
            version.minor = version.minor.checked_add(1).ok_or_else(overflow)?;
            version.patch = 0;
        }
        // The release that a pre-release leads to is the next patch.
        Part::Patch if !version.pre_release.is_empty() => {}
        Part::Patch => version.patch = version.patch.checked_add(1).ok_or_else(overflow)?,
    }
    version.pre_release.clear();
    version.metadata.clear();
    Ok(renamed(version))
}

fn with_identifiers(mut version: Version, text: &str, sign: char) -> Answer {
    let whole = format!("0.0.0{sign}{text}");
    let problem = match sign {
        '-' => "invalid prerelease string",
        _ => "invalid metadata string",
    };
    if !text.is_empty() {
        whole.parse::<Version>().map_err(|error| match error {
            super::VersionError::LeadingZero => error.to_string(),
            _ => problem.to_owned(),
        })?;
    }
    match sign {
        '-' => version.pre_release = text.to_owned(),
        _ => version.metadata = text.to_owned(),
    }
    Ok(renamed(version))
}

fn renamed(mut version: Version) -> Value {
    let v = if version.original.starts_with('v') {
        "v"
    } else {
        ""
    };
    version.original = format!("{v}{version}");
    Value::object(Plain(version))
}
