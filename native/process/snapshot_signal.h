// A signal of the user's choice that marks a moment: a snapshot is taken when the process gets it.
//
// Only a signal of which the program makes no use is taken, and the program goes on seeing it as such: for it, the
// default action of that signal is the snapshot.
#pragma once
#include <signal.h>

#include "native/wire/wire.h"

namespace nh::process {

// Takes the signal that the region names (0: none), if the program has left it alone.
void prepare_snapshot_signal(uint32_t wanted);

// Gives the signal back, if it is still ours.
void stop_snapshot_signal();

wire::signal_state snapshot_signal_state();

// The signal that is being stood in for; 0: none.
int snapshot_signal();

// Whether an action is ours, which the program takes for the default.
bool is_snapshot_action(const struct sigaction& action);

// What takes the place of the default action.
struct sigaction snapshot_action();

// The program has changed the signal's action; by_default: to the default, and so to ours.
void note_signal_change(bool by_default);

}  // namespace nh::process
