// What is changed in a loaded module so that its calls of a function go elsewhere.
//
// A call to malloc goes through a word that the loader has filled in: a slot of the module's GOT, or a variable that
// was initialised with malloc's address. It is ours when it holds that address; a word that was never bound (lazy
// binding), or holds another allocator's function, or was changed by the program, is left alone. Modules that are
// loaded or bound later find our functions, because the symbols of the real ones then say so: in this process's private
// copy of the library's symbol table, whose page is no longer the file's.
//
// What the loader itself calls is in words of its own that no relocation names.
#pragma once
#include <link.h>
#include <stdint.h>
#include <string.h>

#include "native/interpose/extensions.h"
#include "native/interpose/mappings.h"
#include "native/interpose/real.h"
#include "native/interpose/signal_actions.h"
#include "native/process/elf_lookup.h"

namespace nh::interpose {

constexpr uint32_t most_changes = most_detours + most_extensions + most_signal_detours;
static_assert(most_changes >= most_mapping_detours);

// That a function's address becomes another's.
struct Change {
    const char* name;
    uintptr_t from;
    uintptr_t to;
    uintptr_t owner;  // as Detour's
};

class Changes {
  public:
    void add(const char* name, uintptr_t from, uintptr_t to, uintptr_t owner) {
        list_[count_++] = {name, from, to, owner};
        least_ = from < least_ ? from : least_;
        most_ = from > most_ ? from : most_;
    }
    const Change* begin() const { return list_; }
    const Change* end() const { return list_ + count_; }

    // Hardly any other word passes.
    bool may_hold(uintptr_t word) const { return word - least_ <= most_ - least_ && count_ != 0; }

    // Libc has one address for several names (aligned_alloc and memalign up to 2.37).
    const Change* find(uintptr_t word, const char* name) const {
        for (const Change& change : *this) {
            if (change.from == word && (name == nullptr || strcmp(change.name, name) == 0)) {
                return &change;
            }
        }
        return nullptr;
    }

    bool has(const char* name) const {
        for (const Change& change : *this) {
            if (strcmp(change.name, name) == 0) {
                return true;
            }
        }
        return false;
    }

  private:
    Change list_[most_changes];
    uint32_t count_ = 0;
    uintptr_t least_ = ~uintptr_t{0};
    uintptr_t most_ = 0;
};

// One module under change. Everything of it is mapped as long as the loader's lock is held.
class Module {
  public:
    explicit Module(const dl_phdr_info& info);
    ~Module() { close_relro(); }
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    // False: something could not be written.
    bool apply(const Changes& changes);
    void apply_to_symbols(const Changes& changes);

    // Binds what it calls of its own by a changed name, where that is ours or not bound yet.
    void bind_own_calls(const Changes& back);

    bool is_this_library() const { return process::is_this_library(&map_); }

  private:
    static constexpr uintptr_t page = 4096;
    void read_dynamic(ElfW(Dyn) * dynamic);
    // The segment that holds the bytes, null when none does.
    const ElfW(Phdr) * segment_of(uintptr_t address, size_t bytes) const;
    void apply_to(const Changes& changes, const ElfW(Rela) * table, size_t bytes);
    void bind_own_calls(const Changes& back, const ElfW(Rela) * table, size_t bytes);
    void apply_to_words(const Changes& changes, uintptr_t start, uintptr_t end);
    void apply_to_word(const Changes& changes, uintptr_t at, const char* name);
    // In one piece, for other threads read it meanwhile.
    void write(uintptr_t at, uintptr_t word);
    static int protection(const ElfW(Phdr) & segment);
    static bool protect(uintptr_t start, size_t bytes, int protection);
    bool open_relro();
    void close_relro();

    const uintptr_t base_;
    const ElfW(Phdr) * const headers_;
    const uint32_t count_;
    link_map map_ = {};
    const ElfW(Rela) * relocations_ = nullptr;
    const ElfW(Rela) * slots_ = nullptr;
    size_t relocation_bytes_ = 0;
    size_t slot_bytes_ = 0;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* names_ = nullptr;
    uintptr_t relro_ = 0;
    uintptr_t relro_end_ = 0;
    bool relro_open_ = false;
    bool good_ = true;
};

}  // namespace nh::interpose
