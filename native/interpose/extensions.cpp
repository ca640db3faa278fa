// Each as the standard functions are in entry_points.cpp, but for one thing: the allocator is called outside of the
// hook. It may call a new_handler, which is the program's, and an operator may throw; its calls to itself are not
// directed here (late_hooks.cpp).
#include "native/interpose/extensions.h"

#include <string.h>

#include <initializer_list>

#include "native/interpose/hook.h"
#include "native/interpose/reporting.h"
#include "native/process/elf_lookup.h"

namespace nh::interpose {
namespace {

using unwind::caller_registers;
using wire::marker;

constexpr int none = -1;

template <int place, typename First, typename... Rest>
[[gnu::always_inline]] inline auto argument(First first, Rest... rest) {
    if constexpr (place == 0) {
        return first;
    } else {
        return argument<place - 1>(rest...);
    }
}

// Bytes asked for. A product that overflows is refused by whoever is called.
template <int size, int count, typename... Arguments>
[[gnu::always_inline]] inline size_t asked_for(Arguments... arguments) {
    if constexpr (count == none) {
        return argument<size>(arguments...);
    } else {
        return argument<size>(arguments...) * argument<count>(arguments...);
    }
}

void report_release_at(const unwind::Registers& at, const void* block) {
    if (block != nullptr && !release_passes(block)) {
        Hook hook(at);
        report_release(hook, block);
    }
}

// What a function does, and which of its arguments say how much. `real` is where its address will be found.

template <marker entry, int size, int count = none>
struct Make {
    template <const uintptr_t* real, typename... Arguments>
    static void* call(Arguments... arguments) {
        size_t bytes = asked_for<size, count>(arguments...);
        bool passes = sampling::passes(bytes);
        void* block = reinterpret_cast<void* (*)(Arguments...)>(*real)(arguments...);
        if (!passes) {
            Hook hook(caller_registers());
            report_alloc(hook, entry, block, bytes);
        }
        return block;
    }
};

struct MakeString {
    template <const uintptr_t* real, typename... Arguments>
    static char* call(Arguments... arguments) {
        char* block = reinterpret_cast<char* (*)(Arguments...)>(*real)(arguments...);
        size_t bytes = block != nullptr ? strlen(block) + 1 : 0;
        if (block != nullptr && !sampling::passes(bytes)) {
            Hook hook(caller_registers());
            report_alloc(hook, marker::entry_malloc, block, bytes);
        }
        return block;
    }
};

struct MakeAt {
    template <const uintptr_t* real>
    static int call(void** out, size_t alignment, size_t bytes) {
        bool passes = sampling::passes(bytes);
        int error = reinterpret_cast<int (*)(void**, size_t, size_t)>(*real)(out, alignment, bytes);
        if (error == 0 && !passes) {
            Hook hook(caller_registers());
            report_alloc(hook, marker::entry_posix_memalign, *out, bytes);
        }
        return error;
    }
};

// One that fails gives null and leaves the block.
template <marker entry, int size, int count = none>
struct Remake {
    template <const uintptr_t* real, typename... Arguments>
    static void* call(Arguments... arguments) {
        auto function = reinterpret_cast<void* (*)(Arguments...)>(*real);
        size_t bytes = asked_for<size, count>(arguments...);
        if (resize_passes(argument<0>(arguments...), bytes)) {
            return function(arguments...);
        }
        Hook hook(caller_registers());
        if (!hook && !sampling::has_begun()) {
            return function(arguments...);
        }
        Resize event(hook, entry, argument<0>(arguments...), bytes);
        void* block = function(arguments...);
        event.finish(block);
        return block;
    }
};

// Resizes in place and tells how large the block is then: of size + extra as much as was to be had, or less than size
// where nothing could be done.
struct Extend {
    template <const uintptr_t* real>
    static size_t call(void* block, size_t size, size_t extra, int flags) {
        auto function = reinterpret_cast<size_t (*)(void*, size_t, size_t, int)>(*real);
        size_t usable = function(block, size, extra, flags);
        size_t bytes = usable - size < extra ? usable : size + extra;
        if (usable >= size && !resize_passes(block, bytes)) {
            Hook hook(caller_registers());
            if (hook || sampling::has_begun()) {
                Resize event(hook, marker::entry_realloc, block, bytes);
                event.finish(block);
            }
        }
        return usable;
    }
};

struct Release {
    template <const uintptr_t* real, typename... Arguments>
    static void call(void* block, Arguments... arguments) {
        report_release_at(caller_registers(), block);
        reinterpret_cast<void (*)(void*, Arguments...)> (*real)(block, arguments...);
    }
};

using Bytes = Make<marker::entry_malloc, 0>;
using Items = Make<marker::entry_malloc, 0, 1>;
using Cleared = Make<marker::entry_calloc, 0>;
using ClearedItems = Make<marker::entry_calloc, 0, 1>;
using Aligned = Make<marker::entry_aligned_alloc, 0>;
using ByAlignment = Make<marker::entry_aligned_alloc, 1>;
using Memalign = Make<marker::entry_memalign, 1>;
using Valloc = Make<marker::entry_valloc, 0>;
using Pvalloc = Make<marker::entry_pvalloc, 0>;
using Resized = Remake<marker::entry_realloc, 1>;
using ResizedItems = Remake<marker::entry_reallocarray, 1, 2>;

// A reference to std::nothrow is passed as a pointer, std::align_val_t as a size_t.

#define NH_OPERATORS(X)                                                         \
    X(_Znwm, Bytes, size_t)                                                     \
    X(_Znam, Bytes, size_t)                                                     \
    X(_ZnwmRKSt9nothrow_t, Bytes, size_t, const void*)                          \
    X(_ZnamRKSt9nothrow_t, Bytes, size_t, const void*)                          \
    X(_ZnwmSt11align_val_t, Aligned, size_t, size_t)                            \
    X(_ZnamSt11align_val_t, Aligned, size_t, size_t)                            \
    X(_ZnwmSt11align_val_tRKSt9nothrow_t, Aligned, size_t, size_t, const void*) \
    X(_ZnamSt11align_val_tRKSt9nothrow_t, Aligned, size_t, size_t, const void*) \
    X(_ZdlPv, Release, void*)                                                   \
    X(_ZdaPv, Release, void*)                                                   \
    X(_ZdlPvm, Release, void*, size_t)                                          \
    X(_ZdaPvm, Release, void*, size_t)                                          \
    X(_ZdlPvRKSt9nothrow_t, Release, void*, const void*)                        \
    X(_ZdaPvRKSt9nothrow_t, Release, void*, const void*)                        \
    X(_ZdlPvSt11align_val_t, Release, void*, size_t)                            \
    X(_ZdaPvSt11align_val_t, Release, void*, size_t)                            \
    X(_ZdlPvmSt11align_val_t, Release, void*, size_t, size_t)                   \
    X(_ZdaPvmSt11align_val_t, Release, void*, size_t, size_t)                   \
    X(_ZdlPvSt11align_val_tRKSt9nothrow_t, Release, void*, size_t, const void*) \
    X(_ZdaPvSt11align_val_tRKSt9nothrow_t, Release, void*, size_t, const void*)

#define NH_JEMALLOC(X)                             \
    X(mallocx, Bytes, size_t, int)                 \
    X(rallocx, Resized, void*, size_t, int)        \
    X(xallocx, Extend, void*, size_t, size_t, int) \
    X(dallocx, Release, void*, int)                \
    X(sdallocx, Release, void*, size_t, int)

#define NH_TCMALLOC(X)                                                   \
    X(tc_malloc, Bytes, size_t)                                          \
    X(tc_malloc_skip_new_handler, Bytes, size_t)                         \
    X(tc_calloc, ClearedItems, size_t, size_t)                           \
    X(tc_realloc, Resized, void*, size_t)                                \
    X(tc_memalign, Memalign, size_t, size_t)                             \
    X(tc_posix_memalign, MakeAt, void**, size_t, size_t)                 \
    X(tc_valloc, Valloc, size_t)                                         \
    X(tc_pvalloc, Pvalloc, size_t)                                       \
    X(tc_free, Release, void*)                                           \
    X(tc_cfree, Release, void*)                                          \
    X(tc_free_sized, Release, void*, size_t)                             \
    X(tc_new, Bytes, size_t)                                             \
    X(tc_newarray, Bytes, size_t)                                        \
    X(tc_new_nothrow, Bytes, size_t, const void*)                        \
    X(tc_newarray_nothrow, Bytes, size_t, const void*)                   \
    X(tc_new_aligned, Aligned, size_t, size_t)                           \
    X(tc_newarray_aligned, Aligned, size_t, size_t)                      \
    X(tc_new_aligned_nothrow, Aligned, size_t, size_t, const void*)      \
    X(tc_newarray_aligned_nothrow, Aligned, size_t, size_t, const void*) \
    X(tc_delete, Release, void*)                                         \
    X(tc_deletearray, Release, void*)                                    \
    X(tc_delete_sized, Release, void*, size_t)                           \
    X(tc_deletearray_sized, Release, void*, size_t)                      \
    X(tc_delete_nothrow, Release, void*, const void*)                    \
    X(tc_deletearray_nothrow, Release, void*, const void*)               \
    X(tc_delete_aligned, Release, void*, size_t)                         \
    X(tc_deletearray_aligned, Release, void*, size_t)                    \
    X(tc_delete_sized_aligned, Release, void*, size_t, size_t)           \
    X(tc_deletearray_sized_aligned, Release, void*, size_t, size_t)      \
    X(tc_delete_aligned_nothrow, Release, void*, size_t, const void*)    \
    X(tc_deletearray_aligned_nothrow, Release, void*, size_t, const void*)

#define NH_MIMALLOC(X)                                                    \
    X(mi_malloc, Bytes, size_t)                                           \
    X(mi_malloc_small, Bytes, size_t)                                     \
    X(mi_mallocn, Items, size_t, size_t)                                  \
    X(mi_zalloc, Cleared, size_t)                                         \
    X(mi_zalloc_small, Cleared, size_t)                                   \
    X(mi_calloc, ClearedItems, size_t, size_t)                            \
    X(mi_realloc, Resized, void*, size_t)                                 \
    X(mi_reallocn, ResizedItems, void*, size_t, size_t)                   \
    X(mi_reallocarray, ResizedItems, void*, size_t, size_t)               \
    X(mi_rezalloc, Resized, void*, size_t)                                \
    X(mi_recalloc, ResizedItems, void*, size_t, size_t)                   \
    X(mi_expand, Resized, void*, size_t)                                  \
    X(mi_strdup, MakeString, const char*)                                 \
    X(mi_strndup, MakeString, const char*, size_t)                        \
    X(mi_malloc_aligned, Aligned, size_t, size_t)                         \
    X(mi_malloc_aligned_at, Aligned, size_t, size_t, size_t)              \
    X(mi_zalloc_aligned, Cleared, size_t, size_t)                         \
    X(mi_zalloc_aligned_at, Cleared, size_t, size_t, size_t)              \
    X(mi_calloc_aligned, ClearedItems, size_t, size_t, size_t)            \
    X(mi_calloc_aligned_at, ClearedItems, size_t, size_t, size_t, size_t) \
    X(mi_realloc_aligned, Resized, void*, size_t, size_t)                 \
    X(mi_realloc_aligned_at, Resized, void*, size_t, size_t, size_t)      \
    X(mi_rezalloc_aligned, Resized, void*, size_t, size_t)                \
    X(mi_recalloc_aligned, ResizedItems, void*, size_t, size_t, size_t)   \
    X(mi_posix_memalign, MakeAt, void**, size_t, size_t)                  \
    X(mi_memalign, Memalign, size_t, size_t)                              \
    X(mi_aligned_alloc, ByAlignment, size_t, size_t)                      \
    X(mi_valloc, Valloc, size_t)                                          \
    X(mi_pvalloc, Pvalloc, size_t)                                        \
    X(mi_new, Bytes, size_t)                                              \
    X(mi_new_n, Items, size_t, size_t)                                    \
    X(mi_new_nothrow, Bytes, size_t)                                      \
    X(mi_new_aligned, Aligned, size_t, size_t)                            \
    X(mi_new_aligned_nothrow, Aligned, size_t, size_t)                    \
    X(mi_free, Release, void*)                                            \
    X(mi_cfree, Release, void*)                                           \
    X(mi_free_size, Release, void*, size_t)                               \
    X(mi_free_aligned, Release, void*, size_t)                            \
    X(mi_free_size_aligned, Release, void*, size_t, size_t)               \
    X(cfree, Release, void*)

#define NH_EXTENSIONS(X) NH_JEMALLOC(X) NH_TCMALLOC(X) NH_MIMALLOC(X) NH_OPERATORS(X)

enum Place : uint32_t {
#define NH_PLACE(name, ...) at_##name,
    NH_EXTENSIONS(NH_PLACE)
#undef NH_PLACE
        place_count
};
static_assert(place_count <= most_extensions);

constinit uintptr_t reals[place_count] = {};

template <typename Kind, Place place, typename... Arguments>
uintptr_t own_function() {
    if constexpr (__is_same(Kind, Release)) {
        return []<typename... Rest>(void (*)(void*, Rest...)) {
            return reinterpret_cast<uintptr_t>(&Release::call<&reals[place], Rest...>);
        }(static_cast<void (*)(Arguments...)>(nullptr));
    } else if constexpr (__is_same(Kind, MakeAt) || __is_same(Kind, Extend)) {
        return reinterpret_cast<uintptr_t>(&Kind::template call<&reals[place]>);
    } else {
        return reinterpret_cast<uintptr_t>(&Kind::template call<&reals[place], Arguments...>);
    }
}

template <typename Kind>
constexpr Effect effect_of = Effect::allocates;
template <>
constexpr Effect effect_of<Release> = Effect::frees;
template <marker entry, int size, int count>
constexpr Effect effect_of<Remake<entry, size, count>> = Effect::resizes;
template <>
constexpr Effect effect_of<Extend> = Effect::resizes;

// The libraries that are allocators, by a few names. Libc is none of these, whatever it has (cfree, up to 2.25); nor is
// a program: its calls to itself are bound for good.
class Allocators {
  public:
    Allocators() {
        const link_map* library = process::loaded_libraries();
        for (library = library != nullptr ? library->l_next : nullptr; library != nullptr; library = library->l_next) {
            if (count_ < most && is_allocator(library)) {
                libraries_[count_++] = library;
            }
        }
    }

