//! A test that every [`Store`] has to pass.
//!
//! It goes through the promises of the trait, crashes aside, and belongs into the tests of a back end:
//!
//! ```
//! use tower_realtime::log::{Memory, conformance};
//!
//! # smol::block_on(async {
//! conformance::check(async |keep| Memory::new(keep)).await.unwrap();
//! # });
//! ```

use std::{collections::BTreeSet, fmt};

use futures_util::{StreamExt, future};

use super::{
    resume::Position,
    store::{Page, Start, Store, Stored, Tail},
};
use crate::{
    BoxError,
    sse::{Encoded, Event},
};

/// Why a store did not pass: what it did instead of what was promised.
///
/// It is the error of [`check`] where the store itself did not fail.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// Tests a store whose empty logs `make` makes; each is asked to keep about that many events.
///
/// It waits for live events without a time-out of its own: a store that loses them makes it hang.
///
/// # Errors
///
/// The first promise that was broken, or the store's own error.
pub async fn check<S, F>(make: F) -> Result<(), BoxError>
where
    S: Store,
    F: AsyncFn(usize) -> S,
{
    is_empty_at_first(&make(100).await).await?;
    keeps_order_and_links(&make(100).await).await?;
    joins_live_and_kept(&make(100).await).await?;
    adds_each_once(&make(1_000).await).await?;
    trims_honestly(&make(10).await).await?;
    knows_its_own(&make(100).await, &make(100).await).await
}

async fn is_empty_at_first<S: Store>(store: &S) -> Result<(), BoxError> {
    let page = read(store, Start::Oldest, 10).await?;
    ensure(page.events.is_empty() && page.gap.is_none(), || {
        format!("an empty log has events or a gap: {page:?}")
    })?;
    let mut tail = tail(store).await?;
    let page = read(store, Start::After(tail.at), 10).await?;
    ensure(page.gap.is_none(), || {
        format!("an empty log has a gap after its beginning: {page:?}")
    })?;
    append(store, 0).await?;
    let first = live(&mut tail).await?;
    let linked = first.previous().is_none_or(|previous| previous == tail.at);
    ensure(linked, || {
        format!("the first event {first:?} does not follow {}", tail.at)
    })
}

async fn keeps_order_and_links<S: Store>(store: &S) -> Result<(), BoxError> {
    let positions = fill(store, 20).await?;
    ensure(positions.is_sorted_by(|a, b| a < b), || {
        format!("positions do not rise: {positions:?}")
    })?;
    let all = read(store, Start::Oldest, 100).await?;
    is(&all.events, &positions, 0)?;
    let links = all
        .events
        .windows(2)
        .all(|pair| follows(&pair[0], &pair[1]));
    ensure(links, || format!("the links are wrong: {all:?}"))?;
    for (seen, position) in positions.iter().enumerate() {
        let page = read(store, Start::After(*position), 7).await?;
        let end = positions.len().min(seen + 8);
        is(&page.events, &positions[seen + 1..end], seen + 1)?;
        ensure(page.gap.is_none() && page.more == (end < 20), || {
            format!("after event {seen} of 20, seven at a time: {page:?}")
        })?;
    }
    Ok(())
}

async fn joins_live_and_kept<S: Store>(store: &S) -> Result<(), BoxError> {
    let before = fill(store, 3).await?;
    let mut tails = [tail(store).await?, tail(store).await?];
    let last = Some(&tails[0].at);
    ensure(last == before.last(), || {
        format!("a tail begins at {last:?}, after {before:?}")
    })?;
    let after = fill(store, 3).await?;
    let page = read(store, Start::After(tails[0].at), 10).await?;
    is(&page.events, &after, 0)?;
    for tail in &mut tails {
        let mut events = Vec::new();
        for _ in &after {
            events.push(live(tail).await?);
        }
        is(&events, &after, 0)?;
    }
    Ok(())
}

