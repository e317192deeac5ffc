use std::{fmt, sync::Arc};

/// A question about a `T` that the application answers. Clones share it.
pub(crate) struct Predicate<T: ?Sized>(Arc<dyn Fn(&T) -> bool + Send + Sync>);

impl<T: ?Sized> Predicate<T> {
    pub(crate) fn new(question: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(question))
    }

    pub(crate) fn holds(&self, about: &T) -> bool {
        (self.0)(about)
    }
}

impl<T: ?Sized> Clone for Predicate<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> fmt::Debug for Predicate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}
