//! The behaviour suite: what the contracts of `mosaic-core` promise, as cases that run on any backend. Each case makes its
//! own users and teams, so that all of them run side by side on one backend. What must not come in: a case that
//! asks which backend it runs on. What a backend may lack is a capability, and its cases are counted as skipped.
//!
//! A backend runs the whole suite with one line in an integration test:
//!
//! ```
//! # use mosaic_tests::behaviour::{self, Opened};
//! async fn memory() -> mosaic_core::Result<Opened> {
//!     Ok(Opened { backend: mosaic_core::memory::open(), clock: None })
//! }
//!
//! mosaic_tests::behaviour_suite!(memory, Vectors);
//! # fn main() {}
//! ```
//!
//! To add a case: write a `pub async fn case(env: &Env)` in the file of its area, and name it in [`behaviour_cases!`](crate::behaviour_cases).
//! A case that is not named there fails the suite.

mod check;
mod clock;
mod env;
mod index;
mod records;
mod suite;

pub mod accounts;
pub mod batches;
pub mod cache;
pub mod cancelled;
pub mod content;
pub mod export;
pub mod fields;
pub mod lists;
pub mod lists_bounds;
pub mod load;
pub mod memberships;
pub mod moving;
pub mod nearest;
pub mod owners;
pub mod revisions;
pub mod search;
pub mod sessions;
pub mod snapshot;
pub mod state;
pub mod teams;
pub mod tokens;
pub mod vectors;
pub mod visibility;

pub use clock::TestClock;
pub use env::Env;
pub use suite::{Capability, Opened, Suite};
pub(crate) use suite::{Open, RUNTIME};

