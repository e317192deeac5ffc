//! The one file that knows the `redis` crate: commands in, our values out.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use futures_util::lock::Mutex;
use redis::{
    AsyncConnectionConfig, Client, RedisError, RedisResult, Script, aio::MultiplexedConnection,
};

use super::{
    error::{Error, Fault},
    limits::Limits,
    scripts,
};
use crate::{
    log::{Position, Stored},
    sse::Encoded,
    trace::debug,
};

static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(scripts::LOOK));
static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(scripts::APPEND));

/// How long an answer and a connection may take; a reader that blocks gets its time on top.
const ANSWER: Duration = Duration::from_secs(2);
/// Commands that may be under way at a time; more of them wait, which is the back-pressure of publishers.
const UNDER_WAY: usize = 256;
/// Entries per stream that a blocking read brings at most.
const BATCH: usize = 256;

/// An address, and the connection to it that all commands share.
pub(super) struct Link {
    client: Client,
    /// Locked while it connects, so that all who need it wait for one.
    shared: Mutex<Option<MultiplexedConnection>>,
}

/// What [`Link::look`] saw.
pub(super) struct Look {
    /// The last position that was given, trimmed or not.
    pub(super) last: Position,
    pub(super) entries: Vec<Stored>,
}

/// An event on its way to Redis.
pub(super) struct Outgoing<'a> {
    pub(super) key: &'a str,
    pub(super) event: &'a Encoded,
    pub(super) token: &'a str,
    pub(super) again: bool,
}

type Entries = Vec<(String, Vec<Vec<u8>>)>;

impl Link {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let client = Client::open(url).map_err(|error| Error::config(Box::new(error)))?;
        let shared = Mutex::new(None);
        Ok(Self { client, shared })
    }

    /// The last position of a stream and at most `count` entries from `from` on, which is included.
    pub(super) async fn look(
        &self,
        key: &str,
        from: Option<Position>,
        count: usize,
    ) -> Result<Look, Fault> {
        let mut connection = self.connection().await?;
        let looked = look(&mut connection, key, from, count).await;
        self.check(looked).await
    }

    pub(super) async fn append(
        &self,
        event: &Outgoing<'_>,
        limits: &Limits,
    ) -> Result<Position, Fault> {
        let mut connection = self.connection().await?;
        let mut script = APPEND.prepare_invoke();
        script
            .key(event.key)
            .arg(&event.event.as_bytes()[..])
            .arg(event.token);
        script.arg(u8::from(event.again)).arg(limits.events);
        script.arg(millis(limits.age)).arg(millis(limits.idle));
        let id: RedisResult<String> = script.invoke_async(&mut connection).await;
        parse(&self.check(id).await?)
    }

    /// Adds to a stream that only the blocking reader of this process reads.
    pub(super) async fn wake(&self, key: &str) -> Result<(), Fault> {
        let mut connection = self.connection().await?;
        let mut commands = redis::pipe();
        commands
            .cmd("XADD")
            .arg(key)
            .arg("MAXLEN")
            .arg(1)
            .arg("*")
            .arg("w")
            .arg("");
        commands.cmd("PEXPIRE").arg(key).arg(60_000);
        let done: RedisResult<redis::Value> = commands.query_async(&mut connection).await;
        self.check(done).await.map(drop)
    }

    /// A connection of its own, for reads that block for `block`.
    pub(super) async fn reader(&self, block: Duration) -> Result<Reader, Fault> {
        let connection = self.connect(block + ANSWER).await.map_err(fault)?;
        Ok(Reader { connection, block })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Fault> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &*shared {
            return Ok(connection.clone());
        }
        let connection = self.connect(ANSWER).await.map_err(|error| Fault {
            unknown: false, // nothing was sent
            ..fault(error)
        })?;
        *shared = Some(connection.clone());
        Ok(connection)
    }

    async fn connect(&self, answer: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(answer))
            .set_concurrency_limit(UNDER_WAY);
        self.client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Forgets the connection after an error that another connection may not have.
    async fn check<T>(&self, answer: RedisResult<T>) -> Result<T, Fault> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let fault = fault(error);
                if fault.retry {
                    *self.shared.lock().await = None;
                }
                Err(fault)
            }
        }
    }
}

