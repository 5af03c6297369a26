//! Two pods on a bridge.

use std::net::Ipv4Addr;

use sandbox::{Network, NetworkName, PodAddress, PodNetworks, Sandbox, netlink};

use crate::world::{World, id, process_name, shell};

#[tokio::test]
async fn pods_reach_each_other_and_the_machine() {
    let Some(world) = World::new().await else { return };
    let third = (std::process::id() % 250) as u8;
    let bridge = format!("lft{}", std::process::id());
    let address = |last| PodAddress {
        address: Ipv4Addr::new(10, 251, third, last),
        prefix: 24,
        gateway: Ipv4Addr::new(10, 251, third, 1),
        bridge: bridge.clone(),
    };
    let names: [NetworkName; 2] = ["pod-a".parse().expect("a name"), "pod-b".parse().expect("a name")];
    for (name, last) in names.iter().zip([2, 3]) {
        world.local.create(name, &address(last)).await.expect("create");
    }
    assert_eq!(PodNetworks::list(&world.local).await.expect("list").len(), 2);

    let mut server = world.shell("server", "echo hello | nc -l -p 80");
    server.network = Network::Pod(names[0].clone());
    world.local.run(&id("server"), &server).await.expect("run");
    let mut client = world.idle("client");
    client.network = Network::Pod(names[1].clone());
    world.local.run(&id("client"), &client).await.expect("run");
    let script = format!(
        "while ! nc 10.251.{third}.2 80 < /dev/null; do sleep 0.02; done; ping -c 1 -W 2 10.251.{third}.1 > /dev/null && echo gateway; \
         ls /sys/class/net | tr '\\n' ' '; echo; ip -4 -o addr show lo | grep -c 127.0.0.1"
    );
    assert_eq!(world.exec("client", "ask", &shell(&script)).await, "hello|gateway|eth0 lo |1=0");

    let mut alone = world.shell("alone", "ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 > /dev/null && echo lo");
    alone.network = Network::None;
    assert_eq!(world.told("alone", &alone).await, "lo|lo=0");
    let mut nowhere = world.idle("nowhere");
    nowhere.network = Network::Pod("none".parse().expect("a name"));
    assert_eq!(world.told("nowhere", &nowhere).await, "error: no network `none`");

    for name in ["server", "client", "alone"] {
        world.remove(name).await;
    }
    for name in &names {
        world.local.remove(name).await.expect("remove");
        world.local.remove(name).await.expect("remove again");
    }
    let _ = process_name("main");
    sandbox::remove_bridge(&bridge).expect("bridge");
    assert!(netlink::links().expect("links").iter().all(|link| link.name != bridge));

    let range: netlink::Cidr = format!("10.252.{third}.0/24").parse().expect("a network");
    netlink::add_local_route(range).expect("route");
    netlink::add_local_route(range).expect("route again");
    let there = || netlink::routes().expect("routes").iter().any(|route| route.destination == range && route.table == 255);
    assert!(there());
    std::net::TcpListener::bind((Ipv4Addr::new(10, 252, third, 9), 0)).expect("an address of ours");
    netlink::delete_local_route(range).expect("route");
    netlink::delete_local_route(range).expect("route again");
    assert!(!there());
    world.end().await;
}
