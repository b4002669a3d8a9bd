//! The allocator of every process: mimalloc. A question allocates some hundred small pieces on one thread
//! and frees many of them on another, which glibc's allocator takes about twice as long for.
//! It never decides how much may be allocated: the bounds stand in `protocol::bounds`.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
