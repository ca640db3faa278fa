// The recursion guard as a type: an event can only be written by holding one.
#pragma once
#include <errno.h>
#include <stdint.h>

#include "native/process/process.h"

namespace nh::interpose {

class Hook {
  public:
    // at: of the exported function's caller.
    explicit Hook(const unwind::Registers& at) : at_(at), state_(process::enter(at)) {}
    ~Hook() {
        if (state_ != nullptr) {
            process::leave(state_);
        }
    }
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

    // False: forward the call and write nothing.
    explicit operator bool() const { return state_ != nullptr; }

    uint32_t capture(wire::marker entry) { return stacks::capture(state_->scratch, at_, entry); }

    // Calls make_event() for an event and appends it. A fork in between (a signal handler's) makes this another
    // process with order numbers of its own, so make_event takes its numbers anew each time. When the process was
    // detached and attached again in between, the tree of stacks is another: renew() captures what was captured.
    // numbered_before: the event's one number was taken before the call, and make_event keeps it.
    template <bool numbered_before = false, typename MakeEvent, typename Renew>
    void record(MakeEvent make_event, Renew renew) {
        int* errno_at = state_->errno_at;
        int saved = *errno_at;
        while (state_ != nullptr) {
            transport::Written written = transport::append_time(process::region, state_->ring);
            if (written == transport::Written::yes) {
                const auto event = make_event();
                written = transport::append(process::region, state_->ring, event);
                if (__builtin_expect(written == transport::Written::yes, 1)) {
                    break;
                }
                transport::give_numbers_back<numbered_before>(state_->ring, event);
            }
            state_ = process::recover(state_, at_.sp, written);
            if (state_ != nullptr) {
                renew();
            }
        }
        *errno_at = saved;
    }
    template <bool numbered_before = false, typename MakeEvent>
    void record(MakeEvent make_event) {
        record<numbered_before>(make_event, [] {});
    }

  private:
    const unwind::Registers at_;
    process::ThreadState* state_;
};

}  // namespace nh::interpose
