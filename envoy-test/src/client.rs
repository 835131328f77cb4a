//! Clients that send what they are told: raw HTTP/1.1 over TCP, and HTTP/2 by prior knowledge.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::message::{Headers, RawRequest, RawResponse};

/// How long a response may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    /// Read and not consumed yet.
    buffer: Vec<u8>,
}

impl RawConnection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?)
    }

    /// Connects from an address of this machine.
    ///
    /// # Errors
    /// Nobody listens there, or the address is not this machine's.
    pub async fn connect_from(local: Ipv4Addr, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(local.into(), 0))?;
        Self::over(socket.connect(address).await?)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends these bytes, whatever they are.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends one chunk of a body in chunked transfer coding (RFC 9112 §7.1).
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn send_chunk(&mut self, data: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(b"\r\n");
        self.send(&chunk).await
    }

    /// Ends a chunked body, with trailers.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn end_chunks(&mut self, trailers: &[(String, Vec<u8>)]) -> io::Result<()> {
        let mut end = b"0\r\n".to_vec();
        append(&mut end, trailers);
        end.extend_from_slice(b"\r\n");
        self.send(&end).await
    }

    /// Sends a whole request and reads the response.
    ///
    /// # Errors
    /// The connection is closed before the response has ended, or the response is not HTTP.
    pub async fn exchange(&mut self, request: &RawRequest) -> io::Result<RawResponse> {
        let host = self.stream.peer_addr()?.to_string();
        self.send(&encode(request, &host)).await?;
        self.response(&request.method).await
    }

    /// Reads the response to a request with this method; interim ones (1xx) are skipped.
    ///
    /// # Errors
    /// The connection is closed before the response has ended, or the response is not HTTP.
    ///
    /// # Panics
    /// When it takes more than 30 seconds.
    pub async fn response(&mut self, method: &str) -> io::Result<RawResponse> {
        tokio::time::timeout(PATIENCE, self.read_response(method))
            .await
            .unwrap_or_else(|_| panic!("no response in {PATIENCE:?}"))
    }

    /// Whether bytes of a response are there within `duration`. Only ever to prove that there are none.
    pub async fn answers_within(&mut self, duration: Duration) -> bool {
        !self.buffer.is_empty() || matches!(tokio::time::timeout(duration, self.fill()).await, Ok(Ok(())))
    }

    async fn read_response(&mut self, method: &str) -> io::Result<RawResponse> {
        let mut response = loop {
            let head = self.read_head().await?;
            if head.status >= 200 {
                break head;
            }
        };
        let length = response.header("content-length").and_then(|length| length.parse::<usize>().ok());
        let chunked =
            response.values("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked"));
        response.body = match length {
            _ if method == "HEAD" || matches!(response.status, 204 | 304) => Vec::new(),
            _ if chunked => self.read_chunks().await?,
            Some(length) => self.take(length).await?,
            None => self.read_to_end().await?,
        };
        Ok(response)
    }

    async fn read_head(&mut self) -> io::Result<RawResponse> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 128];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = head.parse(&self.buffer).map_err(io::Error::other)? {
                let headers = head
                    .headers
                    .iter()
                    .map(|header| (header.name.to_owned(), header.value.to_vec()))
                    .collect();
                let response =
                    RawResponse { status: head.code.unwrap_or_default(), headers, ..RawResponse::default() };
                self.buffer.drain(..length);
                return Ok(response);
            }
            self.fill().await?;
        }
    }

    async fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                while !self.take_line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(size).await?);
            self.take_line().await?;
        }
    }

    async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill().await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.buffer));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn take_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2).await?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Sends a request on a connection of its own.
///
/// # Errors
/// As [`RawConnection::exchange`].
pub async fn send(address: SocketAddr, request: &RawRequest) -> io::Result<RawResponse> {
    RawConnection::connect(address).await?.exchange(request).await
}

/// The request in HTTP/1.1. `Host` is `host` unless the request has its own; a body gets a `Content-Length` unless it has trailers or a
/// `Transfer-Encoding`.
pub fn encode(request: &RawRequest, host: &str) -> Vec<u8> {
    let mut bytes = request.method.as_bytes().to_vec();
    bytes.push(b' ');
    bytes.extend_from_slice(&request.target);
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    if request.values("host").is_empty() {
        append(&mut bytes, &[("Host".to_owned(), host.as_bytes().to_vec())]);
    }
    append(&mut bytes, &request.headers);
    let framed =
        !request.values("transfer-encoding").is_empty() || !request.values("content-length").is_empty();
    if request.trailers.is_empty() {
        if !request.body.is_empty() && !framed {
            append(&mut bytes, &[("Content-Length".to_owned(), request.body.len().to_string().into_bytes())]);
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&request.body);
    } else {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        if !request.body.is_empty() {
            bytes.extend_from_slice(format!("{:x}\r\n", request.body.len()).as_bytes());
            bytes.extend_from_slice(&request.body);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        append(&mut bytes, &request.trailers);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Sends a request over HTTP/2 by prior knowledge, trailers included.
///
/// # Errors
/// The connection or the stream failed, or the request cannot be expressed in HTTP/2.
pub async fn send_http2(address: SocketAddr, request: &RawRequest) -> io::Result<RawResponse> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let target = String::from_utf8(request.target.clone()).map_err(io::Error::other)?;
    let mut head =
        hyper::Request::builder().method(request.method.as_str()).uri(format!("http://{address}{target}"));
    for (name, value) in &request.headers {
        head = head.header(name.as_str(), value.as_slice());
    }
    let mut frames = Vec::new();
    if !request.trailers.is_empty() {
        frames.push(Frame::trailers(header_map(&request.trailers)?));
    }
    if !request.body.is_empty() {
        frames.push(Frame::data(Bytes::from(request.body.clone())));
    }
    let request =
        head.body(StreamBody::new(crate::frames::Frames::last_first(frames))).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    connection.abort();
    Ok(RawResponse { status, headers, body, upstream: None })
}

fn header_map(headers: &Headers) -> io::Result<HeaderMap> {
    let pair = |(name, value): &(String, Vec<u8>)| {
        let name = HeaderName::try_from(name.as_str()).map_err(io::Error::other)?;
        Ok((name, HeaderValue::from_bytes(value).map_err(io::Error::other)?))
    };
    headers.iter().map(pair).collect()
}

fn append(bytes: &mut Vec<u8>, headers: &[(String, Vec<u8>)]) {
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
}
