// The start of a .NET runtime in this process, seen where its host looks the runtime's entry up.
#pragma once

namespace nh::interpose {

// What a look-up by that name should give: our function in front of `found` for `coreclr_initialize` (coreclrhost.h of
// the runtime), else `found`. A host that has the runtime linked into itself looks nothing up and is not seen.
void* prefer_own_runtime_start(const char* name, void* found);

}  // namespace nh::interpose
