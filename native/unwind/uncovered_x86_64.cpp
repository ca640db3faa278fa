// uncovered.h for x86-64.
#include <string.h>

#include "native/unwind/loader_view.h"
#include "native/unwind/uncovered.h"

namespace nh::unwind {
namespace {

// The function called at `call`, when it is called directly.
uintptr_t callee_of(const uint8_t* call) {
    int32_t distance;
    memcpy(&distance, call + 1, sizeof(distance));
    return *call == 0xE8 ? reinterpret_cast<uintptr_t>(call) + 5 + static_cast<intptr_t>(distance) : 0;
}

}  // namespace

// musl's code has no call-frame information. Where it starts a program or a thread, what that returns is handed to exit
// or pthread_exit: mov %eax,%edi; mov %rax,%rdi; movslq %eax,%rdi (libc_start_main_stage2, start and start_c11).
bool hands_result_to_exit(const ElfImage& image, uintptr_t pc) {
    static constexpr uint8_t moves[][3] = {{0x89, 0xC7}, {0x48, 0x89, 0xC7}, {0x48, 0x63, 0xF8}};
    constexpr uintptr_t most_bytes = 3 + 5;
    const uintptr_t end = image.segment_end(pc);
    const link_map* map = end != 0 && end - pc >= most_bytes ? find_map(pc) : nullptr;
    if (map == nullptr) {
        return false;
    }
    for (const auto& move : moves) {
        const size_t length = move[0] == 0x48 ? 3 : 2;
        auto code = reinterpret_cast<const uint8_t*>(pc);
        const uintptr_t callee = memcmp(code, move, length) == 0 ? callee_of(code + length) : 0;
        if (callee != 0 && (callee == find_symbol(map, "exit") || callee == find_symbol(map, "pthread_exit"))) {
            return true;
        }
    }
    return false;
}

bool step_uncovered(Registers* frame, StackWindow& window) {
    const uintptr_t fp = frame->fp;
    if ((fp & 7) != 0 || !window.above(fp, frame->sp) || !window.readable(fp + sizeof(uintptr_t))) {
        return false;
    }
    auto words = reinterpret_cast<const uintptr_t*>(fp);
    *frame = {words[1], fp + 2 * sizeof(uintptr_t), words[0]};
    return true;
}

// Stubs of every linker are described.
Row undescribed_row(const ElfImage&, uintptr_t) {
    return Row(RowKind::uncovered);
}

}  // namespace nh::unwind
