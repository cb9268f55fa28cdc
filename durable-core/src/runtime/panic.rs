//! Panics of user code, with the place they came from.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Where the last panic on this thread came from, while user code is being caught.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs user code; a panic becomes its message and place.
///
/// The place is known to the panic hook alone, so one is put in front of whatever hook there is;
/// it notes the place and passes the panic on.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string);
            // A thread that is being torn down has no place to note it in, and needs none.
            let _ = PLACE.try_with(|slot| *slot.borrow_mut() = place);
            next(info);
        }));
    });
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let place = PLACE.with(|slot| slot.borrow_mut().take());
        let message = message_of(&*payload);
        match place {
            Some(place) => format!("panicked at {place}: {message}"),
            None => format!("panicked: {message}"),
        }
    })
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(a value that is no text)"
    }
}
