#include "tests/native/shim/ledger.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace nh::test {
namespace {

// One use of one address: an alloc, a release, or half of a resize.
struct Step {
    uint32_t stripe, order;
    uint64_t address, size;
    bool birth, death;
    uint32_t node;
};

uint32_t stripe_of(uint64_t address) {
    return static_cast<uint32_t>((address >> 4) * wire::stripe_multiplier >> wire::stripe_shift);
}

Step birth(uint64_t address, uint32_t order, uint64_t size, uint32_t node) {
    return {stripe_of(address), order, address, size, true, false, node};
}

Step death(uint64_t address, uint32_t order, bool dies = true) {
    return {stripe_of(address), order, address, 0, false, dies, 0};
}

std::vector<Step> steps_of(const std::vector<const Event*>& events, Totals* totals) {
    std::vector<Step> steps;
    std::set<uint32_t> tids;
    for (const Event* written : events) {
        const Event& event = *written;
        tids.insert(event.tid);
        auto result = static_cast<wire::resize_result>(event.result);
        switch (event.kind) {
            case wire::event_kind::alloc:
            case wire::event_kind::sample:
                steps.push_back(birth(event.address, event.order, event.size, event.node));
                break;
            case wire::event_kind::release:
            case wire::event_kind::sample_release:
                steps.push_back(death(event.address, event.order));
                break;
            case wire::event_kind::resize:
                steps.push_back(death(event.old_address, event.old_order, result != wire::resize_result::failed));
                totals->failed_resizes += result == wire::resize_result::failed;
                if (result == wire::resize_result::moved) {
                    steps.push_back(birth(event.address, event.order, event.size, event.node));
                }
                break;
            default:
                break;
        }
    }
    totals->threads = static_cast<int64_t>(tids.size());
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
        return a.stripe != b.stripe ? a.stripe < b.stripe : a.order < b.order;
    });
    return steps;
}

std::string check_consecutive(const std::vector<Step>& steps) {
    for (size_t i = 0; i < steps.size(); i++) {
        uint32_t expected = i > 0 && steps[i - 1].stripe == steps[i].stripe ? steps[i - 1].order + 1 : 1;
        if (steps[i].order != expected) {
            return "stripe " + std::to_string(steps[i].stripe) + ": number " + std::to_string(steps[i].order) +
                   " where " + std::to_string(expected) + " was due";
        }
    }
    return "";
}

Totals settle(const Image& image, const std::vector<const Event*>& events);

}  // namespace

Totals Totals::operator-(const Totals& other) const {
    Totals result = *this;
    result.allocations -= other.allocations;
    result.frees -= other.frees;
    result.allocated_bytes -= other.allocated_bytes;
    result.live_blocks -= other.live_blocks;
    result.live_bytes -= other.live_bytes;
    result.foreign_frees -= other.foreign_frees;
    result.failed_resizes -= other.failed_resizes;
    for (size_t i = 0; i < entry_blocks.size(); i++) {
        result.entry_blocks[i] -= other.entry_blocks[i];
    }
    return result;
}

namespace {

Totals settle(const Image& image, const std::vector<const Event*>& events) {
    Totals totals;
    std::vector<Step> steps = steps_of(events, &totals);
    totals.broken = check_consecutive(steps);
    std::unordered_map<uint64_t, uint64_t> live;  // address → bytes
    for (const Step& step : steps) {
        if (step.birth) {
            if (!live.emplace(step.address, step.size).second && totals.broken.empty()) {
                totals.broken = "address " + std::to_string(step.address) + " was born twice";
            }
            uint64_t marker = image.node(step.node).pc;
            if (step.node == 0 || marker == 0 || marker >= totals.entry_blocks.size()) {
                totals.broken = "node " + std::to_string(step.node) + " is no entry marker";
                continue;
            }
            totals.entry_blocks[marker]++;
            totals.allocations++;
            totals.allocated_bytes += static_cast<int64_t>(step.size);
        } else if (step.death) {
            bool known = live.erase(step.address) == 1;
            totals.frees += known;
            totals.foreign_frees += !known;
        }
    }
    totals.live_blocks = static_cast<int64_t>(live.size());
    for (const auto& [address, bytes] : live) {
        totals.live_bytes += static_cast<int64_t>(bytes);
    }
    return totals;
}

}  // namespace

std::map<uint32_t, Totals> settle_slots(const Image& image) {
    std::map<uint32_t, std::vector<const Event*>> events;
    for (const Event& event : image.events) {
        events[event.slot].push_back(&event);
    }
    std::map<uint32_t, Totals> slots;
    for (const auto& [slot, written] : events) {
        slots[slot] = settle(image, written);
    }
    return slots;
}

Totals settle(const Image& image, uint32_t slot) {
    return settle_slots(image)[slot];
}

Totals settle_all(const Collector& collector) {
    Totals sum;
    for (const auto& image : collector.images()) {
        for (const auto& [slot, part] : settle_slots(*image)) {
            std::string broken = sum.broken.empty() ? part.broken : sum.broken;
            Totals none;
            sum = sum - (none - part);
            sum.threads += part.threads;
            sum.broken = broken;
        }
    }
    return sum;
}

}  // namespace nh::test
