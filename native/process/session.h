// When this process records: from its start under a preload, or from nativeheap_attach, to its end or
// nativeheap_detach. One process may have many sessions after each other, each with a region and a collector of its
// own.
#pragma once
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::process {

enum class Phase : uint32_t { unstarted, starting, on, off };

Phase current_phase();

// The slot of this process in the region. A forked child's copy is its parent's until it has a slot.
uint32_t own_slot();

// Whether this very process has recorded, in whatever session: false in a forked child that has not followed its fork.
bool has_joined();

// Starts recording if the environment asks for it. The first call counts, later ones do nothing.
void start_once();

// A call that could not be recorded, from before it could be known whether it should be.
void count_early_call();

// For good, or until the process is attached anew. Any thread, from within a hook.
void switch_off(wire::off_reason reason);

// In a forked child, at its first call. False while another thread of the child is about it, when the child cannot or
// shall not record, and when this is no forked child at all.
bool follow_fork();

// A thread that attaches or detaches; one at a time, who comes second is told so.
class SessionChange {
  public:
    SessionChange();
    ~SessionChange();
    SessionChange(const SessionChange&) = delete;
    SessionChange& operator=(const SessionChange&) = delete;
    bool held() const { return held_; }

  private:
    bool held_;
};

// Joins the collector that the text names (see attach_text.h) and begins to record. The caller holds a SessionChange,
// and is in no hook.
wire::attach_result begin_session(const char* text);

// Ends recording and gives the region's memory back. The caller holds a SessionChange, and is in no hook.
wire::attach_result end_session();

}  // namespace nh::process
