use super::dns::{NameServer, a, aaaa, naptr, srv};
use super::*;
use crate::inbox::{Outlet, inbox};
use call_core::SipAddresses;
use http_api::HubConfig;
use std::net::Ipv6Addr;

/// Every wait ends as soon as the answer is there.
const AT_MOST: Duration = Duration::from_secs(20);

fn desk(host: &str, port: Option<u16>) -> Lookup {
    let (name, host) = ("ada".to_owned(), host.to_owned());
    Lookup {
        about: Party::Desk,
        name,
        host,
        port,
        transport: Transport::Udp,
        any_transport: true,
        optional: false,
        interface: None,
    }
}

fn ours(tls: Option<SocketAddr>) -> Interfaces {
    let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let sip = SipAddresses { udp: at(5060), tcp: at(5060), tls, ..SipAddresses::default() };
    Interfaces::one(sip, [127, 0, 0, 1].into())
}

fn resolver(server: &NameServer) -> Resolver {
    let least = Duration::from_millis(5);
    let pace = Pace { least, most: Duration::from_secs(3600), after_failure: least };
    Resolver { pace, ..Resolver::new(&[server.at], ours(None)).expect("a resolver") }
}

async fn found(server: &NameServer, lookup: &Lookup) -> Vec<String> {
    let found = resolver(server).find(lookup, None).await.expect("an answer");
    let target = |t: &Target| format!("{} {} {} {}", t.transport, t.address, t.priority, t.weight);
    found.targets.iter().map(target).collect()
}

#[tokio::test]
async fn a_port_means_addresses_and_nothing_else() {
    let server = NameServer::start(vec![
        a("cc.example.test.", 60, [127, 0, 0, 8]),
        a("cc.example.test.", 60, [127, 0, 0, 7]),
        srv("_sip._udp.cc.example.test.", (1, 1, 9), "cc.example.test."),
    ]);
    let got = found(&server, &desk("cc.example.test", Some(5070))).await;
    assert_eq!(got, ["udp 127.0.0.7:5070 0 1", "udp 127.0.0.8:5070 0 1"]);
}

#[tokio::test]
async fn services_come_with_their_priorities_those_of_the_given_transport_first() {
    let server = NameServer::start(vec![
        a("cc.example.test.", 60, [127, 0, 0, 9]),
        srv("_sip._tcp.cc.example.test.", (5, 0, 5080), "b.example.test."),
        srv("_sip._udp.cc.example.test.", (20, 3, 5062), "b.example.test."),
        srv("_sip._udp.cc.example.test.", (10, 7, 5061), "a.example.test."),
        a("a.example.test.", 60, [127, 0, 0, 7]),
        a("b.example.test.", 60, [127, 0, 0, 8]),
    ]);
    let all = ["udp 127.0.0.7:5061 0 7", "udp 127.0.0.8:5062 1 3", "tcp 127.0.0.8:5080 2 0"];
    assert_eq!(found(&server, &desk("cc.example.test", None)).await, all);
    let named = Lookup { any_transport: false, transport: Transport::Tcp, ..desk("cc.example.test", None) };
    assert_eq!(found(&server, &named).await, ["tcp 127.0.0.8:5080 0 0"]);
}

#[tokio::test]
async fn the_domain_may_say_which_transport_it_prefers() {
    let server = NameServer::start(vec![
        naptr("cc.example.test.", 20, "SIP+D2U", "_sip._udp.cc.example.test."),
        naptr("cc.example.test.", 10, "SIP+D2T", "_sip._tcp.cc.example.test."),
        // We do not speak it.
        naptr("cc.example.test.", 1, "SIPS+D2T", "_sips._tcp.cc.example.test."),
        srv("_sip._udp.cc.example.test.", (1, 0, 5061), "a.example.test."),
        srv("_sip._tcp.cc.example.test.", (9, 0, 5062), "a.example.test."),
        a("a.example.test.", 60, [127, 0, 0, 7]),
    ]);
    let got = found(&server, &desk("cc.example.test", None)).await;
    assert_eq!(got, ["tcp 127.0.0.7:5062 0 0", "udp 127.0.0.7:5061 1 0"]);
}

