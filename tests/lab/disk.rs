//! A small disk of one test's own: a file system that only the daemon and the test see.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::namespace::Lab;

/// A mount in a mount namespace of its own. Nothing but descriptors keeps it: when the test and the
/// daemon are gone, so are the mount, the namespace and any loop device below.
pub struct Disk {
    namespace: OwnedFd,
    root: OwnedFd,
    path: PathBuf,
}

impl Disk {
    /// An ext4 file system of so many MiB in a file, behind a loop device.
    pub fn ext4(lab: &Lab, name: &str, mebibytes: u64) -> Self {
        let image = lab.file(&format!("{name}.image"));
        File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        tool("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
        Self::mount_above(lab, name, &["-o", "loop", image.to_str().unwrap()], || ())
    }

    /// Mounts with these words for `mount` before the directory, after `below` has mounted what
    /// the disk stands on.
    pub fn mount_above(lab: &Lab, name: &str, words: &[&str], below: impl FnOnce() + Send) -> Self {
        let path = lab.file(name);
        fs::create_dir_all(&path).unwrap();
        let (namespace, root) = thread::scope(|scope| {
            let mounting = scope.spawn(|| {
                // SAFETY: no memory is passed; only this short-lived thread changes its view.
                let result = unsafe { libc::unshare(libc::CLONE_NEWNS) };
                assert_eq!(result, 0, "a mount namespace: {}", io::Error::last_os_error());
                tool("mount", &["--make-rprivate", "/"]);
                below();
                tool("mount", &[words, &[path.to_str().unwrap()]].concat());
                let namespace = File::open("/proc/thread-self/ns/mnt").unwrap();
                (namespace.into(), File::open(&path).unwrap().into())
            });
            mounting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        Self { namespace, root, path }
    }

    /// Where it is mounted for those who are let in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets a command see the disk at [`Disk::path`].
    pub fn let_in(&self, command: &mut Command) {
        let descriptor = self.namespace.as_raw_fd();
        // SAFETY: setns is a single system call without allocation.
        unsafe {
            command.pre_exec(move || match libc::setns(descriptor, libc::CLONE_NEWNS) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
    }

    /// The disk's files, as the test itself can reach them.
    pub fn file(&self, name: &str) -> PathBuf {
        let root = format!("/proc/{}/fd/{}", std::process::id(), self.root.as_raw_fd());
        PathBuf::from(root).join(name)
    }

    /// Fills it to the last block with a file of the test's own.
    pub fn fill(&self) {
        let mut ballast = File::create(self.file("ballast")).unwrap();
        for size in [1 << 20, 1 << 16, 1 << 12, 1] {
            while ballast.write_all(&vec![0xaa; size]).and_then(|()| ballast.sync_data()).is_ok() {}
        }
    }

    /// Lets ext4 do what it does when its disk fails: from now on it may only be read.
    pub fn turn_read_only(&self) {
        self.inside(|| drop(tool("mount", &["-o", "remount,abort", self.path.to_str().unwrap()])));
    }

    /// Does something in a thread that sees the disk.
    fn inside(&self, work: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let working = scope.spawn(|| {
                // SAFETY: no memory is passed; only this short-lived thread changes its view.
                let result = unsafe {
                    libc::unshare(libc::CLONE_FS);
                    libc::setns(self.namespace.as_raw_fd(), libc::CLONE_NEWNS)
                };
                assert_eq!(result, 0, "the disk's namespace: {}", io::Error::last_os_error());
                work();
            });
            working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.file("ballast")).unwrap();
    }
}

/// Runs a tool in the calling thread's namespaces.
pub fn tool(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {errors}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
