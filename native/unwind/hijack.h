// Return addresses that CoreCLR replaced. To stop a thread for a collection the runtime may overwrite the return
// address of its innermost managed frame with that of OnHijackTripThread and keep the true one in its Thread object
// (vm/threads.h: m_pvHJRetAddr, and behind it m_ppvHJRetAddrPtr, the place that was overwritten). The thread may call
// native code, and allocate, before it returns there.
#pragma once
#include <stdint.h>

namespace nh::unwind {

// The address that belongs into that stack slot; 0 when no Thread object knows the slot, or what it says is not the
// runtime's code. The two fields are in no contract: their place is learnt from the first Thread that has the slot.
uintptr_t hijacked_return_address(uintptr_t slot);

}  // namespace nh::unwind
