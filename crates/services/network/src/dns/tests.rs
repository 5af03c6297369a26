//! Questions over real sockets, with a world that knows one name.

use std::net::Ipv4Addr;

use serde_json::json;
use simple_dns::rdata::A;

use super::*;

#[tokio::test]
async fn questions_are_answered_over_both_carriers() {
    let dns = start().await;
    for carrier in [Carrier::Datagram, Carrier::Stream] {
        check(&dns, carrier, "web.shop.svc.cluster.local", "NoError 10.96.0.7").await;
        check(&dns, carrier, "example.com", "NoError 192.0.2.1").await;
        check(&dns, carrier, "away.shop.svc.cluster.local", "NoError example.com 192.0.2.1").await;
        check(&dns, carrier, "nobody.shop.svc.cluster.local", "ServerFailure").await;
    }
}

#[tokio::test]
async fn large_answers_are_cut_for_datagrams_only() {
    let dns = start().await;
    let name = "many.shop.svc.cluster.local";
    let cut = ask(&dns, Carrier::Datagram, name).await;
    assert!(Packet::parse(&cut).expect("a message").has_flags(PacketFlag::TRUNCATION));
    assert!(cut.len() <= PLAIN_ANSWER_BYTES);
    let whole = ask(&dns, Carrier::Stream, name).await;
    assert_eq!(Packet::parse(&whole).expect("a message").answers.len(), 90);
}

async fn start() -> Dns {
    let world = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = world.local_addr().expect("an address");
    let stream = TcpListener::bind(address).await.expect("the same port");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = world.recv_from(&mut buffer).await {
            world.send_to(&answer_of_the_world(&buffer[..length]), from).await.expect("sent");
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = stream.accept().await {
            let question = upstream::receive(&mut stream).await.expect("a message").expect("a question");
            upstream::send(&mut stream, &answer_of_the_world(&question)).await.expect("sent");
        }
    });
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { bind, cluster_domain: "cluster.local".to_owned(), upstream: vec![address] };
    let dns = Dns::open(config).await.expect("a name server");
    let service = |name: &str, spec: serde_json::Value| {
        let service = json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": spec });
        dns.directory.put_service(serde_json::from_value(service).expect("a service"));
    };
    service("web", json!({ "clusterIP": "10.96.0.7" }));
    service("many", json!({ "clusterIP": "None" }));
    service("away", json!({ "type": "ExternalName", "externalName": "example.com" }));
    let endpoints: Vec<_> = (1..=90).map(|last| json!({ "addresses": [format!("10.0.0.{last}")] })).collect();
    let labels = json!({ "kubernetes.io/service-name": "many" });
    let slice = json!({ "metadata": { "name": "many", "namespace": "shop", "labels": labels }, "endpoints": endpoints });
    dns.directory.put_slice(serde_json::from_value(slice).expect("a slice"));
    dns
}

fn answer_of_the_world(question: &[u8]) -> Vec<u8> {
    let asked = Packet::parse(question).expect("a question");
    let address = RData::A(A::from(Ipv4Addr::new(192, 0, 2, 1)));
    let record = ResourceRecord::new(asked.questions[0].qname.clone(), CLASS::IN, 60, address);
    let mut message = asked.clone().into_reply();
    message.answers.push(record);
    message.build_bytes_vec().expect("bytes")
}

async fn ask(dns: &Dns, carrier: Carrier, name: &str) -> Vec<u8> {
    let bytes = question(Name::new(name).expect("a name"), QTYPE::TYPE(TYPE::A)).expect("a question");
    upstream::ask(&[dns.address()], &bytes, carrier).await.expect("an answer")
}

async fn check(dns: &Dns, carrier: Carrier, name: &str, expected: &str) {
    let answer = ask(dns, carrier, name).await;
    let message = Packet::parse(&answer).expect("a message");
    let mut words = vec![format!("{:?}", message.rcode())];
    words.extend(message.answers.iter().map(|record| match &record.rdata {
        RData::A(address) => Ipv4Addr::from(address.address).to_string(),
        RData::CNAME(alias) => alias.0.to_string(),
        other => panic!("an unexpected {other:?}"),
    }));
    assert_eq!(words.join(" "), expected, "{name} by {carrier:?}");
}
