#include "native/sampling/sampler.h"

#include "native/transport/fork_page.h"

namespace nh::sampling {
namespace {

uint64_t random_state;
const uint8_t* kept_bits;

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): a counter that anybody may
// advance, and a finalizer.
constexpr uint64_t golden = 0x9E3779B97F4A7C15;

uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
    return value ^ (value >> 31);
}

// A forked child has its parent's counter; its slot makes its numbers others.
uint64_t next_random() {
    uint64_t state = __atomic_add_fetch(&random_state, golden, __ATOMIC_RELAXED);
    return mix(state ^ mix(transport::recording_mark()));
}

// Of a number in (0, 1], with an error below 1e-14. There is no libm here.
double minus_natural_log(double number) {
    constexpr double ln2 = 0.693147180559945309417;
    uint64_t bits = __builtin_bit_cast(uint64_t, number);
    auto exponent = static_cast<int64_t>(bits >> 52) - 1023;
    double m = __builtin_bit_cast(double, (bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000);  // 1 to 2
    if (m > 1.41421356237309504880) {
        m /= 2;
        exponent++;
    }
    // ln m = 2 artanh t, |t| < 0.1716
    double t = (m - 1) / (m + 1);
    double square = t * t;
    double sum = 0;
    for (int n = 19; n >= 1; n -= 2) {
        sum = sum * square + 1.0 / n;
    }
    return -(2 * t * sum + static_cast<double>(exponent) * ln2);
}

}  // namespace

thread_local constinit Points points = {};
bool has_begun_;

uint64_t distance(uint64_t mean, uint64_t random) {
    constexpr double farthest = 1ull << 62;
    double even = (static_cast<double>(random >> 11) + 0.5) * (1.0 / (1ull << 53));  // in (0, 1)
    double x = minus_natural_log(even) * static_cast<double>(mean);
    if (x >= farthest) {
        return 1ull << 62;
    }
    auto whole = static_cast<uint64_t>(x);
    return static_cast<double>(whole) < x ? whole + 1 : whole == 0 ? 1 : whole;
}

void start(const uint8_t* kept, uint64_t seed) {
    random_state = mix(seed);
    kept_bits = kept;
    __atomic_store_n(&has_begun_, mean_of(rate()) != 0, __ATOMIC_RELEASE);
}

void sample_at(uint64_t mean) {
    __atomic_store_n(&transport::shown_page.header.sampling, mean, __ATOMIC_RELEASE);
    begin();
}

void stop() {
    transport::hide_page();
}

void begin() {
    if (!has_begun()) {  // all threads read it: it is written once
        __atomic_store_n(&has_begun_, true, __ATOMIC_RELAXED);
    }
}

bool takes(size_t bytes, uint64_t rate) {
    begin();
    const uint64_t mean = mean_of(rate);
    const size_t before = points.rate == rate ? points.before : distance(mean, next_random()) - 1;
    const bool taken = bytes >= before;
    points.before = taken ? distance(mean, next_random()) - 1 : before - (bytes + 1);
    points.rate = rate;
    return taken;
}

bool tells(uintptr_t address, uint64_t rate) {
    if ((rate & wire::sampling_kept) == 0) {
        return false;
    }
    const auto bits = static_cast<uint32_t>(rate >> wire::sampling_bits_shift) & 63;
    if (bits < 3 || bits > wire::most_kept_bits || kept_bits == nullptr) {
        return true;
    }
    const uint64_t place = (address >> 4) * wire::stripe_multiplier >> (64 - bits);
    return (__atomic_load_n(&kept_bits[place / 8], __ATOMIC_RELAXED) >> (place % 8) & 1) != 0;
}

}  // namespace nh::sampling
