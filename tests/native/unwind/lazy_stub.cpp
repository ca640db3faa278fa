// The program's own lazily bound procedure linkage table; this test program is linked with -z lazy.
#include <elf.h>
#include <link.h>

namespace nh::unwind::test {

// The stub that fills a slot's first value: in a lazily linked program, a slot starts out pointing just behind the
// stub's first jump.
const char* find_lazy_stub() {
    const Elf64_Rela* relocations = nullptr;
    uintptr_t size = 0;
    uintptr_t slots = 0;
    for (const Elf64_Dyn* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_JMPREL) {
            relocations = reinterpret_cast<const Elf64_Rela*>(entry->d_un.d_ptr);
        } else if (entry->d_tag == DT_PLTRELSZ) {
            size = entry->d_un.d_val;
        } else if (entry->d_tag == DT_PLTGOT) {
            slots = entry->d_un.d_ptr;
        }
    }
    if (slots == 0 || relocations == nullptr) {
        return nullptr;
    }
    const uintptr_t bias = _r_debug.r_map->l_addr;
    for (uintptr_t i = 0; i < size / sizeof(Elf64_Rela); ++i) {
        auto target = *reinterpret_cast<const char* const*>(bias + relocations[i].r_offset);
        const auto code = reinterpret_cast<uintptr_t>(target);
        // Not bound yet: it points into this program, at `push $index` behind `jmp *slot`.
        if (code > bias && code < slots && static_cast<unsigned char>(target[0]) == 0x68 &&
            static_cast<unsigned char>(target[-6]) == 0xFF && static_cast<unsigned char>(target[-5]) == 0x25) {
            return target - 6;
        }
    }
    return nullptr;
}

}  // namespace nh::unwind::test
