#include "native/interpose/reporting.h"

#include "native/transport/fork_page.h"

namespace nh::interpose {
namespace {

uint64_t head(wire::event_kind kind, uintptr_t address) {
    return transport::event_head(kind, address);
}

}  // namespace

// Numbered after the real call: before it the address is not ours, and another thread's free of it must come first.
// A zero-size block that was given is a block of 0 bytes. A call that failed (calloc's overflow is one) took no number
// and changes nothing.
void report_alloc(Hook& hook, wire::marker entry, const void* block, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    uint32_t node = hook.capture(entry);
    auto address = reinterpret_cast<uintptr_t>(block);
    hook.record([&] {
        return wire::alloc_event{head(wire::event_kind::alloc, address), bytes, node, transport::next_order(address)};
    });
}

// Numbered and written before the real call: the moment that returns, another thread may get the same address, and its
// number must be the later one. free(NULL) releases nothing and does not come here.
void report_release(Hook& hook, const void* block) {
    auto address = reinterpret_cast<uintptr_t>(block);
    hook.record([&] {
        return wire::release_event{head(wire::event_kind::release, address), transport::next_order(address), 0};
    });
}

// The old address is numbered before the real call and the new one after, for the reasons above; both go in one record
// after the call, when it is known whether the old block is gone. realloc(NULL, n) is an allocation.
Resize::Resize(Hook& hook, wire::marker entry, void* old_block, size_t bytes)
    : hook_(hook),
      entry_(entry),
      old_address_(reinterpret_cast<uintptr_t>(old_block)),
      bytes_(bytes),
      numbered_by_(transport::recording_mark()) {
    if (old_address_ != 0) {
        old_order_ = transport::next_order(old_address_);
    }
    if (bytes_ == 0) {  // null may then mean freed or failed, and failure alone sets errno
        errno_before_ = errno;
        errno = 0;
    }
}

// Null from the allocator: with a size it is failure and the old block lives on; with size 0 glibc has freed the block
// and left errno alone, whereas an allocator that could not give its zero-size block has set it.
void Resize::finish(void* new_block) {
    bool failed = new_block == nullptr && (bytes_ != 0 || errno != 0);
    if (bytes_ == 0 && errno == 0) {
        errno = errno_before_;
    }
    if (old_address_ == 0) {
        report_alloc(hook_, entry_, new_block, bytes_);
        return;
    }
    auto address = reinterpret_cast<uintptr_t>(new_block);
    wire::resize_result result = wire::resize_result::moved;
    if (new_block == nullptr) {
        result = failed ? wire::resize_result::failed : wire::resize_result::freed;
    }
    bool moved = result == wire::resize_result::moved;
    uint32_t node = moved ? hook_.capture(entry_) : 0;
    hook_.record([&] {
        if (numbered_by_ != transport::recording_mark()) {
            numbered_by_ = transport::recording_mark();
            old_order_ = transport::next_order(old_address_);
        }
        uint32_t order = moved ? transport::next_order(address) : 0;
        return wire::resize_event{head(wire::event_kind::resize, address),
                                  bytes_,
                                  old_address_,
                                  node,
                                  order,
                                  old_order_,
                                  static_cast<uint32_t>(result)};
    });
}

}  // namespace nh::interpose
