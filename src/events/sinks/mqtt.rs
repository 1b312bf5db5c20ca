//! MQTT 3.1.1 with QoS 1: an event is through when the broker has acknowledged it.
//!
//! The connection is ours to drive: after any failure it is made anew, and what was not acknowledged is sent again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet,
    QoS, TlsConfiguration, Transport,
};

use super::{MOST, Progress, Sink, Trouble};
use crate::config::plan::MqttPlan;
use crate::events::spool::Record;
use crate::tls;

/// An idle connection is tried so often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Largest packet: an event is far smaller.
const LARGEST: usize = 256 * 1024;
/// What a packet holds besides topic and event: at most.
const FRAME: usize = 16;

/// The sink.
pub(super) struct Mqtt {
    options: MqttOptions,
    topic: String,
    timeout: Duration,
    connection: Option<Connection>,
}

/// An open connection. Dropping it closes it.
struct Connection {
    client: AsyncClient,
    events: EventLoop,
}

impl Mqtt {
    pub(super) fn new(plan: &MqttPlan) -> anyhow::Result<Self> {
        let remote = &plan.remote;
        let encrypted = remote.url.scheme() == "mqtts";
        let port = remote.url.port_or(if encrypted { 8883 } else { 1883 });
        let id = format!("maskwatch-{:08x}", rand::random::<u32>());
        let mut options = MqttOptions::new(id, remote.url.host(), port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_max_packet_size(LARGEST, LARGEST);
        options.set_inflight(u16::try_from(MOST)?);
        if let Some(login) = &remote.credentials {
            options.set_credentials(&login.username, login.password.expose());
        }
        if encrypted {
            let config = Arc::new(tls::client(remote.ca_file.as_deref())?);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        Ok(Self { options, topic: plan.topic.clone(), timeout: remote.timeout, connection: None })
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let (client, mut events) = AsyncClient::new(self.options.clone(), MOST);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(self.timeout.as_secs().max(1));
        events.set_network_options(network);
        match self.poll(&mut events).await? {
            Event::Incoming(Packet::ConnAck(_)) => Ok(Connection { client, events }),
            other => Err(Trouble::new(format!("unexpected greeting {other:?}"), "is this an MQTT broker?")),
        }
    }

    async fn poll(&self, events: &mut EventLoop) -> Result<Event, Trouble> {
        let next = tokio::time::timeout(self.timeout, events.poll()).await;
        next.map_err(|_| Trouble::silence(self.timeout))?.map_err(|error| trouble(&error))
    }

    async fn send(&self, link: &mut Connection, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        // What would end the connection for everything behind it is given up in its turn.
        let too_large = |record: &Record| self.size(record) > LARGEST;
        for record in records.iter().filter(|record| !too_large(record)) {
            let (topic, payload) = (record.address(&self.topic), record.json.clone());
            // There is room for all of them.
            let queued = link.client.try_publish(topic, QoS::AtLeastOnce, false, payload);
            queued.map_err(|error| Trouble::new(error.to_string(), "check the topic"))?;
        }
        let mut sent = VecDeque::new();
        for record in records {
            if too_large(record) {
                progress.rejected(record, &format!("{} bytes are too large for an MQTT packet", self.size(record)));
            } else {
                self.acknowledged(link, &mut sent).await?;
                progress.delivered(record);
            }
        }
        Ok(())
    }

    fn size(&self, record: &Record) -> usize {
        record.json.len() + record.address(&self.topic).len() + FRAME
    }

    /// Waits until the broker has acknowledged the oldest packet that it has not yet; `sent`: those, in order.
    async fn acknowledged(&self, link: &mut Connection, sent: &mut VecDeque<u16>) -> Result<(), Trouble> {
        loop {
            match self.poll(&mut link.events).await? {
                Event::Outgoing(Outgoing::Publish(packet)) => sent.push_back(packet),
                // Brokers acknowledge in the order of sending (MQTT 3.1.1, 4.6).
                Event::Incoming(Packet::PubAck(ack)) if sent.front() == Some(&ack.pkid) => {
                    sent.pop_front();
                    return Ok(());
                }
                Event::Incoming(Packet::PubAck(_)) => {
                    return Err(Trouble::new("the broker acknowledges out of order", "is it an MQTT 3.1.1 broker?"));
                }
                Event::Incoming(Packet::Disconnect) => return Err(closed()),
                _ => {}
            }
        }
    }
}

impl Sink for Mqtt {
    async fn deliver(&mut self, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        let mut link = match self.connection.take() {
            Some(link) => link,
            None => self.connect().await?,
        };
        self.send(&mut link, records, progress).await?;
        self.connection = Some(link);
        Ok(())
    }

    async fn idle(&mut self) -> Trouble {
        let Some(link) = &mut self.connection else { return std::future::pending().await };
        let trouble = loop {
            match link.events.poll().await {
                Ok(Event::Incoming(Packet::Disconnect)) => break closed(),
                Ok(_) => {}
                Err(error) => break trouble(&error),
            }
        };
        self.connection = None;
        trouble
    }
}

fn closed() -> Trouble {
    Trouble::new("the broker closed the connection", "see the broker's log")
}

fn trouble(error: &ConnectionError) -> Trouble {
    let hint = match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "check username and password",
        ConnectionError::ConnectionRefused(_) => "see the broker's log",
        ConnectionError::Tls(_) => "is the broker's certificate good? see ca_file",
        _ => "is the broker up and the url right?",
    };
    Trouble::new(error.to_string(), hint)
}
