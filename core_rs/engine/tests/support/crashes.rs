//! Crashes at each write.

use std::time::Duration;

use super::{Workflow, World};

/// Does something in a world of its own with a crash at each write in turn, and checks after.
pub(crate) fn killed_everywhere(
    workflow: Workflow,
    least: usize,
    mut live: impl FnMut(&mut World),
    check: impl Fn(&mut World, &str),
) {
    for durable in [false, true] {
        let mut count = 0;
        for at in 1.. {
            let mut world = World::new(workflow);
            world.stops_at = Some((at, durable));
            live(&mut world);
            if !world.stopped {
                check(&mut world, "no crash");
                break;
            }
            count += 1;
            world.restart();
            world.host(&["audit"]);
            world.advance(Duration::from_secs(60));
            check(&mut world, &format!("write {at}, durable: {durable}"));
        }
        assert!(count >= least, "only {count} writes");
    }
}
