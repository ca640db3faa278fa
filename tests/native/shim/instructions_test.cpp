// What a malloc with its free costs in instructions, counted by callgrind: a figure that no other load of the machine
// changes. Held in tests/golden/instructions.txt; who makes it better, lowers it there.
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

constexpr double tolerance = 0.04;    // compilers of one series differ by less
constexpr double sampling_noise = 1;  // two samples more or less in 20,000 pairs

std::map<std::string, double> golden() {
    std::map<std::string, double> figures;
    std::ifstream file(NH_GOLDEN "/instructions.txt");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        double figure;
        if (line[0] != '#' && words >> name >> figure) {
            figures[name] = figure;
        }
    }
    return figures;
}

// A run of measured_pairs under callgrind; of its collector only the answer to the hello matters: rings have room for
// all that is measured.
class Counted {
  public:
    // sampling: what the collector says from the beginning; 0: what the settings say.
    Counted(const std::string& way, bool shim, const std::vector<std::string>& settings = {}, uint64_t sampling = 0) {
        char file[] = "/tmp/nativeheap-callgrind-XXXXXX";
        int descriptor = mkstemp(file);
        close(descriptor);
        RegionSize size;
        size.ring_bytes = 1 << 23;
        Collector collector(size);
        collector.clock_stands = true;  // no time events
        collector.spoiled_offset = sampling == 0 ? 0 : offsetof(wire::region, sampling);
        collector.spoiled_value = sampling;
        collector.start();
        std::vector<std::string> command = {"valgrind",
                                            "-q",
                                            "--tool=callgrind",
                                            std::string("--callgrind-out-file=") + file,
                                            "--collect-atstart=no",
                                            "--toggle-collect=measured",
                                            target_path("measured_pairs"),
                                            way,
                                            std::to_string(pairs)};
        if (!shim) {
            command.insert(command.begin(), {"env", "-u", "LD_PRELOAD"});
        }
        Target target(shim ? collector.path() : "", command, settings);
        target.wait();
        EXPECT_TRUE(target.succeeded()) << target.errors;
        collector.stop();
        recorded_ = settle_all(collector).allocations;
        std::ifstream counts(file);
        for (std::string line; std::getline(counts, line);) {
            if (line.compare(0, 7, "totals:") == 0) {
                total_ = std::stod(line.substr(7));
            }
        }
        unlink(file);
    }

    double a_pair() const { return total_ / pairs; }
    int64_t recorded() const { return recorded_; }
    static constexpr int64_t pairs = 20000;

  private:
    double total_ = 0;
    int64_t recorded_ = 0;
};

void expect_golden(const std::string& name, double figure) {
    std::printf("%s: %.1f instructions a pair\n", name.c_str(), figure);
    double held = golden()[name];
    EXPECT_LT(figure, held * (1 + tolerance) + sampling_noise) << name << " got dearer";
    EXPECT_GT(figure, held * (1 - 2 * tolerance) - sampling_noise)
        << name << " got cheaper: lower the figure, so that it stays so";
}

// Beyond what the program and its allocator need.
void expect_cost(const std::string& way, const std::string& name, bool exact, const std::vector<std::string>& settings,
                 uint64_t sampling = 0) {
    Counted without(way, false);
    Counted with(way, true, settings, sampling);
    ASSERT_GT(without.a_pair(), 50);
    if (exact) {
        EXPECT_GE(with.recorded(), Counted::pairs);
    } else {
        EXPECT_LT(with.recorded(), 100);
    }
    expect_golden(name, with.a_pair() - without.a_pair());
}

TEST(Instructions, of_a_pair_on_a_repeated_path) {
    expect_cost("repeated", "repeated", true, {});
}

TEST(Instructions, of_a_pair_on_varying_paths) {
    expect_cost("varying", "varying", true, {});
}

TEST(Instructions, of_a_pair_that_is_not_sampled) {
    expect_cost("repeated", "sampled", false, {"NATIVEHEAP_SAMPLE=512KiB"});
}

TEST(Instructions, of_a_pair_that_is_not_sampled_while_blocks_are_kept_that_were_recorded_exactly) {
    const uint64_t kept = wire::sampling_kept | uint64_t{20} << wire::sampling_bits_shift;
    expect_cost("repeated", "kept", false, {}, kept | uint64_t{512} << 10);
}

}  // namespace
}  // namespace nh::test
