//! Over what packets travel, and the connection that answers share with them.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use crate::zoo::net::dribble;

/// One RTSP connection, written to by two threads.
pub struct Wire {
    stream: Mutex<TcpStream>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream: Mutex::new(stream) }
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream.lock().unwrap().write_all(bytes)
    }

    /// In many small segments.
    pub fn dribble(&self, bytes: &[u8]) -> io::Result<()> {
        dribble(&mut *self.stream.lock().unwrap(), bytes)
    }

    pub fn close(&self) {
        self.stream.lock().unwrap().shutdown(Shutdown::Both).ok();
    }
}

/// The way of one track.
pub enum Carrier {
    Tcp {
        wire: Arc<Wire>,
        /// Of media; of reports it is the next one.
        channel: u8,
    },
    Udp {
        media: UdpSocket,
        reports: UdpSocket,
        to: [SocketAddr; 2],
    },
}

impl Carrier {
    /// Sends packets and a report, in one go where that is possible.
    pub fn send(&self, packets: &[Vec<u8>], report: Option<&[u8]>, behind: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp { wire, channel } => {
                let mut bytes: Vec<u8> = packets.iter().flat_map(|packet| framed(*channel, packet)).collect();
                bytes.extend(report.iter().flat_map(|report| framed(channel + 1, report)));
                bytes.extend(behind);
                wire.write(&bytes)
            }
            Self::Udp { media, reports, to } => {
                // Nobody there is no error: the network does not know.
                for packet in packets {
                    media.send_to(packet, to[0]).ok();
                }
                if let Some(report) = report {
                    reports.send_to(report, to[1]).ok();
                }
                Ok(())
            }
        }
    }
}

/// A packet inside of an RTSP connection.
pub fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let length = (packet.len() as u16).to_be_bytes();
    [&[b'$', channel, length[0], length[1]], packet].concat()
}
