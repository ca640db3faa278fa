// What is reported of each call and in which order. The rules stand in reporting.cpp, with their reasons.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/interpose/hook.h"
#include "native/sampling/sampled_blocks.h"
#include "native/sampling/sampler.h"

namespace nh::interpose {

// A call gave a new block (null: it failed, nothing is reported; nor is it without a hook). While births are sampled,
// one of those that sampling::passes() did not let pass.
void report_alloc(Hook& hook, wire::marker entry, const void* block, size_t bytes);

// A block is about to be released.
void report_release(Hook& hook, const void* block);

// Whether nobody is to hear of a block's release. False here may be true in the end.
[[gnu::always_inline]] inline bool release_passes_quickly(const void* block) {
    static_assert(static_cast<int64_t>(wire::sampling_kept) < 0);  // one comparison for both questions
    return static_cast<int64_t>(sampling::rate()) > 0 &&
           !sampling::sampled_blocks.may_hold(reinterpret_cast<uintptr_t>(block));
}

// Whether nobody is to hear of either end of a realloc, and the new block is accounted for.
[[gnu::always_inline]] inline bool resize_passes(const void* block, size_t bytes) {
    return release_passes_quickly(block) && sampling::passes(bytes);  // last, for it counts
}

bool release_passes_at(const void* block, uint64_t rate);

// The whole answer.
[[gnu::always_inline]] inline bool release_passes(const void* block) {
    const uint64_t rate = sampling::rate();
    return __builtin_expect(rate != 0, 0) && release_passes_at(block, rate);
}

// The program wants no leak to be made of a block.
void report_ignored(Hook& hook, const void* block);

// A realloc, from before the real call to after it.
class Resize {
  public:
    // hook: if it is none, births have been sampled.
    Resize(Hook& hook, wire::marker entry, void* old_block, size_t bytes);
    // errno as the real call left it.
    void finish(void* new_block);

  private:
    static bool is_apart();
    void finish_apart(void* new_block, wire::resize_result result);
    uint32_t numbered();

    Hook& hook_;
    wire::marker entry_;
    uintptr_t old_address_;
    size_t bytes_;
    uint32_t old_order_ = 0;
    bool is_sample_ = false;  // the old block
    sampling::SampledBlocks::Details old_ = {};
    uint32_t numbered_by_;
    int errno_before_ = 0;
};

}  // namespace nh::interpose
