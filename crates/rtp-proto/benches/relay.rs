//! Cost of one relayed packet inside the engine.
fn main() {}
