//! A trunk or a desk's telephone on rsipstack, another SIP stack in Rust. The tests in `tests/interop` start it, order it
//! about on its standard input, and read on its standard output what it saw.
//!
//! ```text
//! rsipstack-peer trunk 127.0.0.1:5070 tls RTP REPORT 127.0.0.1:5061 CERTIFICATE 7001
//! rsipstack-peer desk  127.0.0.1:5072 udp RTP REPORT 127.0.0.1:5060 CERTIFICATE ada password
//! rsipstack-peer phone 127.0.0.1:5074 tcp RTP REPORT 127.0.0.1:5060 CERTIFICATE bob
//! ```
//!
//! A trunk calls the gateway, a desk registers there, a phone waits to be called.
//! RTP is the port that it puts into its session descriptions; the audio is the test's. To the UDP port REPORT it sends
//! where the other side wants audio. Orders: `options`, `hold`, `resume`, `unregister`, `bye`.

mod description;
mod party;
mod refer;

use party::{Party, Result};
use rsipstack::EndpointBuilder;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipConnection, TcpListenerConnection, TlsConfig, TlsListenerConnection, TransportLayer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |at: usize| words.get(at).cloned().ok_or("too few words on the command line");
    let (role, at, transport) = (word(0)?, word(1)?.parse()?, word(2)?);
    let certificate = std::fs::read(word(6)?)?;

    let token = CancellationToken::new();
    let transports = TransportLayer::new(token.clone());
    transports.add_transport(listener(at, &transport, &certificate, &token).await?);
    transports.set_tls_config(TlsConfig { ca_certs: Some(certificate), ..TlsConfig::default() });
    let endpoint = EndpointBuilder::new()
        .with_user_agent("rsipstack")
        .with_cancel_token(token)
        .with_transport_layer(transports)
        .build();
    let incoming = endpoint.incoming_transactions()?;
    let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
    let (states, changes) = dialogs.new_dialog_state_channel();
    let server = tokio::spawn(async move { endpoint.serve().await });

    let party = Arc::new(Party {
        dialogs,
        states,
        user: word(7)?,
        at,
        transport,
        gateway: word(5)?,
        rtp: word(3)?.parse()?,
        report: word(4)?.parse()?,
    });
    tokio::spawn(party.clone().take(incoming));
    tokio::spawn(party.clone().follow(changes));
    let mut registration = party.registration(words.get(8).map(String::as_str));
    match role.as_str() {
        "trunk" => party.call().await?,
        "desk" => party.register(&mut registration, 600).await?,
        _ => {}
    }
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await? {
        match order.as_str() {
            "unregister" => party.register(&mut registration, 0).await?,
            order => party.obey(order).await?,
        }
    }
    server.abort();
    Ok(())
}

async fn listener(
    at: SocketAddr,
    transport: &str,
    certificate: &[u8],
    token: &CancellationToken,
) -> Result<SipConnection> {
    Ok(match transport {
        "udp" => UdpConnection::create_connection(at, None, Some(token.child_token())).await?.into(),
        "tcp" => TcpListenerConnection::new(at, None).await?.into(),
        _ => {
            let both = Some(certificate.to_vec());
            let config = TlsConfig { cert: both.clone(), key: both, ..TlsConfig::default() };
            TlsListenerConnection::new(at, None, config).await?.into()
        }
    })
}
