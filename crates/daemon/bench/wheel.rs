//! One timer for each client: a wheel of linked lists, so that arming and disarming is O(1) and
//! allocates nothing.

/// Nanoseconds of one slot.
pub(super) const TICK: u64 = 10_000_000;
const SLOTS: u64 = 8192;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    previous: u32,
    /// The tick at which the timer is due; zero if it is not armed.
    due: u64,
    slot: u32,
}

/// Timers by client number.
#[derive(Debug)]
pub(super) struct Wheel {
    heads: Vec<u32>,
    links: Vec<Link>,
    /// The earliest tick whose slot may hold a due timer.
    tick: u64,
    armed: usize,
}

impl Wheel {
    pub(super) fn new(clients: u32) -> Self {
        let idle = Link { next: NONE, previous: NONE, due: 0, slot: 0 };
        let heads = vec![NONE; SLOTS as usize];
        Self { heads, links: vec![idle; clients as usize], tick: 1, armed: 0 }
    }

    /// Sets the client's timer to `at` nanoseconds, instead of what it was set to.
    pub(super) fn arm(&mut self, number: u32, at: u64) {
        self.disarm(number);
        self.links[number as usize].due = at.div_ceil(TICK).max(self.tick);
        self.place(number);
    }

    pub(super) fn disarm(&mut self, number: u32) {
        if self.links[number as usize].due != 0 {
            self.unlink(number);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.armed == 0
    }

    /// A client whose timer is due, now disarmed. Call until there is none.
    pub(super) fn expired(&mut self, now: u64) -> Option<u32> {
        let current = now / TICK;
        if self.armed == 0 {
            self.tick = self.tick.max(current);
        }
        while self.tick <= current {
            let number = self.heads[(self.tick % SLOTS) as usize];
            if number == NONE {
                self.tick += 1;
                continue;
            }
            let due = self.links[number as usize].due;
            self.unlink(number);
            if due <= self.tick {
                return Some(number);
            }
            self.links[number as usize].due = due;
            self.place(number);
        }
        None
    }

    /// Links an armed client into its slot; one beyond the wheel's span is looked at again later.
    fn place(&mut self, number: u32) {
        let due = self.links[number as usize].due;
        let slot = (due.min(self.tick + SLOTS - 1) % SLOTS) as u32;
        let next = self.heads[slot as usize];
        if next != NONE {
            self.links[next as usize].previous = number;
        }
        self.heads[slot as usize] = number;
        self.links[number as usize] = Link { next, previous: NONE, due, slot };
        self.armed += 1;
    }

    fn unlink(&mut self, number: u32) {
        let Link { next, previous, slot, .. } = self.links[number as usize];
        match previous {
            NONE => self.heads[slot as usize] = next,
            _ => self.links[previous as usize].next = next,
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        self.links[number as usize].due = 0;
        self.armed -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        let mut all: Vec<u32> = std::iter::from_fn(|| wheel.expired(now)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_timer_is_due_at_its_tick_and_once() {
        let mut wheel = Wheel::new(4);
        wheel.arm(0, 5 * TICK);
        wheel.arm(1, 5 * TICK);
        wheel.arm(2, 6 * TICK + 1);
        wheel.arm(3, 5 * TICK);
        wheel.disarm(1);
        assert_eq!(due(&mut wheel, 5 * TICK - 1), [0; 0]);
        assert_eq!(due(&mut wheel, 5 * TICK), [0, 3]);
        assert_eq!(due(&mut wheel, 6 * TICK), [0; 0]);
        assert_eq!(due(&mut wheel, 7 * TICK), [2]);
        assert!(wheel.is_idle());
    }

    #[test]
    fn a_timer_beyond_the_span_waits_for_its_round() {
        let mut wheel = Wheel::new(2);
        let far = (2 * SLOTS + 7) * TICK;
        wheel.arm(0, far);
        wheel.arm(1, TICK * SLOTS);
        assert_eq!(due(&mut wheel, TICK * (SLOTS - 1)), [0; 0]);
        assert_eq!(due(&mut wheel, far - 1), [1]);
        assert_eq!(due(&mut wheel, far), [0]);
    }

    #[test]
    fn it_does_what_a_sorted_list_does() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut wheel = Wheel::new(50);
        let mut model = [None; 50];
        let mut now = 0;
        for _ in 0..20_000 {
            let number = random.u32(..50);
            match random.u8(..4) {
                0 => {
                    wheel.disarm(number);
                    model[number as usize] = None;
                }
                1 => now += random.u64(..20 * TICK),
                _ => {
                    let at = now + 1 + random.u64(..2 * SLOTS * TICK);
                    wheel.arm(number, at);
                    model[number as usize] = Some(at.div_ceil(TICK));
                }
            }
            let expected: Vec<u32> = (0..50)
                .filter(|&n| model[n as usize].is_some_and(|tick: u64| tick <= now / TICK))
                .collect();
            assert_eq!(due(&mut wheel, now), expected);
            expected.iter().for_each(|&n| model[n as usize] = None);
        }
    }
}
