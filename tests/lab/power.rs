//! A disk whose power can be cut: what was not flushed is lost, sector by sector, at random.
//!
//! The daemon writes to ext4, on a loop device, on the one file of a FUSE file system that this
//! process serves. Writes go to a volatile cache; only the kernel's flush, which a loop device
//! passes on as fsync, makes them durable. A cut keeps any subset of what the cache held, as
//! drives do, and from then on every access fails.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fastrand::Rng;
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    WriteFlags,
};

use super::disk::{Disk, tool};
use super::namespace::Lab;

/// What a drive writes as a whole or not at all.
const SECTOR: usize = 4096;

/// The file that holds the sectors.
const FILE: INodeNo = INodeNo(2);

/// A mounted file system above a disk with a volatile cache.
pub struct PowerDisk {
    platter: Arc<Mutex<Platter>>,
    pub disk: Rc<Disk>,
}

struct Platter {
    durable: Vec<u8>,
    cache: BTreeMap<usize, Vec<u8>>,
    powered: bool,
}

impl PowerDisk {
    /// An empty ext4 file system, as the octets of its disk.
    pub fn formatted(lab: &Lab, mebibytes: u64) -> Vec<u8> {
        let image = lab.file("formatted.image");
        fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
        tool("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
        fs::read(&image).unwrap()
    }

    /// Mounts a disk with this content, replaying its journal.
    pub fn mount(lab: &Lab, name: &str, content: Vec<u8>) -> Self {
        let platter = Platter { durable: content, cache: BTreeMap::new(), powered: true };
        let platter = Arc::new(Mutex::new(platter));
        let drive = Drive(platter.clone());
        let below = lab.file(&format!("{name}.drive"));
        fs::create_dir(&below).unwrap();
        let sectors = below.join("sectors");
        let words = ["-o", "loop", sectors.to_str().unwrap()];
        let disk = Disk::mount_above(lab, name, &words, || {
            let session = fuser::spawn_mount(drive, &below, &fuser::Config::default()).unwrap();
            // It serves until its mount namespace is gone; there is nothing to undo here.
            std::mem::forget(session);
        });
        Self { platter, disk: Rc::new(disk) }
    }

    /// The plug, for another thread to pull.
    pub fn plug(&self) -> Plug {
        Plug(self.platter.clone())
    }
}

/// What can be pulled once.
pub struct Plug(Arc<Mutex<Platter>>);

impl Plug {
    /// Cuts the power. Gives back what is on the disk: all that was flushed, and of the rest each
    /// sector with a probability that is itself drawn.
    pub fn pull(self, random: &mut Rng) -> Vec<u8> {
        let mut platter = self.0.lock().unwrap();
        platter.powered = false;
        let mut left = platter.durable.clone();
        let kept = [0.0, 0.3, 0.5, 0.7, 0.9][random.usize(..5)];
        for (sector, octets) in &platter.cache {
            if random.f64() < kept {
                left[sector * SECTOR..(sector + 1) * SECTOR].copy_from_slice(octets);
            }
        }
        left
    }
}

impl Platter {
    fn sector(&self, number: usize) -> &[u8] {
        let durable = || &self.durable[number * SECTOR..(number + 1) * SECTOR];
        self.cache.get(&number).map_or_else(durable, Vec::as_slice)
    }

    fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let end = (offset + size).min(self.durable.len());
        let mut octets = Vec::with_capacity(size);
        while offset + octets.len() < end {
            let at = offset + octets.len();
            let stop = SECTOR.min(end - at / SECTOR * SECTOR);
            octets.extend_from_slice(&self.sector(at / SECTOR)[at % SECTOR..stop]);
        }
        octets
    }

    fn write(&mut self, offset: usize, octets: &[u8]) {
        let mut written = 0;
        while written < octets.len() {
            let at = offset + written;
            let (number, start) = (at / SECTOR, at % SECTOR);
            let length = (SECTOR - start).min(octets.len() - written);
            let mut sector = self.sector(number).to_vec();
            sector[start..start + length].copy_from_slice(&octets[written..written + length]);
            self.cache.insert(number, sector);
            written += length;
        }
    }

    fn flush(&mut self) {
        for (sector, octets) in std::mem::take(&mut self.cache) {
            self.durable[sector * SECTOR..(sector + 1) * SECTOR].copy_from_slice(&octets);
        }
    }
}

/// The FUSE file system: a directory with the one file `sectors`.
struct Drive(Arc<Mutex<Platter>>);

impl Drive {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let size = self.0.lock().unwrap().durable.len() as u64;
        let file = inode == FILE;
        FileAttr {
            ino: inode,
            size: if file { size } else { 0 },
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if file { FileType::RegularFile } else { FileType::Directory },
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Drive {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == "sectors" {
            reply.entry(&Duration::MAX, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&Duration::from_secs(3600), &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel keeps no copy: each write comes here at once.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let platter = self.0.lock().unwrap();
        if platter.powered {
            reply.data(&platter.read(usize::try_from(offset).unwrap(), size as usize));
        } else {
            reply.error(Errno::EIO);
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        octets: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut platter = self.0.lock().unwrap();
        if platter.powered {
            platter.write(usize::try_from(offset).unwrap(), octets);
            reply.written(u32::try_from(octets.len()).unwrap());
        } else {
            reply.error(Errno::EIO);
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let mut platter = self.0.lock().unwrap();
        if platter.powered {
            platter.flush();
            reply.ok();
        } else {
            reply.error(Errno::EIO);
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file is no flush.
        reply.ok();
    }
}
