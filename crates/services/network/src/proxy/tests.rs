//! The proxy between real sockets: clients that keep their connections, endpoints that come and go.

mod endpoint;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
};
use workload::Key;

use self::endpoint::{Client, Endpoint};
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy with one Service, `n/web`, on an address of its own.
struct Stage {
    proxy: ServiceProxy,
    address: SocketAddr,
}

impl Stage {
    /// `third` keeps the addresses of tests apart that run at the same time.
    async fn new(third: u8, protocol: &str) -> Self {
        let address = SocketAddr::from(([127, 96, third, 1], 8000));
        let config = Config {
            service_cidr: "127.96.0.0/16".parse().expect("a network"),
            local_route: LocalRoute::Present,
            node_addresses: Vec::new(),
            reserved: Vec::new(),
        };
        let stage = Self { proxy: ServiceProxy::new(config).expect("a proxy"), address };
        let service = json!({
            "metadata": { "name": "web", "namespace": "n", "resourceVersion": "1" },
            "spec": { "clusterIP": address.ip().to_string(), "ports": [{ "port": 8000, "protocol": protocol }] },
        });
        stage.proxy.directory.put_service(serde_json::from_value(service).expect("a service"));
        stage.ready(&[]);
        if protocol == "TCP" {
            while TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
        stage
    }

    /// Makes exactly these the ready endpoints, in slices as the API server tells them.
    fn ready(&self, endpoints: &[SocketAddr]) {
        static REVISION: AtomicU64 = AtomicU64::new(1);
        let slices: Vec<Value> = (8100..8103)
            .map(|port| {
                let here = endpoints.iter().filter(|address| address.port() == port);
                let entry = |address: &SocketAddr| json!({ "addresses": [address.ip().to_string()], "targetRef": { "uid": address.to_string() } });
                json!({
                    "metadata": {
                        "name": format!("web-{port}"), "namespace": "n", "resourceVersion": REVISION.fetch_add(1, SeqCst).to_string(),
                        "labels": { "kubernetes.io/service-name": "web" },
                    },
                    "ports": [{ "name": "", "port": port, "protocol": "TCP" }, { "name": "", "port": port, "protocol": "UDP" }],
                    "endpoints": here.map(entry).collect::<Vec<Value>>(),
                })
            })
            .collect();
        for slice in slices {
            self.proxy.directory.put_slice(serde_json::from_value(slice).expect("a slice"));
        }
        self.proxy.table.apply(&self.proxy.directory, &Key::new("n", "web"));
    }
}

fn at(third: u8, last: u8) -> SocketAddr {
    SocketAddr::from(([127, 97, third, last], 8100))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rolling_updates_lose_no_request() {
    let stage = Stage::new(1, "TCP").await;
    let mut serving: Vec<Endpoint> = Vec::new();
    for last in 1..=3 {
        serving.push(Endpoint::start(at(1, last), "v0").await);
    }
    let addresses = |serving: &[Endpoint]| serving.iter().map(|it| it.address).collect::<Vec<_>>();
    stage.ready(&addresses(&serving));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (stop, address) = (Arc::clone(&stop), stage.address);
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            let mut sent = 0u32;
            while !stop.load(SeqCst) {
                let method = if (sent + number) % 4 == 0 { "POST" } else { "GET" };
                let status = client.request(method, "/", "hello").await.map(|(status, _)| status);
                assert_eq!(status.expect("an answer"), 200, "{method} number {sent}");
                sent += 1;
            }
            sent
        });
    }
    let mut next = 4;
    for update in 1..=20 {
        for place in 0..3 {
            let new = Endpoint::start(at(1, next), &format!("v{update}")).await;
            next = if next == 250 { 1 } else { next + 1 };
            let old = std::mem::replace(&mut serving[place], new);
            stage.ready(&addresses(&serving));
            let drained = stage.proxy.wait_drained(old.address.ip(), PATIENCE).await;
            assert_eq!(drained, Drained::Yes);
            old.kill().await;
        }
    }
    stop.store(true, SeqCst);
    let sent: u32 = clients.join_all().await.into_iter().sum();
    let stats = stage.proxy.stats();
    assert_eq!((stats[0].total.requests, stats[0].total.by_class[1], stats[0].total.failures), (u64::from(sent), u64::from(sent), 0));
    assert!(sent > 60, "only {sent} requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeatable_requests_survive_endpoints_that_die_unannounced() {
    let stage = Stage::new(2, "TCP").await;
    let lasting = Endpoint::start(at(2, 1), "lasting").await;
    let mut dying = Endpoint::start(at(2, 2), "dying").await;
    stage.ready(&[lasting.address, dying.address]);
    let mut client = Client::connect(stage.address).await;
    for _ in 0..30 {
        for _ in 0..3 {
            assert_eq!(client.request("GET", "/", "").await.expect("an answer").0, 200);
        }
        let address = dying.address;
        dying.kill().await;
        for _ in 0..3 {
            assert_eq!(client.request("PUT", "/", "hello").await.expect("an answer").0, 200);
        }
        dying = Endpoint::start(address, "dying").await;
    }
}

