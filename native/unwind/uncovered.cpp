#include "native/unwind/uncovered.h"

#include <string.h>

#include "native/unwind/call_frames.h"

namespace nh::unwind {
namespace {

constexpr uintptr_t most_entry_code = 256;

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
    return (image.entry != 0 && pc > image.entry && pc - image.entry <= most_entry_code) || is_planted(image, pc);
}

}  // namespace nh::unwind
