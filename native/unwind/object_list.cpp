#include "native/unwind/object_list.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "native/unwind/stack_window.h"
#include "native/unwind/try_lock.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_objects = 1024;

struct Known {
    const link_map* map;
    const void* dynamic;
    ImagePlace place;
};

Known known[most_objects];
uint32_t known_count;
const link_map* tail;  // last element of the list when it was copied; null: to be copied again
uint32_t version;      // odd while the copy is being written
TryLock writer;

bool element_readable(const link_map* map) {
    const auto element = reinterpret_cast<uintptr_t>(map);
    return page_readable(element) && page_readable(element + sizeof(link_map) - 1);
}

bool describe(const r_debug& loader, const link_map* map, Known* entry) {
    const uintptr_t header = header_of(loader, *map);
    ElfImage image;
    if (!describe_image({header, 0, 0, map->l_addr, 0}, &image)) {
        return false;
    }
    *entry = {map, map->l_ld, {header, image.start, image.end, image.bias, image.frame_header}};
    return true;
}

// With the lock held. What is known of an element is kept if nothing was unloaded: describing may mean searching.
void copy_list(const r_debug& loader) {
    __atomic_store_n(&version, version | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    const uint32_t kept = tail != nullptr ? known_count : 0;
    uint32_t count = 0;
    const link_map* last = nullptr;
    for (const link_map* map = loader.r_map; map != nullptr && count < most_objects; map = map->l_next) {
        if (!element_readable(map)) {
            break;
        }
        last = map;
        Known entry{};
        bool found = false;
        for (uint32_t i = count; i < kept && !found; ++i) {
            found = known[i].map == map && known[i].dynamic == map->l_ld && known[i].place.bias == map->l_addr;
            entry = found ? known[i] : entry;
        }
        if (found || describe(loader, map, &entry)) {
            known[count++] = entry;
        }
    }
    known_count = count;
    tail = last;
    __atomic_store_n(&version, (version | 1) + 1, __ATOMIC_RELEASE);
}

enum class Found : uint8_t { yes, no, unknown };

Found look_up(uintptr_t address, LoadedObject* object) {
    const uint32_t before = __atomic_load_n(&version, __ATOMIC_ACQUIRE);
    bool found = false;
    for (uint32_t i = 0; i < known_count && i < most_objects && !found; ++i) {
        found = address >= known[i].place.start && address < known[i].place.end;
        if (found) {
            *object = {known[i].place, known[i].map};
        }
    }
    const link_map* last = __atomic_load_n(&tail, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if ((before & 1) != 0 || before != __atomic_load_n(&version, __ATOMIC_RELAXED) || last == nullptr) {
        return Found::unknown;
    }
    if (found) {
        return Found::yes;
    }
    return element_readable(last) && last->l_next == nullptr ? Found::no : Found::unknown;
}

}  // namespace

uintptr_t header_of(const r_debug& loader, const link_map& map) {
    if (&map != loader.r_map) {
        return map.l_addr;
    }
    auto headers = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
    for (uint64_t i = 0; headers != nullptr && i < getauxval(AT_PHNUM); ++i) {
        if (headers[i].p_type == PT_LOAD) {
            return map.l_addr + (headers[i].p_vaddr & ~(page_bytes - 1));
        }
    }
    return 0;
}

bool find_in_object_list(const r_debug& loader, uintptr_t address, LoadedObject* object) {
    Found found = look_up(address, object);
    if (found == Found::unknown) {
        const TryLock::Hold hold(writer);
        if (!hold.held()) {
            return false;
        }
        copy_list(loader);
        found = look_up(address, object);
    }
    return found == Found::yes;
}

void forget_object_list() {
    __atomic_store_n(&tail, nullptr, __ATOMIC_RELEASE);
}

void object_list_after_fork() {
    writer.reset();
}

}  // namespace nh::unwind
