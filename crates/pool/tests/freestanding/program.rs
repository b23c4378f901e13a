//! A program without `std`, without libc, without an operating system under `main`: it links only
//! if the pool needs none of them, and exits with 0 only if the pool works there.
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::net::Ipv4Addr;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use leasehold_pool::{Plan, Pools, Range, SpaceId, Wish};

const HEAP: usize = 4 << 20;

/// Hands out memory upwards and never takes it back.
struct Heap {
    memory: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: each part of `memory` is handed out once, as `used` only grows, and by one thread anyway.
unsafe impl Sync for Heap {}

// SAFETY: the returned parts are disjoint, inside `memory`, aligned as asked, and never reused.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get() as usize;
        let used = self.used.load(Ordering::Relaxed);
        let padding = (start + used).wrapping_neg() % layout.align();
        let end = used + padding + layout.size();
        if end > HEAP {
            return core::ptr::null_mut();
        }
        self.used.store(end, Ordering::Relaxed);
        (start + used + padding) as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Heap = Heap { memory: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

fn exit(code: i32) -> ! {
    // SAFETY: `exit_group` takes one number and does not return.
    unsafe {
        core::arch::asm!("syscall", in("rax") 231, in("rdi") code, options(noreturn));
    }
}

/// The loader's jump leaves the stack as it wants it; a call aligns it as Rust does.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    core::arch::naked_asm!("and rsp, -16", "call {main}", "ud2", main = sym main)
}

extern "C" fn main() -> ! {
    let mut plan = Plan::new();
    let range = Range::new(Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 3));
    plan.pool(SpaceId::MAIN, "p", &[range], None);
    let Ok(pools) = Pools::new(&plan) else { exit(1) };
    let Some(pool) = pools.pool("p") else { exit(2) };
    for last in [3, 2, 1] {
        match pools.acquire(pool, Wish::default()) {
            Ok(grant) if grant.claim.address() == Ipv4Addr::new(10, 0, 0, last) => {}
            _ => exit(3),
        }
    }
    exit(if pools.acquire(pool, Wish::default()).is_err() { 0 } else { 4 })
}

/// What the compiler calls where it would use libc. Volatile, so that it does not call itself.
mod memory {
    // SAFETY: the caller gives two places of `count` bytes that do not overlap.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        for index in 0..count {
            // SAFETY: `index` is below `count`.
            unsafe { to.add(index).write_volatile(from.add(index).read_volatile()) };
        }
        to
    }

    // SAFETY: as for `memcpy`, but the places may overlap.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        for step in 0..count {
            let index = if (to as usize) < from as usize { step } else { count - 1 - step };
            // SAFETY: `index` is below `count`, and what is overwritten has been read.
            unsafe { to.add(index).write_volatile(from.add(index).read_volatile()) };
        }
        to
    }

    // SAFETY: the caller gives a place of `count` bytes.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
        for index in 0..count {
            // SAFETY: `index` is below `count`.
            unsafe { to.add(index).write_volatile(value as u8) };
        }
        to
    }

    // SAFETY: the caller gives two places of `count` bytes.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
        for index in 0..count {
            // SAFETY: `index` is below `count`.
            let (a, b) = unsafe { (a.add(index).read_volatile(), b.add(index).read_volatile()) };
            if a != b {
                return i32::from(a) - i32::from(b);
            }
        }
        0
    }

    /// Named by the toolchain's `alloc`, which is made to unwind; nothing unwinds here.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
}
