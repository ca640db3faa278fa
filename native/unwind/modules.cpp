#include "native/unwind/modules.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "native/unwind/known_runtime.h"
#include "native/unwind/loader_view.h"
#include "native/unwind/object_list.h"
#include "native/unwind/rows.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/try_lock.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_modules = 1024;
constexpr uint32_t no_record = ~0u;

enum class State : uint32_t { empty, loaded, unloaded };

struct Identity {
    const link_map* map;
    const void* dynamic;
    uint64_t name_hash;
};

struct Entry {
    uint32_t version;  // odd while it is being written
    State state;
    uint32_t record;   // in the shared table
    uint32_t slot;     // process slot that wrote the record
    uint64_t serial;   // order of registration
    uintptr_t header;  // where its ELF header is mapped
    Identity identity;
    ElfImage image;
};

struct Registry {
    uint32_t count;  // entries ever used
    uint32_t evicted;
    uint64_t next_serial;
    uintptr_t headers[most_modules];  // of loaded entries, else 0: what the search looks through
    Entry entries[most_modules];
};

ModuleTable table;
Registry* registry;
TryLock registrar;        // held by the thread that writes the registry
uint32_t unload_pending;  // somebody saw the registry busy when it should have been checked
// What the program's own module is called, for which the loader has no name; empty: as the process's executable.
char program_path[sizeof(wire::module::path)];

// The name's length as far as it goes into a record; 0 when it cannot be read. (A pc that is garbage may lead to an
// object that another thread is unloading.)
uint32_t name_length(const char* name) {
    const auto start = reinterpret_cast<uintptr_t>(name);
    const uintptr_t most = sizeof(wire::module::path);
    if (!page_readable(start)) {
        return 0;
    }
    const uintptr_t page_end = (start & ~(page_bytes - 1)) + page_bytes;
    uint32_t length = 0;
    while (length < most && name[length] != 0) {
        ++length;
        if (start + length == page_end && !page_readable(page_end)) {
            break;
        }
    }
    return length;
}

uint64_t hash_name(const char* name) {
    uint64_t hash = 0xCBF29CE484222325;
    for (uint32_t i = name_length(name); i-- != 0;) {
        hash = (hash ^ static_cast<uint8_t>(name[i])) * 0x100000001B3;
    }
    return hash;
}

Identity identity_of(const LoadedObject& object) {
    return {object.map, object.map->l_ld, hash_name(object.map->l_name)};
}

bool same_object(const Identity& a, const Identity& b) {
    return a.map == b.map && a.dynamic == b.dynamic && a.name_hash == b.name_hash;
}

// The same file at the same place, perhaps loaded anew.
bool same_file(const Entry& entry, const Identity& identity, const ElfImage& image) {
    return entry.image.start == image.start && entry.image.end == image.end &&
           entry.identity.name_hash == identity.name_hash && entry.image.build_id_length == image.build_id_length &&
           memcmp(entry.image.build_id, image.build_id, image.build_id_length) == 0;
}

uint64_t now() {
    return __atomic_load_n(table.clock_ns, __ATOMIC_RELAXED);
}

// The loaded module whose ELF header is there, copied whole. False when there is none or it is being changed.
bool copy_entry(uintptr_t header, Identity* identity, ElfImage* image) {
    const uint32_t count = __atomic_load_n(&registry->count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; ++i) {
        if (__atomic_load_n(&registry->headers[i], __ATOMIC_RELAXED) != header) {
            continue;
        }
        const Entry& entry = registry->entries[i];
        const uint32_t version = __atomic_load_n(&entry.version, __ATOMIC_ACQUIRE);
        *identity = entry.identity;
        *image = entry.image;
        const State state = entry.state;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((version & 1) == 0 && version == __atomic_load_n(&entry.version, __ATOMIC_RELAXED) &&
            state == State::loaded) {
            return true;
        }
    }
    return false;
}