    bool none() const { return count_ == 0; }

    // Operators are an allocator's where it is one in C, too. Others call malloc, which tells of them.
    const link_map* find(const char* name, bool is_operator, uintptr_t* found) const {
        for (uint32_t i = 0; i < count_; i++) {
            *found = process::find_function(libraries_[i], name);
            if (*found != 0 && (!is_operator || process::find_function(libraries_[i], "malloc") != 0)) {
                return libraries_[i];
            }
        }
        return nullptr;
    }

  private:
    static constexpr uint32_t most = 8;

    static bool is_allocator(const link_map* library) {
        for (const char* name : {"malloc", "mallocx", "tc_malloc", "mi_malloc"}) {
            if (process::find_function(library, name) != 0) {
                return !process::is_this_library(library) && process::find_function(library, "__libc_start_main") == 0;
            }
        }
        return false;
    }

    const link_map* libraries_[most];
    uint32_t count_ = 0;
};

}  // namespace

uint32_t list_extensions(Detour (&detours)[most_extensions]) {
    const Allocators allocators;
    if (allocators.none()) {
        return 0;
    }
    uint32_t count = 0;
    auto add = [&](const char* name, Place place, Effect effect, uintptr_t own) {
        uintptr_t found = 0;
        const link_map* owner = allocators.find(name, place >= at__Znwm, &found);
        if (owner != nullptr) {
            __atomic_store_n(&reals[place], found, __ATOMIC_RELEASE);
            detours[count++] = {name, found, own, effect, owner->l_addr};
        }
    };
#define NH_ADD(name, kind, ...) add(#name, at_##name, effect_of<kind>, own_function<kind, at_##name, __VA_ARGS__>());
    NH_EXTENSIONS(NH_ADD)
#undef NH_ADD
    return count;
}

}  // namespace nh::interpose
