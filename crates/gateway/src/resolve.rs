//! Host names of desks and SIP bots (RFC 3263): NAPTR, then SRV, then A and AAAA; asked again as their TTL runs out. An
//! answer that cannot be renewed goes on being used: no caller is lost because a name server is down.

use crate::config::Settings;
use crate::inbox::{Inbox, Input};
use call_core::{BotReach, Interfaces, SwitchboardConfig, Target};
use call_model::Party;
use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use http_api::{Hub, Metric};
use sip_proto::Transport;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A name server that has not answered within this does not answer; it is asked twice.
const PATIENCE: Duration = Duration::from_secs(2);
/// All first answers are waited for so long before calls are taken.
pub(crate) const FIRST: Duration = Duration::from_secs(5);
/// An answer that is older than this is no longer what the standard calls stale; it is kept, and said to be old.
const STALE: Duration = Duration::from_secs(3600);

/// A peer that is configured by a host name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// A desk or a bot.
    pub about: Party,
    /// Its name in the configuration.
    pub name: String,
    /// The host name.
    pub host: String,
    /// With a port, only addresses are looked up (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// The transport, where the name server has no opinion.
    pub transport: Transport,
    /// The name server may have one.
    pub any_transport: bool,
    /// It is enough that the trunk can call it.
    pub optional: bool,
    /// The side of ours by which it is reached, if it names one.
    pub interface: Option<String>,
}

/// How often names are looked up again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    least: Duration,
    most: Duration,
    after_failure: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let least = Duration::from_secs(30);
        Self { least, most: Duration::from_secs(3600), after_failure: least }
    }
}

/// Where a name leads, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found {
    targets: Vec<Target>,
    until: Instant,
    /// The name has SRV records.
    services: bool,
}

/// Asks name servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Resolver {
    dns: TokioResolver,
    interfaces: Interfaces,
    pace: Pace,
}

