// windows_unwind.h where .NET code is not walked by the runtime's tables.
#include "native/unwind/windows_unwind.h"

namespace nh::unwind {

bool run_windows_unwind(CarefulReader&, uintptr_t, RuntimeFunction, uintptr_t, FrameRules*) {
    return false;
}

uint32_t windows_unwind_bytes(CarefulReader&, uintptr_t) {
    return 0;
}

}  // namespace nh::unwind
