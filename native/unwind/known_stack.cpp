#include "native/unwind/known_stack.h"

#include "native/unwind/stack_window.h"

namespace nh::unwind {
namespace {

uintptr_t word_at(uintptr_t address) {
    return *reinterpret_cast<const uintptr_t*>(address);
}

// The step of walk() for a compact row, noting what it read. False also where walk() goes on, but by a word that lies
// in what the stack pointer has left behind.
[[gnu::always_inline]] inline bool step(Row row, Registers* frame, KnownFrame* noted, StackWindow& window) {
    const bool by_fp = row.kind() == RowKind::from_fp;
    const uintptr_t cfa = (by_fp ? frame->fp : frame->sp) + static_cast<uintptr_t>(row.cfa_offset());
    const uintptr_t return_slot = cfa + static_cast<uintptr_t>(row.return_offset());
    *noted = {frame->pc, frame->sp, frame->fp, 0, 0, by_fp, 0, ReturnSlot::at(return_slot)};
    if (!window.above(return_slot, frame->sp)) [[unlikely]] {
        return false;
    }
    const intptr_t fp_offset = row.fp_offset();
    if (fp_offset != Row::fp_unchanged) {
        const bool at_fp = fp_offset == Row::fp_at_fp;
        noted->fp_slot = at_fp ? frame->fp : cfa + static_cast<uintptr_t>(fp_offset);
        noted->fp_matters |= at_fp;
        if (noted->fp_slot < frame->sp || !window.readable(noted->fp_slot)) [[unlikely]] {
            return false;
        }
        frame->fp = word_at(noted->fp_slot);
    }
    frame->pc = stripped(word_at(return_slot));
    frame->sp = cfa;
    return true;
}

}  // namespace

bool KnownStack::update(const Registers& at, StackBounds& bounds, uint32_t* joined) {
    const uint32_t epoch = __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE);
    const uint32_t known = epoch == epoch_ ? kept_ : 0;
    kept_ = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (left_ != 0) {
        --left_;
        return false;
    }
    uint32_t first_new = capacity;
    // Rows of a new epoch may have been met on the way: then what was verified is not of it.
    if (!walk_to_known(at, bounds, known, joined, &first_new) ||
        epoch != __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE)) {
        rest_ = rest_ < longest_rest ? 2 * rest_ + 1 : longest_rest;
        left_ = rest_;
        return false;
    }
    epoch_ = epoch;
    if (take(*joined, first_new)) [[likely]] {
        rest_ = dear_ = 0;
    } else if (known != 0) {
        was_dear();
    }
    return true;
}

// A frame that is new costs about as much more than in a plain walk as one that is known costs less. Where most are
// new time after time, stacks are walked for a while; then two tell whether it is still so.
[[gnu::noinline]] void KnownStack::was_dear() {
    rest_ = 0;
    if (dear_ == 0) {
        dear_rest_ = 0;
    }
    if (++dear_ == most_dear) {
        dear_ = most_dear - 1;
        dear_rest_ = dear_rest_ < longest_dear_rest ? 2 * dear_rest_ + most_dear : longest_dear_rest;
        left_ = dear_rest_;
    }
}

// Walks until a frame of the known ones is reached and all outside of it is unchanged, or the root.
bool KnownStack::walk_to_known(const Registers& at, StackBounds& bounds, uint32_t known, uint32_t* joined,
                               uint32_t* first_new) {
    StackWindow window(bounds);
    window.enter(at.sp, false);
    if (window.is_away()) {
        return false;
    }
    Registers frame = at;
    for (uint32_t next = capacity; next > most_kept;) {
        while (known != 0 && frames_[known - 1].sp < frame.sp) {
            --known;
        }
        if (known != 0 && frames_[known - 1].is_at(frame)) {
            const uint32_t candidate = known;
            if (is_unchanged(&known)) {
                *joined = candidate;
                *first_new = next;
                return candidate + (capacity - next) <= most_kept;
            }
        }
        Row row;
        if (!is_code_address(frame.pc) || !find_kept_row(frame.pc, &row)) [[unlikely]] {
            return false;
        }
        KnownFrame* noted = &frames_[--next];
        if (row.kind() == RowKind::outermost) {
            *noted = {frame.pc, frame.sp, frame.fp, 0, 0, false};
            *joined = 0;
            *first_new = next;
            return true;
        }
        if (!row.is_compact() || !step(row, &frame, noted, window)) [[unlikely]] {
            return false;
        }
    }
    return false;
}

// Whether the words between the *innermost frames from the root are what they were. If not, *innermost is set to the
// frames outside of the first change: with any more, the answer would be the same.
bool KnownStack::is_unchanged(uint32_t* innermost) const {
    if (hold(frames_[*innermost - 1].words)) [[likely]] {
        return true;
    }
    for (uint32_t i = *innermost - 1; i != 0; --i) {
        const KnownFrame& caller = frames_[i - 1];
        const uintptr_t fp_slot = frames_[i].fp_slot;
        if (stripped(word_at(frames_[i].return_slot.address(caller.sp))) != caller.pc ||
            (fp_slot != 0 && word_at(fp_slot) != caller.fp)) {
            *innermost = i;
            return false;
        }
    }
    return true;
}

// False when more frames are new than are known.
bool KnownStack::take(uint32_t joined, uint32_t first_new) {
    const uint32_t added = capacity - first_new;
    // Mostly one or two; a call of memmove would take longer.
    for (uint32_t i = 0; i < added; ++i) {
        frames_[joined + i] = frames_[first_new + i];
    }
    count_ = joined + added;
    for (uint32_t i = 0; joined == 0 && i < words_at_once; ++i) {
        words_[i] = {reinterpret_cast<uintptr_t>(&words_[i].value), 0};
    }
    for (uint32_t i = joined != 0 ? joined : 1; i < count_; ++i) {
        if (!frames_[i - 1].fp_matters) {
            frames_[i].fp_slot = 0;  // nobody asks for what it holds
        } else if (frames_[i].fp_slot == 0) {
            frames_[i].fp_matters = true;
        }
        note_words(i);
    }
    return added <= joined;
}

// The words that led from a frame to its caller.
[[gnu::always_inline]] inline void KnownStack::note_words(uint32_t inner) {
    KnownFrame& frame = frames_[inner];
    const KnownFrame& caller = frames_[inner - 1];
    uint16_t count = caller.words;
    KnownWord* words = words_ + words_at_once;
    const uintptr_t return_slot = frame.return_slot.address(caller.sp);
    words[count++] = {return_slot, word_at(return_slot)};
    if (frame.fp_slot != 0) {
        words[count++] = {frame.fp_slot, caller.fp};
    }
    frame.words = count;
}

}  // namespace nh::unwind