async fn adds_each_once<S: Store>(store: &S) -> Result<(), BoxError> {
    let mut tail = tail(store).await?;
    let appends = future::join_all((0..32).map(|n| append(store, n))).await;
    let positions = appends.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    let page = read(store, Start::Oldest, 1_000).await?;
    let kept = page.events.iter().map(Stored::position).collect::<Vec<_>>();
    ensure(kept.iter().eq(&positions) && positions.len() == 32, || {
        format!("32 at once gave {positions:?}, and the log has {kept:?}")
    })?;
    let data = page.events.iter().map(|stored| stored.entry().data());
    ensure(data.collect::<BTreeSet<_>>().len() == 32, || {
        format!("not every event is there once: {page:?}")
    })?;
    for position in kept {
        let next = live(&mut tail).await?;
        ensure(next.position() == position, || {
            format!("live came {next:?} in the place of {position}")
        })?;
    }
    Ok(())
}

async fn trims_honestly<S: Store>(store: &S) -> Result<(), BoxError> {
    let first = append(store, 0).await?;
    let mut appended = 1;
    while read(store, Start::After(first), 1).await?.gap.is_none() {
        ensure(appended < 10_000, || {
            "10,000 events, and none of them was dropped".into()
        })?;
        fill(store, 10).await?;
        appended += 10;
    }
    let kept = read(store, Start::Oldest, 10_000).await?.events;
    ensure(kept.len() >= 10 && kept.len() < appended, || {
        format!(
            "{} of {appended} events are kept, of at least 10",
            kept.len()
        )
    })?;
    let oldest = &kept[0];
    for last in [Some(oldest.position()), oldest.previous()]
        .into_iter()
        .flatten()
    {
        let page = read(store, Start::After(last), 10_000).await?;
        ensure(page.gap.is_none(), || {
            format!("{:?} after {last}, though what follows is kept", page.gap)
        })?;
    }
    Ok(())
}

async fn knows_its_own<S: Store>(store: &S, other: &S) -> Result<(), BoxError> {
    let ours = fill(store, 3).await?;
    let theirs = fill(other, 2).await?;
    let newest = ours[2];
    let future = Position::new(newest.epoch(), newest.index() + 1_000);
    let never = Position::new(newest.epoch().wrapping_add(1_000_000), 1);
    let foreign = theirs
        .into_iter()
        .filter(|position| !ours.contains(position));
    for position in foreign.chain([future, never, Position::new(0, 1)]) {
        let page = read(store, Start::After(position), 10).await?;
        ensure(page.gap.is_some() && page.events.is_empty(), || {
            format!("{position} was never an event of the log: {page:?}")
        })?;
    }
    Ok(())
}

fn ensure(holds: bool, why_not: impl FnOnce() -> String) -> Result<(), BoxError> {
    match holds {
        true => Ok(()),
        false => Err(Failed(why_not()).into()),
    }
}

/// The events are those that were appended, their data counting from `first`.
fn is(events: &[Stored], positions: &[Position], first: usize) -> Result<(), BoxError> {
    let same = events
        .iter()
        .map(Stored::position)
        .eq(positions.iter().copied());
    let numbers = (first..).map(|n| n.to_string());
    let intact = events
        .iter()
        .zip(numbers)
        .all(|(stored, n)| stored.entry().data() == n);
    ensure(same && intact, || {
        format!("{events:?} in the place of those at {positions:?}, from {first}")
    })
}

fn follows(one: &Stored, next: &Stored) -> bool {
    next.previous()
        .is_none_or(|previous| previous == one.position())
}

async fn append<S: Store>(store: &S, n: usize) -> Result<Position, BoxError> {
    let event = Encoded::from(Event::display(n));
    store.append(event).await.map_err(Into::into)
}

async fn fill<S: Store>(store: &S, events: usize) -> Result<Vec<Position>, BoxError> {
    let mut positions = Vec::new();
    for n in 0..events {
        positions.push(append(store, n).await?);
    }
    Ok(positions)
}

async fn read<S: Store>(store: &S, start: Start, limit: usize) -> Result<Page, BoxError> {
    store.read(start, limit).await.map_err(Into::into)
}

async fn tail<S: Store>(store: &S) -> Result<Tail, BoxError> {
    store.tail().await.map_err(Into::into)
}

async fn live(tail: &mut Tail) -> Result<Stored, BoxError> {
    let ended = || Failed("the live events ended".into());
    Ok(tail.live.next().await.ok_or_else(ended)??)
}
