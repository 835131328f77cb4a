//! How it was measured, and what was not.

use crate::arm::LIVE_TOKENS;
use crate::load::{CONNECTIONS, MANY_CONNECTIONS, STREAMS};
use crate::side_by_side::{Findings, PROCESSES};

pub(super) fn method(findings: &Findings) -> String {
    let options = &findings.options;
    let (rounds, seconds) = (options.extent.rounds, options.extent.seconds);
    format!(
        "## How it is measured\n\n\
         - The Envoys that are compared run at the same time, with one worker on one core, idle but for one of them. Each arm has {PROCESSES} processes, one after the \
         other, which share the rounds: two processes of one build differ by more than their rounds do. They have the bootstrap that `filter-config render envoy` makes and differ in one filter of its \
         chain. Load and upstream (another Envoy, which answers by itself) are on another core.\n\
         - `jwt_authn` checks signature, issuer, audience and expiry, and removes the token; *claims in headers*: it also writes four claims \
         into the headers that this filter sets. This filter does more in any case: it removes forged identity headers, and decides on paths and scopes.\n\
         - One of many copies costs less than a first and only filter; what that costs is *over no filter* in the table of whole requests. Where every token is \
         verified there is one copy: a signature is no small effect.\n\
         - CPU is `/proc/PID/task/*/schedstat` of all of Envoy's threads, in nanoseconds. Requests are Envoy's own count, and the run fails unless every answer is 2xx and every copy of a filter has counted every token.\n\
         - {rounds} rounds of {seconds} s for each arm, after a warm-up in which each live token was seen twice; the order is reversed in each round. A ratio is taken within \
         each round. *Of minima* is the ratio of both arms' best rounds.\n\
         - A ratio is called noisy when median and ratio of minima differ by more than 15 %, or when the quartiles are further apart than 30 % of the median. Then all rounds \
         are measured again, up to {} times in all, and the one with the fewest noisy ratios is kept.\n\
         - Whole requests: `wrk`, {CONNECTIONS} connections, HTTP/1.1, {LIVE_TOKENS} different tokens signed beforehand, one of them at random or always the first.\n\
         - Filters alone: `h2load`, one connection, {STREAMS} streams, HTTP/2. After each copy, and in the chain without any, a `header_mutation` filter sets and removes the identity headers, so that no copy finds those of another.\n\
         - Every token verified: `wrk` in the same way, {LIVE_TOKENS} tokens of each algorithm in turn; no filter stands beside all of them, under the RS256 tokens. The run fails when \
         one of 1,000 tokens was recognised. The bound on signatures a second is out of reach.\n\
         - At saturation: `wrk`, {MANY_CONNECTIONS} connections. At half load: a client of this benchmark, {MANY_CONNECTIONS} connections, one request at each of evenly spaced \
         moments; where no connection is free then, the wait counts. Both tell the latency that a client sees, their own work on the other core included.\n\
         - Memory: resident memory of the process before and after, with one worker, after a warm-up with one token.\n\
         - In no arm does the token reach the upstream: where the filter does not remove it, the route does.\n\n\
         ## Repeat it\n\n\
         ```console\n$ scripts/bench            # prints this page; this run took {} minutes\n$ scripts/bench --write    # and writes it into docs/\n$ scripts/bench --quick    # shows that it works\n```\n\n\
         `--only` measures one section: `startup`, `requests`, `throughput`, `added`, `verified` or `memory`. `--rounds`, `--seconds`, `--attempts`, `--starts`, `--cached-tokens`, \
         `--envoy-core` and `--load-core` change what their names say; `--direct` leaves out the upstream. Two cores are needed, and nothing else should run on them.\n",
        options.attempts,
        findings.elapsed.as_secs().div_ceil(60),
    )
}

pub(super) const NOT_MEASURED: &str = "\
## Not measured yet

- Larger keys and the other algorithms; several providers; refusals; introspection.
- More than one worker under load.
- Other hosts than Envoy.
";
