//! The memory store: the oracle that every other store is compared with.
