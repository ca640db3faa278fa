#include "native/process/namespaces.h"

#include <link.h>

#include "native/process/elf_lookup.h"
#include "native/process/process.h"

namespace nh::process {
namespace {

bool noted;

}  // namespace

// We are shown the libraries of our namespace; the numbers beside them count those of all. (Musl has one namespace.)
void look_for_other_namespaces() {
    struct Count {
        uint64_t all;
        uint64_t shown;
    } count = {};
    if (!is_glibc()) {
        return;
    }
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
            auto* found = static_cast<Count*>(argument);
            found->all = info->dlpi_adds - info->dlpi_subs;
            found->shown++;
            return 0;
        },
        &count);
    if (count.all > count.shown) {
        note_other_namespace();
    }
}

void note_other_namespace() {
    __atomic_store_n(&noted, true, __ATOMIC_RELAXED);
    // A forked child that has recorded nothing has no slot yet.
    const uint32_t mark = transport::recording_mark();
    if (mark != 0) {
        __atomic_store_n(&region.slots[transport::slot_of(mark)].other_namespaces, 1, __ATOMIC_RELEASE);
    }
}

bool has_other_namespaces() {
    return __atomic_load_n(&noted, __ATOMIC_RELAXED);
}

}  // namespace nh::process
