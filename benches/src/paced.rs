//! Requests at a fixed rate, over HTTP/1.1.
//!
//! Each request has its moment, whatever became of those before it. A connection that is free waits for the next moment; where all are busy when it comes, the
//! answer's time counts from that moment all the same, because a client would have waited too.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::latency::Latencies;

/// How fast, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests a second, over all connections.
    pub rate: f64,
    /// For so long.
    pub seconds: u32,
    /// Each with a thread.
    pub connections: u32,
    /// The threads' core.
    pub core: u32,
}

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// All threads run by then.
const START: Duration = Duration::from_millis(20);

/// More than any answer's head.
const HEAD_LIMIT: usize = 16 * 1024;

/// Sends `requests` in turn.
///
/// # Errors
/// A connection fails, or an answer is not 200.
pub fn run(to: SocketAddr, requests: &[Vec<u8>], pace: Pace) -> io::Result<Latencies> {
    let total = (pace.rate * f64::from(pace.seconds)) as u64;
    let next = AtomicU64::new(0);
    let connect = |_| connected(to, requests);
    let streams: Vec<TcpStream> = (0..pace.connections).map(connect).collect::<io::Result<_>>()?;
    let begin = Instant::now() + START;
    let answers: io::Result<Vec<Vec<Duration>>> = std::thread::scope(|scope| {
        let slots = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|slot| *slot < total);
        let spawn = |stream| scope.spawn(move || connection(stream, requests, pace, begin, slots));
        let threads: Vec<_> = streams.into_iter().map(spawn).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the load panicked")))
        };
        threads.into_iter().map(join).collect()
    });
    let answers = answers?.concat();
    Latencies::of(&answers, begin.elapsed()).ok_or_else(|| io::Error::other("no request was sent"))
}

/// One connection's answers.
fn connection(
    mut stream: TcpStream,
    requests: &[Vec<u8>],
    pace: Pace,
    begin: Instant,
    slots: impl Fn() -> Option<u64>,
) -> io::Result<Vec<Duration>> {
    pin(pace.core)?;
    let mut answers = Vec::new();
    let mut buffer = Vec::with_capacity(HEAD_LIMIT);
    while let Some(slot) = slots() {
        let due = begin + Duration::from_secs_f64(slot as f64 / pace.rate);
        let began = match due.checked_duration_since(Instant::now()) {
            Some(early) => {
                std::thread::sleep(early);
                Instant::now()
            }
            None => due,
        };
        exchange(&mut stream, requests, slot as usize, &mut buffer)?;
        answers.push(began.elapsed());
    }
    Ok(answers)
}

/// A connection that has had an answer: what a new one costs is not what is measured.
fn connected(to: SocketAddr, requests: &[Vec<u8>]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    exchange(&mut stream, requests, 0, &mut Vec::new())?;
    Ok(stream)
}

fn exchange(
    stream: &mut TcpStream,
    requests: &[Vec<u8>],
    number: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    let request =
        requests.get(number % requests.len().max(1)).ok_or_else(|| io::Error::other("no tokens"))?;
    stream.write_all(request)?;
    read_answer(stream, buffer)
}

/// Reads one answer to its end; it has a `Content-Length`, as Envoy's own have and those of the upstream.
fn read_answer(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        match length(buffer)? {
            Some(length) if buffer.len() >= length => return Ok(()),
            None if buffer.len() > HEAD_LIMIT => return Err(refused(buffer)),
            _ => {}
        }
    }
}

/// Of the whole answer, once its head is there.
fn length(buffer: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let body: Option<usize> =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    match body {
        Some(body) if head.starts_with("http/1.1 200") => Ok(Some(end + 4 + body)),
        _ => Err(refused(buffer)),
    }
}

fn refused(buffer: &[u8]) -> io::Error {
    io::Error::other(format!("answered {}", String::from_utf8_lossy(buffer)))
}

/// The calling thread.
fn pin(core: u32) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core as usize);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn read(answer: &str) -> io::Result<()> {
        read_answer(&mut Slow(answer.as_bytes()), &mut Vec::new())
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let mut two = Slow(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        );
        let mut buffer = Vec::new();
        read_answer(&mut two, &mut buffer).unwrap();
        assert!(buffer.ends_with(b"abc"));
        read_answer(&mut two, &mut buffer).unwrap();
        assert!(two.0.is_empty());
    }

    #[test]
    fn other_answers_are_failures() {
        for answer in [
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\n",
            "",
        ] {
            assert!(read(answer).is_err(), "{answer}");
        }
        assert!(read(&"x".repeat(HEAD_LIMIT + 1)).is_err());
    }

    #[test]
    fn a_rate_is_not_exceeded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut request = [0; 1];
                    while stream.read(&mut request).is_ok_and(|count| count == 1) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                    }
                });
            }
        });
        let pace = Pace { rate: 200.0, seconds: 1, connections: 4, core: 0 };
        let latencies = run(to, &[b"a".to_vec(), b"b".to_vec()], pace).unwrap();
        assert!(latencies.rate > 0.0 && latencies.rate < 205.0, "{latencies:?}");
        assert!(latencies.p50 <= latencies.p99);
        assert!(run(to, &[], pace).is_err(), "without tokens");
    }
}
