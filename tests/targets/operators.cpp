// Hazard: operator new and delete reach malloc through libstdc++, loaded or linked statically into the program.
// Counts what libstdc++ asks of malloc: at least one byte, and for over-aligned types whole multiples of the alignment.
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "account.h"

namespace {

struct account counted;

struct alignas(64) Line {
    char bytes[100];
};

void born(size_t size) {
    account_born(&counted, by_malloc, size == 0 ? 1 : size);
}
void gone(size_t size) {
    account_gone(&counted, size == 0 ? 1 : size);
}

// The compiler may leave out a new whose result nobody uses.
void used(void* block) {
    asm volatile("" : : "r"(block) : "memory");
}

void plain(size_t size) {
    void* one = ::operator new(size);
    void* many = ::operator new[](size);
    void* quiet = ::operator new(size, std::nothrow);
    void* left = ::operator new(size);
    born(size), born(size), born(size), born(size);
    ::operator delete(one, size);
    ::operator delete[](many);
    ::operator delete(quiet, std::nothrow);
    gone(size), gone(size), gone(size);
    if (left == nullptr) {
        counted.wrong++;
    }
}

void aligned() {
    auto* line = new Line;
    account_born(&counted, by_aligned_alloc, sizeof(Line));
    counted.wrong += reinterpret_cast<uintptr_t>(line) % alignof(Line) != 0;
    delete line;
    account_gone(&counted, sizeof(Line));
    used(new Line[3]);
    account_born(&counted, by_aligned_alloc, 3 * sizeof(Line));
}

void failing() {
    volatile size_t too_much = SIZE_MAX / 2 + 1;  // volatile: the compiler would warn of what it can foresee
    if (::operator new(too_much, std::nothrow) != nullptr) {
        counted.wrong++;
    }
}

void containers() {
    std::vector<int> numbers;
    numbers.reserve(1000);
    born(1000 * sizeof(int));
    auto text = std::make_unique<std::string>(500, 'x');
    born(sizeof(std::string));
    born(501);
    text.reset();
    gone(501);
    gone(sizeof(std::string));
    numbers = std::vector<int>();
    gone(1000 * sizeof(int));
}

}  // namespace

int main(int argc, char** argv) {
    failing();  // in idle runs too: libstdc++ throws and catches, and allocates its exception
    if (!asked_for_nothing(argc, argv)) {
        for (size_t size : {0, 1, 100, 4096, 1000000}) {
            plain(size);
        }
        aligned();
        containers();
    }
    account_print(&counted);
    return counted.wrong == 0 ? 0 : 1;
}
