//! What templates see beside the values: `.Capabilities`, `.Chart`, `.Release` and their Go types.

use std::rc::Rc;

use gotemplate::{
    ANY_MAP, Call, Entries, Kind, Method, Named, Object, Record, STRING_LIST, STRING_MAP,
    Signature, Text, Type, Value,
};

use serde_json::Value as Plain;

use crate::{
    Compat,
    capabilities::{HelmVersion, KubeVersion},
    metadata::{Dependency, Maintainer, Metadata},
    values::tree::from_plain,
};

/// `common.Values`: the type of `.`, `.Values` and `.Template`.
pub(super) fn values_type(compat: Compat) -> Type {
    static HELM4: Named = Named {
        name: "common.Values",
        underlying: ANY_MAP,
        methods: &[],
    };
    static HELM3: Named = Named {
        name: "chartutil.Values",
        underlying: ANY_MAP,
        methods: &[],
    };
    Type::Named(match compat {
        Compat::Helm4 => &HELM4,
        Compat::Helm3 => &HELM3,
    })
}

fn version_set_type(compat: Compat) -> Type {
    static METHODS: [Method; 1] = [Method {
        name: "Has",
        signature: Signature::new(&[Type::String], Type::Bool),
        call: has_version,
    }];
    static HELM4: Named = Named {
        name: "common.VersionSet",
        underlying: STRING_LIST,
        methods: &METHODS,
    };
    static HELM3: Named = Named {
        name: "chartutil.VersionSet",
        underlying: STRING_LIST,
        methods: &METHODS,
    };
    Type::Named(match compat {
        Compat::Helm4 => &HELM4,
        Compat::Helm3 => &HELM3,
    })
}

fn has_version(
    _: &mut Call<'_>,
    receiver: &Value,
    arguments: &[Value],
) -> gotemplate::Answer {
    let wanted = arguments.first().and_then(Value::as_text);
    let list = receiver.as_list();
    let has = list.is_some_and(|list| list.iter().any(|it| it.as_text() == wanted));
    Ok(Value::Bool(has))
}

/// `.Capabilities`
pub(super) fn capabilities(kube: &KubeVersion, api_versions: &[String], compat: Compat) -> Value {
    let versions = api_versions.iter().map(|it| Value::from(it.as_str())).collect();
    let helm = HelmVersion::of(compat);
    Value::object(Record {
        type_name: match compat {
            Compat::Helm4 => "*common.Capabilities",
            Compat::Helm3 => "*chartutil.Capabilities",
        },
        kind: Kind::Pointer,
        fields: vec![
            (
                "KubeVersion",
                Value::object(KubeVersionObject {
                    version: kube.clone(),
                    compat,
                }),
            ),
            ("APIVersions", Value::typed_list(version_set_type(compat), versions)),
            ("HelmVersion", Value::object(HelmVersionObject(helm))),
        ],
    })
}

struct KubeVersionObject {
    version: KubeVersion,
    compat: Compat,
}

impl Object for KubeVersionObject {
    fn type_name(&self) -> &'static str {
        match self.compat {
            Compat::Helm4 => "common.KubeVersion",
            Compat::Helm3 => "chartutil.KubeVersion",
        }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::from(text);
        let mut fields = vec![("Version", text(&self.version.version))];
        if self.compat == Compat::Helm4 {
            fields.push(("normalizedVersion", text(&self.version.normalized)));
        }
        fields.push(("Major", text(&self.version.major)));
        fields.push(("Minor", text(&self.version.minor)));
        fields
    }

    fn pointer_display(&self) -> Option<Text> {
        Some(self.version.normalized.as_str().into())
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: [Method; 2] = [
            Method {
                name: "String",
                signature: Signature::new(&[], Type::String),
                call: |_, receiver, _| {
                    let object = receiver.downcast::<KubeVersionObject>();
                    Ok(object.map_or(Value::Nil, |it| it.version.normalized.as_str().into()))
                },
            },
            Method {
                name: "GitVersion",
                signature: Signature::new(&[], Type::String),
                call: |_, receiver, _| {
                    let object = receiver.downcast::<KubeVersionObject>();
                    Ok(object.map_or(Value::Nil, |it| it.version.version.as_str().into()))
                },
            },
        ];
        &METHODS
    }

    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        let field = |name, text: &str| (Text::from_static(name), Value::from(text));
        Some(vec![
            field("Version", &self.version.version),
            field("Major", &self.version.major),
            field("Minor", &self.version.minor),
        ])
    }
}

