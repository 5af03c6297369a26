//! The variables by which containers find services: `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP`, ….

use std::net::SocketAddr;

use serde_json::Value;

/// Variables for the API itself; every container gets them.
pub fn api(address: SocketAddr) -> Vec<(String, String)> {
    let (host, port) = (address.ip().to_string(), address.port());
    let mut variables = service_variables(
        "KUBERNETES",
        &host,
        &[Port {
            name: Some("https"),
            number: port,
            protocol: "TCP",
        }],
    );
    variables.sort();
    variables
}

/// Variables for the services of the pod's namespace.
pub fn services(list: &[Value]) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for service in list {
        let address = service["spec"]["clusterIP"]
            .as_str()
            .filter(|address| !address.is_empty() && *address != "None");
        let name = service["metadata"]["name"].as_str();
        let ports: Vec<_> = service["spec"]["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(port)
            .collect();
        if let (Some(name), Some(address), false) = (name, address, ports.is_empty()) {
            variables.extend(service_variables(&upper(name), address, &ports));
        }
    }
    variables.sort();
    variables
}

struct Port<'a> {
    name: Option<&'a str>,
    number: u16,
    protocol: &'a str,
}

fn port(value: &Value) -> Option<Port<'_>> {
    let number = value["port"]
        .as_u64()
        .and_then(|number| u16::try_from(number).ok())?;
    Some(Port {
        name: value["name"].as_str(),
        number,
        protocol: value["protocol"].as_str().unwrap_or("TCP"),
    })
}

fn service_variables(name: &str, host: &str, ports: &[Port<'_>]) -> Vec<(String, String)> {
    let mut variables = vec![(format!("{name}_SERVICE_HOST"), host.to_owned())];
    for (index, port) in ports.iter().enumerate() {
        let number = port.number.to_string();
        let url = format!("{}://{host}:{number}", port.protocol.to_lowercase());
        let prefix = format!("{name}_PORT_{number}_{}", port.protocol);
        if index == 0 {
            variables.push((format!("{name}_SERVICE_PORT"), number.clone()));
            variables.push((format!("{name}_PORT"), url.clone()));
        }
        if let Some(port_name) = port.name.filter(|name| !name.is_empty()) {
            variables.push((
                format!("{name}_SERVICE_PORT_{}", upper(port_name)),
                number.clone(),
            ));
        }
        variables.push((prefix.clone(), url));
        variables.push((format!("{prefix}_PROTO"), port.protocol.to_lowercase()));
        variables.push((format!("{prefix}_PORT"), number));
        variables.push((format!("{prefix}_ADDR"), host.to_owned()));
    }
    variables
}

fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_told_in_both_forms() {
        let service = |name: &str, address: &str| {
            json!({
                "metadata": { "name": name },
                "spec": { "clusterIP": address, "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }] },
            })
        };
        let found = services(&[service("my-db", "10.0.0.7"), service("head", "None")]);
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            found,
            [
                "MY_DB_PORT=tcp://10.0.0.7:80",
                "MY_DB_PORT_80_TCP=tcp://10.0.0.7:80",
                "MY_DB_PORT_80_TCP_ADDR=10.0.0.7",
                "MY_DB_PORT_80_TCP_PORT=80",
                "MY_DB_PORT_80_TCP_PROTO=tcp",
                "MY_DB_SERVICE_HOST=10.0.0.7",
                "MY_DB_SERVICE_PORT=80",
                "MY_DB_SERVICE_PORT_HTTP=80",
            ]
        );
        assert_eq!(api(([10, 0, 0, 1], 443).into()).len(), 8);
    }
}
