//! The numbers of record kinds: never reused, not even for a kind that is no longer written.
//!
//! Events are below 64, commands from 64 to 127; each number is one byte in storage. Reserved
//! numbers already have their names, so that an older engine can say what it does not know.

/// Declares the table once: the constants, and the names by number.
macro_rules! kinds {
    ($($constant:ident = $number:literal, $name:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: u64 = $number;
        )*

        /// The name of a kind, as the JSON export gives it; `None` for a number never assigned.
        #[must_use]
        pub const fn name(kind: u64) -> Option<&'static str> {
            match kind {
                $($number => Some($name),)*
                _ => None,
            }
        }
    };
}

kinds! {
    RUN_STARTED = 1, "run_started";
    VERSION_CHANGED = 2, "version_changed";
    ACTIVITY_COMPLETED = 3, "activity_completed";
    ACTIVITY_FAILED = 4, "activity_failed";
    ACTIVITY_CANCELLED = 5, "activity_cancelled";
    ACTIVITY_ATTEMPT_FAILED = 6, "activity_attempt_failed";
    TIMER_FIRED = 7, "timer_fired";
    SIGNAL_RECEIVED = 8, "signal_received";
    CANCEL_REQUESTED = 9, "cancel_requested";
    RUN_TERMINATED = 10, "run_terminated";
    RUN_TIMED_OUT = 11, "run_timed_out";
    UPDATE_ACCEPTED = 12, "update_accepted";
    // Reserved for children and patches; not yet written.
    CHILD_STARTED = 13, "child_started";
    CHILD_COMPLETED = 14, "child_completed";
    CHILD_FAILED = 15, "child_failed";
    CHILD_CANCELLED = 16, "child_cancelled";
    EXTERNAL_SIGNAL_DELIVERED = 17, "external_signal_delivered";
    EXTERNAL_SIGNAL_FAILED = 18, "external_signal_failed";
    EXTERNAL_CANCEL_DELIVERED = 19, "external_cancel_delivered";
    EXTERNAL_CANCEL_FAILED = 20, "external_cancel_failed";
    RUN_RESET = 21, "run_reset";
    OPTIONS_UPDATED = 30, "options_updated";

    SCHEDULE_ACTIVITY = 64, "schedule_activity";
    CANCEL_ACTIVITY = 65, "cancel_activity";
    START_TIMER = 66, "start_timer";
    CANCEL_TIMER = 67, "cancel_timer";
    COMPLETE_RUN = 68, "complete_run";
    FAIL_RUN = 69, "fail_run";
    CANCEL_RUN = 70, "cancel_run";
    CONTINUE_AS_NEW = 71, "continue_as_new";
    // Reserved, as above.
    START_CHILD = 72, "start_child";
    CANCEL_CHILD = 73, "cancel_child";
    SIGNAL_EXTERNAL = 74, "signal_external";
    CANCEL_EXTERNAL = 75, "cancel_external";
    // Written.
    COMPLETE_UPDATE = 76, "complete_update";
    FAIL_UPDATE = 77, "fail_update";
    // Reserved, as above.
    RECORD_PATCH = 78, "record_patch";
    SET_SEARCH_ATTRIBUTES = 79, "set_search_attributes";
    SET_MEMO = 80, "set_memo";
}
