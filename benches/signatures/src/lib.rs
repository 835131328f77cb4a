//! One verification by each library. The key is parsed once; the message is hashed every time, as for a token.
//!
//! As WebAssembly: `prepare()` parses, `verify(n)` verifies n times and answers how many signatures were good.

mod data;
mod variants;

use std::cell::RefCell;

/// Verifies the one signature under a parsed key.
pub type Check = Box<dyn Fn() -> bool>;

/// An algorithm by a library.
pub struct Variant {
    /// Its feature's name.
    pub name: &'static str,
    /// Parses the key.
    pub prepare: fn() -> Check,
}

/// Those that were built in.
pub fn variants() -> Vec<Variant> {
    variants::all()
}

thread_local! {
    static CHECK: RefCell<Option<Check>> = const { RefCell::new(None) };
}

/// Parses the key of the first variant. 1: there is none.
#[unsafe(no_mangle)]
pub extern "C" fn prepare() -> u32 {
    CHECK.with_borrow_mut(|check| *check = variants().first().map(|variant| (variant.prepare)()));
    u32::from(CHECK.with_borrow(Option::is_none))
}

/// Verifies so many times, and counts what was good.
#[unsafe(no_mangle)]
pub extern "C" fn verify(times: u32) -> u32 {
    CHECK.with_borrow(|check| {
        let Some(check) = check else { return 0 };
        (0..times).map(|_| u32::from(check())).sum()
    })
}