impl Resolver {
    /// `servers`: none are those of the system. `interfaces`: ours; targets that they cannot reach are left out.
    /// To be called on the runtime.
    pub(crate) fn new(servers: &[SocketAddr], interfaces: Interfaces) -> Result<Self, String> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(|error| format!("cannot read the system's name servers: {error}"))?
        } else {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE;
        options.attempts = 1;
        // We keep what we need ourselves, for longer than a cache would.
        options.cache_size = 0;
        let dns = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { dns, interfaces, pace: Pace::default() })
    }

    /// Looks everything up once and writes it into the configuration. Gives what failed.
    pub(crate) async fn settle(&self, lookups: &[Lookup], board: &mut SwitchboardConfig) -> Vec<(Lookup, String)> {
        let answers = join_all(lookups.iter().map(|lookup| timeout(FIRST, self.find(lookup, None)))).await;
        let mut failed = Vec::new();
        for (lookup, answer) in lookups.iter().zip(answers) {
            match answer.unwrap_or_else(|_| Err("no name server answered".to_owned())) {
                Ok(found) => set(board, lookup, found.targets),
                Err(why) => failed.push((lookup.clone(), why)),
            }
        }
        failed
    }

    /// Keeps the switchboard informed, for ever.
    pub(crate) async fn watch(self, lookup: Lookup, inbox: Inbox, hub: Hub) {
        let mut last: Option<Found> = None;
        loop {
            let wait = match self.find(&lookup, last.as_ref()).await {
                Ok(found) => {
                    let targets = found.targets.clone();
                    inbox.send(Input::Resolved { about: lookup.about, name: lookup.name.clone(), targets }).await;
                    let wait = found.until.saturating_duration_since(Instant::now());
                    last = Some(found);
                    wait.clamp(self.pace.least, self.pace.most)
                }
                Err(error) => {
                    hub.metrics().add(Metric::DnsFailures, 1);
                    self.complain(&lookup, last.as_ref(), &error);
                    self.pace.after_failure
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn complain(&self, lookup: &Lookup, last: Option<&Found>, error: &str) {
        let Lookup { about, name, host, .. } = lookup;
        let Some(last) = last else {
            return tracing::warn!(%about, name, host, error, "a host name cannot be looked up: nobody is called there");
        };
        let stale = Instant::now().saturating_duration_since(last.until);
        if stale < STALE {
            tracing::warn!(%about, name, host, error, "a host name cannot be looked up: its last answer is used");
        } else {
            let hours = stale.as_secs() / 3600;
            tracing::error!(%about, name, host, error, hours, "a host name cannot be looked up: its last answer is old");
        }
    }

    /// `last`: a name that had services is not without them because a name server fails.
    async fn find(&self, lookup: &Lookup, last: Option<&Found>) -> Result<Found, String> {
        let failed = |error: NetError| error.to_string();
        // One word alone is a machine, not a domain.
        if lookup.port.is_none() && lookup.host.contains('.') {
            match self.services(lookup).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(error) if last.is_some_and(|last| last.services) => return Err(failed(error)),
                // Some name servers do not know the type at all.
                Err(error) => tracing::debug!(host = lookup.host, %error, "no SRV records"),
            }
        }
        let port = lookup.port.unwrap_or(lookup.transport.default_port());
        let (ips, until) = self.addresses(lookup, &lookup.host, lookup.transport).await.map_err(failed)?;
        let one = |ip: &IpAddr| Target { weight: 1, ..Target::new(lookup.transport, SocketAddr::new(*ip, port)) };
        let targets: Vec<Target> = ips.iter().map(one).collect();
        if targets.is_empty() {
            Err("has no address".to_owned())
        } else {
            Ok(Found { targets, until, services: false })
        }
    }

    /// By NAPTR and SRV; nothing for a name without.
    async fn services(&self, lookup: &Lookup) -> Result<Option<Found>, NetError> {
        let offered = if lookup.any_transport { self.offered(lookup).await } else { Vec::new() };
        let offered = match offered.is_empty() {
            false => offered,
            true => self.usual(lookup).map(|transport| (transport, usual_name(transport, &lookup.host))).collect(),
        };
        let answers = join_all(offered.iter().map(|(_, name)| self.records(name, RecordType::SRV))).await;
        let mut ranked = Vec::new();
        let mut until = None;
        for (rank, ((transport, _), answer)) in offered.iter().zip(answers).enumerate() {
            let (records, valid) = answer?;
            for record in records {
                let RData::SRV(srv) = record else { continue };
                let host = srv.target.to_utf8();
                if host == "." {
                    continue;
                }
                let (ips, fresh) = self.addresses(lookup, &host, *transport).await?;
                until = Some(until.unwrap_or(valid).min(valid).min(fresh));
                ranked.extend(ips.into_iter().map(|ip| {
                    let target = Target::new(*transport, SocketAddr::new(ip, srv.port));
                    ((rank, srv.priority), Target { weight: srv.weight, ..target })
                }));
            }
        }
        ranked.sort_by_key(|(rank, target)| (*rank, target.address));
        // One scale for the priorities of all transports.
        let ranks: Vec<_> = ranked.iter().map(|(rank, _)| *rank).collect::<BTreeSet<_>>().into_iter().collect();
        let place = |rank| ranks.iter().position(|one| *one == rank).and_then(|at| u16::try_from(at).ok());
        let targets: Vec<Target> = ranked
            .iter()
            .map(|(rank, target)| Target { priority: place(*rank).unwrap_or(u16::MAX), ..*target })
            .collect();
        let until = until.filter(|_| !targets.is_empty());
        Ok(until.map(|until| Found { targets, until, services: true }))
    }

    /// What the domain itself prefers (RFC 3263 §4.1); nothing where it does not say.
    async fn offered(&self, lookup: &Lookup) -> Vec<(Transport, String)> {
        let Ok((records, _)) = self.records(&format!("{}.", lookup.host), RecordType::NAPTR).await else {
            return Vec::new();
        };
        let mut offered: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                RData::NAPTR(naptr) if naptr.flags.eq_ignore_ascii_case(b"s") => Some(naptr),
                _ => None,
            })
            .filter_map(|naptr| {
                let services: &[(&[u8], Transport)] =
                    &[(b"SIP+D2U", Transport::Udp), (b"SIP+D2T", Transport::Tcp), (b"SIPS+D2T", Transport::Tls)];
                let of = services.iter().find(|(service, _)| naptr.services.eq_ignore_ascii_case(service))?;
                self.ways(lookup, of.1).next()?;
                Some(((naptr.order, naptr.preference), (of.1, naptr.replacement.to_utf8())))
            })
            .collect();
        offered.sort_by_key(|(order, _)| *order);
        offered.into_iter().map(|(_, offer)| offer).collect()
    }

    /// The transports that may be asked for, the given one first.
    fn usual(&self, lookup: &Lookup) -> impl Iterator<Item = Transport> {
        let others = [Transport::Udp, Transport::Tcp].into_iter().filter(|other| *other != lookup.transport);
        let others = others.filter(|_| lookup.any_transport && !lookup.transport.is_secure());
        std::iter::once(lookup.transport).chain(others.filter(|other| self.ways(lookup, *other).next().is_some()))
    }

    /// Our addresses for a transport, where this peer is reached.
    fn ways(&self, lookup: &Lookup, transport: Transport) -> impl Iterator<Item = SocketAddr> {
        self.interfaces.speaking(lookup.interface.as_deref(), transport).map(|(_, local)| local)
    }

    /// Those of the families in which we speak this transport, if it has any; in an order that does not change.
    async fn addresses(
        &self,
        lookup: &Lookup,
        host: &str,
        transport: Transport,
    ) -> Result<(Vec<IpAddr>, Instant), NetError> {
        let answer = self.dns.lookup_ip(host).await?;
        let mut ips: Vec<IpAddr> = answer.iter().collect();
        ips.sort_unstable();
        ips.dedup();
        let ours = |ip: &IpAddr| self.ways(lookup, transport).any(|us| us.is_ipv4() == ip.is_ipv4());
        if ips.iter().any(ours) {
            ips.retain(ours);
        }
        Ok((ips, answer.valid_until()))
    }

    /// None of the kind is an answer, too.
    async fn records(&self, name: &str, kind: RecordType) -> Result<(Vec<RData>, Instant), NetError> {
        match self.dns.lookup(name, kind).await {
            Ok(answer) => {
                Ok((answer.answers().iter().map(|record| record.data.clone()).collect(), answer.valid_until()))
            }
            Err(error) if error.is_no_records_found() => Ok((Vec::new(), Instant::now())),
            Err(error) => Err(error),
        }
    }
}

