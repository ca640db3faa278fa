// What is reported of each call and in which order. The rules stand in reporting.cpp, with their reasons.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/interpose/hook.h"

namespace nh::interpose {

// A call gave a new block (null: it failed, nothing is reported).
void report_alloc(Hook& hook, wire::marker entry, const void* block, size_t bytes);

// A block is about to be released.
void report_release(Hook& hook, const void* block);

// A realloc, from before the real call to after it.
class Resize {
  public:
    Resize(Hook& hook, wire::marker entry, void* old_block, size_t bytes);
    // errno as the real call left it.
    void finish(void* new_block);

  private:
    Hook& hook_;
    wire::marker entry_;
    uintptr_t old_address_;
    size_t bytes_;
    uint32_t old_order_ = 0;
    uint32_t numbered_by_;
    int errno_before_ = 0;
};

}  // namespace nh::interpose