struct HelmVersionObject(HelmVersion);

impl Object for HelmVersionObject {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![
            ("Version", Value::text(self.0.version)),
            ("GitCommit", Value::text(self.0.git_commit)),
            ("GitTreeState", Value::text(self.0.git_tree_state)),
            ("GoVersion", Value::text(self.0.go_version)),
        ];
        if !self.0.kube_client_version.is_empty() {
            fields.push(("KubeClientVersion", Value::text(self.0.kube_client_version)));
        }
        fields
    }

    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        let field = |name, text| (Text::from_static(name), Value::text(text));
        let mut fields = vec![
            field("version", self.0.version),
            field("git_commit", self.0.git_commit),
            field("git_tree_state", self.0.git_tree_state),
            field("go_version", self.0.go_version),
        ];
        if !self.0.kube_client_version.is_empty() {
            fields.push(field("kube_client_version", self.0.kube_client_version));
        }
        Some(fields)
    }
}

/// `.Chart`: a map in Helm 4, a struct in Helm 3.
pub(super) fn chart(metadata: &Rc<Metadata>, is_root: bool, compat: Compat) -> Value {
    match compat {
        Compat::Helm4 => chart_map(metadata, is_root),
        Compat::Helm3 => Value::object(ChartObject {
            metadata: Rc::clone(metadata),
            is_root,
        }),
    }
}

fn chart_map(metadata: &Metadata, is_root: bool) -> Value {
    let mut entries: Entries = metadata_fields(metadata)
        .into_iter()
        .map(|(name, value)| (Text::from_static(name), value))
        .collect();
    let maintainers = metadata.maintainers.iter().map(|it| as_map(maintainer_fields(it)));
    entries.insert(Text::from_static("Maintainers"), Value::list(maintainers.collect()));
    let dependencies = metadata.dependencies.iter().map(|it| as_map(dependency_fields(it)));
    entries.insert(Text::from_static("Dependencies"), Value::list(dependencies.collect()));
    for key in ["Sources", "Keywords"] {
        untype(&mut entries, key);
    }
    entries.insert(Text::from_static("IsRoot"), Value::Bool(is_root));
    Value::map(entries)
}

fn as_map(fields: Vec<(&'static str, Value)>) -> Value {
    let mut entries: Entries = fields
        .into_iter()
        .map(|(name, value)| (Text::from_static(name), value))
        .collect();
    untype(&mut entries, "Tags");
    Value::map(entries)
}

/// Helm 4 copies lists item by item, which makes them lists of anything.
fn untype(entries: &mut Entries, key: &str) {
    if let Some(Value::List(list)) = entries.get(key.as_bytes()) {
        let untyped = Value::list(list.to_vec());
        entries.insert(Text::from(key), untyped);
    }
}

/// The fields of Helm's `Metadata` in their order.
fn metadata_fields(it: &Metadata) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::from(text);
    let pointers = |all: Vec<Value>, ty: Type| {
        if all.is_empty() { Value::zero(ty) } else { Value::typed_list(ty, all) }
    };
    let maintainers = it.maintainers.iter().map(|it| {
        Value::object(Pointee {
            type_name: "*chart.Maintainer",
            fields: maintainer_fields(it),
            json: json_value(&Plain::from(it)),
        })
    });
    let dependencies = it.dependencies.iter().map(|it| {
        Value::object(Pointee {
            type_name: "*chart.Dependency",
            fields: dependency_fields(it),
            json: json_value(&Plain::from(it)),
        })
    });
    vec![
        ("Name", text(&it.name)),
        ("Home", text(&it.home)),
        ("Sources", texts(&it.sources)),
        ("Version", text(&it.version)),
        ("Description", text(&it.description)),
        ("Keywords", texts(&it.keywords)),
        ("Maintainers", pointers(maintainers.collect(), Type::List(&Type::Object("*chart.Maintainer")))),
        ("Icon", text(&it.icon)),
        ("APIVersion", text(&it.api_version)),
        ("Condition", text(&it.condition)),
        ("Tags", text(&it.tags)),
        ("AppVersion", text(&it.app_version)),
        ("Deprecated", Value::Bool(it.deprecated)),
        ("Annotations", annotations(it)),
        ("KubeVersion", text(&it.kube_version)),
        ("Dependencies", pointers(dependencies.collect(), Type::List(&Type::Object("*chart.Dependency")))),
        ("Type", text(&it.kind)),
    ]
}

