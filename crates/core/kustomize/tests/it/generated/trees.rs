//! Random kustomizations: bases, overlays, components and what they do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    Dice,
    objects::{IMAGES, NAMES, NAMESPACES, key, name, object, text},
    patches,
};
use crate::case::Case;

struct Tree {
    files: BTreeMap<String, String>,
    features: usize,
}

/// One tree and how many features it uses.
pub fn tree(dice: &mut Dice) -> (Case, usize) {
    let mut tree = Tree {
        files: BTreeMap::new(),
        features: 0,
    };
    let mut objects = tree.folder(dice, "base", &[], Role::Base);
    let folder = if dice.chance(70) {
        let mut below = vec!["../base".to_owned()];
        if dice.chance(20) {
            objects.extend(tree.folder(dice, "second", &[], Role::Base));
            below.push("../second".to_owned());
        }
        let mut components = Vec::new();
        if dice.chance(30) {
            tree.features += 1;
            tree.layer(dice, "comp", &[], &objects, Role::Component, &[]);
            components.push("../comp".to_owned());
        }
        tree.layer(
            dice,
            "overlay",
            &below,
            &objects,
            Role::Overlay,
            &components,
        );
        if dice.chance(25) {
            tree.layer(
                dice,
                "top",
                &["../overlay".to_owned()],
                &objects,
                Role::Overlay,
                &[],
            );
            "top"
        } else {
            "overlay"
        }
    } else {
        "base"
    };
    let case = Case {
        name: String::new(),
        folder: folder.to_owned(),
        files: tree.files,
    };
    (case, tree.features)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Base,
    Overlay,
    Component,
}

impl Tree {
    fn write(&mut self, dice: &mut Dice, path: String, value: &Value) {
        let text = if dice.chance(60) {
            yaml::to_string(value)
        } else {
            format!("{value:#}\n")
        };
        self.files.insert(path, text);
    }

