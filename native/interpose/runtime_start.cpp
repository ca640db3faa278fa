#include "native/interpose/runtime_start.h"

#include <string.h>

#include "native/process/runtime_port.h"

namespace nh::interpose {
namespace {

using Initialize = int(const char* executable, const char* domain_name, int property_count, const char** keys,
                       const char** values, void** host, unsigned int* domain);
Initialize* real_initialize;

// By its return the runtime has read its settings, has been told to go on, and has run nothing of the program's.
int initialize(const char* executable, const char* domain_name, int property_count, const char** keys,
               const char** values, void** host, unsigned int* domain) {
    process::begin_runtime_start();
    int result = __atomic_load_n(&real_initialize, __ATOMIC_ACQUIRE)(executable, domain_name, property_count, keys,
                                                                     values, host, domain);
    process::end_runtime_start();
    return result;
}

}  // namespace

void* prefer_own_runtime_start(const char* name, void* found) {
    if (strcmp(name, "coreclr_initialize") != 0) {
        return found;
    }
    auto* function = reinterpret_cast<Initialize*>(found);
    Initialize* known = nullptr;
    // A second runtime of another file would be somebody else's: it is left alone.
    bool is_first =
        __atomic_compare_exchange_n(&real_initialize, &known, function, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return is_first || known == function ? reinterpret_cast<void*>(initialize) : found;
}

}  // namespace nh::interpose
