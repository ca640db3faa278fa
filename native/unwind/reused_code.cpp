#include "native/unwind/reused_code.h"

#include <sys/mman.h>
#include <time.h>

#include "native/unwind/known_runtime.h"
#include "native/unwind/managed_code.h"

namespace nh::unwind {
namespace {

constexpr uint32_t set_bits = 13, ways = 4;
constexpr uint32_t first_epoch = 1, last_epoch = wire::last_reuse_epoch;
constexpr uint32_t most_hashed_code = 1024, most_hashed_name = 64;
constexpr uint32_t most_tries = 8;
constexpr uint32_t class_mask = 7, class_dynamic = 7;  // MethodDesc.Flags: mdcClassification, mcDynamic of method.hpp

struct Entry {
    uint32_t version;  // odd while it is being written
    uint32_t epoch;
    uintptr_t pc;  // 0: empty
    uint64_t row;
    uint64_t fingerprint;
    ManagedFunction function;
};

struct EntrySet {
    uint32_t highest_pushed_out;  // epoch: entries made from now on have a higher one
    uint32_t pushed_out;          // how many, which tells who is next
    Entry entries[ways];
};

EntrySet* sets;
ReusedCodeTable told;

class Fingerprint {
  public:
    explicit Fingerprint(CarefulReader& reader) : reader_(reader) {}

    void add(uint64_t word) { hash_ = (hash_ ^ word) * 0x9E3779B97F4A7C15 ^ hash_ >> 29; }

    void add_bytes(uintptr_t at, uintptr_t bytes) {
        uint64_t words[8];
        for (uintptr_t done = 0; done < bytes && reader_.ok(); done += sizeof(words)) {
            const uintptr_t part = bytes - done < sizeof(words) ? bytes - done : sizeof(words);
            words[part / 8 % 8] = 0;
            good_ &= reader_.read(at + done, words, part);
            for (uintptr_t i = 0; i * 8 < part; ++i) {
                add(words[i]);
            }
        }
    }

    // As far as its NUL or its page.
    void add_name(uintptr_t at) {
        add(at);
        char byte = 1;
        for (uint32_t i = 0; byte != 0 && i < most_hashed_name && reader_.read(at + i, &byte, 1); ++i) {
            add(static_cast<uint8_t>(byte));
        }
    }

    // 0 when something could not be read.
    uint64_t value() const { return good_ && reader_.ok() ? hash_ | 1 : 0; }

