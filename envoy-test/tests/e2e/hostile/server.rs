//! Servers that are no identity providers, or bad ones. The first word of a path says how it is answered: `/endless-3/.well-known/openid-configuration`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a body is that tells its length.
const LONG: usize = 20_000_000;

/// How it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Not at all.
    Hangs,
    /// With the first bytes of a body, and no more.
    HangsInTheBody,
    /// With a byte now and then.
    Drips,
    /// With RST.
    Resets,
    /// With 20 MB of JSON.
    Long,
    /// With chunks without end.
    Endless,
    /// With headers without end.
    EndlessHeaders,
    /// With half a megabyte of gzip that would become 80.
    GzipBomb,
    /// With a log-in page.
    Html,
    /// With a redirect to another host.
    Redirects,
    /// With metadata whose keys are at a cloud's metadata service.
    LinkLocalKeys,
}

impl Behaviour {
    pub(super) const ALL: [(&'static str, Self); 11] = [
        ("hangs", Self::Hangs),
        ("hangsinthebody", Self::HangsInTheBody),
        ("drips", Self::Drips),
        ("resets", Self::Resets),
        ("long", Self::Long),
        ("endless", Self::Endless),
        ("endlessheaders", Self::EndlessHeaders),
        ("gzipbomb", Self::GzipBomb),
        ("html", Self::Html),
        ("redirects", Self::Redirects),
        ("linklocalkeys", Self::LinkLocalKeys),
    ];

    /// What may cost memory is done by several providers at once.
    pub(super) const fn copies(self) -> usize {
        match self {
            Self::Long | Self::Endless | Self::EndlessHeaders | Self::GzipBomb => 4,
            _ => 1,
        }
    }
}

/// A running server.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    address: SocketAddr,
    /// Until then, everything is answered 503.
    is_awake: AtomicBool,
    /// By the first word of the path, since it is awake.
    asked: Mutex<BTreeMap<String, usize>>,
    /// Where redirects lead.
    elsewhere: SocketAddr,
}

impl Server {
    pub(super) async fn start(elsewhere: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(State { address, is_awake: AtomicBool::new(false), asked: Mutex::default(), elsewhere });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                // Errors here are clients that have had enough.
                tokio::spawn(async move { _ = serve(&state, stream).await });
            }
        });
        Self { address, state }
    }

    /// From now on it is hostile.
    pub(super) fn wake(&self) {
        self.state.is_awake.store(true, Ordering::SeqCst);
    }

    /// How often this name was asked since then.
    pub(super) fn asked(&self, name: &str) -> usize {
        self.state.asked.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

async fn serve(state: &State, mut stream: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let name = head.split('/').nth(1).unwrap_or_default();
    if !state.is_awake.load(Ordering::SeqCst) {
        return answer(&mut stream, "503 Service Unavailable", "", b"").await;
    }
    *state.asked.lock().unwrap().entry(name.to_owned()).or_default() += 1;
    let kind = name.split('-').next().unwrap_or_default();
    let Some((_, behaviour)) = Behaviour::ALL.iter().find(|(known, _)| *known == kind) else {
        return answer(&mut stream, "404 Not Found", "", b"").await;
    };
    match behaviour {
        Behaviour::Hangs => hang(&mut stream).await,
        Behaviour::HangsInTheBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[").await?;
            hang(&mut stream).await
        }
        Behaviour::Drips => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Behaviour::Resets => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
        Behaviour::Long => {
            let mut body = br#"{"keys":[],"padding":""#.to_vec();
            body.resize(LONG, b'x');
            answer(&mut stream, "200 OK", "Content-Type: application/json\r\n", &body).await
        }
        Behaviour::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
            let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Behaviour::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            let header = format!("X-Padding: {}\r\n", "x".repeat(4000));
            loop {
                stream.write_all(header.as_bytes()).await?;
            }
        }
        Behaviour::GzipBomb => {
            let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
            answer(&mut stream, "200 OK", headers, &gzip_bomb(500_000)).await
        }
        Behaviour::Html => {
            answer(
                &mut stream,
                "200 OK",
                "Content-Type: text/html\r\n",
                b"<!doctype html><title>Sign in</title>",
            )
            .await
        }
        Behaviour::Redirects => {
            let location = format!("Location: http://{}/\r\n", state.elsewhere);
            answer(&mut stream, "302 Found", &location, b"").await
        }
        Behaviour::LinkLocalKeys => {
            let metadata = format!(
                r#"{{"issuer":"http://{}/{name}","jwks_uri":"https://169.254.169.254/latest/meta-data/"}}"#,
                state.address
            );
            answer(&mut stream, "200 OK", "Content-Type: application/json\r\n", metadata.as_bytes()).await
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// Until the client leaves.
async fn hang(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = Vec::new();
    while stream.read_buf(&mut rest).await? > 0 {}
    Ok(())
}

/// So many bytes of gzip (RFC 1952), each of which stands for some 160 blanks: in RFC 1951's fixed codes one literal, then matches of 258 bytes at distance 1.
fn gzip_bomb(length: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u32, 0_u32);
    // Huffman codes begin with their highest bit, bytes with their lowest.
    let mut put = |bytes: &mut Vec<u8>, code: u32, width: u32| {
        for place in (0..width).rev() {
            bits |= (code >> place & 1) << count;
            count += 1;
            if count == 8 {
                bytes.push(u8::try_from(bits).unwrap());
                (bits, count) = (0, 0);
            }
        }
    };
    put(&mut bytes, 0b1_10, 3);
    put(&mut bytes, 0x30 + u32::from(b' '), 8);
    while bytes.len() < length {
        put(&mut bytes, 0b1100_0101, 8);
        put(&mut bytes, 0, 5);
    }
    bytes
}
