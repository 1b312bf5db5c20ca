//! The two sockets of a stream by UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Attempts to find an even port whose neighbour is free, too.
const ATTEMPTS: u32 = 50;
/// Bytes that the system holds for us: a keyframe of a large camera comes at once, while we may be busy.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Longest datagram.
const LONGEST: usize = 65_536;

/// For packets and for reports.
pub(super) struct Sockets {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    camera: IpAddr,
    buffer: Vec<u8>,
}

impl Sockets {
    /// Binds a pair for packets from `camera`.
    ///
    /// # Errors
    /// No two neighbouring ports are to be had.
    pub(super) async fn bind(camera: IpAddr) -> io::Result<Self> {
        let any = match camera {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let mut last = io::Error::other("no pair of ports is free");
        for _ in 0..ATTEMPTS {
            // RTP has the even port, by custom and in the eyes of some cameras by law.
            let first = UdpSocket::bind((any, 0)).await?;
            let port = first.local_addr()?.port();
            let (even, odd) = (port & !1, port | 1);
            let other = if port == even { odd } else { even };
            match UdpSocket::bind((any, other)).await {
                Ok(second) => {
                    let (rtp, rtcp) = if port == even { (first, second) } else { (second, first) };
                    // The system may grant less.
                    socket2::SockRef::from(&rtp).set_recv_buffer_size(RECEIVE_BUFFER).ok();
                    return Ok(Self { rtp, rtcp, camera, buffer: vec![0; LONGEST] });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Our ports.
    pub(super) fn ports(&self) -> io::Result<(u16, u16)> {
        Ok((self.rtp.local_addr()?.port(), self.rtcp.local_addr()?.port()))
    }

    /// Opens the way through middle boxes: they let in what comes from where something was sent to.
    pub(super) async fn open(&self, rtp: u16, rtcp: u16, report: &[u8]) {
        for (socket, port) in [(&self.rtp, rtp), (&self.rtcp, rtcp)] {
            if port > 0 {
                socket.send_to(report, SocketAddr::from((self.camera, port))).await.ok();
            }
        }
    }

    /// Sends a report to that port of the camera.
    pub(super) async fn report(&self, port: u16, data: &[u8]) {
        if port > 0 {
            self.rtcp.send_to(data, SocketAddr::from((self.camera, port))).await.ok();
        }
    }

    /// The next packet of the stream.
    pub(super) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            self.rtp.readable().await?;
            match self.rtp.try_recv_from(&mut self.buffer) {
                Ok((length, from)) if same(from.ip(), self.camera) => return Ok(self.buffer[..length].to_vec()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An ICMP message about something that we sent: no matter.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A packet of the stream that has arrived already.
    pub(super) fn try_packet(&mut self) -> Option<Vec<u8>> {
        let (length, from) = self.rtp.try_recv_from(&mut self.buffer).ok()?;
        same(from.ip(), self.camera).then(|| self.buffer[..length].to_vec())
    }

    /// The next report of the camera.
    pub(super) fn try_control(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        let (length, from) = self.rtcp.try_recv_from(&mut buffer).ok()?;
        same(from.ip(), self.camera).then(|| buffer[..length].to_vec())
    }
}

fn same(a: IpAddr, b: IpAddr) -> bool {
    a.to_canonical() == b.to_canonical()
}
