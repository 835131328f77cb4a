//! How many signatures one worker verifies, so that floods of forged tokens neither take the processor nor lock fresh good tokens out. Recognised tokens
//! do not come here.
//!
//! In any second at most [`SignatureLimits::per_second`] in all, and [`SignatureLimits::per_client`] for one client. What takes longer counts for several
//! ([`PublicKey::cost`](crate::signature::PublicKey::cost)). Of the whole, clients that sent a wrong signature lately get at most half, and all that have shown no good
//! token at most three quarters together: whoever floods us from many addresses takes these up, and those who are known stay in.
//!
//! Remembered are at most [`CLIENTS`] clients that have shown a good token, and as many others, in about 150 bytes each; the least recently seen go first. Clients
//! that are refused take no room: a flood cannot wash the others out faster than it is let in.

mod window;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::cache::DigestHasher;
use crate::client::ClientNetwork;
use crate::digest::{Digest, Digester};
use crate::policy::SignatureLimits;
use crate::time::UnixTime;
use window::Window;

/// Clients remembered, of each kind.
pub const CLIENTS: usize = 1024;

/// How long a wrong signature is held against a client.
const SUSPECTED_FOR: Duration = Duration::from_secs(60);

/// The limit counts as no longer reached when nothing was refused for so long.
const CALM_AFTER: Duration = Duration::from_secs(10);

/// What a client is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It sent a wrong signature within the last minute.
    Suspect,
    /// Nothing.
    Stranger,
    /// A good token, and no wrong one lately.
    Proven,
    /// The host does not tell clients apart.
    Untold,
}

impl Standing {
    /// How much of a limit is for such clients.
    const fn share(self, limit: u32) -> u32 {
        match self {
            Self::Suspect => limit - limit / 2,
            Self::Stranger => limit - limit / 4,
            Self::Proven | Self::Untold => limit,
        }
    }
}

/// Which bound is reached; its `Display` is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// `perClient`.
    Client,
    /// `perSecond`, or what of it is for clients of this standing.
    Worker(Standing),
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "signatureLimits.perClient is reached",
            Self::Worker(Standing::Suspect) => {
                "the half of signatureLimits.perSecond for clients with wrong signatures is reached"
            }
            Self::Worker(Standing::Stranger) => {
                "the part of signatureLimits.perSecond for clients without a good token is reached"
            }
            Self::Worker(Standing::Proven | Standing::Untold) => "signatureLimits.perSecond is reached",
        })
    }
}

/// Bounds the verifications of one worker.
pub struct SignatureLimiter {
    limits: SignatureLimits,
    /// Networks are chosen by attackers: their digests are not.
    digester: Digester,
    state: Mutex<State>,
}

struct State {
    all: Window,
    /// Strangers and suspects.
    others: Clients,
    proven: Clients,
    /// When something was last refused; `None` while all is calm.
    refused_at: Option<UnixTime>,
}

type Clients = LruCache<Digest, Known, DigestHasher>;

/// What is remembered of a client.
#[derive(Clone, Copy, Default)]
struct Known {
    window: Window,
    wrong_at: Option<UnixTime>,
}

impl SignatureLimiter {
    /// Nothing verified yet.
    pub fn new(limits: SignatureLimits, digester: Digester) -> Self {
        let clients = || LruCache::unbounded_with_hasher(DigestHasher);
        let state = State { all: Window::default(), others: clients(), proven: clients(), refused_at: None };
        Self { limits, digester, state: Mutex::new(state) }
    }

    /// Counts a verification that is made now.
    ///
    /// # Errors
    /// It may not be made: which bound is reached.
    pub fn admit(&self, client: Option<ClientNetwork>, cost: u32, now: UnixTime) -> Result<(), Exceeded> {
        let client = client.map(|client| self.digest(client));
        self.with_state(|state| {
            let admitted = state.admit(self.limits, client, cost, now);
            state.tell(admitted.err(), now);
            admitted
        })
    }

    /// Takes what became of a token: verified, or wrong under every key that could have signed it.
    pub fn learn(&self, client: Option<ClientNetwork>, verified: bool, now: UnixTime) {
        if let Some(client) = client {
            let client = self.digest(client);
            self.with_state(|state| state.learn(client, verified, now));
        }
    }

    fn digest(&self, client: ClientNetwork) -> Digest {
        self.digester.digest(&client.to_bytes())
    }

    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn admit(
        &mut self,
        limits: SignatureLimits,
        client: Option<Digest>,
        cost: u32,
        now: UnixTime,
    ) -> Result<(), Exceeded> {
        let (standing, mut known) = match client {
            None => (Standing::Untold, None),
            Some(client) => match (self.proven.get_mut(&client), self.others.get_mut(&client)) {
                (Some(known), _) => (Standing::Proven, Some(known)),
                (None, Some(known)) => (known.standing(now), Some(known)),
                (None, None) => (Standing::Stranger, None),
            },
        };
        if known.as_mut().is_some_and(|known| !known.window.has_room(cost, limits.per_client, now)) {
            return Err(Exceeded::Client);
        }
        if !self.all.has_room(cost, standing.share(limits.per_second), now) {
            return Err(Exceeded::Worker(standing));
        }
        self.all.add(cost, now);
        if let Some(known) = known {
            known.window.add(cost, now);
        } else if let Some(client) = client {
            let mut known = Known::default();
            known.window.add(cost, now);
            self.remember(client, known, false);
        }
        Ok(())
    }

