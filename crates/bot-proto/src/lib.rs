//! bot-proto
