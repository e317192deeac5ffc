use std::{fmt, net::SocketAddr, path::PathBuf};

use tower_realtime::ws::deflate;

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) listen: SocketAddr,
    pub(crate) tls: Option<Tls>,
    pub(crate) stack: Stack,
    pub(crate) deflate: Option<Deflate>,
    pub(crate) same_origin: bool,
    /// HTTP/1.1 alone, to see what a connection that speaks both costs.
    pub(crate) http1: bool,
    /// Whether `/sse/count` stays open after what it had to say, so that only the end of this process ends it.
    pub(crate) unending: bool,
}

#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Who routes requests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Stack {
    #[default]
    Hyper,
    Axum,
    /// hyper, with every layer of `tower_realtime::layers` around, to measure what they cost.
    Layers,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deflate {
    pub(crate) no_context_takeover: bool,
    pub(crate) level: Option<u8>,
}

impl Deflate {
    pub(crate) fn deflate(self) -> deflate::Deflate {
        // The suites want to see every message compressed.
        let deflate = deflate::Deflate::new().threshold(0);
        let deflate = match self.level {
            Some(level) => deflate.level(level),
            None => deflate,
        };
        if self.no_context_takeover {
            deflate.no_context_takeover()
        } else {
            deflate
        }
    }
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Fault> {
        let (mut listen, mut tls, mut certificate, mut key) = (None, None, None, None);
        let (mut stack, mut deflate, mut options) = (Stack::Hyper, false, Deflate::default());
        let (mut same_origin, mut http1, mut unending) = (false, false, false);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| Fault(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--listen" => listen = Some(parsed(&argument, &value()?)?),
                "--tls" => tls = Some(parsed(&argument, &value()?)?),
                "--cert" => certificate = Some(PathBuf::from(value()?)),
                "--key" => key = Some(PathBuf::from(value()?)),
                "--stack" => stack = value()?.parse()?,
                "--deflate" => deflate = true,
                "--no-context-takeover" => options.no_context_takeover = true,
                "--level" => options.level = Some(parsed(&argument, &value()?)?),
                "--same-origin" => same_origin = true,
                "--http1" => http1 = true,
                "--unending" => unending = true,
                other => return Err(Fault(format!("{other} is not known"))),
            }
        }
        if !deflate && (options.no_context_takeover || options.level.is_some()) {
            return Err(Fault(
                "--no-context-takeover and --level want --deflate".into(),
            ));
        }
        Ok(Self {
            listen: listen.ok_or_else(|| Fault("--listen ADDR is needed".into()))?,
            tls: secure(tls, certificate, key)?,
            stack,
            deflate: deflate.then_some(options),
            same_origin,
            http1,
            unending,
        })
    }
}

fn secure(
    address: Option<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Tls>, Fault> {
    match (address, certificate, key) {
        (None, None, None) => Ok(None),
        (Some(address), Some(certificate), Some(key)) => Ok(Some(Tls {
            address,
            certificate,
            key,
        })),
        _ => Err(Fault("--tls, --cert and --key go together".into())),
    }
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Fault>
where
    T::Err: fmt::Display,
{
    value
        .parse()
        .map_err(|fault| Fault(format!("{name} {value}: {fault}")))
}

impl std::str::FromStr for Stack {
    type Err = Fault;

    fn from_str(name: &str) -> Result<Self, Fault> {
        match name {
            "hyper" => Ok(Self::Hyper),
            "axum" => Ok(Self::Axum),
            "layers" => Ok(Self::Layers),
            _ => Err(Fault(format!(
                "--stack is hyper, axum or layers, not {name}"
            ))),
        }
    }
}

/// What is wrong with the command line.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
