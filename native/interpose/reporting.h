// What is reported of each call and in which order. The rules stand in reporting.cpp, with their reasons.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/interpose/hook.h"

namespace nh::interpose {

// A call gave a new block (null: it failed, nothing is reported; nor is it without a hook). In a sampled run, one of
// those that sampling::passes() did not let pass.
void report_alloc(Hook& hook, wire::marker entry, const void* block, size_t bytes);

// A block is about to be released. In a sampled run, one that sampling::sampled_blocks holds.
void report_release(Hook& hook, const void* block);

// The program wants no leak to be made of a block.
void report_ignored(Hook& hook, const void* block);

// What was known of a sampled block.
struct Forgotten {
    uint64_t bytes;
    uint64_t tag;
    uint32_t sample;  // for its release_event
};

// A realloc, from before the real call to after it.
class Resize {
  public:
    // hook: if it is none, the run is a sampled one.
    Resize(Hook& hook, wire::marker entry, void* old_block, size_t bytes);
    // errno as the real call left it.
    void finish(void* new_block);

  private:
    void finish_sampled(void* new_block, wire::resize_result result);
    uint32_t numbered();

    Hook& hook_;
    wire::marker entry_;
    uintptr_t old_address_;
    size_t bytes_;
    uint32_t old_order_ = 0;
    Forgotten old_ = {};  // sampled runs
    uint32_t numbered_by_;
    int errno_before_ = 0;
};

}  // namespace nh::interpose