    /// A folder with objects of its own.
    fn folder(
        &mut self,
        dice: &mut Dice,
        folder: &str,
        below: &[String],
        role: Role,
    ) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut objects = Vec::new();
        for _ in 0..dice.range(2, 7) {
            let object = object(dice);
            let (version, kind, namespace, name) = key(&object);
            // Objects of the cluster have no namespace that could tell them apart.
            if seen.insert((kind, name.clone())) && !(version.is_empty() || namespace.is_empty()) {
                objects.push(object);
            }
        }
        let mut text = String::new();
        for object in &objects {
            if !text.is_empty() {
                text.push_str("---\n");
            }
            text.push_str(&yaml::to_string(object));
        }
        self.files.insert(format!("{folder}/all.yaml"), text);
        let mut resources = below.to_vec();
        resources.push("all.yaml".to_owned());
        self.layer(dice, folder, &resources, &objects, role, &[]);
        objects
    }

    /// The kustomization of a folder.
    fn layer(
        &mut self,
        dice: &mut Dice,
        folder: &str,
        resources: &[String],
        objects: &[Value],
        role: Role,
        components: &[String],
    ) {
        let mut it = Map::new();
        if role == Role::Component {
            it.insert(
                "apiVersion".to_owned(),
                Value::from("kustomize.config.k8s.io/v1alpha1"),
            );
            it.insert("kind".to_owned(), Value::from("Component"));
        }
        if !resources.is_empty() {
            it.insert("resources".to_owned(), json!(resources));
        }
        if !components.is_empty() {
            it.insert("components".to_owned(), json!(components));
        }
        // A base is left alone more often.
        let scale = if role == Role::Base { 40 } else { 100 };
        let mut add =
            |tree: &mut Self,
             dice: &mut Dice,
             percent: usize,
             field: &str,
             make: &mut dyn FnMut(&mut Self, &mut Dice) -> Option<Value>| {
                if dice.chance(percent * scale / 100)
                    && let Some(value) = make(tree, dice)
                {
                    tree.features += value.as_array().map_or(1, Vec::len);
                    it.insert(field.to_owned(), value);
                }
            };
        add(self, dice, 45, "namespace", &mut |_, dice| {
            Some(Value::from(*dice.pick(&NAMESPACES)))
        });
        add(self, dice, 65, "patches", &mut |tree, dice| {
            tree.patches(dice, folder, objects)
        });
        add(
            self,
            dice,
            12,
            "patchesStrategicMerge",
            &mut |tree, dice| {
                let object = dice_pick(dice, objects)?;
                let patch = patches::strategic(dice, object);
                tree.write(dice, format!("{folder}/psm.yaml"), &patch);
                Some(json!(["psm.yaml"]))
            },
        );
        add(self, dice, 8, "patchesJson6902", &mut |_, dice| {
            let object = dice_pick(dice, objects)?;
            let (version, kind, _, name) = key(object);
            let (group, version) = version.split_once('/').unwrap_or(("", &version));
            Some(
                json!([{"target": {"group": group, "version": version, "kind": kind, "name": name},
                "patch": patches::json6902(dice, object).to_string()}]),
            )
        });
        add(self, dice, 40, "configMapGenerator", &mut |tree, dice| {
            tree.generators(dice, folder, objects, "ConfigMap")
        });
        add(self, dice, 15, "secretGenerator", &mut |tree, dice| {
            tree.generators(dice, folder, objects, "Secret")
        });
        add(self, dice, 20, "generatorOptions", &mut |_, dice| {
            Some(match dice.below(3) {
                0 => json!({"disableNameSuffixHash": true}),
                1 => json!({"labels": {"gen": text(dice)}, "annotations": {"made": text(dice)}}),
                _ => json!({"immutable": true}),
            })
        });
        add(self, dice, 35, "images", &mut |_, dice| {
            let image = |dice: &mut Dice| {
                let name = (*dice.pick(&IMAGES))
                    .split(['@'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let name = name
                    .rsplit_once(":1")
                    .or(name.rsplit_once(":v1"))
                    .map_or(name.clone(), |(it, _)| it.to_owned());
                let mut it = json!({"name": name});
                match dice.below(6) {
                    0 => it["newName"] = Value::from("mirror.io/x/y"),
                    1 => it["digest"] = Value::from("sha256:ffff"),
                    2 => it["tagSuffix"] = Value::from("-debug"),
                    3 => {
                        it["newName"] = Value::from("other");
                        it["newTag"] = Value::from("2.0");
                    }
                    _ => it["newTag"] = Value::from("9.9"),
                }
                it
            };
            Some(Value::from(
                (0..dice.range(1, 3))
                    .map(|_| image(dice))
                    .collect::<Vec<_>>(),
            ))
        });
        add(self, dice, 20, "commonAnnotations", &mut |_, dice| {
            Some(json!({"team": text(dice), "example.com/b": text(dice)}))
        });
        add(self, dice, 15, "commonLabels", &mut |_, dice| {
            Some(json!({"env": text(dice)}))
        });
        add(self, dice, 25, "labels", &mut |_, dice| {
            let mut label = json!({"pairs": {"part": text(dice), "of": "whole"}});
            match dice.below(4) {
                0 => label["includeSelectors"] = Value::from(true),
                1 => label["includeTemplates"] = Value::from(true),
                2 => {
                    label["fields"] =
                        json!([{"path": "spec/extra/labels", "create": true, "kind": "Deployment"}])
                }
                _ => {}
            }
            Some(json!([label]))
        });
        add(self, dice, 25, "namePrefix", &mut |_, dice| {
            Some(Value::from(*dice.pick(&["dev-", "p.", "x"])))
        });
        add(self, dice, 15, "nameSuffix", &mut |_, dice| {
            Some(Value::from(*dice.pick(&["-a", "-v2"])))
        });
        add(self, dice, 15, "replicas", &mut |_, dice| {
            let with_replicas: Vec<&Value> = objects
                .iter()
                .filter(|it| {
                    matches!(
                        it["kind"].as_str(),
                        Some("Deployment" | "StatefulSet" | "ReplicaSet")
                    )
                })
                .collect();
            let object = dice_pick(dice, &with_replicas)?;
            Some(json!([{"name": object["metadata"]["name"], "count": dice.below(9)}]))
        });
        add(self, dice, 25, "replacements", &mut |_, dice| {
            replacements(dice, objects)
        });
        add(self, dice, 8, "vars", &mut |_, dice| {
            let object = dice_pick(dice, objects)?;
            let name = format!("VAR{}", if role == Role::Base { "" } else { "_TOP" });
            Some(
                json!([{"name": name, "objref": {"apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"]}}]),
            )
        });
        add(self, dice, 10, "configurations", &mut |tree, dice| {
            let config = json!({
                "nameReference": [{"kind": "ConfigMap", "version": "v1", "fieldSpecs": [{"kind": "Widget", "path": "spec/ref"}]},
                    {"kind": "Service", "version": "v1", "fieldSpecs": [{"kind": "Widget", "path": "spec/ref"}]}],
                "commonLabels": [{"kind": "Widget", "path": "spec/labels", "create": true}],
                "images": [{"kind": "Widget", "path": "spec/containers[]/image"}],
                "varReference": [{"kind": "Widget", "path": "spec/deep/map"}],
            });
            tree.write(dice, format!("{folder}/config.yaml"), &config);
            Some(json!(["config.yaml"]))
        });
        add(self, dice, 8, "transformers", &mut |tree, dice| {
            let transformer = match dice.below(3) {
                0 => {
                    json!({"apiVersion": "builtin", "kind": "LabelTransformer", "metadata": {"name": "t"}, "labels": {"t": text(dice)},
                    "fieldSpecs": [{"path": "metadata/labels", "create": true}]})
                }
                1 => {
                    json!({"apiVersion": "builtin", "kind": "NamespaceTransformer", "metadata": {"name": "t", "namespace": "moved"}, "unsetOnly": dice.chance(50),
                    "setRoleBindingSubjects": *dice.pick(&["none", "defaultOnly", "allServiceAccounts"])})
                }
                _ => {
                    json!({"apiVersion": "builtin", "kind": "PrefixTransformer", "metadata": {"name": "t"}, "prefix": "t-", "fieldSpecs": [{"path": "metadata/name"}]})
                }
            };
            tree.write(dice, format!("{folder}/transformer.yaml"), &transformer);
            Some(json!(["transformer.yaml"]))
        });
        add(self, dice, 4, "sortOptions", &mut |_, dice| {
            Some(if dice.chance(50) {
                json!({"order": "fifo"})
            } else {
                json!({"order": "legacy", "legacySortOptions": {"orderFirst": ["Secret"], "orderLast": ["Pod"]}})
            })
        });
        add(self, dice, 4, "buildMetadata", &mut |_, _| {
            Some(json!([
                "originAnnotations",
                "managedByLabel",
                "transformerAnnotations"
            ]))
        });
        self.features += 1;
        self.write(
            dice,
            format!("{folder}/kustomization.yaml"),
            &Value::Object(it),
        );
    }

    fn patches(&mut self, dice: &mut Dice, folder: &str, objects: &[Value]) -> Option<Value> {
        let mut list = Vec::new();
        for index in 0..dice.range(1, 3) {
            let object = dice_pick(dice, objects)?;
            let (version, kind, _, name) = key(object);
            let mut entry = json!({});
            let is_json = dice.chance(60);
            let patch = if is_json {
                patches::json6902(dice, object)
            } else {
                patches::strategic(dice, object)
            };
            if dice.chance(70) {
                let path = format!(
                    "patch-{index}.{}",
                    if dice.chance(50) { "yaml" } else { "json" }
                );
                self.write(dice, format!("{folder}/{path}"), &patch);
                entry["path"] = Value::from(path);
            } else {
                entry["patch"] = Value::from(if dice.chance(50) {
                    yaml::to_string(&patch)
                } else {
                    patch.to_string()
                });
            }
            if is_json || dice.chance(30) {
                let mut target = json!({"kind": kind});
                if dice.chance(75) {
                    target["name"] = Value::from(if dice.chance(15) {
                        format!("{name}|zz")
                    } else {
                        name
                    });
                }
                if dice.chance(40) {
                    let (group, version) = version.split_once('/').unwrap_or(("", &version));
                    target["group"] = Value::from(group);
                    target["version"] = Value::from(version);
                }
                if dice.chance(10) {
                    target["labelSelector"] =
                        Value::from(*dice.pick(&["app", "!app", "tier notin (x)", "app!=plain"]));
                }
                entry["target"] = target;
            }
            if !is_json && dice.chance(5) {
                entry["options"] = json!({"allowNameChange": true});
            }
            list.push(entry);
        }
        Some(Value::from(list))
    }

    fn generators(
        &mut self,
        dice: &mut Dice,
        folder: &str,
        objects: &[Value],
        kind: &str,
    ) -> Option<Value> {
        let mut list = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..dice.range(1, 2) {
            let name = name(dice);
            if !seen.insert(name.clone()) {
                continue;
            }
            let there = objects
                .iter()
                .any(|it| it["kind"] == kind && it["metadata"]["name"] == name.as_str());
            let mut entry = json!({"name": name});
            if there {
                entry["behavior"] = Value::from(*dice.pick(&["merge", "replace"]));
            }
            if dice.chance(60) {
                entry["literals"] = json!([format!("k={}", text(dice)), "b='quoted'", "c=d=e"]);
            }
            if dice.chance(50) {
                let path = format!("file-{}.txt", dice.below(4));
                self.files.insert(
                    format!("{folder}/{path}"),
                    format!("{}\n{}", text(dice), text(dice)),
                );
                entry["files"] = if dice.chance(50) {
                    json!([path])
                } else {
                    json!([format!("renamed={path}")])
                };
            }
            if dice.chance(25) {
                self.files.insert(
                    format!("{folder}/vars.env"),
                    format!(
                        "# note\nE1={}\nE2\n\n E3=x \n",
                        text(dice).replace('\n', " ")
                    ),
                );
                entry["envs"] = json!(["vars.env"]);
            }
            if dice.chance(15) {
                entry["namespace"] = Value::from(*dice.pick(&NAMESPACES));
            }
            if dice.chance(25) {
                entry["options"] = json!({"labels": {"own": text(dice)}, "disableNameSuffixHash": dice.chance(30)});
            }
            if kind == "Secret" && dice.chance(30) {
                entry["type"] = Value::from("kubernetes.io/tls");
            }
            list.push(entry);
        }
        Some(Value::from(list))
    }
}