#[tokio::test]
async fn in_flight_request_finishes_at_an_endpoint_that_left() {
    let stage = Stage::new(3, "TCP").await;
    let old = Endpoint::start(at(3, 1), "old").await;
    stage.ready(&[old.address]);
    let mut client = Client::connect(stage.address).await;
    client.send("GET", "/slow", "").await;
    old.asked().await;
    stage.ready(&[]);
    let soon = stage.proxy.wait_drained(old.address.ip(), Duration::from_millis(20)).await;
    assert_eq!((soon, stage.proxy.drained(old.address.ip())), (Drained::NotYet, false));
    old.release();
    assert_eq!(client.receive().await.expect("an answer"), (200, "old".to_owned()));
    assert_eq!(stage.proxy.wait_drained(old.address.ip(), PATIENCE).await, Drained::Yes);
    let (status, words) = client.request("GET", "/", "").await.expect("an answer");
    assert_eq!((status, words.as_str()), (503, "No endpoint of service n/web is ready.\n"));
}

#[tokio::test]
async fn upgraded_connections_are_passed_through() {
    let stage = Stage::new(4, "TCP").await;
    let listener = TcpListener::bind(at(4, 1)).await.expect("a port");
    stage.ready(&[at(4, 1)]);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte"));
        }
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.expect("sent");
        let mut word = [0; 5];
        stream.read_exact(&mut word).await.expect("a word");
        stream.write_all(&word).await.expect("sent");
        String::from_utf8_lossy(&head).to_lowercase()
    });
    let mut client = TcpStream::connect(stage.address).await.expect("a connection");
    client.write_all(b"GET /ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a byte"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    client.write_all(b"hello").await.expect("sent");
    let mut word = [0; 5];
    client.read_exact(&mut word).await.expect("a word");
    assert_eq!(&word, b"hello");
    assert!(server.await.expect("the server").contains("upgrade: echo"));
}

#[tokio::test]
async fn other_protocols_are_spliced_whoever_speaks_first() {
    let stage = Stage::new(5, "TCP").await;
    let mut refused = TcpStream::connect(stage.address).await.expect("a connection");
    refused.write_all(b"\x16\x03\x01").await.expect("sent");
    assert!(refused.read_u8().await.is_err(), "nobody is there, so the connection is reset");
    let listener = TcpListener::bind(at(5, 1)).await.expect("a port");
    stage.ready(&[at(5, 1)]);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"220 hi\n").await.expect("sent");
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            });
        }
    });
    for first in [Some("\x16\x03"), None] {
        let mut client = TcpStream::connect(stage.address).await.expect("a connection");
        if let Some(first) = first {
            client.write_all(first.as_bytes()).await.expect("sent");
        }
        let mut greeting = [0; 7];
        client.read_exact(&mut greeting).await.expect("a greeting");
        client.write_all(b"bye").await.expect("sent");
        client.shutdown().await.expect("half closed");
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.expect("the rest");
        assert_eq!((&greeting, rest), (b"220 hi\n", format!("{}bye", first.unwrap_or_default())));
    }
}

#[tokio::test]
async fn client_that_takes_its_time_still_gets_http() {
    let stage = Stage::new(6, "TCP").await;
    let endpoint = Endpoint::start(at(6, 1), "here").await;
    stage.ready(&[endpoint.address]);
    let mut client = Client::connect(stage.address).await;
    // Longer than the proxy waits before it takes a client for one of a server that speaks first.
    endpoint.connected().await;
    for _ in 0..2 {
        assert_eq!(client.request("GET", "/", "").await.expect("an answer"), (200, "here".to_owned()));
    }
    let stats = stage.proxy.stats();
    assert_eq!((stats[0].total.requests, stats[0].total.connections), (2, 0));
}

#[tokio::test]
async fn datagrams_find_their_way_back() {
    let stage = Stage::new(7, "UDP").await;
    let endpoint = UdpSocket::bind(at(7, 1)).await.expect("a port");
    stage.ready(&[at(7, 1)]);
    tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = endpoint.recv_from(&mut buffer).await {
            endpoint.send_to(&buffer[..length], from).await.expect("sent");
        }
    });
    let client = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let mut buffer = [0; 100];
    let echo = async {
        loop {
            // The first ones may come before the proxy's socket is open.
            client.send_to(b"ping", stage.address).await.ok();
            let answer = tokio::time::timeout(Duration::from_millis(50), client.recv_from(&mut buffer)).await;
            if let Ok(Ok((length, from))) = answer {
                return (length, from);
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, echo).await.expect("an echo"), (4, stage.address));
}

#[tokio::test]
async fn removed_service_closes_its_socket() {
    let stage = Stage::new(8, "TCP").await;
    stage.proxy.directory.take_service(&Key::new("n", "web"));
    stage.proxy.table.apply(&stage.proxy.directory, &Key::new("n", "web"));
    let closed = async {
        while TcpStream::connect(stage.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("closed");
    assert_eq!((stage.proxy.stats(), stage.proxy.drained(IpAddr::from([127, 0, 0, 1]))), (Vec::new(), true));
}
