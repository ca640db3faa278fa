// Containers of the standard library in global variables, which are destroyed after main.
// leaks: reachable 2196/24
// leaks (strict):
#include <deque>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "leaks.h"

std::vector<long> vector;
std::list<long> list;
std::map<long, long> map;
std::string string;
std::deque<long> deque;

int main() {
    vector.reserve(100);
    for (long i = 0; i < 10; i++) {
        list.push_back(i);
        map[i] = i;
    }
    string.assign(99, 'x');
    deque.push_back(1);
    forget();
}
