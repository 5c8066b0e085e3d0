//! Foreign workers over stdio and NATS: the only crate with wire types.
