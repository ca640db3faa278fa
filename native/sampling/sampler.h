// Which allocations a sampled run records.
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
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace nh::sampling {

// Mean distance of points in bytes; 0: every call is recorded, and nothing here matters.
extern uint64_t mean_bytes __attribute__((visibility("hidden")));

inline bool is_on() {
    return __atomic_load_n(&mean_bytes, __ATOMIC_RELAXED) != 0;
}

// Number of the byte with the thread's next point, counted from 1 in what it allocates next; 0: not drawn yet.
extern thread_local constinit size_t next_point __attribute__((tls_model("initial-exec")))
__attribute__((visibility("hidden")));

// True: an allocation of that many bytes is not recorded and is accounted for. False: ask takes(). Works before this
// library is relocated, when thread storage is not to be touched.
[[gnu::always_inline]] inline bool passes(size_t bytes) {
    if (!is_on()) {
        return false;
    }
    size_t point = next_point;
    if (bytes + 1 < point) [[likely]] {
        next_point = point - (bytes + 1);
        return true;
    }
    return false;
}

// Whether an allocation that passes() did not let pass is recorded; the thread's next point is drawn.
bool takes(size_t bytes);

// Before anything is recorded. seed: any number, of which the points are a function. A thread that has drawn its next
// point in a process that was sampled before keeps that one, of that run's mean.
void start(uint64_t mean, uint64_t seed);

// From now on every call is to be recorded, or none.
void stop();

// A number from the distribution of k, and the next random state; for tests.
uint64_t distance(uint64_t mean, uint64_t random);

}  // namespace nh::sampling
