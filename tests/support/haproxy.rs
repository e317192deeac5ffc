//! A real HAProxy for a test.

use std::{
    path::PathBuf,
    process::{Child, Command},
};

/// One that runs until it is dropped.
pub(crate) struct Proxy(Child, PathBuf);

impl Proxy {
    /// `port` is one that `config` binds.
    pub(crate) fn start(port: u16, config: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tower-realtime-haproxy-{port}"));
        std::fs::write(&path, config).expect("a file");
        let child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&path)
            .spawn();
        Self(child.expect("haproxy"), path)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
        let _ = std::fs::remove_file(&self.1);
    }
}
