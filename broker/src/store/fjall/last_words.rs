//! Over some damage the engine panics instead of returning an error, and aborts the process on the
//! way out. Nothing can be returned then, so its last words say where to look.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::store::error::runbook;

thread_local! {
    /// The store that this thread is opening.
    static OPENING: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

static HOOKED: Once = Once::new();

/// Runs `open`; a panic in it names the store and the runbook before anything else.
pub(super) fn while_opening<T>(path: &Path, open: impl FnOnce() -> T) -> T {
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            OPENING.with_borrow(|path| path.as_deref().map(say));
            before(panic);
        }));
    });
    let _said_no_more = Opening::of(path);
    open()
}

#[expect(clippy::print_stderr, reason = "a process that aborts writes no log any more")]
fn say(path: &Path) {
    eprintln!(
        "the files of the store at {} are damaged: its engine gave up while opening it; \
         see runbook \"{}\"",
        path.display(),
        runbook::DAMAGED
    );
}

struct Opening;

impl Opening {
    fn of(path: &Path) -> Self {
        OPENING.set(Some(path.to_owned()));
        Self
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.set(None);
    }
}
