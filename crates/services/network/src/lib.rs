//! Service addresses and names: the proxy that splits and counts traffic, and the cluster's DNS.
