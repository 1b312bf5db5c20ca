//! NATS JetStream: an event is through when the stream has acknowledged it. Its id is the message's id, so that the
//! stream itself leaves out what comes twice within its window.

use std::time::Duration;

use async_nats::jetstream::{self, context::Context, message::PublishMessage, stream};
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
        let hint = "does the stream take this subject, and is there room in it?";
        let failed = |error: jetstream::context::PublishError| Trouble::new(error.to_string(), hint);
        let mut acknowledged = Vec::with_capacity(records.len());
        for record in records {
            let message = PublishMessage::build()
                .payload(record.json.clone())
                .message_id(&record.id)
                .expected_stream(&self.plan.stream);
            let sent = link.context.send_publish(record.address(&self.plan.subject), message).await;
            acknowledged.push(sent.map_err(failed)?);
        }
        for (record, acknowledgement) in records.iter().zip(acknowledged) {
            acknowledgement.await.map_err(failed)?;
            progress.delivered(record);
        }
        Ok(())
    }
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
    fn a_stream_takes_all_subjects_of_its_template() {
        assert_eq!(pattern("maskwatch.{camera}.{type}"), "maskwatch.>");
        assert_eq!(pattern("site.a.events-{camera}"), "site.a.>");
        assert_eq!(pattern("{type}"), ">");
        assert_eq!(pattern("masks"), "masks");
    }
}
