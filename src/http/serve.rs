//! Connections, with their bounds.

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::guard::Peer;
use crate::shutdown::Shutdown;

/// Open connections at most; more wait in the system's queue.
const CONNECTIONS: usize = 128;
/// Time for TLS to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for a request's head to come in, and between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// A connection is closed after this time, whatever it does: nobody can hold a place for ever.
const CONNECTION: Duration = Duration::from_secs(300);
/// Time for open answers to be finished at the end.
const FAREWELL: Duration = Duration::from_millis(300);
/// Pause after the system refused a connection (no file descriptors left).
const REFUSED: Duration = Duration::from_millis(100);

/// Serves until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    app: Router,
    tls: Option<TlsAcceptor>,
    stop: Shutdown,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut end = pin!(stop.wait_async());
    loop {
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            (place, accepted) = accept => match accepted {
                Ok((stream, peer)) => {
                    let (app, tls, stop) = (app.clone(), tls.clone(), stop.clone());
                    connections.spawn(async move {
                        let app = app.layer(Extension(Peer(peer.ip())));
                        match tls {
                            None => connection(stream, app, stop).await,
                            // Who speaks no TLS, or too slowly, goes without an answer.
                            Some(tls) => {
                                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                                    connection(stream, app, stop).await;
                                }
                            }
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REFUSED).await;
                }
            }
        }
    }
    drop(listener);
    // Those that are not through by then are cut off.
    let _cut = tokio::time::timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, app: Router, stop: Shutdown) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = pin!(connection);
    let ended = tokio::time::timeout(CONNECTION, async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.wait_async() => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        }
    });
    // Clients go away in many ways; none of them is our trouble.
    if let Ok(Err(error)) = ended.await {
        tracing::trace!(%error, "a connection ended");
    }
}
