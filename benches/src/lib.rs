//! How much the filter costs, measured beside the same Envoy without it and with Envoy's own `jwt_authn`.
//!
//! An [`arm`](arm::Arm) is one filter under one kind of load. All arms' Envoys run from the start, each with one worker on one core; the load comes from
//! another core. [`rounds`] alternates between the arms and reads each Envoy's CPU time, [`statistics`] makes ratios of what was read within one
//! round, so that a busy machine slows both sides of a ratio. Microseconds are of the machine; ratios travel.

pub mod arm;
pub mod bootstrap;
pub mod error;
pub mod gate;
pub mod goals;
pub mod latency;
pub mod load;
pub mod memory;
pub mod module;
pub mod paced;
pub mod plot;
pub mod report;
pub mod rounds;
pub mod side_by_side;
pub mod startup;
pub mod statistics;
pub mod testbed;
pub mod throughput;
pub mod versions;
