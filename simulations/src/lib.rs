//! The whole network on one seed, for auditors: invented persons, simulated worlds, and what they
//! prove. Nothing here ever touches a real person's data.

pub mod population;
