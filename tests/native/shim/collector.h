// A collector for tests: serves the handshake on a real socket, hands out a real memfd, drains every ring and keeps
// every event. Simple and exact; what it reads can be checked afterwards (ledger.h).
#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "native/wire/wire.h"

namespace nh::test {

struct RegionSize {
    uint32_t rings = 64;
    uint32_t shared_rings = 4;
    uint32_t slots = 64;
    uint32_t modules = 1024;
    uint32_t nodes = 1 << 18;
    uint64_t ring_bytes = 1 << 17;
};

struct Event {
    wire::event_kind kind;
    uint32_t slot, tid;  // of the stream at this point
    uint32_t ring;
    uint64_t position;  // in the ring, of the first byte
    uint64_t time_ns;
    uint64_t address, size, old_address;
    uint32_t node, order, old_order, result;  // result: of a release, among_samples
    uint64_t mean;                            // of samples
    uint32_t cut_ring;
    uint64_t cut;
};

// What one program image said hello for: the region it and its forked children wrote into.
class Image {
  public:
    Image(const wire::hello& hello, const RegionSize& size);
    ~Image();
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;

    int descriptor() const { return descriptor_; }
    uint64_t bytes() const { return bytes_; }
    wire::region& header() const { return *reinterpret_cast<wire::region*>(base_); }
    uint8_t* kept_bits() const { return base_ + header().kept_offset; }
    wire::ring& ring(uint32_t i) const;
    wire::slot& slot(uint32_t i) const;
    wire::node& node(uint32_t i) const;
    const RegionSize& size() const { return size_; }
    const wire::hello& hello() const { return hello_; }

    void drain(uint64_t most_bytes);
    // Gives back the rings of threads that are gone.
    void reclaim();

    // Found where the region was made, whatever its header says now.
    uint32_t first_slot_state() const;

    std::deque<Event> events;       // which a growing one does not copy: the target would take us for stuck meanwhile
    uint64_t missed_calls() const;  // over all processes

  private:
    struct Stream {
        uint32_t slot = wire::no_slot, tid = 0;
        uint64_t time_ns = 0;
        uint64_t read = 0;
    };
    void drain_ring(uint32_t index, uint64_t most_bytes);
    uint64_t take(uint32_t index, Stream& stream, const uint8_t* at);

    wire::hello hello_;
    RegionSize size_;
    int descriptor_ = -1;
    uint64_t bytes_ = 0;
    uint8_t* base_ = nullptr;
    std::vector<Stream> streams_;
    uint64_t slots_at_ = 0;
};

class Collector {
  public:
    explicit Collector(const RegionSize& size = {});
    ~Collector();

    const std::string& path() const { return path_; }
    // Serves until stop(), on a thread of its own.
    void start();
    // Reads what is left and ends; images() is then complete.
    void stop();
    const std::vector<std::unique_ptr<Image>>& images() const { return images_; }

    std::atomic<uint64_t> most_bytes_a_round = ~0ull;  // 0: reads nothing
    std::atomic<wire::control> control = wire::control::record;
    std::atomic<bool> clock_stands = false;
    // Answers instead of a region.
    std::atomic<wire::welcome_status> answer = wire::welcome_status::accepted;
    std::atomic<uint32_t> answered_version = wire::wire_version;
    std::atomic<uint64_t> spoiled_offset = 0;  // of the region: this 8-byte word is set to spoiled_value
    std::atomic<uint64_t> spoiled_value = 0;
    // That regions name from now on; 0: none.
    std::atomic<uint32_t> park_signal = 0;
    std::atomic<uint32_t> snapshot_signal = 0;
    std::atomic<bool> only_handshake = false;
    // The same in a child process, to be killed; the parent sees nothing of what it reads.
    pid_t start_in_child();

  private:
    void serve();
    void welcome(int connection);
    void round();

    RegionSize size_;
    std::string folder_, path_;
    int listener_;
    std::thread thread_;
    std::atomic<bool> stopping_ = false;
    std::vector<std::unique_ptr<Image>> images_;
};

uint64_t monotonic_ns();

}  // namespace nh::test
