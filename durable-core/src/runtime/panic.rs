//! Catches panics of user code.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Location of the last panic on this thread.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs user code. Converts a panic to its message and location.
///
/// Only a panic hook knows the location, so one is installed in front of the existing hook. It notes the location and
/// calls the existing hook.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    install_hook();
    // Compiled anew for each body, so nothing else is done here.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| describe(&*payload))
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = take_hook();
        set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string);
            // A thread that is ending has no thread-local value, and needs none.
            let _ = LOCATION.try_with(|slot| *slot.borrow_mut() = location);
            next(info);
        }));
    });
}

fn describe(payload: &(dyn Any + Send)) -> String {
    let location = LOCATION.with(|slot| slot.borrow_mut().take());
    let message = message_of(payload);
    match location {
        Some(location) => format!("panicked at {location}: {message}"),
        None => format!("panicked: {message}"),
    }
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(a value that is not text)"
    }
}
