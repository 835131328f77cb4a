//! Keys shared over a proxy's workers: one fetch per process and refresh (SPEC J-10, HOSTS rule 11).
//!
//! Two values a provider: a *lease* of fixed size, which says who may fetch, what the last attempt brought, and how recent the published keys are; and
//! the keys. Both are read as untrusted bytes. Names carry product, format version and a digest of the configuration.

use std::time::Duration;

use super::host::{self, Status};
use crate::shared_keys;
use crate::time::UnixTime;

/// No host counts versions up to here: with it, a set succeeds only where nothing is there.
const ABSENT: u32 = u32::MAX;

/// The shared values of one configuration.
pub(super) struct SharedKeyStore {
    prefix: String,
    owner: u64,
}

/// What a lease says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    /// Held, or not to be tried again, until then.
    until: UnixTime,
    owner: u64,
    failed: bool,
    /// When the published keys were requested; the epoch: none.
    pub(super) published: UnixTime,
}

/// Whether a worker may fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It may, and nobody else does.
    Acquired,
    /// Another worker is at it.
    Busy,
    /// The last attempt failed; not before then.
    Failed(UnixTime),
}

impl SharedKeyStore {
    /// Of the configuration with this digest; `owner` is random.
    pub(super) fn new(configuration: u128, owner: u64) -> Self {
        Self { prefix: format!("registry-auth/1/{configuration:032x}"), owner }
    }

    /// What the lease says now; nothing at all is a lease that nobody holds.
    pub(super) fn lease(&self, provider: usize) -> Lease {
        self.read(provider).0
    }

    /// Tries to become the one who fetches, for at most `duration`.
    pub(super) fn acquire(&self, provider: usize, duration: Duration, now: UnixTime) -> Attempt {
        let (lease, cas) = self.read(provider);
        if now < lease.until {
            // A clock that was set back must not lock everybody out.
            let sane = lease.until.since(now) <= duration.saturating_mul(20).max(Duration::from_secs(120));
            if sane && lease.failed {
                return Attempt::Failed(lease.until);
            }
            if sane && lease.owner != self.owner {
                return Attempt::Busy;
            }
        }
        let mine =
            Lease { until: now.plus(duration), owner: self.owner, failed: false, published: lease.published };
        match self.write(provider, mine, cas) {
            Ok(()) => Attempt::Acquired,
            Err(Status::CAS_MISMATCH)
                if cas == ABSENT
                    && host::shared_data(&self.lease_key(provider)) == Err(Status::NOT_FOUND) =>
            {
                // A host that wants zero for what is not there.
                self.write(provider, mine, 0).map_or(Attempt::Busy, |()| Attempt::Acquired)
            }
            Err(Status::CAS_MISMATCH) => Attempt::Busy,
            // Shared data out of order must not stop fetching.
            Err(_) => Attempt::Acquired,
        }
    }

    /// Publishes keys and ends the lease.
    pub(super) fn publish(&self, provider: usize, keys: &[u8]) {
        let Some(published) = shared_keys::requested_at(keys) else { return };
        let (lease, cas) = self.read(provider);
        if lease.published >= published || host::set_shared_data(&self.keys_key(provider), keys, 0).is_err() {
            self.release(provider);
            return;
        }
        let ended = Lease { until: UnixTime::EPOCH, owner: 0, failed: false, published };
        if self.write(provider, ended, cas).is_err() {
            let _ = self.write(provider, ended, 0);
        }
    }

    /// Ends the lease after a failure: nobody tries before `retry_at`.
    pub(super) fn fail(&self, provider: usize, retry_at: UnixTime) {
        self.end(provider, |lease| Lease {
            until: retry_at,
            owner: 0,
            failed: true,
            published: lease.published,
        });
    }

    /// Ends the lease with nothing said.
    pub(super) fn release(&self, provider: usize) {
        self.end(provider, |lease| Lease {
            until: UnixTime::EPOCH,
            owner: 0,
            failed: false,
            published: lease.published,
        });
    }

    /// The published keys.
    pub(super) fn keys(&self, provider: usize) -> Option<Vec<u8>> {
        host::shared_data(&self.keys_key(provider)).ok().map(|(keys, _)| keys)
    }

    /// Ends a lease that is ours; another worker's stays.
    fn end(&self, provider: usize, ended: impl FnOnce(Lease) -> Lease) {
        let (lease, cas) = self.read(provider);
        if lease.owner == self.owner {
            let _ = self.write(provider, ended(lease), cas);
        }
    }

    fn read(&self, provider: usize) -> (Lease, u32) {
        match host::shared_data(&self.lease_key(provider)) {
            Ok((bytes, cas)) => (Lease::decode(&bytes).unwrap_or_default(), cas),
            Err(_) => (Lease::default(), ABSENT),
        }
    }

    fn write(&self, provider: usize, lease: Lease, cas: u32) -> Result<(), Status> {
        host::set_shared_data(&self.lease_key(provider), &lease.encode(), cas)
    }

    fn lease_key(&self, provider: usize) -> String {
        format!("{}/{provider}/lease", self.prefix)
    }

    fn keys_key(&self, provider: usize) -> String {
        format!("{}/{provider}/keys", self.prefix)
    }
}

impl Lease {
    /// Until when nobody tries, after a failure.
    pub(super) fn failed_until(self, now: UnixTime) -> Option<UnixTime> {
        (self.failed && now < self.until).then_some(self.until)
    }

    fn encode(self) -> [u8; 25] {
        let mut bytes = [0; 25];
        let words = [self.until.as_nanos(), self.owner, self.published.as_nanos()];
        let source = words.iter().flat_map(|word| word.to_le_bytes()).chain([u8::from(self.failed)]);
        bytes.iter_mut().zip(source).for_each(|(byte, value)| *byte = value);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (until, rest) = bytes.split_first_chunk::<8>()?;
        let (owner, rest) = rest.split_first_chunk::<8>()?;
        let (published, rest) = rest.split_first_chunk::<8>()?;
        let [failed] = rest else { return None };
        Some(Self {
            until: UnixTime::from_nanos(u64::from_le_bytes(*until)),
            owner: u64::from_le_bytes(*owner),
            failed: *failed != 0,
            published: UnixTime::from_nanos(u64::from_le_bytes(*published)),
        })
    }
}
