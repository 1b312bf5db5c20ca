//! Which cameras are on a network: ONVIF devices answer to a question that is sent to all (WS-Discovery), and tell what
//! they send (the Media service).
//!
//! * [`ways`], [`message`], [`media`], [`xml`]: pure, who is asked, and what is said and what it means.
//! * [`search`], [`soap`]: sockets and time.
//!
//! A device is trusted with nothing: it is talked to at the address that its answer came from, whatever it says of
//! itself, and only where `network.cameras` allows it; what it says is bounded.

mod media;
mod message;
mod search;
mod soap;
mod ways;
mod xml;

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::plan::{Credentials, Searched};
use crate::reach::Reach;
use media::Profile;
use search::Answer;
use soap::Device;

/// Time for devices to answer.
const WAIT: Duration = Duration::from_secs(2);
/// Time for one to tell what it sends.
const DETAILS: Duration = Duration::from_secs(8);
/// Devices asked for that at a time.
const AT_A_TIME: usize = 8;

/// A device that was found
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DiscoveredDevice")]
pub(crate) struct Found {
    /// IP address
    pub(crate) address: String,
    /// The device's own name for itself, the same wherever it is
    pub(crate) endpoint: String,
    /// As it calls itself
    pub(crate) name: Option<String>,
    /// Model
    pub(crate) hardware: Option<String>,
    /// What it can send, the greatest picture first
    pub(crate) profiles: Vec<Profile>,
    /// Token of the profile with the greatest picture
    pub(crate) main: Option<String>,
    /// Token of the one with the smallest, where there are several: for analysis
    pub(crate) sub: Option<String>,
    /// Why it does not tell what it sends; such as that it wants a login
    pub(crate) problem: Option<String>,
}

/// What was found where
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Discovery {
    /// In the order of their addresses
    pub(crate) devices: Vec<Found>,
    /// What of network.discover could not be searched, and why
    pub(crate) problems: Vec<String>,
}

/// Asks on these networks, and then each device for what it sends.
pub(crate) async fn discover(networks: &[Searched], login: Option<&Credentials>, reach: &Reach) -> Discovery {
    let (answers, problems) = search::search(networks, WAIT).await;
    let mut devices: Vec<Found> =
        stream::iter(answers).map(|answer| found(answer, login, reach)).buffer_unordered(AT_A_TIME).collect().await;
    devices.sort_by_key(|found| found.address.parse::<std::net::IpAddr>().ok());
    Discovery { devices, problems }
}

async fn found(answer: Answer, login: Option<&Credentials>, reach: &Reach) -> Found {
    let told = async {
        let device = Device::new(&answer, login, reach)?;
        device.profiles().await
    };
    let told = tokio::time::timeout(DETAILS, told).await.unwrap_or(Err(soap::Refusal::Mute));
    let (mut profiles, problem) = match told {
        Ok(profiles) => (profiles, None),
        Err(refusal) => (Vec::new(), Some(refusal.to_string())),
    };
    media::order(&mut profiles);
    let (main, sub) = media::main_and_sub(&profiles);
    Found {
        address: answer.from.to_string(),
        endpoint: answer.told.endpoint,
        name: answer.told.name,
        hardware: answer.told.hardware,
        profiles,
        main,
        sub,
        problem,
    }
}
