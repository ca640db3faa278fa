// What is told of each call, and in which order: as in reporting.cpp. A range is released before others can have it, so
// the number of its end is taken before the real call; it is ours when the call has returned, and no sooner, so that of
// its birth is taken after. One counter numbers all calls of the process. Which mappings a range meets, and what is
// left of them, is the collector's affair.
//
// The real call is made outside of any hook, and no lock of ours is held meanwhile. It may itself stand in the midst of
// another hook of this thread: allocators that are not libc's get their memory by mmap within malloc.
#include "native/interpose/mappings.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include "native/process/elf_lookup.h"
#include "native/process/own_code.h"
#include "native/process/process.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace nh::interpose {
namespace {

using process::Aside;
using unwind::caller_registers;
using unwind::Registers;
using wire::marker;

struct RealMappings {
    void* (*mmap)(void*, size_t, int, int, int, off_t);
    int (*munmap)(void*, size_t);
    void* (*mremap)(void*, size_t, size_t, int, ...);
};
constinit RealMappings real_mappings = {};

uint64_t whole_pages(size_t bytes) {
    const uint64_t page = getauxval(AT_PAGESZ);
    return (bytes + page - 1) & ~(page - 1);
}

uint64_t head(wire::event_kind kind, const void* address) {
    return transport::event_head(kind, reinterpret_cast<uintptr_t>(address));
}

// As Hook, but beside the thread's own ring.
class AsideHook {
  public:
    explicit AsideHook(const Registers& at) : at_(at), aside_(process::enter_aside(at)) {}
    ~AsideHook() {
        if (aside_.state != nullptr) {
            process::leave_aside(aside_);
        }
    }
    AsideHook(const AsideHook&) = delete;
    AsideHook& operator=(const AsideHook&) = delete;

    explicit operator bool() const { return aside_.state != nullptr; }

    // 0 in a pause: nothing is born in it. Frames of the hook that this may stand in are not the program's.
    uint32_t capture(marker entry) {
        return process::is_paused() ? 0
                                    : stacks::capture_without(process::own_code_start(), process::own_code_bytes(),
                                                              aside_.state->scratch, at_, entry);
    }

    // As Hook::record.
    template <bool numbered_before = false, typename MakeEvent, typename Renew>
    void record(MakeEvent make_event, Renew renew) {
        int* errno_at = aside_.state->errno_at;
        const int saved = *errno_at;
        while (aside_.state != nullptr) {
            transport::Written written = transport::append_time(process::region, aside_.state->ring);
            if (written == transport::Written::yes) {
                const auto event = make_event();
                written = transport::append(process::region, aside_.state->ring, event);
                if (written == transport::Written::yes) {
                    break;
                }
                transport::give_numbers_back<numbered_before>(aside_.state->ring, event);
            }
            process::recover_aside(&aside_, written);
            if (aside_.state != nullptr) {
                renew();
            }
        }
        *errno_at = saved;
    }

  private:
    const Registers at_;
    Aside aside_;
};

// A number that is taken before a call: anew where a signal handler has forked since and this is the child, or the
// process was attached anew.
class NumberBefore {
  public:
    explicit NumberBefore(const Registers& at) : taken_(process::may_enter_aside(at)) {
        if (taken_) {
            by_ = transport::recording_mark();
            number_ = transport::next_mapping_order();
        }
    }
    explicit operator bool() const { return taken_; }
    uint32_t get() {
        if (by_ != transport::recording_mark()) {
            by_ = transport::recording_mark();
            number_ = transport::next_mapping_order();
        }
        return number_;
    }

