//! What happens next: one queue, ordered by time and then by when it was put down.

use std::collections::BTreeMap;

use crate::clock::Moment;

/// Things to come. Two things at the same moment happen in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    planned: BTreeMap<(Moment, u64), T>,
    count: u64,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { planned: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn plan(&mut self, at: Moment, what: T) {
        self.planned.insert((at, self.count), what);
        self.count += 1;
    }

    pub(crate) fn next(&mut self) -> Option<(Moment, T)> {
        let ((at, _), what) = self.planned.pop_first()?;
        Some((at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_first_then_order_of_planning() {
        let mut agenda = Agenda::new();
        agenda.plan(Moment(2), 'c');
        agenda.plan(Moment(1), 'a');
        agenda.plan(Moment(1), 'b');
        let order: Vec<char> =
            core::iter::from_fn(|| agenda.next()).map(|(_, what)| what).collect();
        assert_eq!(order, ['a', 'b', 'c']);
    }
}
