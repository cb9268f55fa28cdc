use super::*;

#[test]
fn an_interrupted_step_is_counted_and_runs_again() {
    let mut script = Script::with(interrupted("s", 0), true);
    let id = script.register(step("s"));
    assert_eq!(script.decide(id), Decision::Run);
    assert_eq!(
        script.engine.next_attempt(id),
        1,
        "the same attempt continues"
    );
    assert_eq!(script.begin(id), Begin::WhenDurable);
    assert_eq!(script.commit()[0].interruptions, 1);
}

#[test]
fn a_clean_end_is_not_an_interruption() {
    let mut script = Script::with(interrupted("s", 2), false);
    let id = script.register(step("s"));
    assert_eq!(script.begin(id), Begin::Now);
    script.succeed(id, "1");
    assert_eq!(script.commit()[0].interruptions, 2);
}

#[test]
fn a_step_is_not_run_again_after_three_interruptions() {
    let mut script = Script::with(interrupted("s", 2), true);
    let id = script.register(step("s"));
    assert_eq!(script.begin(id), Begin::Interrupted(3));
}

#[test]
fn an_interrupted_at_most_once_step_never_runs_again() {
    for was_interrupted in [true, false] {
        let mut script = Script::with(interrupted("s", 0), was_interrupted);
        let id = script.register(step("s"));
        let now = script.time();
        assert_eq!(script.engine.begin(id, ONCE, now), Begin::Interrupted(1));
    }
}

#[test]
fn after_an_interruption_starts_are_durable_until_an_outcome_is_recorded() {
    let mut script = Script::with(Vec::new(), true);
    let first = script.register(step("first"));
    assert_eq!(script.begin(first), Begin::WhenDurable);
    script.commit();
    script.succeed(first, "1");
    let second = script.register(step("second"));
    assert_eq!(script.begin(second), Begin::Now);
}
