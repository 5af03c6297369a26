//! Kubernetes objects: kinds, schemas, patches, selectors, quantities, tables and the protobuf form.
