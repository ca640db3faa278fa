#include "native/interpose/late_hooks.h"

#include <string.h>
#include <sys/auxv.h>

#include <initializer_list>

#include "native/interpose/changed_module.h"
#include "native/interpose/loader_lock.h"
#include "native/process/errno_scope.h"
#include "native/process/namespaces.h"
#include "native/process/session.h"

namespace nh::interpose {
namespace {

struct Pass {
    const Changes& changes;
    bool good;
};

int apply_to_module(dl_phdr_info* info, size_t, void* argument) {
    auto* pass = static_cast<Pass*>(argument);
    Module module(*info);
    if (!module.is_this_library()) {
        pass->good &= module.apply(pass->changes);
    }
    return 0;
}

bool apply(const Changes& changes) {
    Pass pass = {changes, true};
    dl_iterate_phdr(apply_to_module, &pass);
    return pass.good;
}

struct Detours {
    Detour list[most_changes];
    uint32_t count;

    Changes back() const {
        Changes changes;
        for (uint32_t i = 0; i < count; i++) {
            changes.add(list[i].name, list[i].own, list[i].real, 0);
        }
        return changes;
    }
    void add_those_that(Effect effect, Changes* changes) const {
        for (uint32_t i = 0; i < count; i++) {
            if (list[i].effect == effect) {
                changes->add(list[i].name, list[i].real, list[i].own, list[i].owner);
            }
        }
    }
    bool good;
};

void unhook(void* argument) {
    auto* detours = static_cast<Detours*>(argument);
    apply(detours->back());
}

bool in_main_program(uintptr_t address) {
    const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
    uintptr_t bias = process::loaded_libraries()->l_addr;
    for (uintptr_t i = 0; headers != nullptr && i < getauxval(AT_PHNUM); i++) {
        if (headers[i].p_type == PT_LOAD && address - bias - headers[i].p_vaddr < headers[i].p_memsz) {
            return true;
        }
    }
    return false;
}

// Filled in once, while the symbols still name the real functions.
Detours detours;
Detours mapping_detours;

bool is_owner(const Detours& of, uintptr_t base) {
    for (uint32_t i = 0; i < of.count; i++) {
        if (of.list[i].owner == base && base != 0) {
            return true;
        }
    }
    return false;
}

// Appends what allocators offer beyond C's functions. What calls such an allocator makes to itself is its own affair,
// by C's names too.
void add_extensions(Detours* to) {
    Detour extensions[most_extensions];
    uint32_t before = to->count, count = list_extensions(extensions);
    for (uint32_t i = 0; i < count; i++) {
        to->list[to->count++] = extensions[i];
    }
    const link_map* library = count != 0 ? process::loaded_libraries() : nullptr;
    for (; library != nullptr; library = library->l_next) {
        for (uint32_t i = 0; i < before && is_owner(*to, library->l_addr); i++) {
            if (process::find_function(library, to->list[i].name) == to->list[i].real) {
                to->list[i].owner = library->l_addr;
            }
        }
    }
}

void add_signals(Detours* to) {
    Detour signals[most_signal_detours];
    uint32_t count = list_signal_detours(signals);
    for (uint32_t i = 0; i < count; i++) {
        to->list[to->count++] = signals[i];
    }
}

// Before its symbols are changed.
int bind_own_calls(dl_phdr_info* info, size_t, void*) {
    if (is_owner(detours, info->dlpi_addr)) {
        Changes back = detours.back();
        Detour standard[most_detours];
        uint32_t count = process::came_with_program() ? list_detours(standard) : 0;  // else they are among the others
        for (uint32_t i = 0; i < count; i++) {
            back.add(standard[i].name, standard[i].own, standard[i].real, 0);
        }
        Module(*info).bind_own_calls(back);
    }
    return 0;
}

// The last pass goes through everything once more: a slot may have been bound by a thread that had looked the symbol up
// before it was changed.
void direct(void* argument) {
    auto* detours = static_cast<Detours*>(argument);
    Changes changes;
    detours->good = true;
    for (Effect effect : {Effect::frees, Effect::resizes, Effect::allocates}) {
        detours->add_those_that(effect, &changes);
        detours->good = detours->good && apply(changes);
    }
    detours->good = detours->good && apply(changes);
    if (!detours->good) {
        apply(detours->back());
    }
}

void hook(void* argument) {
    dl_iterate_phdr(bind_own_calls, nullptr);
    direct(argument);
}

// For what other libraries allocate in their constructors the first call of ours is early enough, and mostly there.
__attribute__((constructor)) void hook_extensions_before_main() {
    process::ErrnoScope keep;
    real();
    if (process::came_with_program()) {
        process::start_once();
        process::look_for_other_namespaces();  // LD_AUDIT
    }
    hook_extensions();
}

}  // namespace

bool program_has_own_allocator() {
    return in_main_program(reinterpret_cast<uintptr_t>(real().malloc));
}

bool hook_modules() {
    if (detours.count == 0) {
        Detour standard[most_detours];
        detours.count = list_detours(standard);
        memcpy(detours.list, standard, detours.count * sizeof(Detour));
        add_extensions(&detours);
        add_signals(&detours);
    }
    return under_loader_lock(hook, &detours) && detours.good;
}

void hook_extensions() {
    static bool begun;
    if (process::came_with_program() && process::all_are_ready() &&
        !__atomic_exchange_n(&begun, true, __ATOMIC_RELAXED)) {
        add_extensions(&detours);
        if (detours.count != 0) {
            hook(&detours);
        }
    }
    static bool begun_mappings;
    if (process::came_with_program() && records_mappings() && process::all_are_ready() &&
        !__atomic_exchange_n(&begun_mappings, true, __ATOMIC_RELAXED)) {
        mapping_detours.count = list_mapping_detours(mapping_detours.list);
        direct(&mapping_detours);
    }
}

bool hook_mappings() {
    if (!records_mappings()) {
        return true;
    }
    if (mapping_detours.count == 0) {
        mapping_detours.count = list_mapping_detours(mapping_detours.list);
    }
    return under_loader_lock(direct, &mapping_detours) && mapping_detours.good;
}

// Words stay as they are, those of a library that another thread is loading above all. Threads that come at once go
// through the modules one after the other, and a later one finds done what was done.
void hook_own_scopes() {
    if (!process::came_with_program() || !process::is_glibc()) {
        return;
    }
    Changes changes;
    Detour standard[most_detours];
    uint32_t count = list_detours(standard);
    for (uint32_t i = 0; i < count; i++) {
        changes.add(standard[i].name, standard[i].real, standard[i].own, 0);
    }
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
            Module module(*info);
            if (!module.is_this_library()) {
                module.apply_to_symbols(*static_cast<const Changes*>(argument));
            }
            return 0;
        },
        &changes);
}

void unhook_modules() {
    for (Detours* ours : {&mapping_detours, &detours}) {
        if (ours->count != 0) {
            under_loader_lock(unhook, ours);
        }
    }
}

}  // namespace nh::interpose