void begin_write(Entry& entry) {
    __atomic_store_n(&entry.version, entry.version | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

void end_write(Entry& entry) {
    __atomic_store_n(&entry.version, (entry.version | 1) + 1, __ATOMIC_RELEASE);
}

void set_state(uint32_t index, State state) {
    Entry& entry = registry->entries[index];
    begin_write(entry);
    entry.state = state;
    end_write(entry);
    __atomic_store_n(&registry->headers[index], state == State::loaded ? entry.header : 0, __ATOMIC_RELAXED);
    // A record written by an ancestor still holds for the ancestor.
    if (entry.record == no_record || entry.slot != table.slot) {
        return;
    }
    wire::module& record = table.modules[entry.record];
    __atomic_store_n(&record.unload_ns, state == State::loaded ? 0 : now(), __ATOMIC_RELAXED);
    __atomic_store_n(
        &record.state,
        static_cast<uint32_t>(state == State::loaded ? wire::module_state::loaded : wire::module_state::unloaded),
        __ATOMIC_RELEASE);
}

// The shared table: appended to, never reused. Its counter may run past the capacity, but not round.
uint32_t append_record(const LoadedObject& object, const ElfImage& image) {
    if (__atomic_load_n(table.count, __ATOMIC_RELAXED) >= table.capacity) {
        return no_record;
    }
    const uint32_t index = __atomic_fetch_add(table.count, 1, __ATOMIC_RELAXED);
    if (index >= table.capacity) {
        return no_record;
    }
    wire::module& record = table.modules[index];
    record.start = image.start;
    record.end = image.end;
    record.bias = image.bias;
    record.load_ns = now();
    record.unload_ns = 0;
    record.slot = table.slot;
    record.generation = __atomic_load_n(&current_generation, __ATOMIC_RELAXED);
    record.build_id_length = static_cast<uint16_t>(image.build_id_length);
    memcpy(record.build_id, image.build_id, image.build_id_length);
    uint32_t length = name_length(object.map->l_name);
    const char* path = length == 0 ? program_path : object.map->l_name;
    length = length == 0 ? static_cast<uint32_t>(strnlen(program_path, sizeof(program_path))) : length;
    memcpy(record.path, path, length);
    record.path_length = static_cast<uint16_t>(length);
    __atomic_store_n(&record.state, static_cast<uint32_t>(wire::module_state::loaded), __ATOMIC_RELEASE);
    return index;
}

// An unused entry, else the one that was unloaded longest ago.
uint32_t free_entry() {
    if (registry->count < most_modules) {
        return registry->count;
    }
    uint32_t oldest = most_modules;
    for (uint32_t i = 0; i < most_modules; ++i) {
        if (registry->entries[i].state == State::unloaded &&
            (oldest == most_modules || registry->entries[i].serial < registry->entries[oldest].serial)) {
            oldest = i;
        }
    }
    registry->evicted |= oldest != most_modules;
    return oldest;
}

void grow_generation() {
    if (current_generation < max_generation) {
        __atomic_store_n(&current_generation, current_generation + 1, __ATOMIC_RELEASE);
    }
}

// Looks at nothing but the look-up's answer: another thread may be unloading the object.
bool still_loaded(const Entry& entry) {
    return find_map(entry.header) == entry.identity.map;
}

void mark_unloaded() {
    bool any = false;
    for (uint32_t i = 0; i < registry->count; ++i) {
        if (registry->entries[i].state == State::loaded && !still_loaded(registry->entries[i])) {
            set_state(i, State::unloaded);
            any = true;
        }
    }
    if (any) {
        forget_rows();
    }
}

// The newest entry that held a part of the range; those that are still called loaded are gone now.
Entry* last_holder(const ElfImage& image) {
    Entry* last = nullptr;
    bool any = false;
    for (uint32_t i = 0; i < registry->count; ++i) {
        Entry& entry = registry->entries[i];
        if (entry.state == State::empty || entry.image.start >= image.end || entry.image.end <= image.start) {
            continue;
        }
        if (entry.state == State::loaded) {
            set_state(i, State::unloaded);
            any = true;
        }
        if (last == nullptr || entry.serial > last->serial) {
            last = &entry;
        }
    }
    if (any) {
        forget_rows();
    }
    return last;
}

// With the lock held. False when there is no room to remember the module.
bool remember(const LoadedObject& object, const ElfImage& image) {
    const Identity identity = identity_of(object);
    if (__atomic_exchange_n(&unload_pending, 0, __ATOMIC_ACQUIRE) != 0) {
        mark_unloaded();
    }
    Entry* holder = last_holder(image);
    const bool same = holder != nullptr && same_file(*holder, identity, image);
    const bool replaced = (holder != nullptr && !same) || (holder == nullptr && registry->evicted != 0);
    const auto index = same ? static_cast<uint32_t>(holder - registry->entries) : free_entry();
    if (index == most_modules) {
        return false;
    }
    if (replaced) {
        grow_generation();
    }
    Entry& entry = registry->entries[index];
    const bool keep_record = same && entry.slot == table.slot && entry.record != no_record;
    begin_write(entry);
    entry.header = object.place.header;
    entry.identity = identity;
    entry.image = image;
    if (!keep_record) {
        entry.slot = table.slot;
        entry.record = append_record(object, image);
    }
    entry.serial = ++registry->next_serial;
    end_write(entry);
    set_state(index, State::loaded);
    if (index == registry->count) {
        __atomic_store_n(&registry->count, index + 1, __ATOMIC_RELEASE);
    }
    learn_runtime(object.map, image.start, image.end);
    return true;
}

}  // namespace

uint32_t current_generation;

bool open_modules(const ModuleTable& shared) {
    void* memory = mmap(nullptr, sizeof(Registry), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    registry = static_cast<Registry*>(memory);
    table = shared;
    if constexpr (may_be_emulated) {
        const long length = system_call(SYS_readlinkat, AT_FDCWD, reinterpret_cast<long>("/proc/self/exe"),
                                        reinterpret_cast<long>(program_path), sizeof(program_path));
        program_path[0] = length > 0 && length < static_cast<long>(sizeof(program_path)) ? program_path[0] : '\0';
    }
    return true;
}

bool retell_modules(const ModuleTable& shared) {
    if (registry == nullptr) {
        return open_modules(shared);
    }
    const TryLock::Hold hold(registrar);
    if (!hold.held()) {
        return false;
    }
    table = shared;
    for (uint32_t i = 0; i < registry->count; ++i) {
        Entry& entry = registry->entries[i];
        begin_write(entry);
        entry.state = State::unloaded;
        entry.record = no_record;
        end_write(entry);
        __atomic_store_n(&registry->headers[i], 0, __ATOMIC_RELAXED);
    }
    forget_rows();
    return true;
}

ModuleKnown find_module(uintptr_t address, ElfImage* image) {
    LoadedObject object;
    if (!find_object(address, &object)) {
        return ModuleKnown::none;
    }
    Identity known;
    if (copy_entry(object.place.header, &known, image) && same_object(known, identity_of(object))) {
        return ModuleKnown::remembered;
    }
    if (!describe_image(object.place, image)) {
        return ModuleKnown::none;
    }
    const TryLock::Hold hold(registrar);
    if (!hold.held()) {
        return ModuleKnown::passing;
    }
    // Another thread may have been quicker.
    ElfImage theirs;
    if (copy_entry(object.place.header, &known, &theirs) && same_object(known, identity_of(object))) {
        return ModuleKnown::remembered;
    }
    return remember(object, *image) ? ModuleKnown::remembered : ModuleKnown::passing;
}

void modules_after_fork(uint32_t slot) {
    table.slot = slot;
    registrar.reset();
    object_list_after_fork();
}

void modules_unloaded() {
    if (registry == nullptr) {
        return;  // nobody records here
    }
    forget_object_list();
    const TryLock::Hold hold(registrar);
    if (!hold.held()) {
        // Rows of what is gone must not be used; which modules are gone is seen at the next registration.
        __atomic_store_n(&unload_pending, 1, __ATOMIC_RELEASE);
        forget_rows();
        return;
    }
    mark_unloaded();
}

}  // namespace nh::unwind
