// std::string before C++11's ABI: length, capacity and a count of references stand before the characters.
// leaks: reachable 125/1
#define _GLIBCXX_USE_CXX11_ABI 0
#include <string>

#include "leaks.h"

std::string* held;
alignas(std::string) char memory[sizeof(std::string)];

int main() {
    held = new (memory) std::string(100, 'x');
    forget();
}
