// Stops this process's threads on a signal, for a collector that may not stop them from outside. What they had in their
// registers lies on their stacks then, in the signal's frame.
#pragma once
#include <stdint.h>

namespace nh::process {

// Takes the signal that the region names, if it names one (else 0) and the program has left it alone.
void prepare_parking(uint32_t signal);

// The signal that was taken, which this process's slot says; 0: none.
uint32_t parking_signal();

// Gives the signal back, if it is still ours.
void stop_parking();

}  // namespace nh::process