/// Looks everything up once, for those who do not stay. Gives what failed.
pub(crate) fn settle(settings: &mut Settings) -> Result<Vec<(Lookup, String)>, String> {
    if settings.lookups.is_empty() {
        return Ok(Vec::new());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let resolver = Resolver::new(&settings.sip.dns, settings.switchboard.interfaces.clone())?;
        Ok(resolver.settle(&settings.lookups, &mut settings.switchboard).await)
    })
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    server.connections = connections.into();
    server
}

/// RFC 3263 §4.2.
fn usual_name(transport: Transport, host: &str) -> String {
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tls => "_sips._tcp",
        _ => "_sip._tcp",
    };
    format!("{service}.{host}.")
}

fn set(board: &mut SwitchboardConfig, lookup: &Lookup, found: Vec<Target>) {
    match lookup.about {
        Party::Desk => {
            if let Some(desk) = board.desks.iter_mut().find(|desk| desk.name == lookup.name) {
                desk.targets = found;
            }
        }
        Party::Recorder => {
            if let Some(recorder) = &mut board.recorder {
                recorder.targets = found;
            }
        }
        _ => {
            let bot = board.bots.iter_mut().find(|bot| bot.name == lookup.name).map(|bot| &mut bot.reach);
            if let Some(BotReach::Sip { targets, .. }) = bot {
                *targets = found;
            }
        }
    }
}

#[cfg(test)]
#[path = "../tests/it/support/dns.rs"]
mod dns;
#[cfg(test)]
mod tests;
