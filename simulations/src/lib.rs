//! The whole network on one seed, for auditors: the same machines, the same journal, a simulated world.

pub mod seed;
pub mod disk;
pub mod index;
pub mod toy;
pub mod founding;
pub mod passage;
pub mod world;
pub mod population;
pub mod oracle;
pub mod nation;
pub mod scenario;
pub mod society;
pub mod storm;
pub mod adversary;
pub mod rotation;
pub mod guarantee;
pub mod played;
pub mod play;
pub mod shrink;
