//! The checker of what is being emitted; see [`crate::backend::check`].

use super::{Aside, Emitter, Host};
use crate::backend::check::{Belief, Check, Floats};
use crate::ir::Node;
use crate::opt::FloatFacts;

/// The model of the nodes that are being emitted.
pub(crate) struct Checker<'n, 'c, S: crate::backend::check::Host>(Check<'n, 'c, S>);

impl<'n, 'c, S: crate::backend::check::Host> Checker<'n, 'c, S> {
    /// Begins with `nodes`, of which nothing has been emitted, and which go on at `after`.
    pub(crate) fn new<'b, H: Host<'b>>(
        e: &Emitter<'b, 'c, H>,
        nodes: &'n [Node],
        after: u64,
    ) -> Self {
        Self(Check::new((nodes, after), (e.ctx, *e.map), &belief(e, &Aside::default())))
    }

    /// Checks what has been emitted for the nodes before `done`.
    pub(crate) fn emitted<'b, H: Host<'b>>(&mut self, e: &Emitter<'b, '_, H>, done: usize) {
        self.with(e, |check, belief| check.emitted(done, belief));
    }

    /// Checks what follows the last node.
    pub(crate) fn ended<'b, H: Host<'b>>(&mut self, e: &Emitter<'b, '_, H>) {
        self.with(e, |check, belief| check.ended(belief));
    }

    /// Checks what branches that are taken lead to.
    pub(crate) fn taken<'b, H: Host<'b>>(&mut self, e: &Emitter<'b, '_, H>) {
        self.with(e, |check, belief| check.taken(belief));
    }

    fn with<'b, H: Host<'b>>(
        &mut self,
        e: &Emitter<'b, '_, H>,
        f: impl FnOnce(&mut Check<'n, 'c, S>, &Belief<'_>),
    ) {
        let aside = e.a.aside(&e.copies);
        if let Some((start, n)) = aside.moved {
            self.0.moved(start, n);
        }
        f(&mut self.0, &belief(e, &aside));
    }
}

/// What the emitter believes now.
fn belief<'e, 'b, H: Host<'b>>(e: &'e Emitter<'b, '_, H>, aside: &'e Aside) -> Belief<'e> {
    let floats = |fp: &FloatFacts| Floats {
        boxed: fp.boxed,
        loose: fp.loose,
        canon_d: fp.canon_d,
        canon_s: fp.canon_s,
    };
    let head = e.head.as_ref().map(|head| (head.at, floats(&head.facts)));
    let Aside { copies, unbound, .. } = aside;
    let (sym, buf, at) = (&e.sym, &*e.a.buf, e.a.pos());
    let (inside, following) =
        e.inside.as_ref().map_or((&[][..], None), |r| (&r.jumps[..], r.following));
    Belief { sym, floats: floats(&e.fp), head, copies, buf, at, inside, following, unbound }
}
