//! What the system knows about the server's process.

use std::{error::Error, fs};

/// The processor time of all threads of a process, in ns.
pub fn processor_time(pid: u32) -> Result<u64, Box<dyn Error>> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let times = fs::read_to_string(thread?.path().join("schedstat"))?;
        total += times.split(' ').next().ok_or("no time")?.parse::<u64>()?;
    }
    Ok(total)
}

/// The resident memory of a process, in bytes.
pub fn resident(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("no resident memory")?.parse::<u64>()? * 1024)
}
