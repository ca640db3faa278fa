// Blocks of a program's own pools (native/include/nativeheap.h). They lie in blocks and mappings, often at the very
// address of one, so that a bit which no address has tells them apart all the way to the collector.
#include "native/interpose/hook.h"
#include "native/interpose/reporting.h"

#define NH_CALLABLE extern "C" __attribute__((visibility("default"), weak))

namespace {

using nh::interpose::Hook;

uintptr_t marked(const void* block) {
    return reinterpret_cast<uintptr_t>(block) | nh::wire::pool_block_bit;
}

[[gnu::noinline]] void record_allocated(const void* block, size_t bytes) {
    Hook hook(nh::unwind::caller_registers());
    nh::interpose::report_alloc(hook, nh::wire::marker::entry_pool, reinterpret_cast<const void*>(marked(block)),
                                bytes);
}

[[gnu::noinline]] void record_freed(const void* block) {
    Hook hook(nh::unwind::caller_registers());
    nh::interpose::report_release(hook, reinterpret_cast<const void*>(marked(block)));
}

}  // namespace

NH_CALLABLE void nativeheap_block_allocated(const void* block, size_t bytes) {
    if (block != nullptr && !nh::sampling::passes(bytes)) {
        record_allocated(block, bytes);
    }
}

NH_CALLABLE void nativeheap_block_freed(const void* block) {
    if (block != nullptr && !nh::interpose::release_passes_quickly(reinterpret_cast<const void*>(marked(block)))) {
        record_freed(block);
    }
}
