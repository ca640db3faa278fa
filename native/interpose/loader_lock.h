// Code that must run while no library is being loaded or unloaded.
#pragma once

namespace nh::interpose {

// Calls work(argument) in this thread while it holds the loader's lock: every library in the loader's list is then
// relocated and protected as it will stay, and none goes away. Waits until others have loaded what they are loading,
// their constructors included. False: the loader does not let us, and nothing was called. One caller at a time.
bool under_loader_lock(void (*work)(void*), void* argument);

}  // namespace nh::interpose
