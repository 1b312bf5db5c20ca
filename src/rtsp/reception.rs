//! Takes connections in and hands them to GStreamer's server, which does not tell whence its own come.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst_rtsp_server::gio;
use gst_rtsp_server::gio::prelude::*;
use gst_rtsp_server::prelude::*;

use super::relay::Relay;
use super::visits::{Arrival, Book, Line};
use crate::shutdown::Shutdown;

/// Pause after the system refused a connection (no file descriptors left).
const REFUSED: Duration = Duration::from_millis(100);

/// Introduces clients to the server. Its thread alone does.
#[derive(Clone)]
pub(super) struct Reception {
    server: glib::WeakRef<gst_rtsp_server::RTSPServer>,
    book: Arc<Book>,
}

impl Reception {
    pub(super) fn new(server: &gst_rtsp_server::RTSPServer, book: &Arc<Book>) -> Self {
        Self { server: server.downgrade(), book: Arc::clone(book) }
    }

    /// Makes a client of a connection. `line`: of one that comes through the relay.
    pub(super) fn introduce(&self, socket: OwnedFd, peer: SocketAddr, line: Option<Line>) {
        let Some(server) = self.server.upgrade() else { return };
        let from: IpAddr = peer.ip().to_canonical();
        let made = gio::Socket::from_fd(socket).map_err(|error| error.to_string()).and_then(|socket| {
            self.book.expect(Some(Arrival { from, line }));
            let made = server.transfer_connection(socket, &from.to_string(), i32::from(peer.port()), None);
            self.book.expect(None);
            made.map_err(|error| error.to_string())
        });
        if let Err(error) = made {
            tracing::warn!(%peer, error, "rtsp: a connection could not be taken");
        }
    }

    /// Takes connections in from now on, on the thread of `context`; through `relay` where it wants them.
    pub(super) fn receive(
        self,
        listener: TcpListener,
        relay: Option<Relay>,
        context: &glib::MainContext,
    ) -> Result<glib::Source, glib::Error> {
        let copy =
            listener.try_clone().map_err(|error| glib::Error::new(gio::IOErrorEnum::Failed, &error.to_string()))?;
        let socket = gio::Socket::from_fd(OwnedFd::from(copy))?;
        let never = None::<&gio::Cancellable>;
        let priority = glib::Priority::DEFAULT;
        let accept = move |_: &gio::Socket, _: glib::IOCondition| {
            self.accept(&listener, relay.as_ref());
            glib::ControlFlow::Continue
        };
        let condition = glib::IOCondition::IN;
        let source = SocketExtManual::create_source(&socket, condition, never, Some("rtsp-listen"), priority, accept);
        source.attach(Some(context));
        Ok(source)
    }

    fn accept(&self, listener: &TcpListener, relay: Option<&Relay>) {
        match listener.accept() {
            Ok((stream, peer)) => match relay {
                Some(relay) if relay.wants(peer.ip().to_canonical()) => relay.take(stream, peer),
                _ => self.introduce(OwnedFd::from(stream), peer, None),
            },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                tracing::warn!(%error, "rtsp: a connection could not be accepted");
                Shutdown::new().wait_timeout(REFUSED);
            }
        }
    }
}
