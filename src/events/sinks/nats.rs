//! NATS JetStream: an event is through when the stream has acknowledged it. Its id is the message's id, so that the
//! stream itself leaves out what comes twice within its window.

use std::time::Duration;

use async_nats::jetstream::context::{Context, PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode, message::PublishMessage, stream};
use async_nats::{Client, ConnectOptions};

use super::{Progress, Sink, Trouble};
use crate::config::plan::NatsPlan;
use crate::events::spool::Record;
use crate::tls;

/// A stream that we make keeps events so long.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The sink.
pub(super) struct Nats {
    plan: NatsPlan,
    tls: rustls::ClientConfig,
    connection: Option<Connection>,
}

/// An open connection. Dropping it closes it.
struct Connection {
    client: Client,
    context: Context,
}

impl Nats {
    pub(super) fn new(plan: &NatsPlan) -> anyhow::Result<Self> {
        let tls = tls::client(plan.remote.ca_file.as_deref())?;
        Ok(Self { plan: plan.clone(), tls, connection: None })
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let remote = &self.plan.remote;
        let mut options = ConnectOptions::new()
            .name("maskwatch")
            .connection_timeout(remote.timeout)
            .request_timeout(Some(remote.timeout))
            .tls_client_config(self.tls.clone());
        if let Some(login) = &remote.credentials {
            options = options.user_and_password(login.username.clone(), login.password.expose().to_owned());
        }
        let up = "is the server up and the url right?";
        let client = tokio::time::timeout(remote.timeout, options.connect(remote.url.expose()))
            .await
            .map_err(|_| Trouble::silence(remote.timeout))?
            .map_err(|error| Trouble::new(error.to_string(), up))?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(remote.timeout);
        self.find_stream(&context).await?;
        Ok(Connection { client, context })
    }

    /// The stream is there, or is made.
    async fn find_stream(&self, context: &Context) -> Result<(), Trouble> {
        let wanted = stream::Config {
            name: self.plan.stream.clone(),
            subjects: vec![pattern(&self.plan.subject)],
            max_age: MAX_AGE,
            ..stream::Config::default()
        };
        let hint = "is JetStream on (nats-server -js), and may this user make streams?";
        let stream = &self.plan.stream;
        let found = context.get_or_create_stream(wanted).await;
        found.map(drop).map_err(|error| Trouble::new(format!("stream {stream}: {error}"), hint))
    }

    async fn send(&self, link: &Connection, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        let mut acknowledged = Vec::with_capacity(records.len());
        for record in records {
            let message = PublishMessage::build()
                .payload(record.json.clone())
                .message_id(&record.id)
                .expected_stream(&self.plan.stream);
            let sent = link.context.send_publish(record.address(&self.plan.subject), message).await;
            acknowledged.push(match sent {
                Err(error) if !is_of_the_event(&error) => return Err(trouble(&error)),
                sent => sent,
            });
        }
        // Marked in order: one that is refused stands behind those before it.
        for (record, sent) in records.iter().zip(acknowledged) {
            let answer = match sent {
                Ok(acknowledgement) => acknowledgement.await.map(drop),
                Err(error) => Err(error),
            };
            match answer {
                Ok(()) => progress.delivered(record),
                Err(error) if is_of_the_event(&error) => progress.rejected(record, &error.to_string()),
                Err(error) => return Err(trouble(&error)),
            }
        }
        Ok(())
    }
}

/// Whether the server will never take this event: it is larger than the server or the stream allows. All else is an
/// outage.
fn is_of_the_event(error: &PublishError) -> bool {
    let too_large = [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
    let said = std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || said.is_some_and(|said| too_large.contains(&said.error_code()))
}

fn trouble(error: &PublishError) -> Trouble {
    Trouble::new(error.to_string(), "does the stream take this subject, and is there room in it?")
}

impl Sink for Nats {
    async fn deliver(&mut self, records: &[Record], progress: &Progress) -> Result<(), Trouble> {
        let connected = |link: &Connection| link.client.connection_state() == async_nats::connection::State::Connected;
        let link = match self.connection.take().filter(connected) {
            Some(link) => link,
            None => self.connect().await?,
        };
        self.send(&link, records, progress).await?;
        self.connection = Some(link);
        Ok(())
    }
}

/// The subjects that a template can become: from the first part with a place on, everything.
fn pattern(subject: &str) -> String {
    let fixed: Vec<&str> = subject.split('.').take_while(|part| !part.contains('{')).collect();
    if fixed.len() == subject.split('.').count() {
        return subject.to_owned();
    }
    fixed.into_iter().chain([">"]).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_large_is_given_up() {
        let said = |code: u64| {
            let json = format!(r#"{{"code":400,"err_code":{code},"description":"said"}}"#);
            let source: jetstream::Error = serde_json::from_str(&json).unwrap();
            PublishError::with_source(PublishErrorKind::Other, source)
        };
        assert!(is_of_the_event(&said(10_054)) && is_of_the_event(&said(10_097)));
        assert!(is_of_the_event(&PublishError::new(PublishErrorKind::MaxPayloadExceeded)));
        // A wrong stream, a full one, no answer.
        assert!(!is_of_the_event(&said(10_060)) && !is_of_the_event(&said(10_077)));
        assert!(!is_of_the_event(&PublishError::new(PublishErrorKind::TimedOut)));
        assert!(!is_of_the_event(&PublishError::new(PublishErrorKind::StreamNotFound)));
    }

    #[test]
    fn a_stream_takes_all_subjects_of_its_template() {
        assert_eq!(pattern("maskwatch.{camera}.{type}"), "maskwatch.>");
        assert_eq!(pattern("site.a.events-{camera}"), "site.a.>");
        assert_eq!(pattern("{type}"), ">");
        assert_eq!(pattern("masks"), "masks");
    }
}