    fn learn(&mut self, client: Digest, verified: bool, now: UnixTime) {
        let proven = self.proven.pop(&client);
        let mut known = proven.or_else(|| self.others.pop(&client)).unwrap_or_default();
        if !verified {
            known.wrong_at = Some(now);
        }
        self.remember(client, known, verified && known.standing(now) != Standing::Suspect);
    }

    fn remember(&mut self, client: Digest, known: Known, is_proven: bool) {
        let clients = if is_proven { &mut self.proven } else { &mut self.others };
        clients.put(client, known);
        if clients.len() > CLIENTS {
            clients.pop_lru();
        }
    }

    /// Logs when the limit begins to be reached, and when it is no longer.
    fn tell(&mut self, exceeded: Option<Exceeded>, now: UnixTime) {
        match (exceeded, self.refused_at) {
            (Some(exceeded), None) => log::warn!("fresh tokens are answered 503: {exceeded}"),
            (None, Some(at)) if !is_within(CALM_AFTER, at, now) => {
                log::warn!("signatureLimits are no longer reached");
                self.refused_at = None;
            }
            _ => {}
        }
        if exceeded.is_some() {
            self.refused_at = Some(now);
        }
    }
}

impl Known {
    /// Of a client that is not proven.
    fn standing(&self, now: UnixTime) -> Standing {
        match self.wrong_at {
            Some(at) if is_within(SUSPECTED_FOR, at, now) => Standing::Suspect,
            _ => Standing::Stranger,
        }
    }
}

