#include "native/unwind/hijack.h"

#include "native/unwind/known_runtime.h"
#include "native/unwind/managed_code.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_threads = 1u << 16;
constexpr uint32_t most_thread_bytes = 2048;

uint32_t slot_offset;  // of m_ppvHJRetAddrPtr in Thread; 0: not learnt

// The word before the one that names the slot, if it is a return address of the runtime's code.
uintptr_t saved_address(CarefulReader& reader, const RuntimeContract& contract, uintptr_t thread, uint32_t offset,
                        uintptr_t slot) {
    uintptr_t words[2];
    if (!reader.read(thread + offset - sizeof(uintptr_t), words, sizeof(words)) || words[1] != slot ||
        !is_code_address(words[0])) {
        return 0;
    }
    CarefulReader code_reader;  // its own: what it learns about pages does not hold for threads
    ManagedFunction function;
    return find_managed_function(code_reader, contract, words[0] - 1, &function) ? words[0] : 0;
}

uintptr_t search(CarefulReader& reader, const RuntimeContract& contract, uintptr_t thread, uintptr_t slot) {
    for (uint32_t offset = sizeof(uintptr_t); offset < most_thread_bytes; offset += sizeof(uintptr_t)) {
        const uintptr_t found = saved_address(reader, contract, thread, offset, slot);
        if (found != 0) {
            __atomic_store_n(&slot_offset, offset, __ATOMIC_RELAXED);
            return found;
        }
    }
    return 0;
}

}  // namespace

uintptr_t hijacked_return_address(uintptr_t slot) {
    const RuntimeContract* contract = known_runtime();
    if (contract == nullptr || contract->thread_store == 0) {
        return 0;
    }
    CarefulReader reader;
    const uintptr_t store = reader.word(contract->thread_store);
    uintptr_t link = reader.word(store + contract->first_thread_link);
    const uint32_t known_offset = __atomic_load_n(&slot_offset, __ATOMIC_RELAXED);
    for (uint32_t i = 0; link != 0 && reader.ok() && i < most_threads; ++i) {
        const uintptr_t thread = link - contract->thread_link;
        const uintptr_t found = known_offset != 0 ? saved_address(reader, *contract, thread, known_offset, slot)
                                                  : search(reader, *contract, thread, slot);
        if (found != 0) {
            return found;
        }
        link = reader.word(link);
    }
    return 0;
}

}  // namespace nh::unwind