fn texts(all: &[String]) -> Value {
    if all.is_empty() {
        return Value::zero(STRING_LIST);
    }
    Value::strings(all.iter().map(String::as_str))
}

fn annotations(metadata: &Metadata) -> Value {
    let Some(annotations) = &metadata.annotations else {
        return Value::zero(STRING_MAP);
    };
    let entries = annotations.iter();
    let entries = entries.map(|(key, value)| (Text::from(key.as_str()), value.as_str().into()));
    Value::typed_map(STRING_MAP, entries.collect())
}

fn maintainer_fields(it: &Maintainer) -> Vec<(&'static str, Value)> {
    vec![
        ("Name", it.name.as_str().into()),
        ("Email", it.email.as_str().into()),
        ("URL", it.url.as_str().into()),
    ]
}

fn dependency_fields(it: &Dependency) -> Vec<(&'static str, Value)> {
    let imports = it.import_values.iter().map(|import| {
        let Plain::Object(parts) = import else {
            return from_plain(import);
        };
        let text = |value: &Plain| Value::from(value.as_str().unwrap_or_default());
        let entries = parts.iter().map(|(key, value)| (Text::from(key.as_str()), text(value)));
        Value::typed_map(STRING_MAP, entries.collect())
    });
    vec![
        ("Name", it.name.as_str().into()),
        ("Version", it.version.as_str().into()),
        ("Repository", it.repository.as_str().into()),
        ("Condition", it.condition.as_str().into()),
        ("Tags", texts(&it.tags)),
        ("Enabled", Value::Bool(it.enabled)),
        ("ImportValues", Value::list(imports.collect())),
        ("Alias", it.alias.as_str().into()),
    ]
}

/// A pointer to a struct whose JSON names differ from its fields' names.
struct Pointee {
    type_name: &'static str,
    fields: Vec<(&'static str, Value)>,
    json: Value,
}

impl Object for Pointee {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }

    fn json(&self) -> Option<Value> {
        Some(self.json.clone())
    }
}

/// Helm 3's `.Chart`: the metadata with one field more.
struct ChartObject {
    metadata: Rc<Metadata>,
    is_root: bool,
}

impl Object for ChartObject {
    fn type_name(&self) -> &'static str {
        "struct { chart.Metadata; IsRoot bool }"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let metadata = Value::object(Record {
            type_name: "chart.Metadata",
            kind: Kind::Struct,
            fields: metadata_fields(&self.metadata),
        });
        vec![("Metadata", metadata), ("IsRoot", Value::Bool(self.is_root))]
    }

    fn field(&self, name: &str) -> Option<Value> {
        let own = |all: Vec<(&'static str, Value)>| {
            all.into_iter().find_map(|(field, value)| (field == name).then_some(value))
        };
        match name {
            "Name" => Some(self.metadata.name.as_str().into()),
            "Version" => Some(self.metadata.version.as_str().into()),
            "AppVersion" => Some(self.metadata.app_version.as_str().into()),
            "IsRoot" => Some(Value::Bool(self.is_root)),
            "Metadata" => own(self.fields()),
            _ => own(metadata_fields(&self.metadata)),
        }
    }

    fn json(&self) -> Option<Value> {
        let mut plain = Plain::from(&*self.metadata);
        if let Some(entries) = plain.as_object_mut() {
            entries.insert("IsRoot".to_owned(), self.is_root.into());
        }
        Some(json_value(&plain))
    }
}

/// A struct as its JSON: names in the order of the fields.
struct JsonFields(Vec<(Text, Value)>);

impl Object for JsonFields {
    fn type_name(&self) -> &'static str {
        "struct"
    }

    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        Some(self.0.clone())
    }
}

/// JSON of structs as a value; what Go keeps in maps is sorted.
fn json_value(plain: &Plain) -> Value {
    match plain {
        Plain::Object(entries) => Value::object(JsonFields(
            entries
                .iter()
                .map(|(key, value)| {
                    let value = match key.as_str() {
                        "annotations" | "import-values" => from_plain(value),
                        _ => json_value(value),
                    };
                    (Text::from(key.as_str()), value)
                })
                .collect(),
        )),
        Plain::Array(items) => Value::list(items.iter().map(json_value).collect()),
        other => from_plain(other),
    }
}