  private:
    const bool taken_;
    uint32_t by_ = 0;
    uint32_t number_ = 0;
};

void report_map(const Registers& at, void* start, size_t bytes, int protection, int flags) {
    AsideHook hook(at);
    if (!hook) {
        return;
    }
    const marker entry = protection == PROT_NONE ? marker::entry_mmap_none : marker::entry_mmap;
    auto capture = [&] { return (flags & MAP_ANONYMOUS) != 0 ? hook.capture(entry) : 0; };
    uint32_t node = capture();
    hook.record(
        [&] {
            return wire::map_event{head(wire::event_kind::map, start), whole_pages(bytes), node,
                                   transport::next_mapping_order()};
        },
        [&] { node = capture(); });
}

void report_unmap(const Registers& at, NumberBefore& number, void* start, size_t bytes, bool done) {
    AsideHook hook(at);
    if (hook) {
        hook.record<true>(
            [&] {
                return wire::unmap_event{head(wire::event_kind::unmap, start), whole_pages(bytes), number.get(),
                                         done ? 1u : 0u};
            },
            [] {});
    }
}

struct Remapping {
    void* old_start;
    size_t old_bytes;
    void* start;
    size_t bytes;
    wire::remap_result result;
};

void report_remap(const Registers& at, NumberBefore& number, const Remapping& call) {
    AsideHook hook(at);
    if (!hook) {
        return;
    }
    const bool failed = call.result == wire::remap_result::failed;
    auto capture = [&] { return failed ? 0 : hook.capture(marker::entry_mmap); };
    uint32_t node = capture();
    hook.record(
        [&] {
            const uint32_t old_order = number.get();
            return wire::remap_event{head(wire::event_kind::remap, failed ? nullptr : call.start),
                                     whole_pages(call.bytes),
                                     reinterpret_cast<uintptr_t>(call.old_start),
                                     whole_pages(call.old_bytes),
                                     node,
                                     failed ? 0 : transport::next_mapping_order(),
                                     old_order,
                                     static_cast<uint32_t>(call.result)};
        },
        [&] { node = capture(); });
}

wire::remap_result result_of(const void* start, size_t old_bytes, int flags) {
    if (start == MAP_FAILED) {
        return wire::remap_result::failed;
    }
    return old_bytes == 0 || (flags & MREMAP_DONTUNMAP) != 0 ? wire::remap_result::kept : wire::remap_result::moved;
}

void* own_mmap(void* at, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
    void* start = real_mappings.mmap(at, bytes, protection, flags, descriptor, offset);
    if (start != MAP_FAILED && records_mappings()) {
        report_map(caller_registers(), start, bytes, protection, flags);
    }
    return start;
}

int own_munmap(void* start, size_t bytes) {
    const Registers at = caller_registers();
    if (!records_mappings()) {
        return real_mappings.munmap(start, bytes);
    }
    NumberBefore number(at);
    const int result = real_mappings.munmap(start, bytes);
    if (number) {
        report_unmap(at, number, start, bytes, result == 0);
    }
    return result;
}

// Variable arguments go where these do (System V ABI, AAPCS64), and the fifth is passed on whether it was given or not.
void* own_mremap(void* old_start, size_t old_bytes, size_t bytes, int flags, void* wanted) {
    const Registers at = caller_registers();
    if (!records_mappings()) {
        return real_mappings.mremap(old_start, old_bytes, bytes, flags, wanted);
    }
    NumberBefore number(at);
    void* start = real_mappings.mremap(old_start, old_bytes, bytes, flags, wanted);
    if (number) {
        report_remap(at, number, {old_start, old_bytes, start, bytes, result_of(start, old_bytes, flags)});
    }
    return start;
}

}  // namespace

bool records_mappings() {
    return process::region.header != nullptr &&
           __atomic_load_n(&process::region.header->records_mappings, __ATOMIC_RELAXED) != 0;
}

// Each by its own name: glibc has one function by both of mmap's.
uint32_t list_mapping_detours(Detour* detours) {
    const uintptr_t map = process::find_next_function("mmap"), map64 = process::find_next_function("mmap64");
    const uintptr_t unmap = process::find_next_function("munmap"), remap = process::find_next_function("mremap");
    if (map == 0 || unmap == 0 || remap == 0) {
        return 0;
    }
    real_mappings = {reinterpret_cast<decltype(real_mappings.mmap)>(map),
                     reinterpret_cast<decltype(real_mappings.munmap)>(unmap),
                     reinterpret_cast<decltype(real_mappings.mremap)>(remap)};
    uint32_t count = 0;
    detours[count++] = {"munmap", unmap, reinterpret_cast<uintptr_t>(own_munmap), Effect::frees, 0};
    detours[count++] = {"mremap", remap, reinterpret_cast<uintptr_t>(own_mremap), Effect::resizes, 0};
    detours[count++] = {"mmap", map, reinterpret_cast<uintptr_t>(own_mmap), Effect::allocates, 0};
    if (map64 == map) {  // else it is another's
        detours[count++] = {"mmap64", map, reinterpret_cast<uintptr_t>(own_mmap), Effect::allocates, 0};
    }
    return count;
}

}  // namespace nh::interpose
