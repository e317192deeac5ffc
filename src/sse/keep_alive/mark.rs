/// In a response's extensions: somebody keeps this event stream alive already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptAlive;
