"""The reliability contract for local runs, promise by promise, and the tests that hold each.

The numbers are the contract's. (G23 is about other machines, G24 about these tests themselves.)
"""

from __future__ import annotations

import itertools

import pytest

from tests.support.held import absent

PROMISES: dict[str, dict[str, tuple[str, ...]]] = {
    "G1 accepted means durable": {
        "killed at any step, what was told is queued, give or take the one in flight": (
            "queue/test_kills.py::test_killed_before_any_step_just_what_was_told_is_queued",
            "queue/test_commands.py::test_killed_while_it_speaks_just_what_was_told_is_queued",
        ),
        "it survives the loss of power": (
            "queue/test_queueing.py::test_what_is_accepted_has_reached_the_disk",
        ),
        "what is refused has queued nothing": (
            "queue/test_queueing.py::test_bad_requests_queue_nothing",
            "queue/test_queueing.py::test_names_that_are_not_valid_queue_nothing",
            "faults/test_failing_calls.py::test_what_is_refused_is_not_queued",
        ),
    },
    "G2 running is derived, never stored": {
        "only a kernel lock tells who lives": (
            "queue/test_leases.py::test_the_lock_is_believed_more_than_the_pid",
            "queue/test_leases.py::test_what_a_killed_holder_was_starting_does_not_hold_it",
        ),
        "after any death the next command shows it as interrupted": (
            "queue/test_commands.py::test_what_a_killed_orchestrator_ran_shows_as_interrupted",
            "live/test_seen.py::test_dvc_sees_all_that_run_and_the_next_command_forgets_the_dead",
            "faults/test_direct_runs.py::test_what_was_killed_is_interrupted_and_run_again",
        ),
        "run-all starts it again, without repair": (
            "queue/test_queue.py::test_interrupted_experiments_are_run_again_in_their_place",
            "faults/test_kills.py::test_run_all_killed_at_random_moments",
            "faults/test_beside.py::test_one_takes_over_from_another_that_is_killed",
            "faults/test_direct_runs.py::test_run_all_takes_over_what_was_killed_meanwhile",
        ),
    },
    "G3 at most one live attempt, at most one result": {
        "an experiment is claimed once": (
            "queue/test_queue.py::test_threads_claim_each_experiment_once",
            "faults/test_beside.py::test_two_that_run_all_share_the_work",
            "faults/test_direct_runs.py::test_two_runs_of_one_name_do_not_run_at_once",
        ),
        "the ref is created by compare-and-set": (
            "git/test_refs.py::test_of_many_creators_one_wins",
            "git/test_refs.py::test_a_changed_ref_is_not_overwritten",
            "live/test_failures_kept.py::test_a_name_that_is_taken_meanwhile_loses_nothing",
        ),
        "the commit tells its attempt, so that it is not run again": (
            "faults/test_crashes.py::test_what_was_stored_but_not_told_is_not_run_again",
            "faults/test_direct_runs.py::test_what_was_stored_but_not_told_is_not_run_again",
        ),
    },
    "G4 success means the ref exists and all it names is durable": {
        "objects and data are synced before the ref": (
            "git/test_experiments.py::test_everything_is_synced_before_the_ref",
            "git/test_experiments.py::test_what_could_not_be_synced_is_synced_the_next_time",
            "store/test_collect.py::test_sync_reaches_every_object",
        ),
        "workspace and record go only after that": ("faults/test_failing_calls.py::test_run_all",),
        "in shallow clones, linked worktrees, with submodules": (
            "faults/test_repositories.py::test_kinds_of_repositories",
            "workspaces/test_isolated.py::test_submodules_are_checked_out_without_network",
        ),
    },
    "G5 records are independent": {
        "a damaged one is named, and hides no other": (
            "queue/test_queue.py::test_a_damaged_record_is_named_once_and_hides_no_other",
            "queue/test_journal.py::test_a_torn_line_is_set_aside_by_the_next_writer",
            "faults/test_beside.py::test_a_torn_and_a_foreign_record_are_named_and_harm_no_other",
            "executors/test_logs.py::test_a_damaged_record_is_none",
        ),
        "so with refs, locks and stored experiments": (
            "git/test_refs.py::test_broken_refs_harm_only_themselves",
            "project/test_locks.py::test_a_damaged_list_is_set_aside",
            "results/test_show.py::test_a_broken_commit_is_a_row_with_an_error",
        ),
    },
    "G6 housekeeping is harmless": {
        "while experiments run, and while they wait": (
            "faults/test_beside.py::test_housekeeping_during_a_run_loses_nothing",
            "queue/test_queueing.py::test_housekeeping_loses_nothing",
            "queue/test_queueing.py::test_git_may_not_prune_what_no_ref_holds_yet",
            "live/test_pruned.py::test_what_is_stored_while_git_prunes_stays",
            "live/test_pruned.py::test_what_the_workspace_held_stays_while_git_prunes",
        ),
    },
    "G7 queueing and run-all never write what is the user's": {
        "not even for a moment": (
            "queue/test_queueing.py::test_nothing_of_the_users_is_touched",
            "faults/test_kills.py::test_run_all_killed_at_random_moments",
            "faults/test_failing_calls.py::test_run_all",
            "faults/test_repositories.py::test_kinds_of_repositories",
        ),
        "a stage elsewhere cannot reach it by what Git's hooks tell": (
            "faults/test_repositories.py::test_in_a_hook_a_stage_elsewhere_harms_nothing",
        ),
        "and what the user does meanwhile is no concern of theirs": (
            "faults/test_beside.py::test_what_the_user_does_meanwhile_is_no_concern_of_the_run",
        ),
    },
    "G8 a run in the workspace changes only what it makes": {
        "HEAD, index and stash stay as they are": (
            "compat/test_deviations.py::test_stages_see_the_users_head_index_and_stash",
            "faults/test_surroundings.py::test_staged_changes_and_the_stash_stay",
            "faults/test_crashes.py::test_kill_9_at_random_moments",
            "faults/test_failing_calls.py::test_a_run_in_the_workspace",
        ),
    },
    "G9 signals": {
        "the first one is passed on, once, and nothing new starts": (
            "faults/test_signals.py::test_a_signal_reaches_the_stage_once_and_nothing_is_lost",
            "faults/test_signals.py::test_parallel_stages_are_all_told",
            "faults/test_terminal.py::test_ctrl_c_reaches_the_stage_once_and_the_modes_come_back",
            "scheduler/test_machine.py::test_cancelling_stops_what_runs_and_starts_nothing_more",
        ),
        "after the grace it kills; a second signal kills at once": (
            "faults/test_signals.py::test_a_stage_that_ignores_signals_is_killed_after_the_grace",
            "faults/test_signals.py::test_a_second_signal_kills_at_once",
            "faults/test_signals.py::test_the_signal_to_quit_kills_at_once",
        ),
        "what is unfinished is queued again": (
            "live/test_failures_kept.py::test_what_is_interrupted_keeps_its_files_and_is_queued_again",
            "live/test_failures_kept.py::test_a_workspace_run_that_is_stopped_is_held",
        ),
        "no traceback at any moment": (
            "faults/test_signals.py::test_a_signal_before_anything_ends_the_process_silently",
            "faults/test_signals.py::test_a_signal_while_files_are_read_ends_without_a_traceback",
            "live/test_live.py::test_a_signal_leaves_the_terminal_sane",
        ),
        "what is asked to go on in the background goes on": (
            "queue/test_background.py::test_started_killed_and_stopped",
            "faults/test_signals.py::test_nohup_is_respected",
        ),
    },
    "G10 no process is left": {
        "whatever hides is ended and named, unless daemons are allowed": (
            "faults/test_reasons.py::test_a_daemon_is_ended_and_named_unless_it_is_allowed",
            "faults/test_reasons.py::test_what_holds_the_output_open_does_not_hold_up_the_run",
            "faults/test_signals.py::test_what_hides_in_another_session_is_found",
            "executors/test_survivors.py::test_what_stays_behind_is_ended_and_named",
            "executors/test_survivors.py::test_a_daemon_of_a_daemon_is_ended",
            "executors/test_survivors.py::test_who_ignores_sigterm_is_killed",
        ),
        "what a killed exprun has left is ended by the next": (
            "faults/test_crashes.py::test_what_a_killed_run_left_running_is_ended_by_the_next",
            "faults/test_crashes.py::test_a_run_beside_a_living_one_leaves_it_alone",
        ),
    },
    "G11 never hang": {
        "what can never run is refused": (
            "live/test_running_with_needs.py::test_what_can_never_run_is_refused",
            "scheduler/test_histories.py::test_promises_hold_in_every_history",
        ),
        "who is waited for may die": (
            "queue/test_commands.py::test_following_ends_when_the_orchestrator_is_killed",
            "project/test_locks.py::test_waiting_is_told_once_and_ends_when_the_holder_is_gone",
            "executors/test_local.py::test_a_child_that_others_collect_is_lost",
            "executors/test_console.py::test_a_reader_who_does_not_read_cannot_hold_up_a_stop",
        ),
        "nobody is there to answer": (
            "faults/test_terminal.py::test_interactive_without_a_terminal_does_not_run",
            "faults/test_reasons.py::test_a_stage_without_a_terminal_is_told_so_at_once",
            "faults/test_terminal.py::test_no_stage_has_dev_tty_and_none_waits_for_it",
        ),
    },
    "G12 locks are kernel locks": {
        "a dead holder blocks nobody": (
            "project/test_locks.py::test_a_killed_holder_blocks_nobody",
            "project/test_locks.py::test_a_pid_that_was_given_to_a_later_process_blocks_nobody",
            "git/test_refs.py::test_the_dead_hold_no_lock",
        ),
        "readers never wait; --queue waits for the living, and says so": (
            "faults/test_beside.py::test_readers_wait_for_nobody",
            "queue/test_commands.py::test_it_waits_for_whoever_holds_the_project",
        ),
        "DVC's locks are honoured, and taken in its format": (
            "project/test_locks.py::test_dvcs_lock_and_ours_exclude_each_other",
            "project/test_locks.py::test_ours_and_dvcs_entries_exclude_each_other",
            "faults/test_beside.py::test_dvc_at_the_same_time",
        ),
        "those that Git leaves behind do no harm, or are named": (
            "faults/test_repositories.py::test_kinds_of_repositories",
            "faults/test_repositories.py::test_a_lock_that_is_in_the_way_is_named",
        ),
    },
    "G13 bounded": {
        "whatever is printed, and however many are queued": (
            "faults/test_limits.py::test_200_mb_of_output",
            "faults/test_limits.py::test_a_thousand_queued_experiments",
        ),
        "want of descriptors, processes or memory lowers the concurrency": (
            "faults/test_limits.py::test_few_descriptors_mean_fewer_jobs",
            "faults/test_failing_calls.py::test_run_all",
            "executors/test_local.py::test_want_of_resources_is_transient",
        ),
    },
    "G14 exit codes": {
        "success, failure, refusal, a broken environment": (
            "compat/test_bad_input.py::test_bad_input_is_named_and_harmless",
            "compat/test_bad_input.py::test_a_read_only_project_is_an_environment_error",
            "faults/test_words.py::test_output_that_cannot_be_written_is_an_environment_error",
            "faults/test_words.py::test_a_failed_stage_keeps_its_log_and_its_record",
            "live/test_failures_kept.py::test_a_name_that_is_taken_meanwhile_loses_nothing",
        ),
        "signals": (
            "faults/test_signals.py::test_a_signal_reaches_the_stage_once_and_nothing_is_lost",
        ),
        "state and reason of each as JSON": ("queue/test_commands.py::test_status",),
    },
    "G15 logs": {
        "every byte, of any size": (
            "executors/test_local.py::test_the_log_holds_exactly_what_was_written",
            "executors/test_local.py::test_a_command_that_opens_its_output_anew_loses_nothing",
            "faults/test_limits.py::test_200_mb_of_output",
        ),
        "ended by status or signal, duration and class of reason": (
            "faults/test_reasons.py::test_the_class_of_each_end_is_told",
            "faults/test_reasons.py::test_what_was_interrupted_is_told",
            "faults/test_reasons.py::test_the_log_of_a_killed_orchestrator_has_no_end",
            "executors/test_logs.py::test_a_record_tells_how_the_stage_ended",
        ),
        "shown in any locale": (
            "queue/test_commands.py::test_logs",
            "faults/test_surroundings.py::test_odd_environments",
        ),
    },
    "G16 failed is failed, good is good": {
        "what went wrong is never a result": (
            "faults/test_reasons.py::test_the_class_of_each_end_is_told",
            "faults/test_inputs.py::test_a_stage_that_writes_into_the_cache_fails",
        ),
        "surroundings fail no good stage": (
            "faults/test_surroundings.py::test_odd_environments",
            "faults/test_surroundings.py::test_a_path_that_is_no_text",
            "faults/test_surroundings.py::test_a_project_below_the_repository",
            "faults/test_repositories.py::test_kinds_of_repositories",
            "faults/test_repositories.py::test_odd_paths",
            "faults/test_words.py::test_missing_streams_do_no_harm",
        ),
    },
    "G17 cache": {
        "no kill and no full disk leaves a wrong object": (
            "store/test_collect.py::test_a_crash_leaves_no_bad_object",
            "compat/test_bad_input.py::test_a_full_disk_fails_that_run_and_leaves_no_torn_object",
            "faults/test_kills.py::test_run_all_killed_at_random_moments",
        ),
        "an input is verified before it is used": (
            "compat/test_bad_input.py::test_a_damaged_object_is_never_trusted",
            "store/test_records.py::test_a_change_within_the_same_tick_is_seen",
            "store/test_remotes.py::test_damage_on_the_remote_does_not_enter_the_cache",
        ),
        "a stage that writes through a link fails": (
            "faults/test_inputs.py::test_a_stage_that_writes_into_the_cache_fails",
            "store/test_collect.py::test_writing_through_a_link_is_found",
        ),
    },
    "G18 space": {
        "a full disk fails what needs room, and only that": (
            "faults/test_limits.py::test_a_full_disk_fails_what_needs_room_and_only_that",
            "faults/test_limits.py::test_a_file_that_may_grow_no_further_is_no_space",
            "faults/test_failing_calls.py::test_run_all",
            "queue/test_journal.py::test_a_full_disk_leaves_the_journal_whole",
            "executors/test_local.py::test_a_full_disk_is_told_apart",
        ),
    },
    "G19 names": {
        "only good ones": (
            "git/test_names.py::test_names_that_git_refuses",
            "git/test_names.py::test_names_that_would_confuse",
            "git/test_names.py::test_git_agrees",
        ),
        "one in use is refused when queued, atomically, unless forced": (
            "queue/test_queue.py::test_a_name_in_use_is_refused_and_nothing_is_queued",
            "queue/test_queue.py::test_a_name_that_another_takes_meanwhile_undoes_the_whole_command",
            "queue/test_queue.py::test_forced_an_experiment_takes_the_place_of_what_does_not_run",
            "live/test_failures_kept.py::test_what_has_no_result_is_handled_like_what_has",
        ),
    },
    "G20 paths": {
        "nothing outside is removed or written": (
            "compat/test_deviations.py::test_an_output_outside_is_refused_and_not_deleted",
            "store/test_checkout.py::test_manifests_cannot_write_elsewhere",
            "store/test_checkout.py::test_places_that_are_refused",
            "workspaces/test_isolated.py::test_a_tree_cannot_reach_out",
            "workspaces/test_isolated.py::test_a_tree_cannot_write_through_its_own_symlink",
            "faults/test_state_links.py::test_nothing_behind_a_link_is_touched",
        ),
        "a hash is a hash": (
            "store/test_manifest.py::test_paths_that_escape_are_refused",
            "store/test_manifest.py::test_names_of_objects",
        ),
    },
    "G21 parsers are bounded": {
        "size, depth, nodes, stages": (
            "formats/test_yaml12.py::test_what_is_too_much_is_refused_at_once",
            "formats/test_yaml12.py::test_the_limits_can_be_changed",
            "pipeline/test_load.py::test_too_many_stages",
            "pipeline/test_load.py::test_too_much_text_from_templates",
            "compat/test_bad_input.py::test_bad_input_is_named_and_harmless",
        ),
    },
    "G22 secrets": {
        "no value of the environment is kept, and what is kept is private": (
            "faults/test_secrets.py::test_no_secret_is_kept_and_no_one_else_may_look",
            "queue/test_journal.py::test_files_are_for_the_owner_only",
        ),
    },
    "G24 how it stays true": {
        "random kills, and the n-th call of each kind fails": (
            "faults/test_kills.py::test_run_all_killed_at_random_moments",
            "faults/test_failing_calls.py::test_run_all",
            "faults/test_failing_calls.py::test_a_command_killed_half_way_can_be_given_again",
        ),
    },
}


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_held_by_tests(promise: str) -> None:
    parts = PROMISES[promise]
    assert parts and all(parts.values())
    assert not absent(itertools.chain.from_iterable(parts.values()))


def test_no_promise_is_left_out() -> None:
    numbers = {int(promise.split()[0].removeprefix("G")) for promise in PROMISES}
    assert numbers == set(range(1, 25)) - {23}
