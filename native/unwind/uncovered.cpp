#include "native/unwind/uncovered.h"

#include <string.h>

#include "native/unwind/call_frames.h"
#include "native/unwind/loader_view.h"

namespace nh::unwind {
namespace {

constexpr uintptr_t most_entry_code = 256;

// The function called at `call`, when it is called directly.
uintptr_t callee_of(const uint8_t* call) {
    int32_t distance;
    memcpy(&distance, call + 1, sizeof(distance));
    return *call == 0xE8 ? reinterpret_cast<uintptr_t>(call) + 5 + static_cast<intptr_t>(distance) : 0;
}

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

}  // namespace

bool step_uncovered(Registers* frame, StackWindow& window) {
    const uintptr_t fp = frame->fp;
    if ((fp & 7) != 0 || !window.above(fp, frame->sp) || !window.readable(fp + sizeof(uintptr_t))) {
        return false;
    }
    auto words = reinterpret_cast<const uintptr_t*>(fp);
    *frame = {words[1], fp + 2 * sizeof(uintptr_t), words[0]};
    return true;
}

bool is_signal_return(const ElfImage& image, uintptr_t pc) {
    static constexpr uint8_t code[] = {0x48, 0xC7, 0xC0, 0x0F, 0x00, 0x00, 0x00, 0x0F, 0x05};
    const uintptr_t end = image.segment_end(pc);
    return end != 0 && end - pc >= sizeof(code) && memcmp(reinterpret_cast<const void*>(pc), code, sizeof(code)) == 0;
}

bool is_planted(const ElfImage& image, uintptr_t pc) {
    constexpr uintptr_t most_call_bytes = 7;
    FrameDescription description;
    if (!find_description(image, pc, &description) || description.start != pc ||
        image.segment_end(pc - most_call_bytes) <= pc) {
        return false;
    }
    auto before = reinterpret_cast<const uint8_t*>(pc);
    if (before[-5] == 0xE8) {
        return false;
    }
    // FF /2: register (2 bytes, 3 with a prefix), [register + 8 bits] (3, 4), [rip + 32 bits] and the like (6, 7).
    const bool by_register = before[-2] == 0xFF && (before[-1] & 0xF8) == 0xD0;
    const bool by_near_word = before[-3] == 0xFF && (before[-2] & 0xF8) == 0x50;
    const bool by_far_word = before[-6] == 0xFF && (before[-5] & 0x38) == 0x10;
    return !by_register && !by_near_word && !by_far_word;
}

bool is_root(const ElfImage& image, uintptr_t pc) {
    return (image.entry != 0 && pc > image.entry && pc - image.entry <= most_entry_code) || is_planted(image, pc) ||
           hands_result_to_exit(image, pc);
}

}  // namespace nh::unwind
