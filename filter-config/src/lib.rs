//! filter-config.
