#include "native/interpose/loader_lock.h"

#include <link.h>

#include "native/interpose/real.h"
#include "native/process/elf_lookup.h"

namespace nh::interpose {
namespace {

struct Work {
    void (*function)(void*);
    void* argument;
    bool done;
};

// Null for whoever else looks our symbol up.
Work* work_here;

const link_map* own_library() {
    const link_map* library = process::loaded_libraries();
    while (library != nullptr && !process::is_this_library(library)) {
        library = library->l_next;
    }
    return library;
}

void do_work() {
    Work* work = work_here;
    work_here = nullptr;
    if (work != nullptr) {
        work->function(work->argument);
        work->done = true;
    }
}

void nothing() {}

}  // namespace
}  // namespace nh::interpose

extern "C" {

// The loader has no function that hands out its lock (dl_iterate_phdr holds one that lets relocation go on). But dlsym
// holds it while it resolves a symbol, and of an IFUNC that means to call us. A handle is a library's link_map.
__attribute__((used)) static void (*nh_resolve_under_loader_lock())() {
    nh::interpose::do_work();
    return nh::interpose::nothing;
}

__attribute__((visibility("default"), ifunc("nh_resolve_under_loader_lock"))) void nativeheap_under_loader_lock();
}

namespace nh::interpose {

bool under_loader_lock(void (*function)(void*), void* argument) {
    const link_map* own = own_library();
    if (own == nullptr || real().dlsym == nullptr) {
        return false;
    }
    Work work = {function, argument, false};
    work_here = &work;
    real().dlsym(const_cast<link_map*>(own), "nativeheap_under_loader_lock");
    work_here = nullptr;
    return work.done;
}

}  // namespace nh::interpose