/// Calls a macro of the caller's with every case, by area.
#[macro_export]
macro_rules! behaviour_cases {
    ($($then:tt)*) => {
        $($then)*! {
            accounts {
                users_are_seen_by_themselves_teammates_and_admins
                users_without_a_team_are_seen_by_themselves_and_admins
                teammates_of_one_team_are_not_those_of_another
                only_admins_make_users
                a_user_changes_their_own_name_and_email
                a_user_does_not_change_their_own_login_or_role
                a_teammate_does_not_change_or_remove_a_user
                an_admin_changes_and_removes_users
                an_admin_changes_their_own_login
                a_user_does_not_remove_themselves
                logins_are_unique
                a_login_is_free_again_when_its_user_is_gone
                a_user_and_a_team_never_share_an_id
                removing_a_user_takes_memberships_and_tokens_along
                a_user_who_owns_records_is_not_removed
            }
            batches {
                changes_are_done_in_order_and_see_each_other
                a_batch_says_what_each_change_came_to
                one_change_that_fails_undoes_the_others
                a_failure_late_in_a_batch_gives_back_what_cascaded
                a_change_alone_does_not_number_itself
                an_empty_batch_is_no_error
                a_large_batch_goes_in_whole
                what_a_change_takes_away_is_missing_to_the_next
                two_users_swap_logins_by_way_of_a_third
                a_state_goes_with_the_changes
            }
            cache {
                what_was_never_set_is_absent
                a_value_is_kept_replaced_and_removed
                keys_are_told_apart
                a_large_value_is_kept
                a_counter_counts_from_1_and_begins_anew_when_removed
                of_concurrent_increments_none_is_lost
                entries_are_forgotten_when_their_time_is_up
            }
            cancelled {
                a_dropped_batch_is_done_whole_or_not_at_all
                dropped_updates_leave_revisions_without_gaps
                dropped_loads_and_reads_leave_the_storage_at_work
                a_thousand_dropped_calls_lose_no_connection
            }
            content {
                personal_content_is_seen_by_its_owner_alone
                team_content_is_seen_by_its_members
                an_owner_who_left_the_team_does_not_see_what_they_left
                users_make_content_in_their_own_space_and_their_teams
                users_do_not_make_content_for_others
                outsiders_do_not_learn_of_a_team_by_putting_content_into_it
                admins_put_nothing_into_teams_they_are_not_in
                content_needs_its_owner_and_its_team
                members_change_each_others_content
                content_is_removed_by_its_owner_or_a_team_owner
                an_assignee_can_read_the_task
                assigning_does_not_give_away_who_exists
                a_task_is_assigned_and_unassigned
                a_move_that_shuts_out_the_assignee_is_refused
                the_same_id_may_stand_for_a_task_and_a_note
            }
            export {
                an_export_holds_every_record_as_it_was_loaded
                an_export_shows_changes
                pages_of_an_export_follow_each_other
                an_export_goes_from_one_kind_to_the_next
                an_export_without_tokens_passes_over_them
                a_page_of_large_records_ends_early
                what_is_awkward_is_exported_as_it_was_loaded
            }
            fields {
                every_field_is_kept
                what_may_be_missing_may_be_missing
                every_character_is_kept
                every_plane_of_unicode_is_kept
                texts_at_their_bounds_are_kept
                times_at_the_edges_are_kept
                ids_of_any_version_are_kept
            }
            lists {
                content_of_several_spaces_comes_in_one_order
                a_space_narrows_a_list
                a_space_that_is_not_ones_own_is_empty
                status_and_assignee_narrow_a_list
                a_value_that_no_record_has_makes_an_empty_list
                users_are_listed_in_every_order
                teams_are_listed_in_every_order
                memberships_are_listed_by_team_and_by_user
                tokens_are_listed_in_every_order
                admins_list_every_account
            }
            lists_bounds {
                a_page_holds_as_many_items_as_asked_for
                the_last_page_says_that_it_is
                a_page_holds_200_items_at_most
                a_page_of_large_records_ends_early
                a_record_larger_than_a_page_is_a_page_of_its_own
                what_comes_in_behind_is_seen_and_what_comes_in_before_is_not
                a_list_goes_on_behind_an_item_that_is_gone
                items_with_equal_keys_are_ordered_by_id
                a_list_orders_times_across_the_ages
                an_updated_item_moves_in_the_list
            }
            load {
                records_are_taken_over_as_they_are
                what_is_there_already_is_unchanged
                what_was_made_otherwise_is_unchanged_too
                that_a_token_was_used_is_no_difference
                what_differs_in_anything_is_a_conflict
                a_body_that_differs_is_a_conflict
                names_that_are_taken_are_conflicts
                references_that_lead_nowhere_are_invalid
                an_assignee_who_could_not_read_the_task_is_invalid
                a_token_without_its_hash_is_invalid
                the_same_id_twice_in_a_batch_counts_once
                the_same_name_twice_in_a_batch_goes_to_the_first
                what_refers_to_a_refused_record_is_refused_too
                a_refusal_says_why_and_leaves_the_rest
                times_revisions_and_sizes_at_the_edges_are_taken
                a_thousand_records_go_in_at_once
                nothing_to_load_is_no_error
                a_loaded_record_goes_on_from_its_revision
                a_state_goes_with_what_is_loaded
                of_concurrent_loads_each_record_is_added_once
                what_refers_to_a_record_that_goes_meanwhile_is_refused_alone
            }
            memberships {
                memberships_are_seen_by_members_and_admins
                team_owners_and_admins_add_members
                outsiders_do_not_learn_of_a_team_by_joining_it
                a_membership_needs_its_user_and_its_team
                there_is_one_membership_for_each_pair
                roles_are_changed_by_team_owners_and_admins
                a_role_counts_from_the_moment_it_is_given_or_taken
                a_membership_keeps_its_team_and_its_user
                memberships_are_ended_by_team_owners_and_admins
                a_member_removed_a_moment_ago_sees_nothing
                a_member_who_is_back_sees_everything_again
                ending_a_membership_takes_back_its_assignments
                removing_a_user_takes_back_their_assignments
            }
            moving {
                a_tally_counts_each_kind_exactly
                a_storage_that_was_erased_refuses_every_call
            }
            nearest {
                the_nearest_come_first
                only_what_may_be_seen_is_near
                neighbours_in_a_team_are_its_members
                messages_are_near_to_who_sees_their_session
                k_neighbours_are_found_under_any_scope
                kinds_and_a_space_narrow_the_search
                vectors_of_different_models_are_never_compared
                vectors_of_any_length_are_compared
                an_embedding_replaces_the_one_before
                what_is_removed_is_no_longer_near
            }
            owners {
                the_owner_or_a_team_owner_gives_team_content_to_a_member
                a_member_does_not_take_anothers_content
                team_content_is_given_to_members_only
                a_personal_record_keeps_its_owner
                the_system_gives_content_to_nobody_who_is_not_there
                the_owner_moves_content_between_their_spaces
                a_move_takes_content_from_one_list_to_the_other
                team_content_is_moved_out_by_its_owner_or_a_team_owner
                nobody_moves_anothers_content_into_a_personal_space
                admins_move_nothing_into_teams_they_are_not_in
                the_system_moves_anything_anywhere
            }
            revisions {
                a_record_is_made_at_revision_1
                a_record_is_made_with_the_times_it_comes_with
                each_update_counts_and_is_dated
                every_kind_counts_its_changes
                the_time_of_making_is_not_changed
                a_stale_update_names_the_present_revision
                a_deletion_may_expect_a_revision
                making_the_same_record_again_is_no_error
                a_user_may_send_the_same_record_again
                an_id_that_has_other_content_is_a_conflict
                a_removed_record_can_be_made_anew
                of_concurrent_updates_one_wins
                of_concurrent_makers_of_one_name_one_wins
                of_concurrent_makers_of_one_record_all_succeed
                no_record_is_left_without_its_owner_or_team
                of_a_user_and_a_team_made_at_once_with_one_id_one_wins
                no_task_is_left_with_an_assignee_who_cannot_read_it
                no_task_is_left_with_an_assignee_who_is_gone
            }
            search {
                every_word_occurs_in_what_is_found
                tasks_notes_and_messages_are_found
                only_what_may_be_seen_is_found
                a_text_does_not_pass_for_a_space
                what_is_changed_is_found_as_it_is_now
                words_of_any_script_are_found
                large_texts_are_kept_and_found
                a_search_answers_as_many_as_were_asked_for
            }
            sessions {
                a_session_is_read_by_the_members_of_its_space
                an_owner_who_left_the_team_does_not_see_the_session
                a_session_is_written_by_its_owner_alone
                messages_are_added_by_the_sessions_owner_alone
                a_message_is_never_changed_and_goes_with_its_session
                a_message_gets_the_next_place
                what_an_agent_calls_and_how_it_ends_is_kept
                the_same_message_again_is_no_error
                of_64_writers_each_message_has_a_place_of_its_own
                a_closed_session_takes_no_messages_until_it_is_open
                messages_move_with_their_session
                messages_are_taken_over_with_their_places
                who_owns_a_session_is_not_removed
            }
            snapshot {
                a_snapshot_stays_as_it_was_whatever_is_written
                a_snapshot_that_is_dropped_makes_room_for_the_next
            }
            state {
                what_was_never_written_is_absent
                versions_count_the_writes
                a_write_at_another_version_is_stale
                a_state_that_is_made_anew_goes_on_counting
                to_remove_what_is_absent_as_expected_is_no_error
                documents_are_kept_as_they_are
                names_are_told_apart
                of_16_writers_none_is_lost
                of_16_who_take_a_lease_one_gets_it
                a_ping_is_answered
                a_closed_storage_refuses_every_call
            }
            teams {
                teams_are_seen_by_members_and_admins
                only_admins_make_teams
                team_owners_and_admins_change_a_team
                team_owners_and_admins_remove_a_team
                being_an_owner_of_one_team_is_nothing_in_another
                slugs_are_unique
                removing_a_team_takes_memberships_along
                a_team_with_records_is_not_removed
            }
            tokens {
                tokens_are_seen_by_their_user_and_admins
                no_answer_shows_a_hash
                users_make_tokens_for_themselves_and_admins_for_anyone
                a_token_is_made_with_a_hash_of_its_own
                an_update_leaves_the_hash_the_use_and_the_user
                users_and_admins_change_and_remove_tokens
                a_hash_leads_to_its_token_and_user
                an_expired_token_is_still_found
                a_hash_leads_to_the_user_as_they_are_now
                a_removed_token_lets_nobody_in
                use_is_noted_and_is_no_change
                to_note_the_use_of_a_token_that_is_gone_is_no_error
            }
            vectors {
                embeddings_are_given_and_removed_by_who_sees_the_record
                a_vector_of_other_dimensions_is_refused
                a_vector_out_of_bounds_is_refused
                a_component_that_is_not_finite_is_refused
                a_model_without_embeddings_takes_any_dimensions
                what_is_missing_or_of_another_revision_is_pending
                what_is_pending_is_read_page_by_page
                of_concurrent_embeddings_none_is_lost
                an_embedding_ends_with_its_record
                embeddings_are_exported_in_order_and_loaded
                what_is_awkward_is_exported_as_it_was_loaded
                a_state_goes_with_loaded_embeddings
                a_model_is_forgotten_piece_by_piece
                an_index_describes_its_models
            }
            visibility {
                a_record_that_is_absent_is_no_error_to_read
                to_change_or_remove_what_is_absent_names_it
                a_scope_of_nobody_sees_nothing
                a_scope_of_a_team_is_a_scope_of_nobody
                an_id_that_is_taken_unseen_is_a_conflict
                to_make_it_again_is_no_way_to_see_it
                what_counts_is_who_is_a_member_at_that_moment
                no_write_slips_through_as_a_membership_ends
                no_removal_slips_through_as_a_role_is_taken
                a_batch_of_a_user_is_held_to_their_scope_throughout
            }
        }
    };
}

macro_rules! define_sources {
    ($($area:ident { $($case:ident)* })*) => {
        /// The source of every area, to find cases that are not named in [`behaviour_cases!`](crate::behaviour_cases).
        pub(crate) const SOURCES: &[(&str, &str)] = &[$((stringify!($area), include_str!(concat!(stringify!($area), ".rs")))),*];
    };
}
behaviour_cases!(define_sources);
