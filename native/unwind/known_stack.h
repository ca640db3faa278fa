// A thread's last stack, kept to be verified instead of walked again.
#pragma once
#include <stdint.h>

#include "native/unwind/rows.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

// A frame as a walk met it, and the words that led from it to its caller: the return address at
// return_slot and, unless the frame pointer was handed on, the caller's at fp_slot.
struct KnownFrame {
    uintptr_t pc, sp, fp;  // as Registers; fp means nothing where it does not matter
    uintptr_t fp_slot;     // 0: the caller's RBP is this frame's, or does not matter
    uint32_t node;         // for whoever keeps the stack
    bool fp_matters;       // an outer frame, or this one, is found by the RBP that this frame has
    uint16_t words = 0;    // that it and the frames outside of it were read from
    [[no_unique_address]] ReturnSlot return_slot = {};

    bool is_at(const Registers& at) const { return pc == at.pc && sp == at.sp && (!fp_matters || fp == at.fp); }
};

// A word of the stack, and what was read there.
struct KnownWord {
    uintptr_t slot, value;
};

// A walk is a function of (pc, sp, RBP where an outer frame is found by it), of the words it reads and of the row
// table. So where a walk comes to a frame of the last stack, and the words that stack was read from from there on are
// unchanged, the rest of the stack is unchanged. Kept are only stacks for which that is all: on the thread's own
// stack, by compact rows that stay until row_epoch says otherwise, to a known root.
//
// Zero-filled before its first use, used by one thread. A signal handler may leave update() by longjmp at any point:
// the stack is then forgotten.
class KnownStack {
  public:
    // The innermost frame, when a call at `at` has the very stack of the last time. If not, null: update() tells more.
    [[gnu::always_inline]] const KnownFrame* repeated(const Registers& at) {
        if (kept_ == 0 || left_ != 0 || __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE) != epoch_ ||
            generation() != generation_) {
            return nullptr;
        }
        const KnownFrame& innermost = frames_[kept_ - 1];
        if (!innermost.is_at(at) || !hold(innermost.words)) {
            return nullptr;
        }
        rest_ = dear_ = 0;
        return &innermost;
    }

    // Brings the stack up to date with a call at `at`: frames 0 (the root) to *joined - 1 are those of the last time,
    // the others are new and have no node. False when it is no stack to be kept; it is then forgotten, and walk() tells
    // it. Until keep() the stack counts as forgotten.
    bool update(const Registers& at, StackBounds& bounds, uint32_t* joined);

    // What update() found, with every node set, is the last stack from now on.
    void keep(uint32_t generation) {
        generation_ = generation;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        kept_ = count_;
    }

    void forget() { kept_ = 0; }

    // Of the last stack kept.
    uint32_t kept_generation() const { return generation_; }
    uint32_t count() const { return count_; }
    KnownFrame& operator[](uint32_t i) { return frames_[i]; }

  private:
    static constexpr uint32_t most_kept = 512;
    static constexpr uint32_t capacity =
        2 * most_kept;  // the last stack at the start, the walk's new frames at the end
    static constexpr uint32_t words_at_once = 4;
    static constexpr uint32_t longest_rest = 63;
    static constexpr uint32_t most_dear = 8;
    static constexpr uint32_t longest_dear_rest = 1023;

    // Whether the outermost `count` words are what they were. The innermost differ first, if any do.
    [[gnu::always_inline]] bool hold(uint32_t count) const {
        static_assert(words_at_once == 4);
        for (const KnownWord* at = words_ + words_at_once + count; at > words_ + words_at_once; at -= words_at_once) {
            if ((differ(at[-1]) | differ(at[-2]) | differ(at[-3]) | differ(at[-4])) != 0) {
                return false;
            }
        }
        return true;
    }
    static uintptr_t differ(const KnownWord& word) {
        return *reinterpret_cast<const uintptr_t*>(word.slot) ^ word.value;
    }

    void note_words(uint32_t inner);
    bool walk_to_known(const Registers& at, StackBounds& bounds, uint32_t known, uint32_t* joined, uint32_t* first_new);
    bool is_unchanged(uint32_t* innermost) const;
    bool take(uint32_t joined, uint32_t first_new);
    void was_dear();

    uint32_t kept_;   // frames of the last stack, 0: there is none
    uint32_t count_;  // frames that update() found
    uint32_t epoch_;  // row_epoch of their rows
    uint32_t generation_;
    uint32_t rest_;       // stacks not to be kept come in runs: after each, more of them are not looked at
    uint32_t dear_;       // stacks in a row that a walk would have told for less
    uint32_t dear_rest_;  // so many were not looked at after the last such row
    uint32_t left_;       // so many stacks are not looked at, but walked
    KnownFrame frames_[capacity];
    KnownWord words_[words_at_once + 2 * most_kept];  // from the root inwards, behind some that always hold
};

}  // namespace nh::unwind
