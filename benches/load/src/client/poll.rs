use std::{
    error::Error,
    net::TcpStream,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::event::{
    Timespec,
    epoll::{self, Event, EventData, EventFlags},
};

/// A server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits by asking again and again, and counts the time in which there was nothing to do.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
    idle: Duration,
}

impl Poll {
    pub fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
            idle: Duration::ZERO,
        })
    }

    pub fn add(&self, stream: &TcpStream, key: usize) -> Result<(), Box<dyn Error>> {
        let data = EventData::new_u64(key as u64);
        Ok(epoll::add(&self.epoll, stream, data, EventFlags::IN)?)
    }

    /// Sets whether room for writing is of interest, beside bytes to read.
    pub fn watch_room(
        &self,
        stream: &TcpStream,
        key: usize,
        on: bool,
    ) -> Result<(), Box<dyn Error>> {
        let out = if on {
            EventFlags::OUT
        } else {
            EventFlags::empty()
        };
        let data = EventData::new_u64(key as u64);
        Ok(epoll::modify(
            &self.epoll,
            stream,
            data,
            EventFlags::IN | out,
        )?)
    }

    /// The keys of the connections with something to do; an error when there is nothing for too long.
    pub fn wait(&mut self) -> Result<Vec<usize>, Box<dyn Error>> {
        const AT_ONCE: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let start = Instant::now();
        self.events.clear();
        while self.events.is_empty() {
            let room = rustix::buffer::spare_capacity(&mut self.events);
            epoll::wait(&self.epoll, room, Some(&AT_ONCE))?;
            if start.elapsed() > PATIENCE {
                return Err("the server is silent".into());
            }
        }
        self.idle += start.elapsed();
        Ok(self
            .events
            .iter()
            .map(|event| event.data.u64() as usize)
            .collect())
    }

    /// How long there was nothing to do, since the start.
    pub const fn idle(&self) -> Duration {
        self.idle
    }
}
