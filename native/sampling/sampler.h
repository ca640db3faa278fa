// Which allocations are recorded while they are sampled.
//
// Points are strewn over the bytes that a thread allocates by a Poisson process: the distance from anywhere to the next
// point is exponentially distributed with the mean T that was asked for, whatever came before. An allocation of s
// bytes covers s + 1 of them (one more, so that blocks of 0 bytes have their chance), and is recorded when a point lies
// in what it covers: with the probability p(s) = 1 - exp(-(s + 1) / T). Whoever counts 1/p(s) blocks and s/p(s) bytes
// for each recorded one has the true numbers in expectation (src/Collect/Heap/SampleWeight.cs does).
//
// Bytes are whole. With X exponential, k = ceil(X) is the number of the byte that the next point lies in, counted from
// 1, and P(k > n) = P(X > n) = exp(-n / T) exactly, for any T. Being geometric, k has no memory either: what is left of
// it after n bytes without a point is distributed as k itself, so one counter per thread is all that is kept, and
// threads, forks and lost updates (by a signal handler in between) do no harm to it.
//
// The collector says how densely births are sampled, and may say otherwise at any time. A point is as good as another
// of the same mean, so what a thread keeps of it is of use until the mean is another one.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/transport/region.h"
#include "native/transport/shown_page.h"

namespace nh::sampling {

// What the collector says (region.sampling in records.def). 0: every call is recorded, and nothing here matters.
// Whoever needs it more than once for one call looks once.
inline uint64_t rate() {
    return __atomic_load_n(&transport::shown_page.header.sampling, __ATOMIC_RELAXED);
}

inline uint64_t mean_of(uint64_t rate) {
    return rate & wire::sampling_mean;
}

// Where a thread is between two points.
struct Points {
    size_t before;  // bytes of what it allocates next that lie before the next one
    uint64_t rate;  // by which it was drawn; 0: it was not
};
extern thread_local constinit Points points __attribute__((tls_model("initial-exec")))
__attribute__((visibility("hidden")));

// True: an allocation of that many bytes is not recorded and is accounted for. False: ask takes(). Works before this
// library is relocated, when thread storage is not to be touched.
[[gnu::always_inline]] inline bool passes(size_t bytes) {
    const uint64_t now = rate();
    if (now == 0) {
        return false;
    }
    const size_t before = points.before;
    if (points.rate == now && bytes < before) [[likely]] {
        points.before = before - bytes - 1;
        return true;
    }
    return false;
}

// Whether an allocation that passes() did not let pass is recorded at that rate, which is not 0; the thread's next
// point is drawn.
bool takes(size_t bytes, uint64_t rate);

// Whether births may have been sampled in this process. False is certain for whoever frees a block that was let pass or
// is among the sampled ones.
extern bool has_begun_ __attribute__((visibility("hidden")));
inline bool has_begun() {
    return __atomic_load_n(&has_begun_, __ATOMIC_RELAXED);
}
void begin();

// Whether the free of a block that is no sample is told at that rate: the block may have been recorded when all were.
bool tells(uintptr_t address, uint64_t rate);

// Before anything is recorded. seed: any number, of which the points are a function. kept: the region's, or null.
void start(const uint8_t* kept, uint64_t seed);

// Samples at that mean from now on, where no collector says how: there was none.
void sample_at(uint64_t mean);

// From now on every call is to be recorded, or none.
void stop();

// A number from the distribution of k, and the next random state; for tests.
uint64_t distance(uint64_t mean, uint64_t random);

}  // namespace nh::sampling