  private:
    CarefulReader& reader_;
    uint64_t hash_ = 0;
    bool good_ = true;
};

// Of what the function is now; 0 when the method does not start there any more.
uint64_t take_fingerprint(CarefulReader& reader, const ManagedFunction& function) {
    const RuntimeContract* contract = known_runtime();
    if (contract == nullptr || function.header == 0 ||
        reader.word(function.start - sizeof(uintptr_t)) != function.header) {
        return 0;
    }
    Fingerprint print(reader);
    const uintptr_t method = reader.word(function.header + contract->code_header.method_desc);
    print.add(method);
    print.add(reader.word(function.header + contract->code_header.gc_info));
    print.add_bytes(function.function_at, sizeof(RuntimeFunction));
    const uintptr_t info = function.base + function.function.unwind_info;
    print.add_bytes(info, windows_unwind_bytes(reader, info));
    const uint32_t code_bytes = function.function.end - function.function.begin;
    print.add_bytes(function.base + function.function.begin,
                    code_bytes < most_hashed_code ? code_bytes : most_hashed_code);
    if (contract->method_desc.dynamic_name != 0 &&
        (reader.value<uint16_t>(method + contract->method_desc.flags) & class_mask) == class_dynamic) {
        print.add_name(reader.word(method + contract->method_desc.dynamic_name));
    }
    return print.value();
}

bool copy_entry(const Entry& entry, Entry* copy) {
    copy->version = __atomic_load_n(&entry.version, __ATOMIC_ACQUIRE);
    const uint32_t version = copy->version;
    *copy = entry;
    copy->version = version;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (version & 1) == 0 && version == __atomic_load_n(&entry.version, __ATOMIC_RELAXED);
}

// Writes it if nobody else has since `version` was read.
bool replace(Entry* entry, uint32_t version, const Entry& by) {
    if (!__atomic_compare_exchange_n(&entry->version, &version, version | 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    entry->epoch = by.epoch;
    entry->pc = by.pc;
    entry->row = by.row;
    entry->fingerprint = by.fingerprint;
    entry->function = by.function;
    __atomic_store_n(&entry->version, (version | 1) + 1, __ATOMIC_RELEASE);
    return true;
}

// The place of the pc: its entry, else an empty one, else the one whose turn it is. *copy is what stands there.
Entry* find_place(EntrySet& set, uintptr_t pc, Entry* copy) {
    Entry* place = nullptr;
    for (Entry& entry : set.entries) {
        Entry seen;
        if (!copy_entry(entry, &seen)) {
            return nullptr;
        }
        if (seen.pc == pc || (seen.pc == 0 && place == nullptr)) {
            place = &entry;
            *copy = seen;
        }
        if (seen.pc == pc) {
            return place;
        }
    }
    if (place == nullptr) {
        place = &set.entries[__atomic_load_n(&set.pushed_out, __ATOMIC_RELAXED) % ways];
        return copy_entry(*place, copy) ? place : nullptr;
    }
    return place;
}

uint32_t above(uint32_t epoch) {
    return epoch < last_epoch ? epoch + 1 : last_epoch;
}

// An entry is pushed out: whatever is seen next in this set counts as new.
void push_out(EntrySet& set, const Entry& old) {
    __atomic_add_fetch(&set.pushed_out, 1, __ATOMIC_RELAXED);
    uint32_t highest = __atomic_load_n(&set.highest_pushed_out, __ATOMIC_RELAXED);
    while (highest < old.epoch && !__atomic_compare_exchange_n(&set.highest_pushed_out, &highest, old.epoch, false,
                                                               __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

bool still_there(const Entry& entry) {
    CarefulReader reader;
    return entry.fingerprint != 0 && take_fingerprint(reader, entry.function) == entry.fingerprint;
}

// What is there now. False when it is not collectible code.
bool describe(uintptr_t pc, Entry* entry) {
    CarefulReader reader;
    FrameRules rules;
    *entry = {};
    if (!find_managed_rules(reader, pc - 1, &entry->function, &rules) || !entry->function.collectible) {
        return false;
    }
    entry->pc = pc;
    entry->row = compact(rules, pc - 1, 0).bits();
    entry->fingerprint = take_fingerprint(reader, entry->function);
    return true;
}

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The shared table: appended to, never reused. Its counter may run past the capacity, but not round.
void tell(const Entry& entry) {
    if (told.capacity == 0 || __atomic_load_n(told.count, __ATOMIC_RELAXED) >= told.capacity) {
        return;
    }
    const uint32_t index = __atomic_fetch_add(told.count, 1, __ATOMIC_RELAXED);
    if (index >= told.capacity) {
        return;
    }
    CarefulReader reader;
    const RuntimeContract* contract = known_runtime();
    wire::reused_code& record = told.records[index];
    record.seen_ns = now_ns();
    record.method = contract == nullptr ? 0 : reader.word(entry.function.header + contract->code_header.method_desc);
    record.slot = told.slot;
    __atomic_store_n(&record.pc, ReusedRow{Row(entry.row), entry.epoch}.tagged(entry.pc), __ATOMIC_RELEASE);
}

// The code heap is gone, and whatever took its place has an ordinary row.
ReusedRow no_longer_collectible(uintptr_t pc) {
    forget_rows();
    bool keep = false;
    return {compile_row(pc, &keep), 0};
}

}  // namespace

void open_reused_rows() {
    void* memory = mmap(nullptr, sizeof(EntrySet) << set_bits, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) {
        __atomic_store_n(&sets, static_cast<EntrySet*>(memory), __ATOMIC_RELEASE);
    }
}

void tell_reused_code(const ReusedCodeTable& table) {
    told = table;
}

void retell_reused_code(const ReusedCodeTable& table) {
    told = table;
    EntrySet* known = __atomic_load_n(&sets, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; known != nullptr && i < 1u << set_bits; ++i) {
        for (Entry& entry : known[i].entries) {
            const uint32_t version = __atomic_load_n(&entry.version, __ATOMIC_ACQUIRE);
            if (entry.pc != 0 && (version & 1) == 0) {
                replace(&entry, version, {});
            }
        }
    }
}

void reused_code_after_fork(uint32_t slot) {
    told.slot = slot;
}

uint32_t reused_row_set(uintptr_t pc) {
    return static_cast<uint32_t>((pc * 0x9E3779B97F4A7C15) >> (64 - set_bits));
}

ReusedRow find_reused_row(uintptr_t pc) {
    EntrySet* table = __atomic_load_n(&sets, __ATOMIC_ACQUIRE);
    uint32_t epoch = first_epoch;
    for (uint32_t tries = 0; table != nullptr && tries < most_tries; ++tries) {
        EntrySet& set = table[reused_row_set(pc)];
        Entry kept;
        Entry* place = find_place(set, pc, &kept);
        epoch = above(__atomic_load_n(&set.highest_pushed_out, __ATOMIC_RELAXED));
        if (place == nullptr) {
            pause_a_moment();
            continue;
        }
        const bool known = kept.pc == pc;
        if (known && still_there(kept)) {
            return {Row(kept.row), kept.epoch};
        }
        Entry now;
        if (!describe(pc, &now)) {
            return no_longer_collectible(pc);
        }
        const bool same = known && (now.fingerprint == kept.fingerprint || now.fingerprint == 0);
        now.epoch = same ? kept.epoch : known ? above(kept.epoch) : epoch;
        if (!known && kept.pc != 0) {
            push_out(set, kept);
        }
        if (replace(place, kept.version, now)) {
            if (!same) {
                tell(now);
            }
            return {Row(now.row), now.epoch};
        }
    }
    // No memory, or an entry is being written all the time: its writer is this thread, interrupted by a signal.
    Entry now;
    return describe(pc, &now) ? ReusedRow{Row(now.row), epoch} : no_longer_collectible(pc);
}

}  // namespace nh::unwind
