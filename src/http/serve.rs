//! Connections, with their bounds.

use std::net::{IpAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::guard::Peer;
use crate::shutdown::Shutdown;

/// Open connections at most; more wait in the system's queue.
const CONNECTIONS: usize = 128;
/// Time for a request's head to come in, and between two requests.
const HEAD: Duration = Duration::from_secs(30);
/// A connection is closed after this time, whatever it does: nobody can hold a place for ever.
const CONNECTION: Duration = Duration::from_secs(300);
/// Time for open answers to be finished at the end.
const FAREWELL: Duration = Duration::from_millis(300);
/// Pause after the system refused a connection (no file descriptors left).
const REFUSED: Duration = Duration::from_millis(100);

/// Serves until `stop`.
pub(super) async fn serve(listener: TcpListener, app: Router, stop: Shutdown) -> std::io::Result<()> {
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
                    let (app, stop) = (app.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(stream, peer.ip(), app, stop).await;
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

async fn connection(stream: TcpStream, peer: IpAddr, app: Router, stop: Shutdown) {
    let app = app.layer(Extension(Peer(peer)));
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
