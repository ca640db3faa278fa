// Stops this process's threads on a signal, for a collector that may not stop them from outside. What they had in their
// registers lies on their stacks then, in the signal's frame.
//
// The program sees the default action where ours is. Once it wants the signal for itself it has it, and none is sent to
// it any more.
#pragma once
#include <signal.h>
#include <stdint.h>

namespace nh::process {

// Takes the signal that the region names, if it names one (else 0) and the program has left it alone.
void prepare_parking(uint32_t signal);

// The signal that was taken, which this process's slot says; 0: none.
uint32_t parking_signal();

// Gives the signal back, if it is still ours.
void stop_parking();

// Whether an action is ours, which the program takes for the default.
bool is_parking_action(const struct sigaction& action);

// What takes the place of the default action.
struct sigaction parking_action();

// The program has set an action of its own. Any thread; safe in signal handlers.
void leave_parking_signal();

}  // namespace nh::process
