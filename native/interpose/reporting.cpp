#include "native/interpose/reporting.h"

#include "native/interpose/program_interface.h"
#include "native/transport/fork_page.h"

namespace nh::interpose {
namespace {

using sampling::sampled_blocks;
using Sample = sampling::SampledBlocks::Details;

uint64_t head(wire::event_kind kind, uintptr_t address) {
    return transport::event_head(kind, address);
}

// The same for as long as the calling thread lets no allocation pass: each moves its next point.
uint64_t sample_tag() {
    return reinterpret_cast<uintptr_t>(&sampling::points) << 16 ^ sampling::points.before;
}

// A sample is among those whose frees matter before anybody has it to free, and stays there when the event cannot be
// written: its free then fails to be written, too.
[[gnu::noinline]] void report_sample(Hook& hook, wire::marker entry, uintptr_t address, size_t bytes, uint64_t rate) {
    if (!sampling::takes(bytes, rate) || !hook || process::is_paused()) {
        return;
    }
    const uint64_t mean = sampling::mean_of(rate);
    if (!sampled_blocks.add(address, {bytes, sample_tag(), mean})) {
        process::count_missed_call();
        return;
    }
    uint32_t node = hook.capture(entry);
    hook.record(
        [&] {
            return wire::sample_event{head(wire::event_kind::sample, address), bytes, node,
                                      transport::next_order(address), mean};
        },
        [&] { node = hook.capture(entry); });
    if (__builtin_expect(ignoring != 0, 0)) {
        report_ignored(hook, reinterpret_cast<const void*>(address));
    }
}

// A block was recorded because all were, and meanwhile births are sampled. The collector may know by now which frees it
// wants to hear of, and this block may have come too late for that.
[[gnu::noinline]] void keep(uintptr_t address) {
    sampling::begin();
    if (!sampled_blocks.add(address, {})) {
        process::count_missed_call();
    }
}

void record_release(Hook& hook, uintptr_t address, uint64_t rate) {
    hook.record([&] {
        return wire::release_event{head(wire::event_kind::release, address), transport::next_order(address), rate != 0};
    });
}

wire::sample_release_event sample_release(uintptr_t address, uint32_t order, const Sample& sample) {
    const uint32_t temporary = sample.tag == sample_tag() ? wire::sample_temporary : 0;
    const uint32_t among = sampling::rate() != 0 ? wire::sample_among : 0;
    return {head(wire::event_kind::sample_release, address), sample.bytes, order, temporary | among, sample.mean};
}

// Once births have been sampled, also when they are not any more.
[[gnu::noinline]] void report_release_among_samples(Hook& hook, uintptr_t address) {
    Sample sample;
    const uint64_t rate = sampling::rate();
    const bool is_kept = sampled_blocks.may_hold(address) && sampled_blocks.remove(address, &sample);
    if (!hook || (!is_kept && rate != 0 && !sampling::tells(address, rate))) {
        return;
    }
    if (!is_kept || sample.mean == 0) {
        record_release(hook, address, rate);
        return;
    }
    hook.record([&] { return sample_release(address, transport::next_order(address), sample); });
}

}  // namespace

bool release_passes_at(const void* block, uint64_t rate) {
    auto address = reinterpret_cast<uintptr_t>(block);
    const bool is_sample = sampled_blocks.may_hold(address) && sampled_blocks.holds(address);
    return !is_sample && !sampling::tells(address, rate);
}

// Numbered after the real call: before it the address is not ours, and another thread's free of it must come first.
// A zero-size block that was given is a block of 0 bytes. A call that failed (calloc's overflow is one) took no number
// and changes nothing.
void report_alloc(Hook& hook, wire::marker entry, const void* block, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    auto address = reinterpret_cast<uintptr_t>(block);
    if (const uint64_t rate = sampling::rate(); __builtin_expect(rate != 0, 0)) {
        report_sample(hook, entry, address, bytes, rate);
        return;
    }
    if (!hook || process::is_paused()) {
        return;
    }
    uint32_t node = hook.capture(entry);
    hook.record(
        [&] {
            return wire::alloc_event{head(wire::event_kind::alloc, address), bytes, node,
                                     transport::next_order(address)};
        },
        [&] { node = hook.capture(entry); });
    if (__builtin_expect(sampling::rate() != 0, 0)) {
        keep(address);
    }
    if (__builtin_expect(ignoring != 0, 0)) {
        report_ignored(hook, block);
    }
}

// Numbered as what happens to the block, so that it comes after its birth and before its release.
void report_ignored(Hook& hook, const void* block) {
    auto address = reinterpret_cast<uintptr_t>(block);
    hook.record([&] {
        return wire::ignore_event{head(wire::event_kind::ignore, address), transport::next_order(address), 0};
    });
}

// Numbered and written before the real call: the moment that returns, another thread may get the same address, and its
// number must be the later one. free(NULL) releases nothing and does not come here.
void report_release(Hook& hook, const void* block) {
    auto address = reinterpret_cast<uintptr_t>(block);
    if (__builtin_expect(sampling::has_begun(), 0)) {
        report_release_among_samples(hook, address);
    } else if (hook) {
        record_release(hook, address, 0);
    }
}

// The old address is numbered before the real call and the new one after, for the reasons above; both go in one record
// after the call, when it is known whether the old block is gone. realloc(NULL, n) is an allocation.
Resize::Resize(Hook& hook, wire::marker entry, void* old_block, size_t bytes)
    : hook_(hook),
      entry_(entry),
      old_address_(reinterpret_cast<uintptr_t>(old_block)),
      bytes_(bytes),
      numbered_by_(transport::recording_mark()) {
    if (__builtin_expect(is_apart(), 0)) {
        // The moment the real call returns, the old address may be another block's, sampled too.
        is_sample_ = sampled_blocks.may_hold(old_address_) && sampled_blocks.remove(old_address_, &old_);
        const uint64_t rate = sampling::rate();
        if (!is_sample_ && rate != 0 && !sampling::tells(old_address_, rate)) {
            old_address_ = 0;  // nobody is to hear of it
        }
    }
    if (old_address_ != 0 && hook_) {
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
    if (__builtin_expect(is_apart(), 0)) {
        finish_apart(new_block, result);
        return;
    }
    if (result == wire::resize_result::moved && process::is_paused()) {
        result = wire::resize_result::freed;  // the new block is none of those that are recorded
    }
    bool moved = result == wire::resize_result::moved;
    uint32_t node = moved ? hook_.capture(entry_) : 0;
    hook_.record(
        [&] {
            uint32_t old_order = numbered();
            uint32_t order = moved ? transport::next_order(address) : 0;
            return wire::resize_event{head(wire::event_kind::resize, address),
                                      bytes_,
                                      old_address_,
                                      node,
                                      order,
                                      old_order,
                                      static_cast<uint32_t>(result)};
        },
        [&] { node = moved ? hook_.capture(entry_) : 0; });
    if (!moved) {
        return;
    }
    if (__builtin_expect(sampling::rate() != 0, 0)) {
        keep(address);
    }
    if (__builtin_expect(ignoring != 0, 0)) {
        report_ignored(hook_, new_block);
    }
}

// The old address's number: taken before the call, and anew where a signal handler has forked since and this is the
// child, or the process was attached anew.
uint32_t Resize::numbered() {
    if (numbered_by_ != transport::recording_mark()) {
        numbered_by_ = transport::recording_mark();
        old_order_ = transport::next_order(old_address_);
    }
    return old_order_;
}

bool Resize::is_apart() {
    return sampling::has_begun() || sampling::rate() != 0;
}

// While births are sampled, and after that. The new block is recorded or not for itself: a release and an allocation.
void Resize::finish_apart(void* new_block, wire::resize_result result) {
    bool failed = result == wire::resize_result::failed;
    if (failed && is_sample_ && !sampled_blocks.add(old_address_, old_)) {
        process::count_missed_call();  // its free will be
    }
    if (hook_ && failed) {
        hook_.record([&] {
            return wire::resize_event{head(wire::event_kind::resize, 0), bytes_, old_address_, 0, 0, numbered(),
                                      static_cast<uint32_t>(result)};
        });
    } else if (hook_ && is_sample_ && old_.mean != 0) {
        hook_.record<true>([&] { return sample_release(old_address_, numbered(), old_); });
    } else if (hook_) {
        hook_.record<true>([&] {
            return wire::release_event{head(wire::event_kind::release, old_address_), numbered(),
                                       sampling::rate() != 0};
        });
    }
    if (result == wire::resize_result::moved) {
        report_alloc(hook_, entry_, new_block, bytes_);
    }
}

}  // namespace nh::interpose