fn dice_pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> Option<&'a T> {
    (!from.is_empty()).then(|| dice.pick(from))
}

fn replacements(dice: &mut Dice, objects: &[Value]) -> Option<Value> {
    let source = dice_pick(dice, objects)?;
    let mut from = json!({"kind": source["kind"], "name": source["metadata"]["name"]});
    if dice.chance(40) {
        from["fieldPath"] = Value::from(*dice.pick(&[
            "metadata.name",
            "kind",
            "spec.replicas",
            "spec.ports.0.port",
            "data.k",
        ]));
    }
    if dice.chance(25) {
        from["options"] =
            json!({"delimiter": *dice.pick(&["-", "e", "."]), "index": dice.below(2)});
    }
    let mut target = json!({"select": {"kind": dice_pick(dice, objects)?["kind"]}});
    target["fieldPaths"] = json!([*dice.pick(&[
        "metadata.name",
        "metadata.annotations.copied",
        "metadata.labels.[example.com/x]",
        "spec.template.spec.containers.[name=c0].image",
        "spec.template.spec.containers.*.name",
        "spec.ports.0.name",
        "spec.replicas",
        "data.k",
        "spec.deep.map",
    ])]);
    let mut options = json!({});
    if dice.chance(60) {
        options["create"] = Value::from(true);
    }
    if dice.chance(25) {
        options["delimiter"] = Value::from(*dice.pick(&["/", ":", "-"]));
        options["index"] = Value::from(*dice.pick(&[-1, 0, 1, 9]));
    }
    target["options"] = options;
    if dice.chance(15) {
        target["reject"] = json!([{"name": *dice.pick(&NAMES)}]);
    }
    Some(json!([{"source": from, "targets": [target]}]))
}
