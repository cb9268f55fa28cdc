use super::*;

#[test]
fn a_step_cut_off_by_an_unclean_end_is_counted_and_runs_again() {
    let mut script = Script::with(interruptions("s", 0), true);
    let id = script.register(step("s"));
    assert_eq!(script.decide(id), Decision::Run);
    assert_eq!(
        script.engine.next_attempt(id),
        1,
        "the same attempt goes on"
    );
    assert_eq!(script.begin(id), Begin::WhenDurable);
    assert_eq!(script.commit()[0].interruptions, 1);
}

#[test]
fn a_clean_end_does_not_count() {
    let mut script = Script::with(interruptions("s", 2), false);
    let id = script.register(step("s"));
    assert_eq!(script.begin(id), Begin::Now);
    script.succeed(id, "1");
    assert_eq!(script.commit()[0].interruptions, 2);
}

#[test]
fn the_third_interruption_is_the_last() {
    let mut script = Script::with(interruptions("s", 2), true);
    let id = script.register(step("s"));
    assert_eq!(script.begin(id), Begin::Interrupted(3));
}

#[test]
fn at_most_once_never_runs_what_may_have_run() {
    for was_interrupted in [true, false] {
        let mut script = Script::with(interruptions("s", 0), was_interrupted);
        let id = script.register(step("s"));
        let now = script.time();
        assert_eq!(script.engine.begin(id, ONCE, now), Begin::Interrupted(1));
    }
}

#[test]
fn after_an_unclean_end_starts_are_written_until_something_is_achieved() {
    let mut script = Script::with(Vec::new(), true);
    let first = script.register(step("first"));
    assert_eq!(script.begin(first), Begin::WhenDurable);
    script.commit();
    script.succeed(first, "1");
    let second = script.register(step("second"));
    assert_eq!(script.begin(second), Begin::Now);
}
