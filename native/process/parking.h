// Stops this process's threads on a signal, for a collector that may not stop them from outside. What they had in their
// registers lies on their stacks then, in the signal's frame.
#pragma once

namespace nh::process {

// Takes the signal that the region names, if it names one and the program has left it alone.
void prepare_parking();

// Gives the signal back, if it is still ours.
void stop_parking();

}  // namespace nh::process
