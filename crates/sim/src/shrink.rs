//! Makes a failing plan smaller while it goes on breaking the same rule.

use core::mem::discriminant;

use crate::network::Weather;
use crate::oracle::Rule;
use crate::plan::Plan;
use crate::run::{Outcome, run};

/// A smaller plan that fails in the same way, and how many runs it took to find it.
#[must_use]
pub fn shrink(plan: &Plan, rule: &Rule, steps: u64, runs_max: u32) -> (Plan, u32) {
    let mut shrinker =
        Shrinker { plan: plan.clone(), rule: rule.clone(), steps, runs: 0, runs_max };
    loop {
        let before = shrinker.plan.clone();
        shrinker.shorten();
        shrinker.drop_incidents();
        shrinker.drop_clients();
        shrinker.simplify();
        if shrinker.plan == before || shrinker.runs >= runs_max {
            return (shrinker.plan, shrinker.runs);
        }
    }
}

struct Shrinker {
    plan: Plan,
    rule: Rule,
    steps: u64,
    runs: u32,
    runs_max: u32,
}

impl Shrinker {
    /// Takes the candidate if it still breaks the rule.
    fn take_if_it_fails(&mut self, candidate: Plan) -> Option<Outcome> {
        if self.runs >= self.runs_max || candidate == self.plan {
            return None;
        }
        self.runs += 1;
        let outcome = run(&candidate, self.steps, false);
        let failure = outcome.failure.as_ref()?;
        if discriminant(&failure.rule) != discriminant(&self.rule) {
            return None;
        }
        self.plan = candidate;
        Some(outcome)
    }

    /// Nothing after the failure is needed; a client that must be bound in the end needs the end.
    fn shorten(&mut self) {
        if self.rule == Rule::Unbound {
            return;
        }
        let outcome = run(&self.plan, self.steps, false);
        let Some(failure) = outcome.failure else { return };
        let mut candidate = self.plan.clone();
        candidate.ends = failure.at;
        candidate.incidents.retain(|(at, _)| *at <= failure.at);
        self.take_if_it_fails(candidate);
    }

    /// Halves first, then quarters, down to single incidents.
    fn drop_incidents(&mut self) {
        let mut piece = self.plan.incidents.len().div_ceil(2);
        while piece > 0 {
            let mut start = 0;
            while start < self.plan.incidents.len() {
                let end = (start + piece).min(self.plan.incidents.len());
                let mut candidate = self.plan.clone();
                candidate.incidents.drain(start..end);
                let calm = candidate.calm().is_some() || self.rule != Rule::Unbound;
                if !calm || self.take_if_it_fails(candidate).is_none() {
                    start = end;
                }
            }
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
    }

    fn drop_clients(&mut self) {
        for number in 0..self.plan.clients.len() {
            let mut candidate = self.plan.clone();
            candidate.clients[number].starts = None;
            self.take_if_it_fails(candidate);
        }
    }

    fn simplify(&mut self) {
        let simpler: [fn(&mut Plan); 4] = [
            |plan| plan.weather = Weather::CALM,
            |plan| plan.turns_ahead = 1,
            |plan| plan.slowest_sync = 1,
            |plan| {
                for client in &mut plan.clients {
                    client.habits.broadcast = false;
                    client.habits.renews_with_server = false;
                }
            },
        ];
        for simplify in simpler {
            let mut candidate = self.plan.clone();
            simplify(&mut candidate);
            self.take_if_it_fails(candidate);
        }
    }
}