/// TLS is spoken from an IPv6 address here, so of a host with both it is the IPv6 address that is called.
#[tokio::test]
async fn sips_asks_for_its_own_services_and_nothing_else() {
    let server = NameServer::start(vec![
        naptr("cc.example.test.", 10, "SIP+D2U", "_sip._udp.cc.example.test."),
        srv("_sip._udp.cc.example.test.", (1, 0, 5061), "a.example.test."),
        srv("_sip._tcp.cc.example.test.", (1, 0, 5062), "a.example.test."),
        srv("_sips._tcp.cc.example.test.", (1, 0, 5063), "a.example.test."),
        a("a.example.test.", 60, [127, 0, 0, 7]),
        aaaa("a.example.test.", 60, Ipv6Addr::LOCALHOST),
    ]);
    let interfaces = ours(Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 5061))));
    let resolver = Resolver { interfaces, ..resolver(&server) };
    let sips = Lookup { any_transport: false, transport: Transport::Tls, ..desk("cc.example.test", None) };
    let found = resolver.find(&sips, None).await.expect("an answer").targets;
    let at = SocketAddr::from((Ipv6Addr::LOCALHOST, 5063));
    assert_eq!(
        found.iter().map(|target| (target.transport, target.address)).collect::<Vec<_>>(),
        [(Transport::Tls, at)]
    );
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_an_error() {
    let server = NameServer::start(Vec::new());
    resolver(&server).find(&desk("cc.example.test", None), None).await.expect_err("no address");
}

async fn next(outlet: &mut Outlet) -> Vec<SocketAddr> {
    let input = timeout(AT_MOST, outlet.inputs.recv()).await.expect("in time").expect("a watcher");
    let Input::Resolved { targets, .. } = input else { panic!("{input:?}") };
    targets.iter().map(|target| target.address).collect()
}

/// Its TTL is over at once; then the name server goes, and comes back with news.
#[tokio::test]
async fn an_answer_is_renewed_when_its_ttl_is_over_and_kept_while_it_cannot_be() {
    let server = NameServer::start(vec![a("cc.example.test.", 0, [127, 0, 0, 7])]);
    let poll = mio::Poll::new().expect("a poll");
    let (inbox, mut outlet) = inbox(mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
    let hub = Hub::new(HubConfig::new(crate::clock::Clock::start().wall()));
    let watching = tokio::spawn(resolver(&server).watch(desk("cc.example.test", Some(5060)), inbox, hub.clone()));
    let at = |last| vec![SocketAddr::from(([127, 0, 0, last], 5060))];
    assert_eq!(next(&mut outlet).await, at(7));

    server.say(Some(vec![a("cc.example.test.", 0, [127, 0, 0, 8])]));
    while next(&mut outlet).await != at(8) {}

    server.say(None);
    let outage = async {
        while hub.metrics().get(Metric::DnsFailures) < 3 {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_MOST, outage).await.expect("failures are counted");
    while let Ok(Input::Resolved { targets, .. }) = outlet.inputs.try_recv() {
        assert_eq!(targets[0].address, at(8)[0], "nothing else was said meanwhile");
    }
    server.say(Some(vec![a("cc.example.test.", 0, [127, 0, 0, 9])]));
    assert_eq!(next(&mut outlet).await, at(9));
    watching.abort();
}

#[tokio::test]
async fn a_name_with_services_is_not_without_them_because_the_server_fails() {
    let server = NameServer::start(vec![
        srv("_sip._udp.cc.example.test.", (1, 0, 5061), "a.example.test."),
        a("a.example.test.", 60, [127, 0, 0, 7]),
    ]);
    let (resolver, lookup) = (resolver(&server), desk("cc.example.test", None));
    let last = resolver.find(&lookup, None).await.expect("an answer");
    server.say(None);
    resolver.find(&lookup, Some(&last)).await.expect_err("not an answer without services");
}
