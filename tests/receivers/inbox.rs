//! Receivers of events, each on a thread of its own: an MQTT subscriber, a JetStream reader, a webhook.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use crate::support::{soon, wait_until};

/// An event as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Topic, subject or path.
    pub address: String,
    pub event: Value,
    /// The event as it was written.
    pub text: String,
    pub at: Instant,
}

impl Received {
    fn new(address: &str, json: &[u8]) -> Self {
        let text = String::from_utf8(json.to_vec()).unwrap();
        Self { address: address.into(), event: serde_json::from_str(&text).unwrap(), text, at: Instant::now() }
    }

    pub fn id(&self) -> String {
        self.event["id"].as_str().unwrap().to_owned()
    }
}

/// What has come in so far.
pub type Inbox = Arc<Mutex<Vec<Received>>>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Subscribes with a session that outlives connections, and comes back for ever; returns once it is subscribed.
pub fn mqtt(port: u16, topic: &str) -> Inbox {
    let inbox = Inbox::default();
    let (into, topic) = (Arc::clone(&inbox), topic.to_owned());
    let (ready, subscribed) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        let mut options = MqttOptions::new("test-subscriber", "127.0.0.1", port);
        options.set_clean_session(false).set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = AsyncClient::new(options, 16);
        runtime().block_on(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => client.try_subscribe(&topic, QoS::AtLeastOnce).unwrap(),
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(ready.try_send(())),
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        into.lock().unwrap().push(Received::new(&message.topic, &message.payload));
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
    });
    subscribed.recv_timeout(soon()).expect("subscribed");
    inbox
}

/// All messages of a stream, as they lie there.
pub fn jetstream(port: u16, stream: &str) -> Vec<Received> {
    runtime().block_on(async {
        let client = async_nats::connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
        let context = async_nats::jetstream::new(client);
        let Ok(mut stream) = context.get_stream(stream).await else { return Vec::new() };
        let state = stream.info().await.unwrap().state.clone();
        let mut found = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            found.push(Received::new(&message.subject, &message.payload));
        }
        found
    })
}

/// A request, and what the test answers to it.
pub type Answer = dyn Fn(&HeaderMap, &Received) -> (StatusCode, HeaderMap) + Send + Sync;

/// Takes requests at any path; gives its port and what it answered 2xx.
pub fn webhook(
    answer: impl Fn(&HeaderMap, &Received) -> (StatusCode, HeaderMap) + Send + Sync + 'static,
) -> (u16, Inbox) {
    let inbox = Inbox::default();
    let into = Arc::clone(&inbox);
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer: Arc<Answer> = Arc::new(answer);
    let app = axum::Router::new().fallback(move |uri: axum::http::Uri, headers: HeaderMap, body: Bytes| {
        let (into, answer) = (Arc::clone(&into), Arc::clone(&answer));
        async move {
            let received = Received::new(uri.path(), &body);
            let (status, headers) = answer(&headers, &received);
            if status.is_success() {
                into.lock().unwrap().push(received);
            }
            (status, headers)
        }
    });
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let service = hyper_util::service::TowerToHyperService::new(app.clone());
                let io = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(
                    async move { hyper::server::conn::http1::Builder::new().serve_connection(io, service).await },
                );
            }
        });
    });
    (port, inbox)
}

/// Waits until so many different events have come in.
#[track_caller]
pub fn wait_for_events(inbox: &Inbox, count: usize) -> Vec<Received> {
    wait_until(&format!("{count} different events"), soon(), || {
        let inbox = inbox.lock().unwrap();
        inbox.iter().map(Received::id).collect::<std::collections::HashSet<_>>().len() >= count
    });
    inbox.lock().unwrap().clone()
}
