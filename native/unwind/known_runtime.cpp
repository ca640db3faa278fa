#include "native/unwind/known_runtime.h"

#include "native/unwind/loader_view.h"
#include "native/unwind/managed_code.h"
#include "native/unwind/reused_code.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_searches = 8;

RuntimeContract runtime;
uintptr_t runtime_start, runtime_end;
enum State : uint32_t { none, busy, undescribed, usable };
uint32_t state;
uint32_t searches;

bool enter(State from) {
    uint32_t expected = from;
    return __atomic_compare_exchange_n(&state, &expected, busy, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void leave(State to) {
    if (to == usable) {
        open_reused_rows();
    }
    __atomic_store_n(&state, to, __ATOMIC_RELEASE);
}

// A pointer to the second level of the map may stand there.
bool is_level(uintptr_t word) {
    return (word & 7) <= 1 && is_code_address(word);
}

bool is_code_range_map(uintptr_t address, uintptr_t instruction, RuntimeContract* contract) {
    contract->code_range_map = address;
    CarefulReader reader;
    ManagedFunction found;
    FrameRules rules;
    return find_managed_rules(reader, *contract, instruction, &found, &rules);
}

// From the end: zero-filled variables lie there.
bool find_code_range_map(uintptr_t instruction, RuntimeContract* contract) {
    for (uintptr_t page = (runtime_end - 1) & ~(page_bytes - 1); page >= runtime_start; page -= page_bytes) {
        if (!page_readable(page)) {
            continue;
        }
        for (uintptr_t at = page; at < page + page_bytes; at += sizeof(uintptr_t)) {
            if (is_level(__atomic_load_n(reinterpret_cast<const uintptr_t*>(at), __ATOMIC_RELAXED)) &&
                is_code_range_map(at, instruction, contract)) {
                contract->trusted = true;
                return true;
            }
        }
    }
    return false;
}

}  // namespace

bool use_runtime(uintptr_t descriptor, uintptr_t start, uintptr_t end) {
    if (!enter(none)) {
        return false;
    }
    const bool good = read_runtime_contract(descriptor, &runtime);
    runtime_start = start;
    runtime_end = end;
    leave(good ? usable : none);
    return good;
}

void learn_runtime(const link_map* map, uintptr_t start, uintptr_t end) {
    if constexpr (!reads_managed_code) {
        return;
    }
    const uintptr_t descriptor = find_symbol(map, "DotNetRuntimeContractDescriptor");
    if (descriptor != 0 && use_runtime(descriptor, start, end)) {
        return;
    }
    // What the runtime exports for its debugger's library.
    if (find_symbol(map, "g_dacTable") != 0 && enter(none)) {
        runtime = undescribed_runtime(descriptor);
        runtime_start = start;
        runtime_end = end;
        leave(undescribed);
    }
}

const RuntimeContract* known_runtime() {
    return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == usable ? &runtime : nullptr;
}

void search_runtime(uintptr_t return_address) {
    if (__atomic_load_n(&state, __ATOMIC_RELAXED) == undescribed && enter(undescribed)) {
        const bool found = searches < most_searches && find_code_range_map(return_address - 1, &runtime);
        ++searches;
        leave(found ? usable : searches < most_searches ? undescribed : none);
    }
}

bool in_runtime_module(uintptr_t address) {
    return known_runtime() != nullptr && address >= runtime_start && address < runtime_end;
}

}  // namespace nh::unwind