/// The connection that blocks until something comes.
pub(super) struct Reader {
    connection: MultiplexedConnection,
    block: Duration,
}

impl Reader {
    /// What came behind each of `streams`, by its place there. Empty when the time is over.
    pub(super) async fn read(
        &mut self,
        streams: &[(&str, Position)],
    ) -> Result<Vec<(usize, Vec<Stored>)>, Fault> {
        let mut command = redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg(BATCH)
            .arg("BLOCK")
            .arg(millis(self.block))
            .arg("STREAMS");
        for (key, _) in streams {
            command.arg(*key);
        }
        for (_, at) in streams {
            command.arg(at.to_string());
        }
        let answer: Option<Vec<(Vec<u8>, Entries)>> = command
            .query_async(&mut self.connection)
            .await
            .map_err(fault)?;
        // Redis answers in the order of the question.
        let mut place = 0;
        let mut found = Vec::new();
        for (key, entries) in answer.unwrap_or_default() {
            let rest = streams.iter().skip(place);
            place += rest.take_while(|(name, _)| name.as_bytes() != key).count();
            found.push((place, stored(entries)?));
        }
        Ok(found)
    }

    pub(super) async fn look(&mut self, key: &str) -> Result<Position, Fault> {
        let looked = look(&mut self.connection, key, None, 0)
            .await
            .map_err(fault)?;
        Ok(looked.last)
    }
}

async fn look(
    connection: &mut MultiplexedConnection,
    key: &str,
    from: Option<Position>,
    count: usize,
) -> RedisResult<Look> {
    let from = from.map_or_else(|| "-".into(), |from| from.to_string());
    let mut script = LOOK.prepare_invoke();
    script.key(key).arg(from).arg(count);
    let (last, entries): (String, Entries) = script.invoke_async(connection).await?;
    let unreadable = || RedisError::from((redis::ErrorKind::Parse, "an id of a stream is no id"));
    Ok(Look {
        last: last.parse().map_err(|_| unreadable())?,
        entries: stored(entries).map_err(|_| unreadable())?,
    })
}

/// The entries as events. What is no event of ours becomes an empty one, which a client ignores: nothing that is no
/// block may go out, and its place in the stream counts all the same.
fn stored(entries: Entries) -> Result<Vec<Stored>, Fault> {
    let mut stored = Vec::with_capacity(entries.len());
    for (id, fields) in entries {
        let position = parse(&id)?;
        let (mut previous, mut event) = (None, None);
        for pair in fields.chunks_exact(2) {
            match &pair[0][..] {
                b"p" => {
                    previous = std::str::from_utf8(&pair[1])
                        .ok()
                        .and_then(|id| id.parse().ok())
                }
                b"e" => event = Some(Bytes::copy_from_slice(&pair[1])),
                _ => {}
            }
        }
        let event = event.filter(is_block).unwrap_or(Bytes::from_static(b"\n"));
        stored.push(Stored::new(
            position,
            previous,
            &Encoded::from_blocks(event),
        ));
    }
    Ok(stored)
}

fn is_block(bytes: &Bytes) -> bool {
    let Some(lines) = bytes.strip_suffix(b"\n\n") else {
        return bytes == "\n";
    };
    std::str::from_utf8(lines).is_ok_and(|lines| {
        !lines.contains('\r')
            && !lines
                .split('\n')
                .any(|line| line.is_empty() || line.starts_with("id:"))
    })
}

fn parse(id: &str) -> Result<Position, Fault> {
    id.parse().map_err(|error| Fault {
        retry: false,
        unknown: false,
        source: Box::new(error),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn fault(error: RedisError) -> Fault {
    use redis::{ErrorKind, ServerErrorKind};

    // A server that restarts, that is no master any longer, or one that waits for its replicas: it may answer in a
    // moment, or another one.
    let passing = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
        )
    ) || error.code() == Some("NOREPLICAS");
    let broken = error.is_io_error() || error.is_timeout() || error.is_connection_dropped();
    debug!(%error, passing, broken, "Redis has not done it");
    Fault {
        retry: passing || broken,
        unknown: broken && !error.is_connection_refusal(),
        source: Box::new(error),
    }
}
