//! Namespaces: what each of them starts with, and how one is emptied.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::{
    Meta, Object,
    action::{Action, Kind, Plan, Target},
};

/// The ConfigMap through which pods learn whom to trust.
pub const ROOT_CA: &str = "kube-root-ca.crt";
/// The finalizer in `spec` that keeps a namespace until it is empty.
pub const FINALIZER: &str = "kubernetes";

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    pub metadata: Meta,
    pub spec: NamespaceSpec,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NamespaceSpec {
    pub finalizers: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ConfigMap {
    pub metadata: Meta,
    pub data: BTreeMap<String, String>,
}

/// An object of which only the metadata matters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Bare {
    pub metadata: Meta,
}

impl Object for Namespace {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Object for ConfigMap {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

impl Object for Bare {
    fn meta(&self) -> &Meta {
        &self.metadata
    }
}

/// Gives a namespace its default account and the authority's certificate.
pub fn plan_furniture(namespace: &Namespace, account: Option<&Bare>, authority: Option<&ConfigMap>, ca_pem: &str) -> Plan {
    let mut plan = Plan::default();
    if namespace.metadata.is_going() {
        return plan;
    }
    let name = &namespace.metadata.name;
    if account.is_none() {
        let manifest = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default", "namespace": name } });
        plan.actions.push(Action::Create { kind: Kind::ServiceAccount, manifest });
    }
    match authority {
        Some(known) if known.data.get("ca.crt").map(String::as_str) == Some(ca_pem) => {}
        Some(known) => {
            let target = Target::of(Kind::ConfigMap, &known.metadata);
            plan.actions.push(Action::Patch { target, patch: json!({ "data": { "ca.crt": ca_pem } }) });
        }
        None => {
            let about = "Holds the certificate of the authority that signs the API server's own.";
            let metadata = json!({ "name": ROOT_CA, "namespace": name, "annotations": { "kubernetes.io/description": about } });
            let manifest = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "ca.crt": ca_pem } });
            plan.actions.push(Action::Create { kind: Kind::ConfigMap, manifest });
        }
    }
    plan
}

/// What to do next with a namespace on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Emptying {
    /// Delete the pods and wait: what they use must outlive them.
    Pods,
    /// Delete all else.
    Rest,
    /// Deleted objects are still held by their finalizers.
    Wait,
    /// Nothing is left; let the namespace go.
    LetGo,
}

/// How much of a kind is left in a namespace, and how much of it is not yet asked to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub objects: usize,
    pub untouched: usize,
}

pub fn next_step(pods: &Left, rest: &Left) -> Emptying {
    if pods.objects > 0 {
        return if pods.untouched > 0 { Emptying::Pods } else { Emptying::Wait };
    }
    if rest.objects == 0 {
        return Emptying::LetGo;
    }
    if rest.untouched > 0 { Emptying::Rest } else { Emptying::Wait }
}
