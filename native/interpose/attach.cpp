// The way into a process that runs already, and out of it again.
//
// To be called from a thread that is in no allocator and no loader code, on 32 KiB of free stack; other threads run on.
#include "native/interpose/late_hooks.h"
#include "native/process/elf_lookup.h"
#include "native/process/errno_scope.h"
#include "native/process/namespaces.h"
#include "native/process/session.h"

#define NH_CALLABLE extern "C" __attribute__((visibility("default")))

using nh::process::came_with_program;
using nh::wire::attach_result;

// Recording begins first: the hooks find it on, and nothing is born that is not seen to die. Under a preload we are
// called by name already.
NH_CALLABLE int nativeheap_attach(const char* settings) {
    nh::process::ErrnoScope keep;
    nh::process::SessionChange change;
    if (!change.held()) {
        return static_cast<int>(attach_result::busy);
    }
    if (!came_with_program() && nh::interpose::program_has_own_allocator()) {
        return static_cast<int>(attach_result::own_allocator);
    }
    nh::process::look_for_other_namespaces();
    attach_result result = nh::process::begin_session(settings);
    if (result == attach_result::done &&
        !((came_with_program() || nh::interpose::hook_modules()) && nh::interpose::hook_mappings())) {
        nh::process::end_session();
        if (!came_with_program()) {
            nh::interpose::unhook_modules();
        }
        result = attach_result::cannot_hook;
    }
    return static_cast<int>(result);
}

// Also where recording has ended by itself (its collector is gone): the hooks are still there.
NH_CALLABLE int nativeheap_detach() {
    nh::process::ErrnoScope keep;
    nh::process::SessionChange change;
    if (!change.held()) {
        return static_cast<int>(attach_result::busy);
    }
    attach_result result = nh::process::end_session();
    if (!came_with_program()) {
        nh::interpose::unhook_modules();
    }
    return static_cast<int>(result);
}