/// Whether `at` was less than `span` ago. A clock that was set back further than that has forgotten it.
fn is_within(span: Duration, at: UnixTime, now: UnixTime) -> bool {
    now.since(at) < span && at.since(now) < span
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const T0: UnixTime = UnixTime::from_secs(1_800_000_000);
    const LIMITS: SignatureLimits = SignatureLimits { per_second: 100, per_client: 50 };

    fn after(millis: u64) -> UnixTime {
        T0.plus(Duration::from_millis(millis))
    }

    fn limiter(limits: SignatureLimits) -> SignatureLimiter {
        SignatureLimiter::new(limits, Digester::new(&[7; 16]))
    }

    fn client(number: u32) -> Option<ClientNetwork> {
        Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)).into())
    }

    /// A forged token. Whether its signature was looked at.
    fn forge(limiter: &SignatureLimiter, client: Option<ClientNetwork>, now: UnixTime) -> bool {
        send(limiter, client, false, now)
    }

    fn send(limiter: &SignatureLimiter, client: Option<ClientNetwork>, good: bool, now: UnixTime) -> bool {
        let admitted = limiter.admit(client, 1, now).is_ok();
        if admitted {
            limiter.learn(client, good, now);
        }
        admitted
    }

    fn count(times: u32, mut act: impl FnMut(u32) -> bool) -> usize {
        (0..times).filter(|number| act(*number)).count()
    }

    #[test]
    fn without_addresses_the_whole_is_for_all() {
        let limiter = limiter(LIMITS);
        assert_eq!(count(1000, |_| forge(&limiter, None, T0)), 100);
        assert_eq!(limiter.admit(None, 1, after(999)), Err(Exceeded::Worker(Standing::Untold)));
        assert_eq!(count(1000, |_| forge(&limiter, None, after(1125))), 100);
    }

    #[test]
    fn one_client_has_its_share() {
        let limiter = limiter(SignatureLimits { per_second: 100, per_client: 20 });
        assert_eq!(count(1000, |_| send(&limiter, client(1), true, T0)), 20);
        assert_eq!(limiter.admit(client(1), 1, T0), Err(Exceeded::Client));
        assert_eq!(count(1000, |_| forge(&limiter, client(2), T0)), 20);
        assert_eq!(limiter.admit(client(2), 1, T0), Err(Exceeded::Client), "its own bound is told first");
    }

    #[test]
    fn the_bound_holds_in_any_second_whoever_comes() {
        let limiter = limiter(LIMITS);
        let mut admitted: Vec<(u64, u32)> = Vec::new();
        for millis in 0..5000_u64 {
            for number in 0..8 {
                let good = number == 7;
                if send(&limiter, client(number), good, after(millis)) {
                    admitted.push((millis, number));
                }
            }
        }
        for start in (0..5000).step_by(25) {
            let within = |at: &&(u64, u32)| (start..start + 1000).contains(&at.0);
            assert!(admitted.iter().filter(within).count() <= 100, "from {start} ms");
            for number in 0..8 {
                let own = admitted.iter().filter(within).filter(|(_, client)| *client == number).count();
                assert!(own <= 50, "client {number}: {own} from {start} ms");
            }
        }
    }

    #[test]
    fn a_flood_from_several_addresses_leaves_room_for_clean_ones() {
        let limiter = limiter(LIMITS);
        for millis in (0..10_000).step_by(10) {
            // Eight forgers, each ten times as fast as all that is allowed.
            for number in 0..8 {
                count(10, |_| forge(&limiter, client(number), after(millis)));
            }
            // A client that was never here before, with a fresh good token, ten times a second.
            if millis % 100 == 0 {
                let newcomer = client(1000 + u32::try_from(millis).unwrap());
                assert!(send(&limiter, newcomer, true, after(millis)), "at {millis} ms");
            }
        }
    }

    #[test]
    fn a_flood_of_addresses_that_come_once_leaves_room_for_proven_ones() {
        let limiter = limiter(LIMITS);
        assert!(send(&limiter, client(0), true, T0));
        let mut next = 1;
        for millis in (2000..12_000).step_by(10) {
            let looked_at = count(100, |_| {
                next += 1;
                forge(&limiter, client(next), after(millis))
            });
            assert!(looked_at <= 75);
            // Long after more forgers came than clients are remembered.
            if millis % 100 == 0 {
                assert!(send(&limiter, client(0), true, after(millis)), "at {millis} ms");
            }
        }
        assert!(next > 50 * CLIENTS as u32);
    }

    #[test]
    fn shares_of_what_is_there() {
        let suspects = limiter(LIMITS);
        (0..8).for_each(|number| assert!(forge(&suspects, client(number), T0)));
        let later = after(2000);
        assert_eq!(count(1000, |number| forge(&suspects, client(number % 8), later)), 50);
        assert_eq!(suspects.admit(client(0), 1, later), Err(Exceeded::Worker(Standing::Suspect)));
        assert_eq!(count(1000, |number| send(&suspects, client(100 + number), true, later)), 25);
        assert_eq!(suspects.admit(client(9999), 1, later), Err(Exceeded::Worker(Standing::Stranger)));
        assert_eq!(count(1000, |number| send(&suspects, client(100 + number % 25), true, later)), 25);
        assert_eq!(suspects.admit(client(100), 1, later), Err(Exceeded::Worker(Standing::Proven)));
    }

    #[test]
    fn suspicion_ends_after_a_minute_and_a_good_token_does_not_end_it_before() {
        let limiter = limiter(LIMITS);
        let standing = |number: u32, now: UnixTime| {
            let digest = limiter.digest(client(number).unwrap());
            limiter.with_state(|state| match state.proven.peek(&digest) {
                Some(_) => Standing::Proven,
                None => state.others.peek(&digest).map_or(Standing::Stranger, |known| known.standing(now)),
            })
        };
        assert!(forge(&limiter, client(1), T0));
        assert!(send(&limiter, client(1), true, after(30_000)));
        assert_eq!(standing(1, after(59_999)), Standing::Suspect);
        assert_eq!(standing(1, after(60_000)), Standing::Stranger);
        assert!(send(&limiter, client(1), true, after(60_000)));
        assert_eq!(standing(1, after(60_000)), Standing::Proven);
        assert!(forge(&limiter, client(1), after(61_000)));
        assert_eq!(standing(1, after(61_000)), Standing::Suspect, "one wrong signature undoes it");
        assert_eq!(standing(1, T0), Standing::Stranger, "a clock that was set back has forgotten it");
    }

    #[test]
    fn memory_is_bounded_and_the_refused_take_none() {
        let limiter = limiter(SignatureLimits { per_second: 1_000_000, per_client: 1 });
        let lengths = || limiter.with_state(|state| (state.others.len(), state.proven.len()));
        (0..5000).for_each(|number| assert!(send(&limiter, client(number), number % 2 == 0, T0)));
        assert_eq!(lengths(), (CLIENTS, CLIENTS));
        let full = super::tests::limiter(SignatureLimits { per_second: 8, per_client: 8 });
        assert_eq!(count(5000, |number| forge(&full, client(number), T0)), 6);
        assert_eq!(full.with_state(|state| state.others.len()), 6);
    }

    #[test]
    fn where_little_may_be_verified_nothing_is_kept() {
        let limiter = limiter(SignatureLimits { per_second: 1, per_client: 1 });
        assert!(forge(&limiter, client(1), T0) && !forge(&limiter, client(2), T0));
        assert!(forge(&limiter, client(1), after(1125)), "a suspect, too");
    }

    #[test]
    fn what_takes_longer_counts_for_several() {
        let limiter = limiter(LIMITS);
        assert_eq!(count(1000, |_| limiter.admit(None, 8, T0).is_ok()), 12);
        assert_eq!(count(1000, |_| limiter.admit(None, 1, T0).is_ok()), 4);
    }

    #[test]
    fn a_clock_that_is_set_back_closes_nothing_for_long() {
        let limiter = limiter(LIMITS);
        assert_eq!(count(1000, |_| forge(&limiter, client(1), after(1_000_000))), 50);
        assert!(!forge(&limiter, client(1), T0));
        assert_eq!(count(1000, |_| send(&limiter, client(1), true, after(1125))), 50);
    }
}
