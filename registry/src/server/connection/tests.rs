use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const HEAD: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(30);

fn pair() -> (DuplexStream, Patient<DuplexStream>) {
    let (client, server) = duplex(16);
    (client, Patient::new(server, HEAD, WRITE))
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_not_ended_here() {
    let (_client, mut server) = pair();
    let read = tokio::time::timeout(HEAD * 100, server.read_u8()).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_ended_in_time() {
    let (mut client, mut server) = pair();
    let started = Instant::now();
    tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    let error = loop {
        if let Err(error) = server.read_u8().await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), HEAD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn the_service_takes_its_own_time() {
    let (mut client, mut server) = pair();
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    server.busy().store(true, Ordering::Relaxed);
    assert!(tokio::time::timeout(HEAD * 5, server.read_u8()).await.is_err());

    // Once it has answered, the next head is timed again.
    server.write_all(b"y").await.unwrap();
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    assert!(server.read_u8().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_ended_in_time() {
    let (_client, mut server) = pair();
    let started = Instant::now();
    let error = server.write_all(&[0; 17]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), WRITE.as_secs());
}
