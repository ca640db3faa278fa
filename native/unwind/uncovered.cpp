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

bool is_root(const ElfImage& image, uintptr_t pc) {
    if (image.entry != 0 && pc > image.entry && pc - image.entry <= most_entry_code) {
        return true;
    }
    constexpr uintptr_t call_bytes = 5;  // call rel32
    FrameDescription description;
    return find_description(image, pc, &description) && description.start == pc &&
           image.segment_end(pc - call_bytes) > pc && *reinterpret_cast<const uint8_t*>(pc - call_bytes) != 0xE8;
}

}  // namespace nh::unwind
